/* Allocates, grows and counts references to bodies. */
#include <pointsman/blob.h>

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

#define BLOB_OVERHEAD (sizeof(struct blob) + BLOB_PADDING)

struct blob *blob_new(size_t cap) {
    if (cap > SIZE_MAX - BLOB_OVERHEAD)
        return NULL;
    struct blob *b = malloc(BLOB_OVERHEAD + cap);
    if (!b)
        return NULL;
    atomic_init(&b->refs, 1);
    b->len = 0;
    b->cap = cap;
    return b;
}

struct blob *blob_grow(struct blob *b, size_t cap) {
    if (cap <= b->cap)
        return b;
    if (cap > SIZE_MAX - BLOB_OVERHEAD)
        return NULL;
    if (b->cap <= (SIZE_MAX - BLOB_OVERHEAD) / 2 && cap < b->cap * 2)
        cap = b->cap * 2;
    struct blob *grown = realloc(b, BLOB_OVERHEAD + cap);
    if (!grown)
        return NULL;
    grown->cap = cap;
    return grown;
}

struct blob *blob_ref(struct blob *b) {
    atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
    return b;
}

void blob_unref(struct blob *b) {
    /* Every holder's reads must be over before the last one frees, hence acquire and release. */
    if (b && atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) == 1)
        free(b);
}

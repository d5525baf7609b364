/* Allocates, grows and counts references to bodies. */
#include <pointsman/blob.h>

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define BLOB_OVERHEAD (sizeof(struct blob) + BLOB_PADDING)
/* From here on a blob is a mapping of its own, where the system can in huge pages: growing moves
 * pages instead of bytes, and it is not paid for with a fault for every 4 KiB. */
#define MAPPED_MIN ((size_t)4 * 1024 * 1024)

static bool is_mapped(size_t cap) {
    return cap >= MAPPED_MIN;
}

static struct blob *map(size_t cap) {
    void *at =
        mmap(NULL, BLOB_OVERHEAD + cap, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
        return NULL;
    (void)madvise(at, BLOB_OVERHEAD + cap, MADV_HUGEPAGE);
    return at;
}

static struct blob *remap(struct blob *b, size_t cap) {
    void *at = mremap(b, BLOB_OVERHEAD + b->cap, BLOB_OVERHEAD + cap, MREMAP_MAYMOVE);
    return at == MAP_FAILED ? NULL : at;
}

static struct blob *move_to_mapping(struct blob *b, size_t cap) {
    struct blob *mapped = map(cap);
    if (!mapped)
        return NULL;
    memcpy(mapped, b, sizeof *b + b->len);
    free(b);
    return mapped;
}

struct blob *blob_new(size_t cap) {
    if (cap > SIZE_MAX - BLOB_OVERHEAD)
        return NULL;
    struct blob *b = is_mapped(cap) ? map(cap) : malloc(BLOB_OVERHEAD + cap);
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
    struct blob *grown = NULL;
    if (is_mapped(b->cap))
        grown = remap(b, cap);
    else if (is_mapped(cap))
        grown = move_to_mapping(b, cap);
    else
        grown = realloc(b, BLOB_OVERHEAD + cap);
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
    if (!b || atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) != 1)
        return;
    if (is_mapped(b->cap))
        (void)munmap(b, BLOB_OVERHEAD + b->cap);
    else
        free(b);
}

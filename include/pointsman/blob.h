/* Bytes with counted references: one event body, read by legs, comparison and journal. Layer: base.
 * Counts are atomic; the bytes are immutable once a second reference exists. */
#ifndef POINTSMAN_BLOB_H
#define POINTSMAN_BLOB_H

#include <stddef.h>

#include <pointsman/compiler.h>
#include <pointsman/slice.h>

/* simdjson reads this far behind the content (SIMDJSON_PADDING, 64). The padding is readable. */
#define BLOB_PADDING 64

struct blob {
    _Atomic int refs;
    size_t len; /* bytes of content */
    size_t cap; /* bytes that fit without growing; padding not counted */
    char data[];
};

/* A blob with one reference and room for cap bytes; NULL: no memory. */
MUST_CHECK struct blob *blob_new(size_t cap);
/* Room for at least cap bytes, doubling; only with a single reference. NULL: no memory, b is
 * intact. */
MUST_CHECK struct blob *blob_grow(struct blob *b, size_t cap);
struct blob *blob_ref(struct blob *b);
/* NULL is allowed. The last reference frees. */
void blob_unref(struct blob *b);

static inline struct slice blob_slice(const struct blob *b) {
    return slice(b->data, b->len);
}

#endif

/* A webhook body as GitHub sends it, with {{number}} where each copy is about another entity.
 * Layer: bench. */
#ifndef BENCH_TEMPLATE_H
#define BENCH_TEMPLATE_H

#include <stddef.h>

#include <pointsman/buf.h>
#include <pointsman/compiler.h>
#include <pointsman/slice.h>

struct template {
    struct buf json;  /* compact */
    char event[64];   /* X-GitHub-Event: the file's name up to its first dot */
    char entity[256]; /* what it is about, without the number at its end */
};

/* False: stderr says why, nothing is held. The entity is told as DESIGN §2 says, by another JSON
 * library than the product's. */
MUST_CHECK bool template_read(struct template *ret, const char *path);
/* All *.json of a folder, by name. */
MUST_CHECK bool template_read_folder(const char *path, struct template **ret, size_t *ret_count);
/* The smallest body with an identity. */
MUST_CHECK bool template_small(struct template *ret);
void template_free(struct template *t);

/* False: out is full. */
MUST_CHECK bool template_number(const struct template *t, unsigned number, struct buf *out);

#endif

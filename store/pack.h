/* Bodies as they lie on disk: LZ4 blocks, where that makes them smaller by an eighth. Layer: store.
 */
#ifndef POINTSMAN_STORE_PACK_H
#define POINTSMAN_STORE_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pointsman/compiler.h>
#include <pointsman/slice.h>

/* Room to pack in, kept from one body to the next; zeroed at first. One thread at a time. */
struct pack {
    char *room;
    size_t cap; /* bytes */
};

/* False: there is nothing to gain, or no memory; the body is to be kept as it is. *ret lives until
 * the next call. */
MUST_CHECK bool pack_body(struct pack *p, struct slice body, struct slice *ret);
/* Gives back what only a large body needed. */
void pack_trim(struct pack *p);
void pack_free(struct pack *p);

#define PACK_MOST (1u << 30) /* bytes of a body, as limits.body; larger ones stay as they are */

/* Whether so many packed bytes can hold `size`: whoever reads a size from a disk asks before memory
 * is taken for it. */
bool pack_holds(uint64_t packed, uint64_t size);
/* Writes exactly `size` bytes to `to`, or returns false: it is not what was packed. */
MUST_CHECK bool pack_open(struct slice packed, size_t size, char *to);

#endif

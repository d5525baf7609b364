/* JSON of webhooks shrinks to a third or less in microseconds, which writing the difference would
 * cost several times. */
#include "pack.h"

#include <stdlib.h>

#include <lz4.h>

#define LEAST   512         /* bytes: smaller ones would fill no page less */
#define KEPT    (256 << 10) /* bytes of room that stay */
#define SHRINKS 255 /* at most so many times (LZ4's block format: "End of block conditions") */

static bool have_room(struct pack *p, size_t cap) {
    if (p->cap >= cap)
        return true;
    size_t more = cap > KEPT ? cap : KEPT;
    char *room = malloc(more);
    if (!room)
        return false;
    free(p->room);
    *p = (struct pack){room, more};
    return true;
}

bool pack_body(struct pack *p, struct slice body, struct slice *ret) {
    size_t most = body.len - body.len / 8;
    if (body.len < LEAST || body.len > PACK_MOST || !have_room(p, most))
        return false;
    int len = LZ4_compress_default(body.ptr, p->room, (int)body.len, (int)most);
    if (len <= 0)
        return false;
    *ret = slice(p->room, (size_t)len);
    return true;
}

void pack_trim(struct pack *p) {
    if (p->cap > KEPT)
        pack_free(p);
}

void pack_free(struct pack *p) {
    free(p->room);
    *p = (struct pack){.room = NULL};
}

bool pack_holds(uint64_t packed, uint64_t size) {
    return size <= PACK_MOST && packed <= size && size / SHRINKS <= packed;
}

bool pack_open(struct slice packed, size_t size, char *to) {
    return pack_holds(packed.len, size) &&
           LZ4_decompress_safe(packed.ptr, to, (int)packed.len, (int)size) == (int)size;
}

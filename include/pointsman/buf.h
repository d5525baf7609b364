/* A growing buffer with a maximum, read at the front and written at the end. Layer: base. */
#ifndef POINTSMAN_BUF_H
#define POINTSMAN_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <pointsman/compiler.h>
#include <pointsman/slice.h>

/* start..end is unread content; end..cap is room. Memory is allocated on first use. */
struct buf {
    char *data;
    size_t start;
    size_t end;
    size_t cap;
    size_t max; /* bytes of content that may ever be held at once */
};

void buf_init(struct buf *b, size_t max);
void buf_free(struct buf *b);  /* gives the memory back; b stays usable with its max */
void buf_reset(struct buf *b); /* empties, keeps the memory */
/* Empties `from` and gives its memory to `to`, unless that has some or may not hold so much. */
void buf_hand_over(struct buf *from, struct buf *to);

static inline size_t buf_len(const struct buf *b) {
    return b->end - b->start;
}
static inline char *buf_at(const struct buf *b) {
    return b->data + b->start;
}
static inline struct slice buf_slice(const struct buf *b) {
    return slice(b->data ? b->data + b->start : "", b->end - b->start);
}
static inline char *buf_room(const struct buf *b) {
    return b->data + b->end;
}
static inline size_t buf_room_len(const struct buf *b) {
    return b->cap - b->end;
}

/* Makes at least n bytes of room; false: over the maximum or no memory, nothing changed. */
MUST_CHECK bool buf_reserve(struct buf *b, size_t n);
/* n bytes were written into the room. */
void buf_commit(struct buf *b, size_t n);
void buf_consume(struct buf *b, size_t n);

/* False: over the maximum or no memory, nothing appended. */
MUST_CHECK static inline bool buf_append(struct buf *b, const void *ptr, size_t n) {
    if (n == 0)
        return true;
    if (n > buf_room_len(b) && !buf_reserve(b, n))
        return false;
    memcpy(buf_room(b), ptr, n);
    b->end += n;
    return true;
}
MUST_CHECK static inline bool buf_append_slice(struct buf *b, struct slice s) {
    return buf_append(b, s.ptr, s.len);
}
/* Inline, so that the length of a literal costs nothing. */
MUST_CHECK static inline bool buf_puts(struct buf *b, const char *text) {
    return buf_append(b, text, strlen(text));
}
MUST_CHECK bool buf_printf(struct buf *b, const char *format, ...) PRINTF_LIKE(2, 3);
MUST_CHECK bool buf_put_u64(struct buf *b, uint64_t value);
/* Everything but unreserved characters (RFC 3986 §2.3) as %XX. */
MUST_CHECK bool buf_put_escaped(struct buf *b, struct slice text);

#endif

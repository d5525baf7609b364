/* Writes one JSON object into a buffer, escaping as RFC 8259 and replacing bytes that are
 * not UTF-8 by U+FFFD. For hot paths and logs; what is read by people's API uses jansson. Layer:
 * base. */
#ifndef POINTSMAN_JSONW_H
#define POINTSMAN_JSONW_H

#include <stdbool.h>
#include <stdint.h>

#include <pointsman/buf.h>
#include <pointsman/compiler.h>
#include <pointsman/slice.h>

struct jsonw {
    struct buf *out;
    bool failed; /* the buffer was full; the text is cut and must not be used */
};

void jsonw_begin(struct jsonw *w, struct buf *out); /* writes { */
void jsonw_end(struct jsonw *w);                    /* writes } */
void jsonw_close(struct jsonw *w);                  /* ends what jsonw_object began */

/* 1500: 1.500; for keys from a table. */
void jsonw_milli(struct jsonw *w, struct slice key, uint64_t thousandths);

/* What follows a key. A comma stands behind all but an opened object; the end takes the last one
 * back. A number takes the room of the longest there is; raw may also be whole members. */
void jsonw_put_str(struct jsonw *w, struct slice value);
void jsonw_put_strz(struct jsonw *w, const char *value);
void jsonw_put_u64(struct jsonw *w, uint64_t value);
void jsonw_put_raw(struct jsonw *w, struct slice json);
void jsonw_put_open(struct jsonw *w);

/* Makes n bytes of room; false: it failed. */
COLD bool jsonw_make_room(struct jsonw *w, size_t n);

/* A key, which needs no escape. Always inline: where the key is a literal it is a store or two. */
static ALWAYS_INLINE void jsonw_put_key(struct jsonw *w, struct slice key) {
    struct buf *out = w->out;
    if (key.len + 3 > buf_room_len(out) && !jsonw_make_room(w, key.len + 3))
        return;
    char *at = buf_room(out);
    *at = '"';
    memcpy(at + 1, key.ptr, key.len);
    memcpy(at + 1 + key.len, "\":", 2);
    out->end += key.len + 3;
}

/* An absent slice: null. */
static ALWAYS_INLINE void jsonw_str(struct jsonw *w, const char *key, struct slice value) {
    jsonw_put_key(w, slice_of(key));
    jsonw_put_str(w, value);
}

/* NULL: null. */
static ALWAYS_INLINE void jsonw_strz(struct jsonw *w, const char *key, const char *value) {
    jsonw_put_key(w, slice_of(key));
    jsonw_put_strz(w, value);
}

static ALWAYS_INLINE void jsonw_u64(struct jsonw *w, const char *key, uint64_t value) {
    jsonw_put_key(w, slice_of(key));
    jsonw_put_u64(w, value);
}

static ALWAYS_INLINE void jsonw_object(struct jsonw *w, const char *key) {
    jsonw_put_key(w, slice_of(key));
    jsonw_put_open(w);
}

static ALWAYS_INLINE void jsonw_raw(struct jsonw *w, const char *key, struct slice json) {
    jsonw_put_key(w, slice_of(key));
    jsonw_put_raw(w, json);
}

#endif

/* Writes one JSON object into a buffer, escaping as RFC 8259 and replacing bytes that are
 * not UTF-8 by U+FFFD. For hot paths and logs; what is read by people's API uses jansson. Layer:
 * base. */
#ifndef POINTSMAN_JSONW_H
#define POINTSMAN_JSONW_H

#include <stdbool.h>
#include <stdint.h>

#include <pointsman/buf.h>
#include <pointsman/slice.h>

struct jsonw {
    struct buf *out;
    bool comma;
    bool failed; /* the buffer was full; the text is cut and must not be used */
};

void jsonw_begin(struct jsonw *w, struct buf *out); /* writes { */
void jsonw_end(struct jsonw *w);                    /* writes } */
void jsonw_close(struct jsonw *w);                  /* ends what jsonw_object began */

/* A key, which needs no escape, and the value after it. */
void jsonw_put_key(struct jsonw *w, struct slice key);
void jsonw_put_str(struct jsonw *w, struct slice value);
void jsonw_put_u64(struct jsonw *w, uint64_t value);
void jsonw_put_milli(struct jsonw *w, uint64_t thousandths);
void jsonw_put_raw(struct jsonw *w, struct slice json);
void jsonw_put_open(struct jsonw *w);

/* Both at once; inline, so that where the compiler takes it up a key's length is a constant. */
static inline void jsonw_key(struct jsonw *w, const char *key) {
    jsonw_put_key(w, slice_of(key));
}

/* An absent slice: null. */
static inline void jsonw_str(struct jsonw *w, const char *key, struct slice value) {
    jsonw_key(w, key);
    jsonw_put_str(w, value);
}

/* NULL: null. */
static inline void jsonw_strz(struct jsonw *w, const char *key, const char *value) {
    jsonw_str(w, key, slice_of(value));
}

static inline void jsonw_u64(struct jsonw *w, const char *key, uint64_t value) {
    jsonw_key(w, key);
    jsonw_put_u64(w, value);
}

/* 1500: 1.500 */
static inline void jsonw_milli(struct jsonw *w, const char *key, uint64_t thousandths) {
    jsonw_key(w, key);
    jsonw_put_milli(w, thousandths);
}

static inline void jsonw_object(struct jsonw *w, const char *key) {
    jsonw_key(w, key);
    jsonw_put_open(w);
}

static inline void jsonw_raw(struct jsonw *w, const char *key, struct slice json) {
    jsonw_key(w, key);
    jsonw_put_raw(w, json);
}

#endif

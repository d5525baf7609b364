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

void jsonw_begin(struct jsonw *w, struct buf *out);                   /* writes { */
void jsonw_end(struct jsonw *w);                                      /* writes } */
void jsonw_key(struct jsonw *w, const char *key);                     /* keys need no escape */
void jsonw_str(struct jsonw *w, const char *key, struct slice value); /* absent slice: null */
void jsonw_strz(struct jsonw *w, const char *key, const char *value); /* NULL: null */
void jsonw_u64(struct jsonw *w, const char *key, uint64_t value);
void jsonw_milli(struct jsonw *w, const char *key, uint64_t thousandths); /* 1500: 1.500 */
void jsonw_object(struct jsonw *w, const char *key); /* opens; close with jsonw_close */
void jsonw_close(struct jsonw *w);                   /* } */
void jsonw_raw(struct jsonw *w, const char *key, struct slice json);

#endif

/* A run of bytes owned by someone else; not NUL-terminated. Layer: base. */
#ifndef POINTSMAN_SLICE_H
#define POINTSMAN_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* ptr may be NULL only where len is 0; NULL means "absent", an empty string has a ptr. */
struct slice {
    const char *ptr;
    size_t len;
};

/* For "%.*s". */
#define SLICE_ARG(s) (int)(s).len, (s).len ? (s).ptr : ""

static inline struct slice slice(const void *ptr, size_t len) {
    return (struct slice){(const char *)ptr, len};
}

static inline struct slice slice_of(const char *text) {
    return (struct slice){text, text ? strlen(text) : 0};
}

static inline bool slice_eq(struct slice a, struct slice b) {
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool slice_is(struct slice a, const char *text) {
    return slice_eq(a, slice_of(text));
}

/* ASCII case is ignored. Most names that are not the same differ in the first letter. */
bool slice_ieq_rest(struct slice a, struct slice b); /* of one length */
static inline bool slice_ieq(struct slice a, struct slice b) {
    return a.len == b.len &&
           (a.len == 0 || (((a.ptr[0] ^ b.ptr[0]) & ~0x20) == 0 && slice_ieq_rest(a, b)));
}
static inline bool slice_iis(struct slice a, const char *text) {
    return slice_ieq(a, slice_of(text));
}

/* Without leading and trailing space and tab (`ows`) or any ASCII white space (`space`). */
struct slice slice_trim_ows(struct slice s);
struct slice slice_trim_space(struct slice s);

/* Decimal digits only, no sign, no space, at least one, no overflow. */
bool slice_to_u64(struct slice s, uint64_t *ret) __attribute__((warn_unused_result));

/* Of a hex digit in either case; -1: it is none. */
int hex_value(char c);

#endif

/* Which handler answers which method and path. Layer: admin, private. */
#ifndef ADMIN_ROUTES_H
#define ADMIN_ROUTES_H

#include <stdbool.h>
#include <stddef.h>

#include <pointsman/compiler.h>
#include <pointsman/slice.h>

struct request;

struct route {
    const char *method;
    const char *pattern; /* "{…}" stands for one segment, which may not be empty */
    void (*run)(struct request *x);
    bool open; /* no token needed */
};
extern const struct route routes[];
extern const unsigned route_count;

enum route_match { ROUTE_FOUND = 0, ROUTE_NO_PATH /* 404 */, ROUTE_NO_METHOD /* 405 */ };

#define ROUTE_ALLOW_MAX 64
/* HEAD is answered by GET's route. FOUND: *ret_route, and *ret_arg is the segment as sent (absent
 * slice if the pattern has none). NO_METHOD: `allow` lists what the path knows. */
enum route_match route_find(struct slice method, struct slice path, const struct route **ret_route,
                            struct slice *ret_arg, char allow[ROUTE_ALLOW_MAX]);

/* %XX to bytes and, where `plus` is set, "+" to a space; out is NUL-terminated. False: a broken
 * escape, a NUL, or more than cap - 1 bytes. */
MUST_CHECK bool percent_decode(struct slice in, bool plus, char *out, size_t cap);

#endif

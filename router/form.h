/* application/x-www-form-urlencoded bodies. Layer: router, private. */
#ifndef POINTSMAN_ROUTER_FORM_H
#define POINTSMAN_ROUTER_FORM_H

#include <stdbool.h>

#include <pointsman/compiler.h>
#include <pointsman/err.h>
#include <pointsman/slice.h>

/* Finds the one field `payload` and decodes it into `out`, which has room for body.len bytes: *ret
 * points into it. The whole body is checked. False: bad escape, no such field, or two; *err says
 * which and where. */
MUST_CHECK bool form_payload(struct slice body, char *out, struct slice *ret, struct err *err);

#endif

/* Dates as HTTP writes them. Layer: base. */
#ifndef POINTSMAN_DATE_H
#define POINTSMAN_DATE_H

#include <stdbool.h>
#include <stdint.h>

#include <pointsman/compiler.h>
#include <pointsman/slice.h>

/* "Sun, 06 Nov 1994 08:49:37 GMT" and the two obsolete forms (RFC 9110 §5.6.7), in seconds since
 * 1970. False: none of them, or no such day. */
MUST_CHECK bool date_parse(struct slice text, int64_t *ret_s);

#endif

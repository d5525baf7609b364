/* What a request asks for: members of its JSON body, or of its query. Layer: admin, private. */
#ifndef ADMIN_FIELDS_H
#define ADMIN_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include <pointsman/compiler.h>
#include <pointsman/err.h>

struct request;

/* `allowed` ends with NULL; anything else in the request is an error that names it. An empty body
 * or query is an empty object. False: *err. The caller owns *ret. */
MUST_CHECK bool fields_of_body(const struct request *x, const char *const *allowed, json_t **ret,
                               struct err *err);
/* All values are strings. */
MUST_CHECK bool fields_of_query(const struct request *x, const char *const *allowed, json_t **ret,
                                struct err *err);

/* An absent member (or null) leaves *ret as it is. False: *err says what was found and what is
 * allowed. */
MUST_CHECK bool field_text(const json_t *fields, const char *name, char *ret, size_t cap,
                           struct err *err);
MUST_CHECK bool field_bool(const json_t *fields, const char *name, bool *ret, struct err *err);
MUST_CHECK bool field_u64(const json_t *fields, const char *name, uint64_t *ret, struct err *err);
/* 12.5, "12.5" or "12.5%"; *ret_has says whether it was there. */
MUST_CHECK bool field_percentage(const json_t *fields, const char *name, bool *ret_has,
                                 uint32_t *ret_ppm, struct err *err);

#endif

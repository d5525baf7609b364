/* Which rows of the journal a list shows: the members of its query. Layer: admin, private. */
#ifndef ADMIN_ROW_FILTER_H
#define ADMIN_ROW_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include <pointsman/buf.h>
#include <pointsman/compiler.h>
#include <pointsman/conf.h>
#include <pointsman/domain.h>
#include <pointsman/err.h>
#include <pointsman/journal.h>

struct row_filter { /* empty texts and zeros: anything */
    char source[SOURCE_NAME_MAX + 1];
    char type[EVENT_TYPE_MAX + 1];
    char entity[ENTITY_MAX + 1];
    enum side side;
    enum row_reason reason;
    uint64_t since_us, until_us; /* wall; until is exclusive */
    uint64_t after;
    uint32_t limit;
    bool count;
};
/* The members it reads; ends with NULL. */
extern const char *const row_filter_members[];

/* False: *err says what was found and what is allowed. An empty value is an error: a variable that
 * is not set in somebody's script must not select everything. */
MUST_CHECK bool row_filter_read(const json_t *fields, const struct conf *conf, uint64_t now_wall_us,
                                struct row_filter *ret, struct err *err);
/* The address of the page behind `after`, its times absolute and without `count`. */
MUST_CHECK bool row_filter_next(const struct row_filter *f, const char *path, uint64_t after,
                                struct buf *out);

/* "legacy", "new" or a backend's configured name. An absent member leaves *ret as it is. */
MUST_CHECK bool field_side(const json_t *fields, const char *name, const struct conf *conf,
                           enum side *ret, struct err *err);
/* "2h" (back from now) or RFC 3339: date, then maybe time, then maybe zone (UTC without). */
MUST_CHECK bool time_parse(struct slice text, uint64_t now_wall_us, uint64_t *ret_wall_us);

#endif

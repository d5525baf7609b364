/* One request and the ways to answer it, as handlers see them. Layer: admin, private.
 * A handler answers exactly once by a reply_ function, at once or later on the same thread. */
#ifndef ADMIN_REQUEST_H
#define ADMIN_REQUEST_H

#include <stdarg.h>
#include <stdbool.h>

#include <jansson.h>

#include <pointsman/buf.h>
#include <pointsman/compiler.h>
#include <pointsman/domain.h>
#include <pointsman/proxy.h>
#include <pointsman/slice.h>

#include "routes.h"

#define REQUEST_TARGET_MAX 4096
#define REQUEST_BODY_MAX   (512 * 1024) /* 1000 events by source and id */
#define REQUEST_ANSWER_MAX (16 * 1024 * 1024)

struct request {
    struct proxy *proxy; /* not to be used once request_is_gone */
    const struct route *route;
    bool head;     /* HEAD: the answer has no body */
    bool from_cli; /* the command line tool sent it */
    size_t path_len;
    size_t query_len;                /* 0: no query */
    char target[REQUEST_TARGET_MAX]; /* path, then query */
    char arg[ENTITY_MAX + 1];        /* the decoded segment of the pattern */
    struct buf body;
};

/* The server was stopped while a handler waited: nothing but a reply_ function may still be called.
 */
bool request_is_gone(const struct request *x);

static inline struct slice request_path(const struct request *x) {
    return slice(x->target, x->path_len);
}
static inline struct slice request_query(const struct request *x) {
    return slice(x->target + x->path_len, x->query_len);
}

/* Sends status, the given extra header lines ("Name: value\r\n…", NULL: none) and the body. The end
 * of every reply_. */
void request_answer(struct request *x, unsigned status, const char *content_type,
                    const char *header_lines, struct slice body);

/* Takes over the reference; NULL (no memory while it was built) is answered 503. */
void reply_json(struct request *x, unsigned status, json_t *json);
/* As above, with header lines. */
void reply_json_with(struct request *x, unsigned status, const char *header_lines, json_t *json);
/* RFC 9457. `members` (may be NULL, reference taken over) are added to the object. */
void reply_problem(struct request *x, unsigned status, json_t *members, const char *format, ...)
    PRINTF_LIKE(4, 5);
/* As above, with header lines. */
void reply_problem_with(struct request *x, unsigned status, const char *header_lines,
                        json_t *members, const char *detail);

#endif

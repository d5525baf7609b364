/* Calls of the admin API, and how their failures are told. Layer: cli, private. */
#ifndef CLI_API_H
#define CLI_API_H

#include <jansson.h>

#include <pointsman/buf.h>
#include <pointsman/compiler.h>

#include "command.h"

struct api_answer {
    unsigned status;
    json_t *json; /* the caller's */
    /* of lists: */
    char next[4096]; /* path of the next page; empty: none */
    uint64_t total;  /* that match, where asked for */
};

/* By --admin, POINTSMAN_ADMIN and POINTSMAN_TOKEN. `body` may be NULL. False: there is no answer,
 * said on stderr. */
MUST_CHECK bool api_call(const struct args *args, const char *method, const char *path,
                         const json_t *body, struct api_answer *ret);
/* With --json prints the answer as it is; a refusal goes to stderr else. DONE: 2xx and not --json,
 * the caller prints and frees. *ret_over: nothing is left to do, the answer is freed, return the
 * result. */
int api_check(const struct args *args, struct api_answer *answer, bool *ret_over);

/* A list or record to go on with: what is no 2xx is told on stderr and freed, false. */
MUST_CHECK bool api_get(const struct args *args, const char *path, struct api_answer *ret);

/* One path segment: prefix, the text with everything unusual escaped, suffix. False: too long. */
MUST_CHECK bool api_path(struct buf *out, const char *prefix, const char *segment,
                         const char *suffix);
/* "?source=…" if the option is there. */
MUST_CHECK bool api_path_source(struct buf *out, const struct args *args);

/* For programs, on stdout. */
void api_print(const json_t *json);
/* Members for people: "" or 0 where absent. */
const char *api_text(const json_t *json, const char *name);
json_int_t api_int(const json_t *json, const char *name);

#endif

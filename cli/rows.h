/* Dead events and those in doubt, as `dead` and `doubt` list, show and select them. Layer: cli,
 * private. */
#ifndef CLI_ROWS_H
#define CLI_ROWS_H

#include <stdbool.h>

#include <jansson.h>

#include <pointsman/buf.h>
#include <pointsman/compiler.h>

#include "api.h"

struct row_kind {
    const char *path; /* of the list: "/v1/dead" */
    const char *word; /* "dead", "in doubt" */
};
extern const struct row_kind rows_dead;
extern const struct row_kind rows_doubt;

int rows_list(const struct args *args, const struct row_kind *kind);
int rows_show(const struct args *args, const struct row_kind *kind);

/* How many of --source, --type, --entity, --backend, --reason, --since, --until are given. */
unsigned rows_filters(const struct args *args);
/* "&type=…" for each of them. False: too long. */
MUST_CHECK bool rows_put_filters(struct buf *out, const struct args *args);
/* The path of one event: kind->path, id, ?source. False: too long, said on stderr. */
MUST_CHECK bool rows_put_event(struct buf *out, const char *prefix, const char *id,
                               const struct args *args);
void rows_table(const json_t *list, size_t limit, FILE *out);

#endif

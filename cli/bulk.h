/* One word of the operator on many events: selects them, asks, works through them in batches.
 * Layer: cli, private. */
#ifndef CLI_BULK_H
#define CLI_BULK_H

#include <jansson.h>

#include "rows.h"

struct bulk {
    const struct row_kind *kind;
    const char *path; /* of the request: "/v1/dead/replay" */
    const char *verb; /* "replay" */
    const char *past; /* "replayed" */
};

/* `members` go into every request; the reference is taken over. The exit code. */
int bulk_run(const struct args *args, const struct bulk *bulk, json_t *members);

#endif

/* Settles what a run that ended without stopping left in its attempt logs. Layer: proxy. */
#ifndef POINTSMAN_RECOVER_H
#define POINTSMAN_RECOVER_H

#include <pointsman/err.h>
#include <pointsman/proxy.h>

struct recovery;

/* Before the workers open their logs: sets the old ones aside and settles what they hold, on a loop
 * of its own, for as long as one call to the store may take. NULL and *err: nothing can start. */
MUST_CHECK struct recovery *recovery_run(struct proxy *proxy, struct err *err);
/* Goes on with what the store did not take, on the proxy's loop and client, until it has; then the
 * old logs go. */
void recovery_go_on(struct recovery *r);
void recovery_free(struct recovery *r); /* NULL is allowed; after the proxy's store client */

#endif

/* A rollback reaches the queue: what waits for new becomes due at once, so that its next claim
 * gives it to legacy. Layer: proxy. On the proxy's loop. */
#ifndef POINTSMAN_REPIN_H
#define POINTSMAN_REPIN_H

#include <stdbool.h>

#include <pointsman/compiler.h>
#include <pointsman/loop.h>
#include <pointsman/router.h>

struct proxy;
struct repin;

MUST_CHECK struct repin *repin_new(struct proxy *p); /* NULL: no memory */
/* Mode or percentage changed; does nothing unless new now gets nothing any more. */
void repin_changed(struct repin *r, const struct control *from, const struct control *to);
void repin_free(struct repin *r); /* after the journal's client; NULL is allowed */

#endif

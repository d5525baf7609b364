/* A worker's share of the journal's queue: takes what is due while there is room, live traffic
 * first. Layer: proxy. Belongs to the worker's thread. */
#ifndef POINTSMAN_QUEUE_H
#define POINTSMAN_QUEUE_H

#include <stdbool.h>

#include <pointsman/compiler.h>
#include <pointsman/domain.h>

struct queue;
struct worker;

/* NULL: no memory. It takes nothing before queue_open. */
MUST_CHECK struct queue *queue_new(struct worker *w);
void queue_open(struct worker *w); /* idempotent */
/* Nothing is taken any more; what runs goes on. */
void queue_close(struct worker *w);
/* Mode, percentage or configuration changed: other rows may be wanted now. */
void queue_changed(struct worker *w);
/* Whether an event for this side could be sent now, to it or to the one it would go to instead: the
 * breaker lets it, and max_in_flight is not reached. */
bool queue_side_is_open(const struct worker *w, enum side side);
/* An event of the queue is through. */
void queue_ended(struct worker *w);
void queue_free(struct queue *q); /* after the journal's client; NULL is allowed */

#endif

/* Listening sockets: bound (one per worker and address, SO_REUSEPORT) and accepted from on the
 * worker's loop. Layer: proxy. */
#ifndef POINTSMAN_LISTENER_H
#define POINTSMAN_LISTENER_H

#include <stdbool.h>
#include <stdint.h>

#include <pointsman/compiler.h>
#include <pointsman/conf.h>
#include <pointsman/err.h>

struct listening;
struct worker;

/* A bound, listening, non-blocking descriptor, or -1. *port: 0 asks for a free one; written with
 * the bound one. `shared`: more sockets will bind the same address; `more`: this is one of those,
 * the first has made sure that no other process listens there. */
MUST_CHECK int listener_bind(const struct conf_address *address, uint16_t *port, bool shared,
                             bool more, struct err *err);
/* The worker will accept from it. Before its thread runs. */
MUST_CHECK bool listener_add(struct worker *w, struct listening *socket);
void listener_open_all(struct worker *w);
/* Accepts what waits, then closes; connections stay. */
void listener_finish_all(struct worker *w);
/* Closes at once. */
void listener_close_all(struct worker *w);

#endif

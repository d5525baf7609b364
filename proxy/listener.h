/* Listening sockets: one per worker and address (SO_REUSEPORT), accepted on the worker's loop.
 * Layer: proxy. */
#ifndef POINTSMAN_LISTENER_H
#define POINTSMAN_LISTENER_H

#include <stdbool.h>
#include <stdint.h>

#include <pointsman/compiler.h>
#include <pointsman/conf.h>
#include <pointsman/err.h>

struct worker;

/* A bound, listening, non-blocking descriptor, or -1. *port: 0 asks for a free one; written with
 * the bound one. `shared`: more sockets will bind the same address; `more`: this is one of those,
 * the first has made sure that no other process listens there. */
MUST_CHECK int listener_bind(const struct conf_address *address, uint16_t *port, bool shared,
                             bool more, struct err *err);
/* The worker will accept from it, and closes it. Before its thread runs. */
MUST_CHECK bool listener_add(struct worker *w, int fd);
void listener_open_all(struct worker *w);
/* Stops accepting and closes; connections stay. */
void listener_close_all(struct worker *w);

#endif

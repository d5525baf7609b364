/* Asks a backend's health path now and then. Layer: proxy. On the admin thread's loop. */
#ifndef POINTSMAN_PROBE_H
#define POINTSMAN_PROBE_H

#include <pointsman/conf.h>
#include <pointsman/loop.h>

#include "health.h"
#include "resolver.h"

struct probe;

/* Takes a reference of the target. NULL: no memory. */
MUST_CHECK struct probe *probe_new(struct loop *loop, const struct conf_backend *backend,
                                   struct target *target, struct health_state *health);
void probe_free(struct probe *p); /* NULL is allowed */

#endif

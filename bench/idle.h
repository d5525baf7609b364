/* Connections that are opened and stay silent. Layer: bench. */
#ifndef BENCH_IDLE_H
#define BENCH_IDLE_H

#include <pointsman/compiler.h>
#include <pointsman/loop.h>

struct idles; /* all of them */

/* To 127.0.0.1, one after the other. NULL: errno says why. */
MUST_CHECK struct idles *idles_open(struct loop *loop, unsigned port, unsigned count);
unsigned idles_closed(const struct idles *all); /* by the server */
void idles_free(struct idles *all);             /* NULL is allowed */

#endif

/* The admin side: a small HTTP server with the API, probes and the metrics page. Layer: admin. */
#ifndef POINTSMAN_ADMIN_H
#define POINTSMAN_ADMIN_H

#include <stdint.h>

#include <pointsman/compiler.h>
#include <pointsman/conf.h>
#include <pointsman/err.h>
#include <pointsman/loop.h>
#include <pointsman/proxy.h>
#include <pointsman/sockets.h>

struct admin;

/* Serves the admin address's socket (which stays that of `sockets`) on `loop` (the one given to
 * proxy_start; not running yet or this thread's own). Address and token are those of `conf` until
 * the process ends: a reload does not change them. */
MUST_CHECK struct admin *admin_start(struct proxy *proxy, struct loop *loop,
                                     const struct conf *conf, const struct sockets *sockets,
                                     struct err *err);
/* Closes everything; NULL is allowed. Before proxy_stop, with the loop's thread ended or the
 * caller; answers that still wait for the store are dropped when the proxy ends their calls, so
 * loop_free comes last. */
void admin_stop(struct admin *admin);
/* The port that is bound, also where the configuration says 0. */
uint16_t admin_port(const struct admin *admin);

#endif

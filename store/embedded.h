/* The embedded store: one SQLite file, one thread, many calls in one transaction. Layer: store. */
#ifndef POINTSMAN_STORE_EMBEDDED_H
#define POINTSMAN_STORE_EMBEDDED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pointsman/compiler.h>
#include <pointsman/err.h>
#include <pointsman/loop.h>
#include <pointsman/store.h>

struct embedded;
struct embedded_port; /* a thread's way in and its answers' way back */

MUST_CHECK struct embedded *embedded_open(const char *path, uint64_t remember_ms, struct err *err);
void embedded_close(struct embedded *e); /* after every port is freed; NULL is allowed */

/* answered, which may be NULL, sees each call before its done. */
MUST_CHECK struct embedded_port *
embedded_port_new(struct embedded *e, struct loop *loop,
                  void (*answered)(void *arg, struct store_call *call), void *arg);
/* Calls that were not begun are answered STORE_AWAY, the others with what they got. NULL is
 * allowed. */
void embedded_port_free(struct embedded_port *port);
/* Begun after this turn of the loop. call->kind, done, deadline_us are set. */
void embedded_submit(struct embedded_port *port, struct store_call *call);
/* What was submitted stands in the file's queue now, before what others hand on from now on. */
void embedded_hand_on(struct embedded_port *port);

/* False: the last transaction failed. Any thread, no lock. */
bool embedded_is_up(const struct embedded *e);
/* Why it failed; empty where it did not. Any thread. True: it did not. */
bool embedded_up(struct embedded *e, char *problem, size_t room);

#endif

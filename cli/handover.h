/* The side of the running process: offers its listening sockets to the one that takes over. Layer:
 * cli, private. */
#ifndef CLI_HANDOVER_H
#define CLI_HANDOVER_H

#include <sys/types.h>

#include <pointsman/conf.h>
#include <pointsman/loop.h>
#include <pointsman/sockets.h>

struct handover;

/* Makes <directory>/handover.sock and answers on `loop`. NULL: *err says why; the process then runs
 * without. `taken` runs on the loop's thread, once, when a process has the sockets and says go. */
MUST_CHECK struct handover *handover_new(struct loop *loop, struct sockets *sockets,
                                         const struct conf *conf,
                                         void (*taken)(pid_t by, void *arg), void *arg,
                                         struct err *err);
/* With the loop's thread ended or the caller, while the directory is still locked. NULL is allowed.
 */
void handover_free(struct handover *h);

#endif

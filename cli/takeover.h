/* The side of the new process: asks the running one for its listening sockets. Layer: cli, private.
 */
#ifndef CLI_TAKEOVER_H
#define CLI_TAKEOVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <pointsman/compiler.h>
#include <pointsman/conf.h>
#include <pointsman/err.h>
#include <pointsman/sockets.h>

/* Takes over, unless nobody is there. Everything that can fail without the directory fails before
 * the running process is told to go; `sockets` is open then. *ret_wait_ms: how long the directory
 * may take to become free; 0: nothing was taken over, and `sockets` still has to be opened. */
MUST_CHECK bool take_over(const struct conf *conf, struct sockets *sockets, uint32_t *ret_wait_ms,
                          struct err *err);

/* ---- its steps ---- */

enum takeover_answer {
    TAKEOVER_NONE = 0, /* nobody is there, or ended meanwhile: a start like any other */
    TAKEOVER_OFFER,    /* the sockets are in the set; the old process runs on until takeover_go */
    TAKEOVER_FAILED    /* *err says why; the old process runs on */
};

struct takeover {
    int fd;
    pid_t pid;        /* of the old process */
    uint32_t wait_ms; /* how long the directory may take to become free */
};

MUST_CHECK enum takeover_answer takeover_ask(const char *directory, struct sockets *sockets,
                                             struct takeover *ret, struct err *err);
/* From here on the old process finishes what it has and ends. Also if it has just died. */
void takeover_go(struct takeover *t);
/* Gives up instead: the old process goes on as if nothing had been asked. */
void takeover_drop(struct takeover *t);

#endif

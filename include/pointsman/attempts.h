/* The attempt log: a small memory-mapped file per worker that says which legs are claimed, sent or
 * answered right now. No system call per event; survives kill -9 of the process. The next boot
 * settles what it finds; after a power cut, "not sent" is no longer believed. Layer: store. */
#ifndef POINTSMAN_ATTEMPTS_H
#define POINTSMAN_ATTEMPTS_H

#include <stdbool.h>
#include <stdint.h>

#include <pointsman/compiler.h>
#include <pointsman/digest.h>
#include <pointsman/domain.h>
#include <pointsman/err.h>
#include <pointsman/slice.h>

enum attempt_state { ATTEMPT_FREE = 0, ATTEMPT_CLAIMED, ATTEMPT_SENT, ATTEMPT_ANSWERED };

/* One slot; fixed width, no pointers. The state is written last. */
struct attempt {
    _Atomic uint32_t state; /* enum attempt_state */
    uint32_t side;
    uint32_t role;
    uint32_t attempt;
    uint32_t outcome; /* of ATTEMPT_ANSWERED */
    uint32_t status;
    uint64_t fence;
    uint64_t sticky_ms;
    char token[TOKEN_LEN + 1];
    char source[SOURCE_NAME_MAX + 1];
    char id[EVENT_ID_MAX + 1];
    char entity[ENTITY_MAX + 1];
};

struct attempts; /* belongs to one thread */

/* Creates or truncates <directory>/attempts-<worker>, room for `slots` attempts. */
MUST_CHECK struct attempts *attempts_open(const char *directory, unsigned worker, unsigned slots,
                                          struct err *err);
void attempts_close(struct attempts *a); /* NULL is allowed; the file stays where a slot is in use,
                                            else it is removed */

/* A slot in state CLAIMED; NULL: all in use (the event must wait or be refused). */
MUST_CHECK struct attempt *attempts_claim(struct attempts *a, struct slice source, struct slice id,
                                          struct slice entity, enum side side, enum role role,
                                          const struct token *token);
void attempts_granted(struct attempt *slot, enum side side, uint32_t attempt, uint64_t fence,
                      uint64_t sticky_ms);
void attempts_sent(struct attempt *slot);
void attempts_answered(struct attempt *slot, enum outcome outcome, uint16_t status);
void attempts_free(struct attempts *a,
                   struct attempt *slot); /* the store has the outcome; NULL is allowed */

/* Boot, before any log is opened: sets the logs of ended runs aside and reads every slot in use of
 * them, whatever number of workers wrote them, also of earlier boots that could not settle all; a
 * damaged slot or file is counted in *ret_damaged and skipped. What was CLAIMED under another boot
 * of the kernel, or one that is not known (logs of earlier releases), comes as SENT: the pages may
 * not have reached the disk. False: the directory can not be read. */
MUST_CHECK bool attempts_recover(const char *directory,
                                 void (*found)(const struct attempt *slot, void *arg), void *arg,
                                 unsigned *ret_damaged, struct err *err);
/* Once everything that was found is settled: removes what was set aside. */
MUST_CHECK bool attempts_discard(const char *directory, struct err *err);

#endif

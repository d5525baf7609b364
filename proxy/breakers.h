/* Breakers and the retry budget of the whole process: one state a backend, fed by every worker.
 * Layer: proxy. Any thread. The flow (leg.c, queue.c, flow.c) calls exactly these. */
#ifndef POINTSMAN_BREAKERS_H
#define POINTSMAN_BREAKERS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pointsman/conf.h>
#include <pointsman/domain.h>
#include <pointsman/router.h>

struct proxy;

/* How it was when a breaker opened. */
struct breaker_opening {
    char reason[160];
    uint32_t failed_in_row;
    struct breaker_count window;
    uint32_t window_ms;
    enum outcome outcome; /* of the attempt that opened it */
};

/* In struct proxy. */
struct breakers {
    pthread_mutex_t mutex;                 /* guards what follows, up to … */
    struct breaker breaker[SIDES];         /* … of owner legs */
    struct breaker_opening opening[SIDES]; /* the last one */
    struct retry_budget budget;
    /* … here */
    _Atomic(enum breaker_state) state[SIDES]; /* as in breaker[], for a look without the lock */
    atomic_uint opened[SIDES];                /* how often, from HALF_OPEN too */
    atomic_uint live;                         /* events the budget has not been told of */
    unsigned counted[SIDES];                  /* of opened, in the metrics; the loop's thread */
};
void breakers_init(struct breakers *b);
void breakers_free(struct breakers *b);

/* Would an attempt be let through now? */
bool breakers_admit(struct proxy *p, enum side side, const struct conf *conf);
MUST_CHECK enum breaker_pass breakers_enter(struct proxy *p, enum side side,
                                            const struct conf *conf);
/* The attempt that entered has ended. Says in the log when the breaker changes. */
void breakers_left(struct proxy *p, enum side side, const struct conf *conf, enum breaker_pass pass,
                   uint64_t entered_us, enum outcome outcome);
/* The attempt was given up before it said anything of the backend. */
void breakers_void(struct proxy *p, enum side side, enum breaker_pass pass);
enum breaker_state breakers_state(struct proxy *p, enum side side);
/* Copies. */
struct breaker breakers_look(struct proxy *p, enum side side);
struct breaker_opening breakers_opening(struct proxy *p, enum side side);
/* Brings the metrics up to date. On the loop's thread. */
void breakers_count(struct proxy *p);

/* A sender's event came in. */
void budget_live(struct proxy *p, const struct conf *conf);
/* How many of `want` retries may be made now; what is not used is given back. */
uint32_t budget_take(struct proxy *p, const struct conf *conf, uint32_t want);
void budget_give_back(struct proxy *p, uint32_t unused);

#endif

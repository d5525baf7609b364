/* Breakers and the retry budget of the whole process: one state a backend, fed by every worker.
 * Layer: proxy. Any thread. */
#ifndef POINTSMAN_BREAKERS_H
#define POINTSMAN_BREAKERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pointsman/conf.h>
#include <pointsman/domain.h>
#include <pointsman/router.h>

struct proxy;

/* Would an attempt be let through now? */
bool breakers_admit(struct proxy *p, enum side side, const struct conf *conf);
MUST_CHECK enum breaker_pass breakers_enter(struct proxy *p, enum side side,
                                            const struct conf *conf);
/* The attempt that entered has ended. Says in the log when the breaker changes. */
void breakers_left(struct proxy *p, enum side side, const struct conf *conf,
                   enum breaker_pass pass, uint64_t entered_us, enum outcome outcome);
/* The attempt was given up before it said anything of the backend. */
void breakers_void(struct proxy *p, enum side side, enum breaker_pass pass);
enum breaker_state breakers_state(struct proxy *p, enum side side);

/* A sender's event came in. */
void budget_live(struct proxy *p, const struct conf *conf);
/* How many of `want` retries may be made now; what is not used is given back. */
uint32_t budget_take(struct proxy *p, const struct conf *conf, uint32_t want);
void budget_give_back(struct proxy *p, uint32_t unused);

#endif

/* Passive and active health of a backend; fed by every thread, read by steering and admin. Layer:
 * proxy. */
#ifndef POINTSMAN_HEALTH_H
#define POINTSMAN_HEALTH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pointsman/domain.h>

/* Attempts in a row that must fail before traffic alone says "bad", and probes likewise. */
#define HEALTH_ATTEMPTS_BAD 5
#define HEALTH_PROBES_BAD   2
/* What attempts said counts for so long after the last of them. */
#define HEALTH_PASSIVE_US (60 * 1000000ull)

struct health_state {
    _Atomic uint64_t attempt_at_us;   /* 0: none yet */
    _Atomic uint32_t attempts_failed; /* in a row */
    _Atomic bool probing;
    _Atomic uint32_t probes_failed; /* in a row */
    _Atomic uint32_t probes_seen;
};

/* Rejections count as success: the backend works, it does not want this event. */
void health_attempt(struct health_state *h, enum outcome outcome, uint64_t now_us);
void health_probe(struct health_state *h, bool good);
/* Probes were switched on or off: what earlier ones said is void. */
void health_probing(struct health_state *h, bool on);
/* `reason` says in words why. */
enum health health_of(const struct health_state *h, uint64_t now_us, char *reason, size_t len);

#endif

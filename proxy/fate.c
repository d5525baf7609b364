/* Decides what becomes of an event after an attempt. */
#include "fate.h"

#include <pointsman/router.h>

#define REFUSED_PAUSE_US 250000 /* a limit of ours frees itself soon */

static void queue_or_give_up(struct journal_mark *m, const struct conf *conf,
                             const struct attempt_end *end, uint64_t wall_us, uint64_t random) {
    uint64_t pause_ms;
    m->tries++;
    m->retry = true;
    if (retry_pause_ms(conf, m->tries, end->retry_after_ms, random, &pause_ms)) {
        m->state = ROW_QUEUED;
        m->due_wall_us = wall_us + pause_ms * 1000;
    } else {
        m->state = ROW_DEAD;
    }
}

struct journal_mark fate_of(const struct conf *conf, const struct attempt_end *end, uint32_t tries,
                            uint64_t wall_us, uint64_t random) {
    struct journal_mark m = {.side = end->side, .tries = tries, .status = end->status};
    switch (end->outcome) {
    case OUTCOME_DONE:
        m.state = ROW_DONE;
        return m;
    case OUTCOME_REJECTED:
        m.state = ROW_DEAD;
        m.reason = REASON_REJECTED;
        m.tries++;
        return m;
    case OUTCOME_IN_DOUBT:
        m.state = ROW_PARKED;
        m.reason = REASON_IN_DOUBT;
        if (conf->backends[end->side].idempotent)
            queue_or_give_up(&m, conf, end, wall_us, random);
        else
            m.tries++;
        return m;
    case OUTCOME_NOT_DONE:
        m.reason = REASON_NOT_DONE;
        break;
    case OUTCOME_UNSENT:
    case OUTCOMES:
        m.reason = end->refused ? REASON_BREAKER : REASON_UNSENT;
        break;
    }
    if (end->refused) {
        m.state = ROW_QUEUED;
        m.retry = tries > 0;
        m.due_wall_us = wall_us + REFUSED_PAUSE_US;
        return m;
    }
    queue_or_give_up(&m, conf, end, wall_us, random);
    return m;
}

/* What becomes of an event after an attempt at its owner: told, queued again, parked or dead
 * (DESIGN §2, §4). Layer: proxy. No I/O; given time and randomness. */
#ifndef POINTSMAN_FATE_H
#define POINTSMAN_FATE_H

#include <stdbool.h>
#include <stdint.h>

#include <pointsman/conf.h>
#include <pointsman/domain.h>
#include <pointsman/journal.h>

struct attempt_end {
    enum side side;
    enum outcome outcome;
    uint16_t status;
    bool refused;            /* by our breaker or limits: not a try */
    uint64_t retry_after_ms; /* the backend's wish; 0: none */
};

/* The row's next mark, `tries` counted before this attempt. ROW_DONE, ROW_QUEUED with its due time,
 * ROW_PARKED or ROW_DEAD. */
struct journal_mark fate_of(const struct conf *conf, const struct attempt_end *end, uint32_t tries,
                            uint64_t wall_us, uint64_t random);

#endif

/* Connections that post deliveries one after the other, each as soon as the last was answered, or
 * at a rate. Layer: bench. */
#ifndef BENCH_SENDER_H
#define BENCH_SENDER_H

#include <stdbool.h>
#include <stdint.h>

#include <pointsman/compiler.h>
#include <pointsman/loop.h>

#include "histogram.h"
#include "payload.h"

struct counts {
    uint64_t good;   /* 2xx */
    uint64_t queued; /* of which 202: on disk, not yet done */
    uint64_t other;  /* any other status */
    uint64_t broken; /* closed, garbage, or more than was announced */
    unsigned last_other;
    struct histogram latency; /* first byte written (at a rate: when it was to be) to last byte
                                 read, of all answers */
};

struct pace {
    unsigned rate;  /* deliveries a second, however fast the answers are; 0: no pauses */
    unsigned count; /* then it finishes by itself; 0: until it is told */
};

struct senders; /* all of them */

/* Connects to 127.0.0.1. NULL: stderr says why. The payload outlives it; counts may be cleared at
 * any time. */
MUST_CHECK struct senders *senders_new(struct loop *loop, const struct payload *payload,
                                       unsigned port, unsigned connections, struct pace pace,
                                       struct counts *counts);
/* What their ids begin with: eight hex digits. */
uint32_t senders_run(const struct senders *all);
void senders_start(struct senders *all);
/* No new deliveries; loop_stop when the last one was answered. */
void senders_finish(struct senders *all);
void senders_free(struct senders *all);

#endif

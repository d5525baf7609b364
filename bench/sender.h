/* Connections that post deliveries, each as soon as the last was answered, or at a constant rate.
 * Layer: bench. */
#ifndef BENCH_SENDER_H
#define BENCH_SENDER_H

#include <stdbool.h>
#include <stdint.h>

#include <pointsman/compiler.h>
#include <pointsman/loop.h>

#include "distribution.h"
#include "histogram.h"
#include "payload.h"
#include "schedule.h"

/* Of one phase: a delivery's answer counts where it was sent, whenever it came. */
struct counts {
    uint64_t sent;
    uint64_t repeated; /* of which repeat an earlier event */
    uint64_t unsent;   /* was due when time was up, and no connection had been free */
    uint64_t ok;       /* 2xx, but for the next two */
    uint64_t accepted; /* 202: on disk, not yet done */
    uint64_t duplicate;
    uint64_t refused;     /* 503 */
    uint64_t retry_after; /* of which say when to come back */
    uint64_t other;
    uint64_t broken; /* closed, garbage, or more than was announced */
    unsigned last_other;
    /* From when it was to be sent (without a rate: first byte written) to the last byte read; the
     * first one of 2xx, and of what was not sent: how long it had waited. */
    struct histogram latency;
    struct histogram refused_latency;
};

struct sender_options {
    unsigned port;            /* of 127.0.0.1 */
    unsigned connections;     /* at most; at a rate they are opened when needed */
    unsigned new_connections; /* one for each delivery */
    unsigned count;           /* deliveries, then it finishes by itself; 0: until it is told */
};

struct senders; /* all of them */

/* NULL: stderr says why. Payload, schedule and distribution outlive it; the schedule begins with
 * senders_start. */
MUST_CHECK struct senders *senders_new(struct loop *loop, const struct payload *payload,
                                       struct schedule *schedule,
                                       const struct distribution *distribution,
                                       const struct sender_options *options);
/* What is sent from now on counts there. */
void senders_count(struct senders *all, struct counts *counts);
void senders_start(struct senders *all);
/* No new deliveries: those that were due are counted as unsent; loop_stop when the last one was
 * answered. */
void senders_finish(struct senders *all);
void senders_free(struct senders *all);

#endif

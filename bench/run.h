/* A run of the load generator: what was asked for, its phases, its report. Layer: bench. */
#ifndef BENCH_RUN_H
#define BENCH_RUN_H

#include <stdbool.h>

#include "distribution.h"
#include "payload.h"
#include "schedule.h"
#include "sender.h"

#define RUN_WATCHED_MAX 8

struct watched { /* a process whose CPU time is reported */
    const char *name;
    unsigned pid;
    uint64_t from_us;
    uint64_t used_us;
};

struct run_options {
    struct payload_options payload;
    struct sender_options sender;
    enum distribution_kind distribution;
    unsigned idle; /* silent connections, opened first */
    unsigned rate;
    unsigned scattered_ids;
    unsigned duplicates;
    unsigned warm_up_ms;
    unsigned seconds;
    unsigned allow_503;
    struct watched watched[RUN_WATCHED_MAX + 1]; /* those asked for, and this one */
    unsigned watched_count;
};

/* Prints one JSON object. False: an answer was not what it should be, or stderr says why it did not
 * run. */
MUST_CHECK bool run_load(struct run_options *options);

#endif

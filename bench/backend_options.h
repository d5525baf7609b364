/* How the backends answer. Layer: bench. */
#ifndef BENCH_BACKEND_OPTIONS_H
#define BENCH_BACKEND_OPTIONS_H

#include <stdint.h>

#include "ledger.h"

#define BACKEND_ANSWER_MAX ((uint64_t)64 << 20)

struct backend_options {
    uint64_t ports[LEDGER_SIDES];
    uint64_t latency_least_us, latency_most_us; /* 0: at once */
    uint64_t errors;                            /* percent of the events */
    uint64_t error_status;
    uint64_t answer_len; /* of the body, where it is longer than what must be in it */
    double percentage;   /* of new; -1: no side is wrong */
};

/* Ends the program where they can not be used. */
void backend_options_read(struct backend_options *ret, int argc, char **argv);

#endif

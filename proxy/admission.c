/* Judges a worker's queue of requests by how long it has stood and how fast it moves. */
#include "admission.h"

/* A queue is a burst until it has stood for so many delays without a turn that left it empty. */
#define BURST_DELAYS 3
/* Of which one turn gives at most so much: a process that was stopped, or one slow call, is no
 * overload. */
#define BURST_TURNS 6
#define FADE_US     200000
/* Where the measure says less, a worker is taken to begin so many requests a millisecond: after a
 * pause, or on a machine that is busy with something else, the measure is not to be trusted. */
#define LEAST_PER_MS 5

static uint64_t burst_us(uint64_t delay_us) {
    return BURST_DELAYS * delay_us;
}

void admission_turn(struct admission *a, uint64_t delay_us, uint64_t now_us, unsigned taken,
                    unsigned waiting) {
    if (waiting == 0) {
        a->turn_us = 0;
        a->standing_us = 0;
        return;
    }
    if (a->turn_us) {
        uint64_t took_us = now_us - a->turn_us, most_us = burst_us(delay_us) / BURST_TURNS;
        a->standing_us += took_us < most_us ? took_us : most_us;
        a->busy_us += took_us;
        a->taken += taken;
    }
    a->turn_us = now_us;
    if (a->busy_us > FADE_US) {
        a->busy_us /= 2;
        a->taken /= 2;
    }
}

bool admission_admits(const struct admission *a, uint64_t delay_us, unsigned waiting) {
    if (a->standing_us < burst_us(delay_us))
        return true;
    uint64_t least = delay_us * LEAST_PER_MS / 1000;
    uint64_t soon = a->busy_us ? delay_us * a->taken / a->busy_us : 0;
    return waiting < (soon > least ? soon : least);
}

/* When a worker has more requests waiting than it can work off soon, and new ones are refused.
 * Pure: given the time, no clock of its own. Layer: proxy. */
#ifndef POINTSMAN_ADMISSION_H
#define POINTSMAN_ADMISSION_H

#include <stdbool.h>
#include <stdint.h>

#define ADMISSION_TAKES 64 /* requests begun in a turn of the loop; the others wait */
/* Refused in a turn: enough for all of the excess at twice the capacity, also where refusals take a
 * fifth of it. What comes beyond waits too, as far as limits.connections lets it: no load may make
 * the worker do nothing but refuse. */
#define ADMISSION_REFUSES (ADMISSION_TAKES * 2)
/* Claims the store has not answered yet: enough for it to be always busy. More would only wait
 * there, out of sight of what is judged here, with their bodies in memory. */
#define ADMISSION_ASKS 1024

/* All 0: nothing has waited yet. */
struct admission {
    uint64_t turn_us;     /* when the last turn ended that left requests waiting; 0: none waits */
    uint64_t standing_us; /* for how long turns have left requests waiting; pauses count little */
    uint64_t busy_us;     /* length of such turns, and … */
    uint64_t taken;       /* … requests begun in them; both fade */
};

/* A turn ended that took `taken` requests and left `waiting`. Call it for every turn from the first
 * that leaves some to the first that leaves none. */
void admission_turn(struct admission *a, uint64_t delay_us, uint64_t now_us, unsigned taken,
                    unsigned waiting);
/* Whether one more may wait behind `waiting` ones. `delay_us`: for how long it may be expected to,
 * once the queue has proved to be more than a burst. */
bool admission_admits(const struct admission *a, uint64_t delay_us, unsigned waiting);

#endif

/* A hierarchical timer wheel: where a loop keeps its timers. Knows no clock. Layer: base. */
#ifndef POINTSMAN_BASE_WHEEL_H
#define POINTSMAN_BASE_WHEEL_H

#include <stdint.h>

#include <pointsman/loop.h>

/* Slots of level 0 are one tick wide, those of each further level 64 times as wide; five levels
 * span 49 days. What lies further off waits in the last slot and is sorted in again from there. */
#define WHEEL_TICK_US    4000
#define WHEEL_LEVEL_BITS 6
#define WHEEL_SLOTS      (1 << WHEEL_LEVEL_BITS)
#define WHEEL_LEVELS     5
#define WHEEL_NEVER      UINT64_MAX

struct wheel {
    uint64_t tick;                 /* all before it have been run */
    uint64_t next;                 /* nothing is to be done before this tick */
    uint64_t filled[WHEEL_LEVELS]; /* a bit per slot; may be set though the slot was emptied */
    struct timer *slots[WHEEL_LEVELS][WHEEL_SLOTS];
    struct timer *due; /* fired one after the other; each may still be stopped */
};

void wheel_init(struct wheel *w, uint64_t now_us);
/* Stops all timers. */
void wheel_clear(struct wheel *w);
/* t->at_us is set, t is in no list. */
void wheel_put(struct wheel *w, struct timer *t, uint64_t now_us);
/* Fires what is due. A timer set meanwhile is not fired in the same run. */
void wheel_run(struct wheel *w, uint64_t now_us);
/* When wheel_run has something to do next, possibly only sorting; UINT64_MAX: nothing. */
uint64_t wheel_next_us(const struct wheel *w);

#endif

/* Sorts timers into slots, moves them to finer slots as they come near, fires them. */
#include "wheel.h"

#include <stddef.h>
#include <string.h>

static void link_at(struct timer **head, struct timer *t) {
    t->next = *head;
    t->prev = head;
    if (t->next)
        t->next->prev = &t->next;
    *head = t;
}

static void unlink_timer(struct timer *t) {
    *t->prev = t->next;
    if (t->next)
        t->next->prev = t->prev;
    t->next = NULL;
    t->prev = NULL;
}

void timer_init(struct timer *t, void (*fire)(void *arg), void *arg) {
    *t = (struct timer){.fire = fire, .arg = arg};
}

void timer_stop(struct timer *t) {
    if (timer_is_set(t))
        unlink_timer(t);
}

void wheel_init(struct wheel *w, uint64_t now_us) {
    memset(w, 0, sizeof *w);
    w->tick = now_us / WHEEL_TICK_US;
    w->next = WHEEL_NEVER;
}

static unsigned slot_of(uint64_t tick, unsigned level) {
    return (unsigned)(tick >> (level * WHEEL_LEVEL_BITS)) % WHEEL_SLOTS;
}

static uint64_t level_span(unsigned level) {
    return (uint64_t)1 << ((level + 1) * WHEEL_LEVEL_BITS);
}

static uint64_t start_of_slot(uint64_t tick, unsigned level) {
    return tick & ~((uint64_t)0) << (level * WHEEL_LEVEL_BITS);
}

/* Rounds the time up to a tick, so that no timer fires early. */
static void sort_in(struct wheel *w, struct timer *t) {
    uint64_t tick = t->at_us / WHEEL_TICK_US + (t->at_us % WHEEL_TICK_US != 0);
    if (tick < w->tick)
        tick = w->tick;
    if (tick - w->tick >= level_span(WHEEL_LEVELS - 1))
        tick = w->tick + level_span(WHEEL_LEVELS - 1) - 1;
    unsigned level = 0;
    while (tick - w->tick >= level_span(level))
        level++;
    unsigned slot = slot_of(tick, level);
    link_at(&w->slots[level][slot], t);
    w->filled[level] |= (uint64_t)1 << slot;
    if (start_of_slot(tick, level) < w->next)
        w->next = start_of_slot(tick, level);
}

/* Slots of the coarse levels that begin at this tick are sorted into finer ones. There must be
 * nothing to do between w->tick and `tick`. */
static void advance(struct wheel *w, uint64_t tick) {
    w->tick = tick;
    for (unsigned level = 1; level < WHEEL_LEVELS; level++) {
        if (start_of_slot(tick, level) != tick)
            return;
        unsigned slot = slot_of(tick, level);
        struct timer *list = w->slots[level][slot];
        w->slots[level][slot] = NULL;
        w->filled[level] &= ~((uint64_t)1 << slot);
        while (list) {
            struct timer *t = list;
            list = t->next;
            sort_in(w, t);
        }
    }
}

void wheel_put(struct wheel *w, struct timer *t, uint64_t now_us) {
    /* After idle time the wheel stands in the past; from there t would look further off than it is.
     */
    uint64_t reach = now_us / WHEEL_TICK_US + 1;
    if (reach > w->next)
        reach = w->next;
    if (reach > w->tick)
        advance(w, reach);
    sort_in(w, t);
}

static uint64_t rotate_right(uint64_t bits, unsigned by) {
    return by % 64 == 0 ? bits : bits >> by | bits << (64 - by);
}

/* The slot of now is yet to run at level 0; at the others it was sorted in when it began, and what
 * stands there is a whole round off. */
static uint64_t next_of_level(struct wheel *w, unsigned level) {
    unsigned first = slot_of(w->tick, level) + (level > 0);
    while (w->filled[level]) {
        uint64_t seen = rotate_right(w->filled[level], first % WHEEL_SLOTS);
        unsigned away = (unsigned)__builtin_ctzll(seen);
        unsigned slot = (first + away) % WHEEL_SLOTS;
        if (w->slots[level][slot])
            return start_of_slot(w->tick, level) +
                   ((uint64_t)(away + (level > 0)) << (level * WHEEL_LEVEL_BITS));
        w->filled[level] &= ~((uint64_t)1 << slot);
    }
    return WHEEL_NEVER;
}

static uint64_t find_next(struct wheel *w) {
    uint64_t next = WHEEL_NEVER;
    for (unsigned level = 0; level < WHEEL_LEVELS; level++) {
        uint64_t at = next_of_level(w, level);
        if (at < next)
            next = at;
    }
    return next;
}

static struct timer **collect_slot(struct wheel *w, struct timer **tail) {
    struct timer **head = &w->slots[0][slot_of(w->tick, 0)];
    while (*head) {
        struct timer *t = *head;
        unlink_timer(t);
        link_at(tail, t);
        tail = &t->next;
    }
    return tail;
}

void wheel_run(struct wheel *w, uint64_t now_us) {
    uint64_t now = now_us / WHEEL_TICK_US;
    struct timer **tail = &w->due;
    for (uint64_t next = w->next; next <= now; next = find_next(w)) {
        advance(w, next);
        tail = collect_slot(w, tail);
    }
    w->next = find_next(w);
    while (w->due) {
        struct timer *t = w->due;
        unlink_timer(t);
        t->fire(t->arg);
    }
}

uint64_t wheel_next_us(const struct wheel *w) {
    return w->next == WHEEL_NEVER ? UINT64_MAX : w->next * WHEEL_TICK_US;
}

void wheel_clear(struct wheel *w) {
    for (unsigned level = 0; level < WHEEL_LEVELS; level++)
        for (unsigned slot = 0; slot < WHEEL_SLOTS; slot++)
            while (w->slots[level][slot])
                unlink_timer(w->slots[level][slot]);
    while (w->due)
        unlink_timer(w->due);
}

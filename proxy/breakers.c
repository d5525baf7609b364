/* One breaker a backend and one retry budget for all threads of the process. */
#include "breakers.h"

#include <stdio.h>

#include <pointsman/clock.h>
#include <pointsman/log.h>

#include "shared.h"
#include "table.h"

/* The budget is told of so many live events at once: the path of an event takes no lock. */
#define LIVE_BATCH 16

void breakers_init(struct breakers *b) {
    pthread_mutex_init(&b->mutex, NULL);
}

void breakers_free(struct breakers *b) {
    pthread_mutex_destroy(&b->mutex);
}

/* ---- what changes, and that it is told ---- */

static struct breaker *lock(struct proxy *p, enum side side) {
    pthread_mutex_lock(&p->breakers.mutex);
    return &p->breakers.breaker[side];
}

static void say(enum side side, enum breaker_state state, const char *reason) {
    static const char *const messages[BREAKER_STATES] = {"breaker closed", "breaker open",
                                                         "breaker half open"};
    struct jsonw *w = log_begin(state == BREAKER_OPEN ? LOG_WARN : LOG_INFO, messages[state]);
    if (!w)
        return;
    jsonw_strz(w, "backend", side_name(side));
    jsonw_strz(w, "reason", reason);
    log_end(w);
}

/* Gives the lock back; said afterwards, as a log line takes its time. */
static void unlock(struct proxy *p, enum side side) {
    struct breakers *all = &p->breakers;
    struct breaker *b = &all->breaker[side];
    char reason[sizeof b->reason];
    enum breaker_state state = b->state;
    bool changed = state != atomic_load(&all->state[side]);
    if (changed) {
        memcpy(reason, b->reason, sizeof reason);
        atomic_store(&all->state[side], state);
        if (state == BREAKER_OPEN)
            atomic_fetch_add(&all->opened[side], 1);
    }
    pthread_mutex_unlock(&all->mutex);
    if (changed)
        say(side, state, reason);
}

/* ---- breakers ---- */

enum breaker_state breakers_state(struct proxy *p, enum side side) {
    return atomic_load_explicit(&p->breakers.state[side], memory_order_relaxed);
}

bool breakers_admit(struct proxy *p, enum side side, const struct conf *conf) {
    if (breakers_state(p, side) == BREAKER_CLOSED)
        return true;
    bool admitted = breaker_admits(lock(p, side), conf, clock_mono_us());
    unlock(p, side);
    return admitted;
}

enum breaker_pass breakers_enter(struct proxy *p, enum side side, const struct conf *conf) {
    if (breakers_state(p, side) == BREAKER_CLOSED)
        return PASS_FREE;
    enum breaker_pass pass = breaker_enter(lock(p, side), conf, clock_mono_us());
    unlock(p, side);
    return pass;
}

void breakers_left(struct proxy *p, enum side side, const struct conf *conf, enum breaker_pass pass,
                   uint64_t entered_us, enum outcome outcome) {
    struct breaker *b = lock(p, side);
    uint64_t now_us = clock_mono_us();
    if (breaker_left(b, conf, now_us, pass, entered_us, outcome)) {
        struct breaker_opening *o = &p->breakers.opening[side];
        memcpy(o->reason, b->reason, sizeof o->reason);
        o->failed_in_row = b->failed_in_row;
        o->window = breaker_count(b, conf, now_us);
        o->window_ms = conf->breaker_window_ms;
        o->outcome = outcome;
    }
    unlock(p, side);
}

void breakers_void(struct proxy *p, enum side side, enum breaker_pass pass) {
    if (pass != PASS_PROBE)
        return;
    breaker_void(lock(p, side), pass);
    unlock(p, side);
}

struct breaker breakers_look(struct proxy *p, enum side side) {
    struct breaker b = *lock(p, side);
    unlock(p, side);
    return b;
}

struct breaker_opening breakers_opening(struct proxy *p, enum side side) {
    (void)lock(p, side);
    struct breaker_opening opening = p->breakers.opening[side];
    unlock(p, side);
    return opening;
}

void breakers_count(struct proxy *p) {
    struct breakers *all = &p->breakers;
    for (int side = 0; side < SIDES; side++) {
        unsigned opened = atomic_load(&all->opened[side]);
        metrics_add(p->slab, METRIC_BREAKER_OPENED, (unsigned)side, 0, 0,
                    opened - all->counted[side]);
        all->counted[side] = opened;
    }
}

/* ---- the retry budget ---- */

static void tell_live(struct proxy *p, const struct conf *conf, uint64_t now_us) {
    for (unsigned n = atomic_exchange(&p->breakers.live, 0); n > 0; n--)
        retry_budget_live(&p->breakers.budget, conf, now_us);
}

void budget_live(struct proxy *p, const struct conf *conf) {
    if (atomic_fetch_add_explicit(&p->breakers.live, 1, memory_order_relaxed) + 1 < LIVE_BATCH)
        return;
    pthread_mutex_lock(&p->breakers.mutex);
    tell_live(p, conf, clock_mono_us());
    pthread_mutex_unlock(&p->breakers.mutex);
}

uint32_t budget_take(struct proxy *p, const struct conf *conf, uint32_t want) {
    pthread_mutex_lock(&p->breakers.mutex);
    uint64_t now_us = clock_mono_us();
    tell_live(p, conf, now_us);
    uint32_t taken = retry_budget_take(&p->breakers.budget, now_us, want);
    pthread_mutex_unlock(&p->breakers.mutex);
    return taken;
}

void budget_give_back(struct proxy *p, uint32_t unused) {
    if (unused == 0)
        return;
    pthread_mutex_lock(&p->breakers.mutex);
    retry_budget_give_back(&p->breakers.budget, unused);
    pthread_mutex_unlock(&p->breakers.mutex);
}

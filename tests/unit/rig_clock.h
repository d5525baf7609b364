/* A clock the tests push forward, so that no test waits for time to pass. Layer: tests. */
#ifndef POINTSMAN_TESTS_RIG_CLOCK_H
#define POINTSMAN_TESTS_RIG_CLOCK_H

#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

#include <pointsman/clock.h>

#define RIG_SECOND_US 1000000ull

static _Atomic uint64_t rig_offset_us; /* on top of the real clocks */
/* Each look at the clock lets so much time pass: with more than a call's time-out whatever the
 * embedded store is asked is too late, as if it were away. */
static _Atomic uint64_t rig_hurry_us;

static inline uint64_t rig_real_us(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * RIG_SECOND_US + (uint64_t)t.tv_nsec / 1000;
}

static inline uint64_t rig_mono_us(void) {
    uint64_t hurry = atomic_load(&rig_hurry_us);
    uint64_t offset = atomic_fetch_add(&rig_offset_us, hurry) + hurry;
    return rig_real_us(CLOCK_BOOTTIME) + offset;
}

static inline uint64_t rig_wall_us(void) {
    return rig_real_us(CLOCK_REALTIME) + atomic_load(&rig_offset_us);
}

/* For cmocka_run_group_tests: before any thread runs. */
static inline int rig_clock_on(void **state) {
    (void)state;
    clock_replace(rig_mono_us, rig_wall_us);
    return 0;
}

static inline int rig_clock_off(void **state) {
    (void)state;
    clock_replace(NULL, NULL);
    return 0;
}

#endif

/* The timer wheel against a plain list, over short steps and long jumps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pointsman/digest.h>

#include "../../base/wheel.h"

#define SECOND_US UINT64_C(1000000)
#define DAY_US    (86400 * SECOND_US)

static uint64_t now_us;
static struct wheel wheel;

struct probe {
    struct timer timer;
    uint64_t fired_us; /* 0: not since it was set */
    unsigned count;
};

static void note(void *arg) {
    struct probe *p = arg;
    p->fired_us = now_us;
    p->count++;
}

static void probe_init(struct probe *p) {
    memset(p, 0, sizeof *p);
    timer_init(&p->timer, note, p);
}

static void set(struct timer *t, uint64_t after_us) {
    timer_stop(t);
    t->at_us = after_us < UINT64_MAX - now_us ? now_us + after_us : UINT64_MAX;
    wheel_put(&wheel, t, now_us);
}

/* As the loop does: sleeps until the wheel asks to be run. Returns how often that was. */
static unsigned sleep_until(uint64_t end_us) {
    unsigned runs = 0;
    while (wheel_next_us(&wheel) <= end_us) {
        if (now_us < wheel_next_us(&wheel))
            now_us = wheel_next_us(&wheel);
        wheel_run(&wheel, now_us);
        runs++;
    }
    now_us = end_us;
    return runs;
}

static int start(void **state) {
    (void)state;
    now_us = 1234567890123;
    wheel_init(&wheel, now_us);
    return 0;
}

static void a_timer_fires_within_one_tick_and_never_early(void **state) {
    (void)state;
    static const uint64_t after[] = {
        0,      1,          3999,        4000,        4001,        255000,       256000,
        257000, SECOND_US,  9000000,     16383999,    16384000,    60000000,     1048576000,
        DAY_US, 7 * DAY_US, 31 * DAY_US, 49 * DAY_US, 50 * DAY_US, 200 * DAY_US,
    };
    for (size_t i = 0; i < ARRAY_LEN(after); i++) {
        struct probe p;
        probe_init(&p);
        set(&p.timer, after[i]);
        uint64_t due_us = p.timer.at_us;
        unsigned runs = sleep_until(due_us + WHEEL_TICK_US);
        assert_int_equal(p.count, 1);
        assert_true(p.fired_us >= due_us);
        assert_true(p.fired_us <= due_us + WHEEL_TICK_US);
        assert_true(runs <= 12); /* a month is not 167 million ticks */
        assert_false(timer_is_set(&p.timer));
        assert_int_equal(wheel_next_us(&wheel), UINT64_MAX);
    }
}

static void a_timer_set_to_now_in_a_tick_already_run_fires_in_the_next(void **state) {
    (void)state;
    struct probe first, second;
    probe_init(&first);
    probe_init(&second);
    now_us = WHEEL_TICK_US * UINT64_C(1000000000);
    set(&first.timer, 0);
    set(&second.timer, 0);
    sleep_until(now_us + WHEEL_TICK_US);
    assert_int_equal(first.count, 1);
    assert_int_equal(second.count, 1);
}

static void a_time_without_end_never_comes(void **state) {
    (void)state;
    struct probe p;
    probe_init(&p);
    set(&p.timer, UINT64_MAX);
    sleep_until(now_us + 400 * DAY_US);
    assert_int_equal(p.count, 0);
    assert_true(timer_is_set(&p.timer));
    wheel_clear(&wheel);
    assert_false(timer_is_set(&p.timer));
}

static void a_stopped_or_moved_timer_keeps_silent(void **state) {
    (void)state;
    struct probe stopped, moved;
    probe_init(&stopped);
    probe_init(&moved);
    set(&stopped.timer, SECOND_US);
    set(&moved.timer, SECOND_US);
    timer_stop(&stopped.timer);
    timer_stop(&stopped.timer);
    set(&moved.timer, 3 * SECOND_US);
    sleep_until(now_us + 2 * SECOND_US);
    assert_int_equal(stopped.count + moved.count, 0);
    sleep_until(now_us + 2 * SECOND_US);
    assert_int_equal(moved.count, 1);
}

/* ---- timers that set and stop timers ---- */

static struct probe crowd[3];
static unsigned crowd_fired;

static void stop_the_others(void *arg) {
    crowd_fired++;
    for (size_t i = 0; i < ARRAY_LEN(crowd); i++)
        if (arg != &crowd[i])
            timer_stop(&crowd[i].timer);
}

static void one_of_several_due_may_stop_the_others(void **state) {
    (void)state;
    crowd_fired = 0;
    for (size_t i = 0; i < ARRAY_LEN(crowd); i++) {
        timer_init(&crowd[i].timer, stop_the_others, &crowd[i]);
        set(&crowd[i].timer, 1000);
    }
    sleep_until(now_us + SECOND_US);
    assert_int_equal(crowd_fired, 1);
}

static void move_the_others(void *arg) {
    crowd_fired++;
    for (size_t i = 0; i < ARRAY_LEN(crowd); i++)
        if (arg != &crowd[i] && timer_is_set(&crowd[i].timer))
            set(&crowd[i].timer, SECOND_US);
}

static void one_of_several_due_may_move_the_others(void **state) {
    (void)state;
    crowd_fired = 0;
    for (size_t i = 0; i < ARRAY_LEN(crowd); i++) {
        timer_init(&crowd[i].timer, move_the_others, &crowd[i]);
        set(&crowd[i].timer, 1000);
    }
    sleep_until(now_us + SECOND_US / 2);
    assert_int_equal(crowd_fired, 1);
    sleep_until(now_us + 3 * SECOND_US);
    assert_int_equal(crowd_fired, 3);
}

static void set_again(void *arg) {
    struct probe *p = arg;
    p->count++;
    set(&p->timer, 0);
}

static void a_timer_that_sets_itself_to_now_waits_for_the_next_run(void **state) {
    (void)state;
    struct probe p;
    probe_init(&p);
    timer_init(&p.timer, set_again, &p);
    set(&p.timer, 0);
    now_us += SECOND_US;
    wheel_run(&wheel, now_us);
    assert_int_equal(p.count, 1);
    wheel_run(&wheel, now_us);
    assert_int_equal(p.count, 1);
    now_us += WHEEL_TICK_US;
    wheel_run(&wheel, now_us);
    assert_int_equal(p.count, 2);
    timer_stop(&p.timer);
}

static void free_self(void *arg) {
    free(arg);
}

static void a_timer_may_be_freed_where_it_fires(void **state) {
    (void)state;
    struct probe *p = malloc(sizeof *p);
    assert_non_null(p);
    timer_init(&p->timer, free_self, p);
    set(&p->timer, 1000);
    sleep_until(now_us + SECOND_US);
}

/* ---- against a list ---- */

enum { PROBES = 60, STEPS = 20000 };

static uint64_t random_state;

static uint64_t next_random(void) {
    random_state++;
    return digest_xxh3(&random_state, sizeof random_state, 0);
}

/* Spread evenly over the orders of magnitude up to 2^42 µs, 50 days. */
static uint64_t random_span(void) {
    return next_random() & ((UINT64_C(1) << next_random() % 43) - 1);
}

static void check_all(const struct probe *probes) {
    for (size_t i = 0; i < PROBES; i++) {
        const struct probe *p = &probes[i];
        if (p->fired_us)
            assert_true(p->fired_us >= p->timer.at_us);
        if (timer_is_set(&p->timer))
            assert_true(p->timer.at_us + WHEEL_TICK_US > now_us);
    }
}

static void no_timer_is_early_late_or_lost(void **state) {
    (void)state;
    random_bytes(&random_state, sizeof random_state);
    print_message("seed %llu\n", (unsigned long long)random_state);
    static struct probe probes[PROBES];
    static bool wanted[PROBES];
    for (size_t i = 0; i < PROBES; i++)
        probe_init(&probes[i]);
    for (int step = 0; step < STEPS; step++) {
        size_t i = next_random() % PROBES;
        probes[i].fired_us = 0;
        if (next_random() % 4 == 0) {
            timer_stop(&probes[i].timer);
            wanted[i] = false;
        } else {
            set(&probes[i].timer, random_span());
            wanted[i] = true;
        }
        if (next_random() % 3 > 0)
            sleep_until(now_us + (random_span() >> 8));
        else
            now_us += random_span() >> 4; /* an overslept loop */
        if (next_random() % 3 == 0)
            continue; /* more is set before the wheel is run */
        wheel_run(&wheel, now_us);
        check_all(probes);
        for (i = 0; i < PROBES; i++) {
            assert_int_equal(wanted[i], timer_is_set(&probes[i].timer) || probes[i].fired_us);
            if (probes[i].fired_us)
                wanted[i] = false;
            probes[i].fired_us = 0;
        }
    }
    wheel_clear(&wheel);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_timer_fires_within_one_tick_and_never_early, start),
        cmocka_unit_test_setup(a_timer_set_to_now_in_a_tick_already_run_fires_in_the_next, start),
        cmocka_unit_test_setup(a_time_without_end_never_comes, start),
        cmocka_unit_test_setup(a_stopped_or_moved_timer_keeps_silent, start),
        cmocka_unit_test_setup(one_of_several_due_may_stop_the_others, start),
        cmocka_unit_test_setup(one_of_several_due_may_move_the_others, start),
        cmocka_unit_test_setup(a_timer_that_sets_itself_to_now_waits_for_the_next_run, start),
        cmocka_unit_test_setup(a_timer_may_be_freed_where_it_fires, start),
        cmocka_unit_test_setup(no_timer_is_early_late_or_lost, start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

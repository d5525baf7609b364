/* Admission in simulated time: a worker that takes so long for each request, and senders that do
 * not wait for answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../proxy/admission.h"

#define SECOND_US 1000000ull
#define DELAY_US  100000ull
#define SENDERS   10000 /* each with one request at a time */

struct world {
    struct admission a;
    uint64_t delay_us, now_us;
    double cost_us, refusal_us; /* of a request that is done, of one that is refused */
    double rate;                /* requests that come in each µs */
    double arrived;
    unsigned waiting, taken, most_waiting;
    uint64_t done, refused, refused_at_us;
};

static struct world idle(double cost_us) {
    return (struct world){
        .delay_us = DELAY_US, .now_us = 1, .cost_us = cost_us, .refusal_us = cost_us / 5};
}

/* `count` come in at once. */
static unsigned arrive(struct world *w, unsigned count) {
    unsigned refused = 0;
    while (count-- > 0 && w->waiting < SENDERS) {
        if (w->waiting == 0 && w->taken < ADMISSION_TAKES)
            w->taken++;
        else if (refused < ADMISSION_REFUSES && !admission_admits(&w->a, w->delay_us, w->waiting))
            refused++;
        else
            w->waiting++;
    }
    if (refused)
        w->refused_at_us = w->now_us;
    if (w->waiting > w->most_waiting)
        w->most_waiting = w->waiting;
    w->refused += refused;
    return refused;
}

/* One turn of the loop: lets in who waits, does what was let in. */
static void turn(struct world *w) {
    uint64_t began_us = w->now_us;
    while (w->waiting && w->taken < ADMISSION_TAKES) {
        w->waiting--;
        w->taken++;
    }
    if (w->waiting || w->a.turn_us)
        admission_turn(&w->a, w->delay_us, w->now_us, w->taken, w->waiting);
    w->done += w->taken;
    double took_us = 100 + w->taken * w->cost_us;
    w->taken = 0;
    w->arrived += took_us * w->rate;
    w->now_us += (uint64_t)took_us;
    unsigned refused = arrive(w, (unsigned)w->arrived);
    w->arrived -= (unsigned)w->arrived;
    double more_us = refused * w->refusal_us;
    w->arrived += more_us * w->rate;
    w->now_us = began_us + (uint64_t)(took_us + more_us);
}

static void run(struct world *w, uint64_t us) {
    for (uint64_t end_us = w->now_us + us; w->now_us < end_us;)
        turn(w);
}

static double capacity(const struct world *w) {
    return ADMISSION_TAKES / (100 + ADMISSION_TAKES * w->cost_us);
}

static void a_burst_is_never_refused(void **state) {
    (void)state;
    struct world fast = idle(40), slow = idle(2000), instrumented = idle(20000);
    arrive(&fast, 10000);
    arrive(&slow, 500);
    arrive(&instrumented, 500);
    run(&fast, SECOND_US);
    run(&slow, 3 * SECOND_US);
    run(&instrumented, 20 * SECOND_US);
    assert_int_equal(fast.done, 10000);
    assert_int_equal(slow.done, 500);
    assert_int_equal(instrumented.done, 500);
}

static void some_that_come_while_a_burst_is_worked_off_are_not_refused_either(void **state) {
    (void)state;
    struct world w = idle(2000);
    arrive(&w, 400);
    w.rate = capacity(&w) / 2;
    run(&w, 5 * SECOND_US);
    assert_int_equal(w.refused, 0);
    assert_int_equal(w.waiting, 0);
}

static void a_process_that_stood_still_refuses_nobody(void **state) {
    (void)state;
    struct world w = idle(40);
    w.rate = capacity(&w) / 2;
    for (int i = 0; i < 20; i++) {
        run(&w, SECOND_US);
        w.now_us += 10 * SECOND_US;
        arrive(&w, 5000);
    }
    run(&w, SECOND_US);
    assert_int_equal(w.refused, 0);
    assert_int_equal(w.waiting, 0);
}

static void a_load_just_under_the_capacity_is_done_in_full(void **state) {
    (void)state;
    struct world w = idle(40);
    w.rate = capacity(&w) * 0.95;
    run(&w, 60 * SECOND_US);
    assert_int_equal(w.refused, 0);
}

/* Done each µs, over ten seconds of that load, once what came in while it seemed a burst is done.
 */
static double done_under(struct world *w, double times_capacity) {
    w->rate = times_capacity * capacity(w);
    run(w, 10 * SECOND_US);
    w->done = w->refused = 0;
    w->most_waiting = 0;
    uint64_t from_us = w->now_us;
    run(w, 10 * SECOND_US);
    return (double)w->done / (double)(w->now_us - from_us);
}

static void the_excess_is_refused_and_the_others_wait_for_the_delay(void **state) {
    (void)state;
    struct world w = idle(40);
    double rate = done_under(&w, 1.3), wait_us = w.most_waiting / rate;
    assert_true(rate > 0.9 * capacity(&w));
    assert_true(wait_us > 0.7 * DELAY_US && wait_us < 1.5 * DELAY_US);
    assert_true((double)w.refused > 0.25 * (double)w.done && 2 * w.refused < w.done);
}

/* A refusal costs a fifth of an event here: three quarters of the capacity are left for events. */
static void at_twice_the_capacity_the_whole_excess_is_refused_at_once(void **state) {
    (void)state;
    struct world w = idle(40);
    double rate = done_under(&w, 2), wait_us = w.most_waiting / rate;
    assert_true(rate > 0.7 * capacity(&w));
    assert_true((double)w.refused > 1.3 * (double)w.done);
    assert_true(wait_us < 1.5 * DELAY_US);
}

static void however_much_comes_in_refusing_leaves_most_of_the_worker_to_events(void **state) {
    (void)state;
    for (double times = 4; times < 100; times *= 3) {
        struct world w = idle(40);
        double rate = done_under(&w, times);
        assert_true(rate > 0.7 * capacity(&w));
        assert_in_range(w.most_waiting, 0, SENDERS);
    }
}

static void a_share_is_refused_and_not_all_or_nothing_in_turns(void **state) {
    (void)state;
    struct world w = idle(40);
    w.rate = 1.3 * capacity(&w);
    run(&w, 10 * SECOND_US);
    for (int i = 0; i < 100; i++) {
        uint64_t done = w.done, refused = w.refused;
        run(&w, 20000);
        assert_in_range(w.done - done, 300, 700);
        assert_in_range(w.refused - refused, 20, 400);
    }
}

static void it_is_over_as_soon_as_the_load_is(void **state) {
    (void)state;
    struct world w = idle(40);
    w.rate = 2 * capacity(&w);
    run(&w, 5 * SECOND_US);
    assert_true(w.refused > 0);
    w.rate = capacity(&w) / 2;
    uint64_t dropped_us = w.now_us;
    run(&w, SECOND_US);
    assert_true(w.refused_at_us < dropped_us + SECOND_US);
    assert_int_equal(w.waiting, 0);
    uint64_t refused = w.refused;
    arrive(&w, 5000); /* a burst is a burst again */
    run(&w, SECOND_US);
    assert_int_equal(w.refused, refused);
}

static void the_measure_follows_a_worker_that_becomes_slower(void **state) {
    (void)state;
    struct world w = idle(20);
    w.rate = 1.3 * capacity(&w);
    run(&w, 10 * SECOND_US);
    unsigned fast = w.waiting;
    w.cost_us = 80;
    w.rate = 1.3 * capacity(&w);
    run(&w, 10 * SECOND_US);
    assert_in_range(w.waiting, fast / 6, fast / 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_burst_is_never_refused),
        cmocka_unit_test(some_that_come_while_a_burst_is_worked_off_are_not_refused_either),
        cmocka_unit_test(a_process_that_stood_still_refuses_nobody),
        cmocka_unit_test(a_load_just_under_the_capacity_is_done_in_full),
        cmocka_unit_test(the_excess_is_refused_and_the_others_wait_for_the_delay),
        cmocka_unit_test(at_twice_the_capacity_the_whole_excess_is_refused_at_once),
        cmocka_unit_test(however_much_comes_in_refusing_leaves_most_of_the_worker_to_events),
        cmocka_unit_test(a_share_is_refused_and_not_all_or_nothing_in_turns),
        cmocka_unit_test(it_is_over_as_soon_as_the_load_is),
        cmocka_unit_test(the_measure_follows_a_worker_that_becomes_slower),
    };
    return cmocka_run_group_tests_name("admission", tests, NULL, NULL);
}

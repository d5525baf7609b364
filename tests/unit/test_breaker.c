/* The breaker, by cases and against a naive model. Random parts print their seed; SEED=n repeats.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <pointsman/clock.h>
#include <pointsman/router.h>

#define SECOND_US UINT64_C(1000000)

static uint64_t seed;

static uint64_t rnd(uint64_t below) {
    seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    return (seed >> 20) % below;
}

static const struct conf usual = {.breaker_failures = 5,
                                  .breaker_rate_ppm = 500000,
                                  .breaker_window_ms = 60000,
                                  .breaker_samples = 20,
                                  .breaker_open_ms = 60000,
                                  .breaker_probes = 3};
static struct conf conf;
static struct breaker b;
static uint64_t now;

static int fresh(void **state) {
    (void)state;
    conf = usual;
    memset(&b, 0, sizeof b);
    now = 1000 * SECOND_US;
    return 0;
}

static bool leave(enum breaker_pass pass, uint64_t entered_us, enum outcome outcome) {
    return breaker_left(&b, &conf, now, pass, entered_us, outcome);
}

/* One attempt after the other; true: it opened by the last. */
static bool attempts(unsigned count, enum outcome outcome) {
    bool opened = false;
    while (count-- > 0) {
        enum breaker_pass pass = breaker_enter(&b, &conf, now);
        assert_int_equal(pass, PASS_FREE);
        opened = leave(pass, now, outcome);
        assert_true(!opened || count == 0);
    }
    return opened;
}

static void open_it(void) {
    assert_true(attempts(5, OUTCOME_UNSENT));
    assert_int_equal(b.state, BREAKER_OPEN);
}

/* ---- closed ---- */

static void failures_in_a_row_open_it(void **state) {
    (void)state;
    static const enum outcome failures[] = {OUTCOME_NOT_DONE, OUTCOME_UNSENT, OUTCOME_IN_DOUBT};
    for (size_t i = 0; i < ARRAY_LEN(failures); i++) {
        fresh(NULL);
        assert_false(attempts(4, failures[i]));
        assert_int_equal(b.state, BREAKER_CLOSED);
        assert_true(attempts(1, failures[i]));
        assert_int_equal(b.state, BREAKER_OPEN);
        assert_int_equal(b.since_us, now);
        assert_string_equal(b.reason, "5 attempts in a row failed");
        assert_int_equal(breaker_count(&b, &conf, now).failed, 5);
    }
}

static void a_success_or_a_rejection_ends_the_row(void **state) {
    (void)state;
    for (int i = 0; i < 4; i++) {
        assert_false(attempts(4, OUTCOME_UNSENT));
        assert_false(attempts(9, i % 2 ? OUTCOME_REJECTED : OUTCOME_DONE));
    }
    assert_int_equal(b.state, BREAKER_CLOSED);
}

static void a_rate_of_failures_opens_it_once_there_are_samples(void **state) {
    (void)state;
    conf.breaker_failures = 100;
    conf.breaker_rate_ppm = 600000;
    assert_false(attempts(8, OUTCOME_DONE));
    assert_false(attempts(11, OUTCOME_NOT_DONE));
    assert_true(attempts(1, OUTCOME_NOT_DONE)); /* 12 of 20 */
    assert_string_equal(b.reason, "12 of 20 attempts in 60 s failed");
}

static void what_left_the_window_does_not_count(void **state) {
    (void)state;
    conf.breaker_failures = 100;
    assert_false(attempts(19, OUTCOME_UNSENT));
    now += 60 * SECOND_US;
    assert_false(attempts(1, OUTCOME_UNSENT));
    assert_int_equal(breaker_count(&b, &conf, now).ended, 1);
    for (int i = 0; i < 100; i++) { /* one in 5 s: never 20 in 60 s */
        now += 5 * SECOND_US;
        assert_false(attempts(1, OUTCOME_UNSENT));
        b.failed_in_row = 0;
    }
}

static void a_success_never_opens_it(void **state) {
    (void)state;
    conf.breaker_failures = 100;
    assert_false(attempts(19, OUTCOME_UNSENT));
    assert_false(attempts(3, OUTCOME_DONE));
    assert_true(attempts(1, OUTCOME_UNSENT));
    assert_string_equal(b.reason, "20 of 23 attempts in 60 s failed");
}

static void a_rate_of_all_is_possible(void **state) {
    (void)state;
    conf.breaker_failures = 10000;
    conf.breaker_rate_ppm = PPM_ALL;
    conf.breaker_window_ms = 1500;
    assert_false(attempts(1, OUTCOME_DONE));
    assert_false(attempts(100, OUTCOME_UNSENT));
    now += 1500000;
    assert_false(attempts(19, OUTCOME_UNSENT));
    assert_true(attempts(1, OUTCOME_UNSENT));
    assert_string_equal(b.reason, "20 of 20 attempts in 1500 ms failed");
}

/* ---- open, half open ---- */

static void open_it_lets_nothing_through_until_it_has_rested(void **state) {
    (void)state;
    open_it();
    assert_false(breaker_admits(&b, &conf, now));
    assert_int_equal(breaker_enter(&b, &conf, now), PASS_REFUSED);
    now += 60 * SECOND_US - 1;
    assert_int_equal(breaker_enter(&b, &conf, now), PASS_REFUSED);
    now++;
    assert_true(breaker_admits(&b, &conf, now));
    assert_int_equal(b.state, BREAKER_OPEN); /* a look changes nothing */
    assert_int_equal(breaker_enter(&b, &conf, now), PASS_PROBE);
    assert_int_equal(b.state, BREAKER_HALF_OPEN);
    conf.breaker_probes = 1;
    assert_false(leave(PASS_PROBE, now - 5000, OUTCOME_DONE)); /* by a clock a little behind */
    assert_int_equal(b.state, BREAKER_CLOSED);
}

static void all_probes_must_succeed_to_close_it(void **state) {
    (void)state;
    open_it();
    now += 60 * SECOND_US;
    for (int i = 0; i < 3; i++)
        assert_int_equal(breaker_enter(&b, &conf, now), PASS_PROBE);
    assert_false(breaker_admits(&b, &conf, now));
    assert_int_equal(breaker_enter(&b, &conf, now), PASS_REFUSED);
    assert_false(leave(PASS_PROBE, now, OUTCOME_DONE));
    assert_int_equal(breaker_enter(&b, &conf, now), PASS_REFUSED); /* three in all */
    assert_false(leave(PASS_PROBE, now, OUTCOME_REJECTED));
    assert_int_equal(b.state, BREAKER_HALF_OPEN);
    assert_false(leave(PASS_PROBE, now, OUTCOME_DONE));
    assert_int_equal(b.state, BREAKER_CLOSED);
    assert_string_equal(b.reason, "3 probes succeeded");
    assert_false(attempts(4, OUTCOME_UNSENT)); /* the row begins anew */
}

static void one_failed_probe_opens_it_again(void **state) {
    (void)state;
    open_it();
    now += 60 * SECOND_US;
    uint64_t entered = now;
    for (int i = 0; i < 3; i++)
        assert_int_equal(breaker_enter(&b, &conf, now), PASS_PROBE);
    now += SECOND_US;
    assert_false(leave(PASS_PROBE, entered, OUTCOME_DONE));
    assert_true(leave(PASS_PROBE, entered, OUTCOME_IN_DOUBT));
    assert_int_equal(b.state, BREAKER_OPEN);
    assert_string_equal(b.reason, "a probe failed");
    assert_false(leave(PASS_PROBE, entered, OUTCOME_UNSENT)); /* it is open already */
    now += 60 * SECOND_US - 1;
    assert_false(breaker_admits(&b, &conf, now));
    now++;
    assert_true(breaker_admits(&b, &conf, now));
}

static void a_probe_that_vanishes_gives_its_place_back(void **state) {
    (void)state;
    conf.breaker_probes = 1;
    open_it();
    now += 60 * SECOND_US;
    assert_int_equal(breaker_enter(&b, &conf, now), PASS_PROBE);
    assert_int_equal(breaker_enter(&b, &conf, now), PASS_REFUSED);
    breaker_void(&b, PASS_FREE);
    assert_int_equal(breaker_enter(&b, &conf, now), PASS_REFUSED);
    breaker_void(&b, PASS_PROBE);
    assert_int_equal(breaker_enter(&b, &conf, now), PASS_PROBE);
    assert_false(leave(PASS_PROBE, now, OUTCOME_DONE));
    assert_int_equal(b.state, BREAKER_CLOSED);
    assert_string_equal(b.reason, "1 probe succeeded");
}

static void probes_that_never_come_back_are_written_off(void **state) {
    (void)state;
    open_it();
    now += 60 * SECOND_US;
    for (int i = 0; i < 3; i++, now += SECOND_US)
        assert_int_equal(breaker_enter(&b, &conf, now), PASS_PROBE);
    now += 59 * SECOND_US - 1; /* a minute after the last one */
    assert_int_equal(breaker_enter(&b, &conf, now), PASS_REFUSED);
    now++;
    assert_true(breaker_admits(&b, &conf, now));
    for (int i = 0; i < 3; i++)
        assert_int_equal(breaker_enter(&b, &conf, now), PASS_PROBE);
    assert_int_equal(breaker_enter(&b, &conf, now), PASS_REFUSED);
    for (int i = 0; i < 3; i++)
        assert_false(leave(PASS_PROBE, now, OUTCOME_DONE));
    assert_int_equal(b.state, BREAKER_CLOSED);
}

static void attempts_from_before_a_change_count_for_nothing(void **state) {
    (void)state;
    uint64_t before = now;
    assert_int_equal(breaker_enter(&b, &conf, before), PASS_FREE);
    now++;
    open_it();
    struct breaker seen = b;
    now += 60 * SECOND_US;
    assert_false(leave(PASS_FREE, before, OUTCOME_DONE));
    assert_false(leave(PASS_FREE, before, OUTCOME_UNSENT));
    assert_memory_equal(&seen, &b, sizeof b);
    assert_int_equal(breaker_enter(&b, &conf, now), PASS_PROBE);
    seen = b;
    assert_false(leave(PASS_FREE, before, OUTCOME_DONE));
    assert_false(leave(PASS_FREE, before, OUTCOME_UNSENT));
    assert_memory_equal(&seen, &b, sizeof b);
    conf.breaker_probes = 1;
    assert_false(leave(PASS_PROBE, now, OUTCOME_DONE));
    assert_int_equal(b.state, BREAKER_CLOSED);
    for (int i = 0; i < 10; i++)
        assert_false(leave(PASS_FREE, before, OUTCOME_UNSENT));
    assert_int_equal(b.failed_in_row, 0);
}

/* ---- odd times ---- */

static void a_reload_that_asks_for_fewer_probes_does_not_hang_it(void **state) {
    (void)state;
    open_it();
    now += 60 * SECOND_US;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(breaker_enter(&b, &conf, now), PASS_PROBE);
        assert_false(leave(PASS_PROBE, now, OUTCOME_DONE));
    }
    conf.breaker_probes = 1;
    assert_true(breaker_admits(&b, &conf, now));
    assert_int_equal(breaker_enter(&b, &conf, now), PASS_PROBE);
    assert_false(leave(PASS_PROBE, now, OUTCOME_DONE));
    assert_int_equal(b.state, BREAKER_CLOSED);
}

static void a_clock_that_goes_back_does_not_hang_it(void **state) {
    (void)state;
    open_it();
    now -= 500 * SECOND_US;
    assert_int_equal(breaker_enter(&b, &conf, now), PASS_REFUSED);
    now += 60 * SECOND_US;
    assert_int_equal(breaker_enter(&b, &conf, now), PASS_PROBE);
    now -= 50 * SECOND_US;
    for (int i = 0; i < 2; i++)
        assert_int_equal(breaker_enter(&b, &conf, now), PASS_PROBE);
    for (int i = 0; i < 3; i++)
        assert_false(leave(PASS_PROBE, now, OUTCOME_DONE));
    assert_int_equal(b.state, BREAKER_CLOSED);
}

/* ---- against a model ---- */

#define OPEN_MAX 32
#define LOG_MAX  4096

/* Everything that was ever said, judged from the beginning at every step. */
static struct {
    enum breaker_state state;
    uint64_t since_us, probe_us;
    unsigned out, good, row, logged;
    struct {
        uint64_t at_us;
        bool failed;
    } log[LOG_MAX];
} model;

static struct {
    enum breaker_pass pass;
    uint64_t entered_us;
    unsigned era; /* of the model's state */
} going[OPEN_MAX];
static unsigned going_count, era;

static void model_change(enum breaker_state state) {
    model.state = state;
    model.since_us = now;
    model.out = model.good = model.row = model.logged = 0;
    era++;
}

static bool model_window_is_bad(void) {
    uint64_t width = conf.breaker_window_ms * 1000 / BREAKER_SLOTS;
    unsigned ended = 0, failed = 0;
    for (unsigned i = 0; i < model.logged; i++) {
        if (model.log[i].at_us / width + BREAKER_SLOTS <= now / width)
            continue;
        ended++;
        failed += model.log[i].failed;
    }
    return ended >= conf.breaker_samples &&
           (uint64_t)failed * PPM_ALL >= (uint64_t)ended * conf.breaker_rate_ppm;
}

/* True: it opened. */
static bool model_left(unsigned i, bool good) {
    if (going[i].era != era)
        return false;
    if (model.state == BREAKER_HALF_OPEN) {
        model.out -= model.out > 0;
        if (!good)
            model_change(BREAKER_OPEN);
        else if (++model.good >= conf.breaker_probes)
            model_change(BREAKER_CLOSED);
        return !good;
    }
    assert_true(model.logged < LOG_MAX);
    model.log[model.logged].at_us = now;
    model.log[model.logged++].failed = !good;
    model.row = good ? 0 : model.row + 1;
    if (good || (model.row < conf.breaker_failures && !model_window_is_bad()))
        return false;
    model_change(BREAKER_OPEN);
    return true;
}

static void step_enter(void) {
    uint64_t open_us = conf.breaker_open_ms * UINT64_C(1000);
    bool rested = model.state == BREAKER_OPEN && now - model.since_us >= open_us;
    bool lost = model.state == BREAKER_HALF_OPEN && now - model.probe_us >= open_us;
    bool admitted =
        model.state == BREAKER_CLOSED || rested || lost ||
        (model.state == BREAKER_HALF_OPEN && model.out + model.good < conf.breaker_probes);
    assert_int_equal(breaker_admits(&b, &conf, now), admitted);
    enum breaker_pass pass = breaker_enter(&b, &conf, now);
    assert_int_equal(pass != PASS_REFUSED, admitted);
    if (!admitted)
        return;
    if (rested)
        model_change(BREAKER_HALF_OPEN);
    if (lost)
        model.out = 0;
    model.out += model.state == BREAKER_HALF_OPEN;
    model.probe_us = now;
    assert_int_equal(pass, model.state == BREAKER_CLOSED ? PASS_FREE : PASS_PROBE);
    going[going_count].pass = pass;
    going[going_count].entered_us = now;
    going[going_count++].era = era;
}

static void step_leave(unsigned failing_percent) {
    unsigned i = (unsigned)rnd(going_count);
    if (rnd(20) == 0) {
        if (going[i].era == era) { /* it does not say since when it is out */
            breaker_void(&b, going[i].pass);
            model.out -= model.out > 0;
        }
    } else {
        enum outcome outcome = rnd(100) < failing_percent ? OUTCOME_NOT_DONE : OUTCOME_DONE;
        bool opened = breaker_left(&b, &conf, now, going[i].pass, going[i].entered_us, outcome);
        assert_int_equal(opened, model_left(i, outcome == OUTCOME_DONE));
    }
    going[i] = going[--going_count];
}

static void it_does_what_the_model_does(void **state) {
    unsigned seen[BREAKER_STATES] = {0};
    for (int round = 0; round < 300; round++) {
        fresh(state);
        memset(&model, 0, sizeof model);
        going_count = 0;
        conf.breaker_failures = 1 + (uint32_t)rnd(20);
        conf.breaker_rate_ppm = 10000 + (uint32_t)rnd(PPM_ALL - 9999);
        conf.breaker_window_ms = 100 * (1 + (uint32_t)rnd(50));
        conf.breaker_samples = 1 + (uint32_t)rnd(30);
        conf.breaker_open_ms = 10 + (uint32_t)rnd(1000);
        conf.breaker_probes = 1 + (uint32_t)rnd(5);
        unsigned failing = (unsigned)rnd(101);
        for (int i = 0; i < 2000; i++) {
            /* always later, so that "before" and "after" a change are never the same instant */
            now += 1 + rnd(rnd(30) == 0 ? 2 * SECOND_US : 20000);
            if (rnd(200) == 0)
                failing = (unsigned)rnd(101);
            if (going_count == 0 || (going_count < OPEN_MAX && rnd(2)))
                step_enter();
            else
                step_leave(failing);
            assert_int_equal(b.state, model.state);
            seen[b.state]++;
        }
    }
    for (int i = 0; i < BREAKER_STATES; i++)
        assert_true(seen[i] > 1000);
}

static int begin(void **state) {
    (void)state;
    const char *given = getenv("SEED");
    seed = given ? strtoull(given, NULL, 10) : clock_wall_us();
    print_message("SEED=%llu\n", (unsigned long long)seed);
    return 0;
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup(name, fresh)
    const struct CMUnitTest tests[] = {
        TEST(failures_in_a_row_open_it),
        TEST(a_success_or_a_rejection_ends_the_row),
        TEST(a_rate_of_failures_opens_it_once_there_are_samples),
        TEST(what_left_the_window_does_not_count),
        TEST(a_success_never_opens_it),
        TEST(a_rate_of_all_is_possible),
        TEST(open_it_lets_nothing_through_until_it_has_rested),
        TEST(all_probes_must_succeed_to_close_it),
        TEST(one_failed_probe_opens_it_again),
        TEST(a_probe_that_vanishes_gives_its_place_back),
        TEST(probes_that_never_come_back_are_written_off),
        TEST(attempts_from_before_a_change_count_for_nothing),
        TEST(a_reload_that_asks_for_fewer_probes_does_not_hang_it),
        TEST(a_clock_that_goes_back_does_not_hang_it),
        TEST(it_does_what_the_model_does),
    };
    return cmocka_run_group_tests(tests, begin, NULL);
}

/* The process's breakers and retry budget: told once, apart by side, sound under many threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <pointsman/log.h>

#include "../../proxy/shared.h"
#include "../../proxy/table.h"
#include "rig_clock.h"

static struct conf conf;
static struct proxy *proxy;
static int said[2];

static int make(void **state) {
    (void)state;
    conf = (struct conf){.breaker_failures = 5,
                         .breaker_rate_ppm = 500000,
                         .breaker_window_ms = 60000,
                         .breaker_samples = 20,
                         .breaker_open_ms = 60000,
                         .breaker_probes = 3,
                         .retry_budget_ppm = 200000};
    proxy = calloc(1, sizeof *proxy);
    assert_non_null(proxy);
    breakers_init(&proxy->breakers);
    proxy->metrics = metrics_new(metric_defs, METRICS_COUNT);
    proxy->slab = metrics_slab(proxy->metrics);
    assert_int_equal(pipe2(said, O_CLOEXEC | O_NONBLOCK), 0);
    assert_true(log_start(said[1], LOG_INFO, 65536));
    return 0;
}

static int drop(void **state) {
    (void)state;
    metrics_free(proxy->metrics);
    breakers_free(&proxy->breakers);
    free(proxy);
    return 0;
}

/* Everything that was logged; ends the log. */
static const char *logged(void) {
    static char text[65536];
    log_stop();
    close(said[1]);
    ssize_t n = read(said[0], text, sizeof text - 1);
    close(said[0]);
    text[n > 0 ? n : 0] = '\0';
    return text;
}

static unsigned count_of(const char *text, const char *piece) {
    unsigned count = 0;
    for (; (text = strstr(text, piece)) != NULL; text++)
        count++;
    return count;
}

static void attempt(enum side side, enum breaker_pass expect, enum outcome outcome) {
    assert_int_equal(breakers_enter(proxy, side, &conf), expect);
    if (expect != PASS_REFUSED)
        breakers_left(proxy, side, &conf, expect, clock_mono_us(), outcome);
}

static void open_new(void) {
    for (int i = 0; i < 5; i++)
        attempt(SIDE_NEW, PASS_FREE, OUTCOME_NOT_DONE);
}

static void an_open_breaker_is_told_once(void **state) {
    (void)state;
    struct backend_state s;
    open_new();
    assert_int_equal(breakers_state(proxy, SIDE_NEW), BREAKER_OPEN);
    for (int i = 0; i < 10; i++) {
        assert_false(breakers_admit(proxy, SIDE_NEW, &conf));
        attempt(SIDE_NEW, PASS_REFUSED, OUTCOME_DONE);
    }
    proxy_backend_state(proxy, SIDE_NEW, &s);
    assert_int_equal(s.breaker, BREAKER_OPEN);
    assert_string_equal(s.breaker_reason, "5 attempts in a row failed");
    struct breaker_opening o = breakers_opening(proxy, SIDE_NEW);
    assert_string_equal(o.reason, s.breaker_reason);
    assert_int_equal(o.failed_in_row, 5);
    assert_int_equal(o.window.ended, 5);
    assert_int_equal(o.outcome, OUTCOME_NOT_DONE);
    for (int i = 0; i < 2; i++)
        assert_int_equal(metrics_value(proxy_metrics(proxy), METRIC_BREAKER_OPENED, SIDE_NEW, 0, 0),
                         1);
    const char *text = logged();
    assert_int_equal(count_of(text, "breaker"), 1);
    assert_int_equal(count_of(text, "\"warn\""), 1);
    assert_int_equal(count_of(text, "\"msg\":\"breaker open\",\"backend\":\"new\",\"reason\":\"5 "
                                    "attempts in a row failed\""),
                     1);
}

static void the_other_side_is_not_concerned(void **state) {
    (void)state;
    struct backend_state s;
    open_new();
    attempt(SIDE_LEGACY, PASS_FREE, OUTCOME_DONE);
    assert_true(breakers_admit(proxy, SIDE_LEGACY, &conf));
    proxy_backend_state(proxy, SIDE_LEGACY, &s);
    assert_int_equal(s.breaker, BREAKER_CLOSED);
    assert_string_equal(s.breaker_reason, "");
    assert_int_equal(metrics_value(proxy_metrics(proxy), METRIC_BREAKER_OPENED, SIDE_LEGACY, 0, 0),
                     0);
    logged();
}

static void probes_close_it_and_that_is_told(void **state) {
    (void)state;
    open_new();
    atomic_fetch_add(&rig_offset_us, 60 * RIG_SECOND_US);
    assert_true(breakers_admit(proxy, SIDE_NEW, &conf));
    assert_int_equal(breakers_enter(proxy, SIDE_NEW, &conf), PASS_PROBE);
    breakers_void(proxy, SIDE_NEW, PASS_PROBE);
    for (int i = 0; i < 3; i++)
        attempt(SIDE_NEW, PASS_PROBE, OUTCOME_DONE);
    attempt(SIDE_NEW, PASS_FREE, OUTCOME_DONE);
    const char *text = logged();
    assert_int_equal(count_of(text, "\"breaker half open\""), 1);
    assert_int_equal(count_of(text, "\"breaker closed\""), 1);
    assert_int_equal(count_of(text, "\"3 probes succeeded\""), 1);
}

static void an_attempt_from_before_it_opened_does_not_count(void **state) {
    (void)state;
    uint64_t entered_us = clock_mono_us();
    assert_int_equal(breakers_enter(proxy, SIDE_NEW, &conf), PASS_FREE);
    atomic_fetch_add(&rig_offset_us, 1000);
    open_new();
    atomic_fetch_add(&rig_offset_us, 60 * RIG_SECOND_US);
    assert_int_equal(breakers_enter(proxy, SIDE_NEW, &conf), PASS_PROBE);
    breakers_left(proxy, SIDE_NEW, &conf, PASS_FREE, entered_us, OUTCOME_UNSENT);
    assert_int_equal(breakers_state(proxy, SIDE_NEW), BREAKER_HALF_OPEN);
    logged();
}

static void every_live_event_counts_for_the_budget(void **state) {
    (void)state;
    for (int i = 0; i < 105; i++)
        budget_live(proxy, &conf);
    assert_in_range(budget_take(proxy, &conf, 1000), RETRY_FLOOR + 20, RETRY_FLOOR + 21);
    budget_give_back(proxy, 7);
    budget_give_back(proxy, 0);
    assert_in_range(budget_take(proxy, &conf, 1000), 7, 8);
    logged();
}

/* ---- many threads ---- */

#define THREADS 4
#define ROUNDS  20000

static void *hammer(void *arg) {
    uint64_t random = (uint64_t)(uintptr_t)arg;
    for (int i = 0; i < ROUNDS; i++) {
        random = random * 6364136223846793005ull + 1442695040888963407ull;
        unsigned r = (unsigned)(random >> 33);
        uint64_t entered_us = clock_mono_us();
        enum breaker_pass pass = breakers_enter(proxy, SIDE_NEW, &conf);
        atomic_fetch_add(&rig_offset_us, 50);
        if (pass == PASS_REFUSED)
            continue;
        budget_live(proxy, &conf);
        budget_give_back(proxy, budget_take(proxy, &conf, r % 3));
        if (r % 16 == 0)
            breakers_void(proxy, SIDE_NEW, pass);
        else
            breakers_left(proxy, SIDE_NEW, &conf, pass, entered_us,
                          r % 3 ? OUTCOME_DONE : OUTCOME_UNSENT);
    }
    return NULL;
}

static void many_threads_share_one_breaker(void **state) {
    (void)state;
    pthread_t threads[THREADS];
    logged();
    assert_true(log_start(STDERR_FILENO, LOG_ERROR, 65536)); /* more lines than a pipe holds */
    conf.breaker_open_ms = 10;
    conf.breaker_probes = 2;
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, hammer, (void *)(i + 1)), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    /* it still works: nothing hangs, whatever state it was left in */
    atomic_fetch_add(&rig_offset_us, RIG_SECOND_US);
    for (int i = 0; i < 3 && breakers_state(proxy, SIDE_NEW) != BREAKER_CLOSED; i++)
        attempt(SIDE_NEW, PASS_PROBE, OUTCOME_DONE);
    assert_int_equal(breakers_state(proxy, SIDE_NEW), BREAKER_CLOSED);
    assert_int_equal(breakers_look(proxy, SIDE_NEW).state, BREAKER_CLOSED);
    assert_true(atomic_load(&proxy->breakers.opened[SIDE_NEW]) > 10);
    log_stop();
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, make, drop)
    const struct CMUnitTest tests[] = {
        TEST(an_open_breaker_is_told_once),
        TEST(the_other_side_is_not_concerned),
        TEST(probes_close_it_and_that_is_told),
        TEST(an_attempt_from_before_it_opened_does_not_count),
        TEST(every_live_event_counts_for_the_budget),
        TEST(many_threads_share_one_breaker),
    };
    return cmocka_run_group_tests(tests, rig_clock_on, rig_clock_off);
}

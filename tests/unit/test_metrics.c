/* Metrics: sums over threads, buckets, quantiles and the text that Prometheus reads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>

#include "../../base/metrics_cells.h"

enum { PLAIN, LABELLED, LEVEL, LATENCY, STEPS, ODD };

static const char *const sides[] = {"legacy", "new"};
static const char *const outcomes[] = {"done", "not_done", "in_doubt"};
static const char *const steps[] = {"verify", "decide"};
static const char *const odd_values[] = {"a\"b\\c\nd"};

static const struct metric_def defs[] = {
    [PLAIN] = {"t_events_total", "All events.", METRIC_COUNTER, {{0}}},
    [LABELLED] = {"t_attempts_total",
                  "Attempts.",
                  METRIC_COUNTER,
                  {{"backend", sides, 2}, {"outcome", outcomes, 3}, {"step", steps, 2}}},
    [LEVEL] = {"t_open", "Open now.", METRIC_GAUGE, {{"backend", sides, 2}}},
    [LATENCY] = {"t_latency_seconds", "Time.", METRIC_HISTOGRAM, {{0}}},
    [STEPS] = {"t_step_seconds", "Time.", METRIC_HISTOGRAM, {{"step", steps, 2}}},
    [ODD] = {"t_odd", "one \\ two\nthree \"four\"", METRIC_GAUGE, {{"v", odd_values, 1}}},
};

static struct metrics *metrics;
static struct metrics_slab *slab;
static struct buf out;

static int start(void **state) {
    (void)state;
    buf_init(&out, 1 << 20);
    metrics = metrics_new(defs, ARRAY_LEN(defs));
    slab = metrics ? metrics_slab(metrics) : NULL;
    return slab ? 0 : -1;
}

static int end(void **state) {
    (void)state;
    metrics_free(metrics);
    buf_free(&out);
    return 0;
}

static void assert_has(const char *line) {
    if (!memmem(buf_at(&out), buf_len(&out), line, strlen(line)))
        fail_msg("not printed: %s", line);
}

static void every_label_combination_has_a_number_of_its_own(void **state) {
    (void)state;
    int64_t n = 0;
    for (unsigned a = 0; a < 2; a++)
        for (unsigned b = 0; b < 3; b++)
            for (unsigned c = 0; c < 2; c++)
                metrics_add(slab, LABELLED, a, b, c, ++n);
    metrics_add(slab, PLAIN, 0, 0, 0, 100);
    metrics_add(slab, LEVEL, 0, 0, 0, 200);
    n = 0;
    for (unsigned a = 0; a < 2; a++)
        for (unsigned b = 0; b < 3; b++)
            for (unsigned c = 0; c < 2; c++)
                assert_int_equal(metrics_value(metrics, LABELLED, a, b, c), ++n);
    assert_int_equal(metrics_value(metrics, PLAIN, 0, 0, 0), 100);
    assert_int_equal(metrics_value(metrics, LEVEL, 0, 0, 0), 200);
    assert_int_equal(metrics_value(metrics, LEVEL, 1, 0, 0), 0);
}

enum { THREADS = 3, ROUNDS = 20000 };

static void *count_much(void *arg) {
    (void)arg;
    struct metrics_slab *own = metrics_slab(metrics);
    if (!own)
        abort();
    metrics_add(own, LEVEL, 1, 0, 0, -5);
    for (int i = 0; i < ROUNDS; i++) {
        metrics_add(own, PLAIN, 0, 0, 0, 1);
        metrics_observe_us(own, LATENCY, 0, 0, 0, 100);
    }
    return NULL;
}

static void numbers_are_summed_over_threads_also_while_they_write(void **state) {
    (void)state;
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_much, NULL), 0);
    int64_t last = 0;
    for (int i = 0; i < 100; i++) {
        int64_t now = metrics_value(metrics, PLAIN, 0, 0, 0);
        assert_true(now >= last);
        last = now;
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(metrics_value(metrics, PLAIN, 0, 0, 0), THREADS * ROUNDS);
    assert_int_equal(metrics_count(metrics, LATENCY, 0, 0, 0), THREADS * ROUNDS);
    assert_int_equal(metrics_value(metrics, LEVEL, 1, 0, 0), -5 * THREADS);
}

static void a_quantile_lies_in_its_bucket_as_if_samples_were_even(void **state) {
    (void)state;
    assert_int_equal(metrics_quantile_us(metrics, LATENCY, 0, 0, 0, 0.5), 0);
    for (int i = 0; i < 98; i++)
        metrics_observe_us(slab, LATENCY, 0, 0, 0, 90);
    metrics_observe_us(slab, LATENCY, 0, 0, 0, 2000);
    metrics_observe_us(slab, LATENCY, 0, 0, 0, 500000000);
    assert_int_equal(metrics_quantile_us(metrics, LATENCY, 0, 0, 0, 0.0), 60);
    assert_int_equal(metrics_quantile_us(metrics, LATENCY, 0, 0, 0, 0.5), 80);
    assert_int_equal(metrics_quantile_us(metrics, LATENCY, 0, 0, 0, 0.98), 100);
    assert_int_equal(metrics_quantile_us(metrics, LATENCY, 0, 0, 0, 0.99), 2500);
    assert_int_equal(metrics_quantile_us(metrics, LATENCY, 0, 0, 0, 1.0), 120000000);
    assert_int_equal(metrics_count(metrics, LATENCY, 0, 0, 0), 100);
}

static void a_bound_belongs_to_its_own_bucket(void **state) {
    (void)state;
    static const struct {
        uint64_t us;
        uint64_t bound_us;
    } cases[] = {
        {0, 10},
        {10, 10},
        {11, 15},
        {15, 15},
        {16, 25},
        {1000000, 1000000},
        {1000001, 1500000},
        {119999999, 120000000},
        {120000000, 120000000},
        {120000001, 120000000},
        {UINT64_MAX, 120000000},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct metrics *m = metrics_new(defs, ARRAY_LEN(defs));
        assert_non_null(m);
        struct metrics_slab *s = metrics_slab(m);
        assert_non_null(s);
        metrics_observe_us(s, STEPS, 1, 0, 0, cases[i].us);
        assert_int_equal(metrics_quantile_us(m, STEPS, 1, 0, 0, 1.0), cases[i].bound_us);
        assert_int_equal(metrics_quantile_us(m, STEPS, 0, 0, 0, 0.5), 0);
        metrics_free(m);
    }
}

static void assert_counted(uint64_t us) {
    size_t wanted = 0;
    uint64_t counts[METRICS_BUCKETS];
    struct metrics *m = metrics_new(defs, ARRAY_LEN(defs));
    struct metrics_slab *s = m ? metrics_slab(m) : NULL;
    assert_non_null(s);
    while (wanted < METRICS_BOUNDS && metrics_bounds_us[wanted] < us)
        wanted++;
    metrics_observe_us(s, LATENCY, 0, 0, 0, us);
    assert_int_equal(metrics_sum_buckets(m, m->layouts[LATENCY].first, counts), 1);
    if (counts[wanted] != 1)
        fail_msg("%llu is not in bucket %zu", (unsigned long long)us, wanted);
    metrics_free(m);
}

static void every_number_is_in_the_first_bucket_that_holds_it(void **state) {
    (void)state;
    for (uint64_t around = 0; around <= 2; around++) {
        for (size_t i = 0; i < METRICS_BOUNDS; i++)
            assert_counted(metrics_bounds_us[i] + around - 1);
        for (int bit = 0; bit < 64; bit++)
            assert_counted((UINT64_C(1) << bit) + around - 1);
    }
}

static void the_text_is_what_prometheus_reads(void **state) {
    (void)state;
    metrics_add(slab, PLAIN, 0, 0, 0, 3);
    metrics_add(slab, LABELLED, 1, 2, 1, 4);
    metrics_add(slab, LEVEL, 0, 0, 0, -7);
    metrics_observe_us(slab, STEPS, 1, 0, 0, 12);
    metrics_observe_us(slab, STEPS, 1, 0, 0, 1500000);
    metrics_observe_us(slab, STEPS, 1, 0, 0, 200000000);
    assert_true(metrics_print(metrics, &out));
    assert_has("# HELP t_events_total All events.\n# TYPE t_events_total counter\n"
               "t_events_total 3\n# HELP t_attempts_total");
    assert_has("t_attempts_total{backend=\"new\",outcome=\"in_doubt\",step=\"decide\"} 4\n");
    assert_has("t_attempts_total{backend=\"legacy\",outcome=\"done\",step=\"verify\"} 0\n");
    assert_has("# TYPE t_open gauge\nt_open{backend=\"legacy\"} -7\nt_open{backend=\"new\"} 0\n");
    assert_has("# TYPE t_step_seconds histogram\n"
               "t_step_seconds_bucket{step=\"verify\",le=\"0.00001\"} 0\n");
    assert_has("t_step_seconds_bucket{step=\"decide\",le=\"0.00001\"} 0\n"
               "t_step_seconds_bucket{step=\"decide\",le=\"0.000015\"} 1\n");
    assert_has("t_step_seconds_bucket{step=\"decide\",le=\"1\"} 1\n"
               "t_step_seconds_bucket{step=\"decide\",le=\"1.5\"} 2\n");
    assert_has("t_step_seconds_bucket{step=\"decide\",le=\"120\"} 2\n"
               "t_step_seconds_bucket{step=\"decide\",le=\"+Inf\"} 3\n"
               "t_step_seconds_sum{step=\"decide\"} 201.500012\n"
               "t_step_seconds_count{step=\"decide\"} 3\n");
    assert_has("t_latency_seconds_bucket{le=\"0.00001\"} 0\n");
    assert_has("t_latency_seconds_sum 0\nt_latency_seconds_count 0\n");
}

static void help_and_label_values_are_escaped(void **state) {
    (void)state;
    assert_true(metrics_print(metrics, &out));
    assert_has("# HELP t_odd one \\\\ two\\nthree \"four\"\n");
    assert_has("t_odd{v=\"a\\\"b\\\\c\\nd\"} 0\n");
}

static void a_full_buffer_is_reported(void **state) {
    (void)state;
    assert_true(metrics_print(metrics, &out));
    size_t whole = buf_len(&out);
    for (size_t max = 0; max < whole; max += 7) {
        struct buf small;
        buf_init(&small, max);
        assert_false(metrics_print(metrics, &small));
        buf_free(&small);
    }
}

int main(void) {
#define WITH_METRICS(test) cmocka_unit_test_setup_teardown(test, start, end)
    const struct CMUnitTest tests[] = {
        WITH_METRICS(every_label_combination_has_a_number_of_its_own),
        WITH_METRICS(numbers_are_summed_over_threads_also_while_they_write),
        WITH_METRICS(a_quantile_lies_in_its_bucket_as_if_samples_were_even),
        WITH_METRICS(a_bound_belongs_to_its_own_bucket),
        WITH_METRICS(every_number_is_in_the_first_bucket_that_holds_it),
        WITH_METRICS(the_text_is_what_prometheus_reads),
        WITH_METRICS(help_and_label_values_are_escaped),
        WITH_METRICS(a_full_buffer_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

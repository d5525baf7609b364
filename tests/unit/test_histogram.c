/* The bench's histogram against sorted samples. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pointsman/digest.h>

#include "../../bench/histogram.h"

static struct histogram histogram;

static void every_value_falls_into_a_bucket_within_a_64th(void **state) {
    (void)state;
    for (uint64_t us = 0; us < UINT64_C(1) << 33; us += us / 1000 + 1) {
        uint64_t kept = us > UINT32_MAX ? UINT32_MAX : us;
        unsigned index = histogram_index(us);
        assert_in_range(index, 0, HISTOGRAM_BUCKETS - 1);
        uint64_t top = histogram_top(index);
        assert_in_range(top, kept, kept + kept / 64);
        if (us < 128)
            assert_int_equal(top, us);
        assert_int_equal(histogram_index(top), index);
        if (index > 0)
            assert_true(histogram_top(index - 1) < kept);
    }
}

static int by_size(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void a_quantile_is_the_sample_of_that_rank(void **state) {
    (void)state;
    enum { SAMPLES = 10007 };
    static uint64_t samples[SAMPLES];
    uint64_t seed;
    random_bytes(&seed, sizeof seed);
    print_message("seed %llu\n", (unsigned long long)seed);
    memset(&histogram, 0, sizeof histogram);
    for (unsigned i = 0; i < SAMPLES; i++) {
        uint64_t hash = digest_xxh3(&i, sizeof i, seed);
        samples[i] = (hash >> 32) >> (hash % 32);
        histogram_add(&histogram, samples[i]);
    }
    qsort(samples, SAMPLES, sizeof samples[0], by_size);
    static const double quantiles[] = {0, 0.25, 0.5, 0.99, 0.999, 1};
    for (unsigned i = 0; i < sizeof quantiles / sizeof quantiles[0]; i++) {
        unsigned rank = (unsigned)(quantiles[i] * SAMPLES);
        uint64_t exact = samples[rank < SAMPLES ? rank : SAMPLES - 1];
        assert_in_range(histogram_quantile(&histogram, quantiles[i]), exact, exact + exact / 64);
    }
}

static void without_samples_a_quantile_is_0(void **state) {
    (void)state;
    memset(&histogram, 0, sizeof histogram);
    assert_int_equal(histogram_quantile(&histogram, 0.5), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_value_falls_into_a_bucket_within_a_64th),
        cmocka_unit_test(a_quantile_is_the_sample_of_that_rank),
        cmocka_unit_test(without_samples_a_quantile_is_0),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Clocks: RFC 3339 text against gmtime, and the replacement. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <pointsman/clock.h>

#define DAY_US UINT64_C(86400000000)

static void assert_reads_as_gmtime_says(uint64_t us) {
    time_t seconds = (time_t)(us / 1000000);
    struct tm tm;
    char expect[64], got[32], date[32];
    gmtime_r(&seconds, &tm);
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(expect, sizeof expect, "%s.%03uZ", date, (unsigned)(us / 1000 % 1000));
    clock_rfc3339(us, got);
    assert_string_equal(got, expect);
}

/* Every day from 1970 to 2250, at a time of day that moves. */
static void every_day_reads_as_gmtime_says(void **state) {
    (void)state;
    for (uint64_t day = 0; day < 280 * 366; day++)
        assert_reads_as_gmtime_says(day * DAY_US + day * 12345678901 % DAY_US);
}

static void time_that_stands_rolls_over_or_goes_back_reads_as_gmtime_says(void **state) {
    (void)state;
    static const int64_t steps_us[] = {0,       1,       999,    1000,    998000,   1, -1,
                                       1000000, -999999, 999999, -500000, -1000000, 0};
    uint64_t us = 20454 * DAY_US - 1000000; /* the last second of a day, of a month and of 2025 */
    for (size_t i = 0; i < sizeof steps_us / sizeof steps_us[0]; i++) {
        us += (uint64_t)steps_us[i];
        assert_reads_as_gmtime_says(us);
    }
}

static void any_number_gives_text_that_ends(void **state) {
    (void)state;
    char got[32];
    clock_rfc3339(0, got);
    assert_string_equal(got, "1970-01-01T00:00:00.000Z");
    clock_rfc3339(UINT64_MAX, got);
    assert_int_equal(strlen(got), strlen("1970-01-01T00:00:00.000Z"));
}

static uint64_t one(void) {
    return 1;
}

static uint64_t two(void) {
    return 2;
}

static void a_replaced_clock_tells_what_it_is_given(void **state) {
    (void)state;
    clock_replace(one, two);
    assert_int_equal(clock_mono_us(), 1);
    assert_int_equal(clock_wall_us(), 2);
    clock_replace(NULL, NULL);
    uint64_t before = clock_mono_us();
    assert_true(before > 2);
    assert_true(clock_mono_us() >= before);
    assert_true(clock_wall_us() / 1000000 - (uint64_t)time(NULL) + 2 <= 4);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_day_reads_as_gmtime_says),
        cmocka_unit_test(time_that_stands_rolls_over_or_goes_back_reads_as_gmtime_says),
        cmocka_unit_test(any_number_gives_text_that_ends),
        cmocka_unit_test(a_replaced_clock_tells_what_it_is_given),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

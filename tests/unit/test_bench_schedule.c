/* The bench's schedule: a constant rate, repetitions, ids. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../bench/schedule.h"

static void a_delivery_is_due_at_its_place_in_the_rate(void **state) {
    (void)state;
    struct schedule s = {.start_us = 1000, .rate = 4};
    assert_int_equal(schedule_due_us(&s, 0), 1000);
    assert_int_equal(schedule_due_us(&s, 1), 251000);
    assert_int_equal(schedule_due_us(&s, 400), 100001000);
}

static void as_many_are_due_as_have_their_time_behind_them(void **state) {
    (void)state;
    static const unsigned rates[] = {1, 3, 7, 1000, 33333, 1000000};
    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        struct schedule s = {.start_us = 5000, .rate = rates[i]};
        assert_int_equal(schedule_due(&s, 4999), 0);
        for (uint64_t now = 5000; now < 20000000; now = now * 3 / 2) {
            uint64_t due = schedule_due(&s, now);
            assert_true(schedule_due_us(&s, due - 1) <= now);
            assert_true(schedule_due_us(&s, due) > now);
        }
    }
}

static void the_share_of_repetitions_is_the_one_asked_for(void **state) {
    (void)state;
    struct schedule s = {.duplicates = 20, .lag = 300};
    unsigned repeated = 0;
    for (uint64_t nth = 0; nth < 100000; nth++) {
        uint64_t event = schedule_event(&s, nth);
        assert_true(event <= nth);
        assert_int_equal((nth - event) % 300, 0);
        assert_int_equal(schedule_event(&s, event), event);
        repeated += event != nth;
    }
    assert_in_range(repeated, 19000, 21000);
    s.duplicates = 0;
    assert_int_equal(schedule_event(&s, 99999), 99999);
}

static void ids_begin_with_the_run_and_differ(void **state) {
    (void)state;
    struct schedule s = {.run = 0xab};
    char a[SCHEDULE_ID_MAX], b[SCHEDULE_ID_MAX], again[SCHEDULE_ID_MAX];
    schedule_id(&s, 0, a);
    schedule_id(&s, 1, b);
    schedule_id(&s, 0, again);
    assert_memory_equal(a, "000000ab-", 9);
    assert_string_not_equal(a, b);
    assert_string_equal(a, again);
}

static void ids_come_in_order_or_scattered(void **state) {
    (void)state;
    for (unsigned scattered = 0; scattered < 2; scattered++) {
        struct schedule s = {.run = 1, .scattered = scattered};
        char before[SCHEDULE_ID_MAX] = "", id[SCHEDULE_ID_MAX];
        unsigned back = 0;
        for (uint64_t event = 0; event < 1000; event++) {
            schedule_id(&s, event, id);
            back += strcmp(id, before) <= 0;
            memcpy(before, id, sizeof id);
        }
        assert_in_range(back, scattered ? 400 : 0, scattered ? 600 : 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_delivery_is_due_at_its_place_in_the_rate),
        cmocka_unit_test(as_many_are_due_as_have_their_time_behind_them),
        cmocka_unit_test(the_share_of_repetitions_is_the_one_asked_for),
        cmocka_unit_test(ids_begin_with_the_run_and_differ),
        cmocka_unit_test(ids_come_in_order_or_scattered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

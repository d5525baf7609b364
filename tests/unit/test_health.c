/* Health of a backend by probes and by attempts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "../../proxy/health.h"

#define NOW (1000 * HEALTH_PASSIVE_US)

static enum health at(const struct health_state *h, uint64_t now_us) {
    char reason[160] = "";
    enum health health = health_of(h, now_us, reason, sizeof reason);
    assert_true(reason[0] != '\0');
    return health;
}

static void attempts(struct health_state *h, enum outcome outcome, unsigned times) {
    while (times--)
        health_attempt(h, outcome, NOW);
}

static void without_probe_and_traffic_it_is_unknown(void **state) {
    (void)state;
    struct health_state h = {0};
    assert_int_equal(at(&h, NOW), HEALTH_UNKNOWN);
}

static void a_success_is_good_for_a_minute(void **state) {
    (void)state;
    struct health_state h = {0};
    attempts(&h, OUTCOME_DONE, 1);
    assert_int_equal(at(&h, NOW + HEALTH_PASSIVE_US - 1), HEALTH_GOOD);
    assert_int_equal(at(&h, NOW + HEALTH_PASSIVE_US), HEALTH_UNKNOWN);
}

static void a_rejection_counts_as_success(void **state) {
    (void)state;
    struct health_state h = {0};
    attempts(&h, OUTCOME_UNSENT, 3);
    attempts(&h, OUTCOME_REJECTED, 1);
    assert_int_equal(at(&h, NOW), HEALTH_GOOD);
}

static void enough_failures_in_a_row_are_bad_until_a_success(void **state) {
    (void)state;
    static const enum outcome failures[] = {OUTCOME_NOT_DONE, OUTCOME_UNSENT, OUTCOME_IN_DOUBT};
    for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++) {
        struct health_state h = {0};
        attempts(&h, failures[i], HEALTH_ATTEMPTS_BAD - 1);
        assert_int_equal(at(&h, NOW), HEALTH_UNKNOWN);
        attempts(&h, failures[i], 1);
        assert_int_equal(at(&h, NOW), HEALTH_BAD);
        attempts(&h, OUTCOME_DONE, 1);
        assert_int_equal(at(&h, NOW), HEALTH_GOOD);
    }
}

static void probes_decide_where_there_are_any(void **state) {
    (void)state;
    struct health_state h = {0};
    health_probing(&h, true);
    assert_int_equal(at(&h, NOW), HEALTH_UNKNOWN);
    health_probe(&h, true);
    assert_int_equal(at(&h, NOW), HEALTH_GOOD);
    health_probe(&h, false);
    assert_int_equal(at(&h, NOW), HEALTH_GOOD);
    health_probe(&h, false);
    assert_int_equal(at(&h, NOW), HEALTH_BAD);
    health_probe(&h, true);
    assert_int_equal(at(&h, NOW), HEALTH_GOOD);
}

static void a_backend_that_never_answered_a_probe_is_bad_at_once(void **state) {
    (void)state;
    struct health_state h = {0};
    health_probing(&h, true);
    health_probe(&h, false);
    assert_int_equal(at(&h, NOW), HEALTH_BAD);
}

static void failing_attempts_outweigh_good_probes_for_a_minute(void **state) {
    (void)state;
    struct health_state h = {0};
    health_probing(&h, true);
    health_probe(&h, true);
    attempts(&h, OUTCOME_NOT_DONE, HEALTH_ATTEMPTS_BAD);
    assert_int_equal(at(&h, NOW), HEALTH_BAD);
    assert_int_equal(at(&h, NOW + HEALTH_PASSIVE_US), HEALTH_GOOD);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_probe_and_traffic_it_is_unknown),
        cmocka_unit_test(a_success_is_good_for_a_minute),
        cmocka_unit_test(a_rejection_counts_as_success),
        cmocka_unit_test(enough_failures_in_a_row_are_bad_until_a_success),
        cmocka_unit_test(probes_decide_where_there_are_any),
        cmocka_unit_test(a_backend_that_never_answered_a_probe_is_bad_at_once),
        cmocka_unit_test(failing_attempts_outweigh_good_probes_for_a_minute),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

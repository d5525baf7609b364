/* What becomes of an event after an attempt: every outcome, with and without tries left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../proxy/fate.h"

#define NOW 1000000000000ull

static uint32_t ladder[] = {1000, 2000};

static struct conf conf_with(bool idempotent) {
    struct conf conf;
    memset(&conf, 0, sizeof conf);
    conf.ladder_ms = ladder;
    conf.ladder_count = 2;
    conf.backends[SIDE_NEW].idempotent = idempotent;
    return conf;
}

static struct journal_mark after(bool idempotent, enum outcome outcome, uint32_t tries) {
    struct conf conf = conf_with(idempotent);
    struct attempt_end end = {.side = SIDE_NEW, .outcome = outcome, .status = 503};
    return fate_of(&conf, &end, tries, NOW, 7);
}

static void what_was_not_done_waits_for_its_step(void **state) {
    (void)state;
    for (int o = OUTCOME_NOT_DONE; o <= OUTCOME_UNSENT; o++) {
        for (uint32_t tries = 0; tries < 2; tries++) {
            struct journal_mark m = after(false, (enum outcome)o, tries);
            assert_int_equal(m.state, ROW_QUEUED);
            assert_int_equal(m.tries, tries + 1);
            assert_true(m.retry);
            assert_int_equal(m.side, SIDE_NEW);
            assert_int_equal(m.due_wall_us, NOW + ladder[tries] * 1000ull);
        }
    }
    assert_int_equal(after(false, OUTCOME_NOT_DONE, 0).reason, REASON_NOT_DONE);
    assert_int_equal(after(false, OUTCOME_UNSENT, 0).reason, REASON_UNSENT);
}

static void at_the_end_of_the_ladder_it_is_dead(void **state) {
    (void)state;
    struct journal_mark m = after(false, OUTCOME_NOT_DONE, 2);
    assert_int_equal(m.state, ROW_DEAD);
    assert_int_equal(m.reason, REASON_NOT_DONE);
    assert_int_equal(m.tries, 3);
    assert_int_equal(m.status, 503);
}

static void rejected_is_dead_at_once(void **state) {
    (void)state;
    struct journal_mark m = after(true, OUTCOME_REJECTED, 0);
    assert_int_equal(m.state, ROW_DEAD);
    assert_int_equal(m.reason, REASON_REJECTED);
}

static void in_doubt_is_parked_unless_the_backend_is_idempotent(void **state) {
    (void)state;
    assert_int_equal(after(false, OUTCOME_IN_DOUBT, 0).state, ROW_PARKED);
    assert_int_equal(after(true, OUTCOME_IN_DOUBT, 0).state, ROW_QUEUED);
    assert_int_equal(after(true, OUTCOME_IN_DOUBT, 2).state, ROW_DEAD);
    assert_int_equal(after(true, OUTCOME_IN_DOUBT, 0).reason, REASON_IN_DOUBT);
}

static void what_we_refused_ourselves_is_no_try(void **state) {
    (void)state;
    struct conf conf = conf_with(false);
    struct attempt_end end = {.side = SIDE_NEW, .outcome = OUTCOME_UNSENT, .refused = true};
    struct journal_mark m = fate_of(&conf, &end, 2, NOW, 7);
    assert_int_equal(m.state, ROW_QUEUED);
    assert_int_equal(m.tries, 2);
    assert_int_equal(m.reason, REASON_BREAKER);
    assert_true(m.retry);
    m = fate_of(&conf, &end, 0, NOW, 7);
    assert_false(m.retry);
}

static void the_backend_may_ask_for_up_to_twice_the_step(void **state) {
    (void)state;
    struct conf conf = conf_with(false);
    struct attempt_end end = {.side = SIDE_NEW, .outcome = OUTCOME_NOT_DONE};
    end.retry_after_ms = 1500;
    assert_int_equal(fate_of(&conf, &end, 0, NOW, 7).due_wall_us, NOW + 1500000);
    end.retry_after_ms = 3600000;
    assert_int_equal(fate_of(&conf, &end, 0, NOW, 7).due_wall_us, NOW + 2000000);
}

static void done_is_done(void **state) {
    (void)state;
    assert_int_equal(after(false, OUTCOME_DONE, 1).state, ROW_DONE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_not_done_waits_for_its_step),
        cmocka_unit_test(at_the_end_of_the_ladder_it_is_dead),
        cmocka_unit_test(rejected_is_dead_at_once),
        cmocka_unit_test(in_doubt_is_parked_unless_the_backend_is_idempotent),
        cmocka_unit_test(what_we_refused_ourselves_is_no_try),
        cmocka_unit_test(the_backend_may_ask_for_up_to_twice_the_step),
        cmocka_unit_test(done_is_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The bench's ledger: what was done where, and how often. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../../bench/ledger.h"

static struct ledger ledger;

static void note(int side, const char *id, const char *entity, bool error) {
    struct ledger_request request = {
        .side = side, .id = slice_of(id), .entity = slice_of(entity), .error = error};
    ledger_note(&ledger, &request, 1000);
}

static const struct ledger_run *run_of(const char *name) {
    const struct ledger_run *run = ledger_find(&ledger, slice_of(name));
    assert_non_null(run);
    return run;
}

static int with_percentage(void **state, double percentage) {
    (void)state;
    ledger_init(&ledger, percentage);
    return 0;
}

static int begin(void **state) {
    return with_percentage(state, -1);
}

static int begin_at_25(void **state) {
    return with_percentage(state, 25);
}

static int end(void **state) {
    (void)state;
    ledger_free(&ledger);
    return 0;
}

static void each_run_and_side_has_its_own_counts(void **state) {
    (void)state;
    note(LEDGER_LEGACY, "11111111-a", NULL, false);
    note(LEDGER_LEGACY, "11111111-b", NULL, false);
    note(LEDGER_NEW, "22222222-a", NULL, false);
    assert_int_equal(run_of("11111111")->distinct[LEDGER_LEGACY], 2);
    assert_int_equal(run_of("11111111")->distinct[LEDGER_NEW], 0);
    assert_int_equal(run_of("22222222")->distinct[LEDGER_NEW], 1);
    assert_null(ledger_find(&ledger, slice_of("33333333")));
}

static void an_id_done_again_at_its_side_is_twice_however_often(void **state) {
    (void)state;
    for (int i = 0; i < 3; i++)
        note(LEDGER_NEW, "11111111-a", NULL, false);
    note(LEDGER_NEW, "11111111-b", NULL, false);
    assert_int_equal(run_of("11111111")->requests[LEDGER_NEW], 4);
    assert_int_equal(run_of("11111111")->distinct[LEDGER_NEW], 2);
    assert_int_equal(run_of("11111111")->twice, 1);
    assert_int_equal(run_of("11111111")->both, 0);
}

static void an_id_done_at_both_sides_is_both_and_not_twice(void **state) {
    (void)state;
    note(LEDGER_NEW, "11111111-a", NULL, false);
    note(LEDGER_LEGACY, "11111111-a", NULL, false);
    assert_int_equal(run_of("11111111")->both, 1);
    assert_int_equal(run_of("11111111")->twice, 0);
}

static void what_was_answered_with_an_error_was_not_done(void **state) {
    (void)state;
    note(LEDGER_LEGACY, "11111111-a", NULL, true);
    note(LEDGER_LEGACY, "11111111-a", NULL, false);
    assert_int_equal(run_of("11111111")->errors, 1);
    assert_int_equal(run_of("11111111")->requests[LEDGER_LEGACY], 2);
    assert_int_equal(run_of("11111111")->distinct[LEDGER_LEGACY], 1);
    assert_int_equal(run_of("11111111")->twice, 0);
}

static void an_entity_away_from_its_bucket_is_on_the_wrong_side(void **state) {
    (void)state;
    unsigned wrong = 0;
    for (int i = 0; i < 1000; i++) {
        char id[32], entity[64];
        snprintf(id, sizeof id, "11111111-%d", i);
        snprintf(entity, sizeof entity, "octocat/Hello-World#%d", i);
        note(LEDGER_LEGACY, id, entity, false);
    }
    wrong = (unsigned)run_of("11111111")->wrong_side;
    assert_in_range(wrong, 200, 300);
    for (int i = 0; i < 1000; i++) {
        char id[32], entity[64];
        snprintf(id, sizeof id, "22222222-%d", i);
        snprintf(entity, sizeof entity, "octocat/Hello-World#%d", i);
        note(LEDGER_NEW, id, entity, false);
    }
    assert_int_equal(run_of("22222222")->wrong_side, 1000 - wrong);
    note(LEDGER_NEW, "33333333-a", NULL, false);
    assert_int_equal(run_of("33333333")->wrong_side, 0);
}

static void ids_are_told_apart_when_there_are_many(void **state) {
    (void)state;
    enum { MANY = 200000 };
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < MANY; i++) {
            char id[32];
            snprintf(id, sizeof id, "11111111-%d", i);
            note(i % 2, id, NULL, false);
        }
    assert_int_equal(run_of("11111111")->distinct[LEDGER_LEGACY], MANY / 2);
    assert_int_equal(run_of("11111111")->distinct[LEDGER_NEW], MANY / 2);
    assert_int_equal(run_of("11111111")->twice, MANY);
    assert_int_equal(run_of("11111111")->both, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_run_and_side_has_its_own_counts, begin, end),
        cmocka_unit_test_setup_teardown(an_id_done_again_at_its_side_is_twice_however_often, begin,
                                        end),
        cmocka_unit_test_setup_teardown(an_id_done_at_both_sides_is_both_and_not_twice, begin, end),
        cmocka_unit_test_setup_teardown(what_was_answered_with_an_error_was_not_done, begin, end),
        cmocka_unit_test_setup_teardown(an_entity_away_from_its_bucket_is_on_the_wrong_side,
                                        begin_at_25, end),
        cmocka_unit_test_setup_teardown(ids_are_told_apart_when_there_are_many, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Which moves API and CLI make without force: the whole table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pointsman/router.h>

#define L MODE_LEGACY_ONLY
#define N MODE_NEW_ONLY
#define P MODE_PARALLEL
#define G MODE_GRADUAL
#define E MODE_EMERGENCY_ROLLBACK

#define PERCENT 10000u

static bool allowed(enum mode from, uint32_t from_percent, enum mode to, uint32_t to_percent,
                    enum health health, struct err *err) {
    const struct control now = {from, from_percent * PERCENT, 1};
    err->text[0] = '\0';
    return move_allowed(&now, to, to_percent * PERCENT, health, err);
}

static void the_table_of_moves_holds_while_new_is_healthy(void **state) {
    (void)state;
    static const bool table[MODES][MODES] = {
        [L] = {[L] = true, [P] = true, [G] = true, [E] = true},
        [N] = {[L] = true, [N] = true, [P] = true, [G] = true, [E] = true},
        [P] = {[L] = true, [P] = true, [G] = true, [E] = true},
        [G] = {[L] = true, [P] = true, [G] = true, [E] = true},
        [E] = {[L] = true, [E] = true},
    };
    for (int from = 0; from < MODES; from++) {
        for (int to = 0; to < MODES; to++) {
            struct err err;
            bool got = allowed((enum mode)from, 25, (enum mode)to, 25, HEALTH_GOOD, &err);
            if (got != table[from][to])
                fail_msg("%s to %s: %s", mode_names[from], mode_names[to], err.text);
            assert_true(got == (err.text[0] == '\0'));
            if (!got)
                assert_non_null(strstr(err.text, "; force "));
        }
    }
}

static void gradual_goes_to_new_only_at_100_percent_only(void **state) {
    (void)state;
    struct err err;
    assert_true(allowed(G, 100, N, 100, HEALTH_GOOD, &err));
    assert_false(allowed(G, 99, N, 100, HEALTH_GOOD, &err));
    assert_string_equal(err.text, "gradual goes to new_only at 100 % only, it is at 99 %: raise "
                                  "the percentage first; force gives new everything at once");
}

static void a_refused_move_names_the_ways_that_are_open(void **state) {
    (void)state;
    struct err err;
    assert_false(allowed(L, 0, N, 0, HEALTH_GOOD, &err));
    assert_string_equal(err.text,
                        "legacy_only does not go to new_only: allowed from it are "
                        "parallel, gradual, emergency_rollback; force goes there at once");
    assert_false(allowed(E, 0, G, 10, HEALTH_GOOD, &err));
    assert_string_equal(err.text, "emergency_rollback does not go to gradual: allowed from it are "
                                  "legacy_only; force goes there at once");
}

static void gradual_needs_a_percentage_where_none_is_set(void **state) {
    (void)state;
    struct err err;
    assert_false(allowed(L, 0, G, 0, HEALTH_GOOD, &err));
    assert_non_null(strstr(err.text, "gradual needs a percentage"));
    assert_false(allowed(P, 0, G, 0, HEALTH_GOOD, &err));
    assert_true(allowed(L, 0, G, 1, HEALTH_GOOD, &err));
    assert_true(allowed(G, 25, G, 0, HEALTH_BAD, &err));
    assert_true(allowed(G, 0, G, 0, HEALTH_BAD, &err)); /* nothing changes */
}

static void rollbacks_are_always_allowed(void **state) {
    (void)state;
    for (int from = 0; from < MODES; from++) {
        for (int health = 0; health < HEALTHS; health++) {
            struct err err;
            assert_true(allowed((enum mode)from, 50, E, 50, (enum health)health, &err));
            assert_true(allowed((enum mode)from, 50, L, 50, (enum health)health, &err));
        }
    }
}

/* What new would get more of, with its health not good. */
static const struct {
    enum mode from;
    uint32_t from_percent;
    enum mode to;
    uint32_t to_percent;
    bool towards_legacy;
} steps[] = {
    {L, 0, P, 0, false},     {L, 0, G, 1, false},    {P, 0, G, 1, false},  {G, 25, G, 26, false},
    {G, 100, N, 100, false}, {G, 25, P, 25, false},  {G, 25, G, 25, true}, {G, 25, G, 24, true},
    {G, 100, P, 100, true},  {N, 100, G, 100, true}, {N, 0, G, 50, true},  {N, 0, P, 0, true},
    {N, 0, N, 0, true},      {P, 0, P, 0, true},     {P, 50, P, 60, true},
};

static void a_step_towards_new_waits_until_new_is_healthy(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        for (int health = 0; health < HEALTHS; health++) {
            struct err err;
            bool got = allowed(steps[i].from, steps[i].from_percent, steps[i].to,
                               steps[i].to_percent, (enum health)health, &err);
            if (got != (steps[i].towards_legacy || health == HEALTH_GOOD))
                fail_msg("step %zu, health %s: %s", i, health_names[health], err.text);
        }
    }
    struct err err;
    assert_false(allowed(L, 0, P, 0, HEALTH_UNKNOWN, &err));
    assert_string_equal(err.text, "the health of new is unknown and parallel would give it more: "
                                  "it must be good; force moves all the same");
}

static void towards_legacy_is_what_gives_new_nothing_more(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        const struct control now = {steps[i].from, steps[i].from_percent * PERCENT, 1};
        if (move_is_towards_legacy(&now, steps[i].to, steps[i].to_percent * PERCENT) !=
            steps[i].towards_legacy)
            fail_msg("step %zu", i);
    }
    for (int from = 0; from < MODES; from++) {
        const struct control now = {(enum mode)from, 50 * PERCENT, 1};
        assert_true(move_is_towards_legacy(&now, E, 0));
        assert_true(move_is_towards_legacy(&now, L, 50 * PERCENT));
        assert_true(move_is_towards_legacy(&now, (enum mode)from, 50 * PERCENT));
        assert_int_equal(move_is_towards_legacy(&now, N, 0), from == MODE_NEW_ONLY);
    }
}

static void a_rollback_sets_the_percentage_to_0(void **state) {
    (void)state;
    assert_int_equal(move_percentage(E, 750000), 0);
    assert_int_equal(move_percentage(L, 750000), 0);
    assert_int_equal(move_percentage(G, 750000), 750000);
    assert_int_equal(move_percentage(P, 750000), 750000);
    assert_int_equal(move_percentage(N, 1000000), 1000000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_of_moves_holds_while_new_is_healthy),
        cmocka_unit_test(gradual_goes_to_new_only_at_100_percent_only),
        cmocka_unit_test(a_refused_move_names_the_ways_that_are_open),
        cmocka_unit_test(gradual_needs_a_percentage_where_none_is_set),
        cmocka_unit_test(rollbacks_are_always_allowed),
        cmocka_unit_test(a_step_towards_new_waits_until_new_is_healthy),
        cmocka_unit_test(towards_legacy_is_what_gives_new_nothing_more),
        cmocka_unit_test(a_rollback_sets_the_percentage_to_0),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

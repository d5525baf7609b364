/* Putting back what a store forgot, on both stores. */
#include "store_calls.h"

static struct store_assert known(const char *id, const char *entity, enum side side,
                                 enum leg_state leg, uint64_t fence) {
    struct store_assert a = {.source = slice_of("github"),
                             .id = slice_of(id),
                             .entity = slice_of(entity),
                             .side = side,
                             .pin = side,
                             .at_wall_us = 1700000000000000,
                             .leg = {.state = leg, .attempt = 2, .fence = fence, .status = 200},
                             .lease_left_ms = leg == LEG_IN_FLIGHT ? LEASE_MS : 0};
    memcpy(a.leg.token, token_new().text, TOKEN_LEN);
    return a;
}

static void put_back(struct kit *kit, struct store_assert *a, enum store_result result,
                     bool written) {
    KIT_CALL(kit, store_assert, a);
    assert_int_equal(a->call.result, result);
    assert_int_equal(a->ret_written, written);
}

static void a_lost_leg_is_put_back_once(void **state) {
    struct kit *kit = *state;
    struct store_assert a = known("back", "o/r#back", SIDE_NEW, LEG_IN_FLIGHT, 1700000000000000);
    put_back(kit, &a, STORE_OK, true);
    put_back(kit, &a, STORE_OK, false);
    struct store_look l = look(kit, "back", NULL);
    assert_int_equal(l.ret_legs[SIDE_NEW].state, LEG_IN_FLIGHT);
    assert_int_equal(l.ret_legs[SIDE_NEW].attempt, 2);
    assert_int_equal(l.ret_at_wall_us, 1700000000000000);
    assert_int_equal(l.ret_open, 1);
    assert_int_equal(l.ret_fence, 1700000000000000);
    assert_string_equal(l.ret_why, RECORD_PUT_BACK);
    struct store_finish f = {.source = a.source,
                             .id = a.id,
                             .entity = a.entity,
                             .side = SIDE_NEW,
                             .fence = a.leg.fence,
                             .attempt = 2,
                             .status = 200};
    memcpy(f.token.text, a.leg.token, TOKEN_LEN + 1);
    KIT_CALL(kit, store_finish, &f);
    assert_int_equal(f.call.result, STORE_OK);
    put_back(kit, &a, STORE_OK, false);
    l = look(kit, "back", NULL);
    assert_int_equal(l.ret_legs[SIDE_NEW].state, LEG_DONE);
    assert_int_equal(l.ret_open, 0);
}

/* What another instance did meanwhile, alone, does not say what became of the first attempt. */
static void a_doubt_ends_by_what_is_done_only(void **state) {
    struct kit *kit = *state;
    struct store_assert a = known("doubt", "o/r#doubt", SIDE_NEW, LEG_IN_DOUBT, 1700000000000000);
    put_back(kit, &a, STORE_OK, true);
    static const enum leg_state others[] = {LEG_UNSENT, LEG_NOT_DONE, LEG_REJECTED, LEG_IN_FLIGHT};
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        struct store_assert b =
            known("doubt", "o/r#doubt", SIDE_NEW, others[i], 1700000000000100 + i);
        put_back(kit, &b, STORE_STALE, false);
        b.leg.role = ROLE_SHADOW;
        put_back(kit, &b, STORE_STALE, false);
    }
    assert_int_equal(look(kit, "doubt", NULL).ret_legs[SIDE_NEW].state, LEG_IN_DOUBT);
    struct store_assert done = known("doubt", "o/r#doubt", SIDE_NEW, LEG_DONE, 1700000000000900);
    put_back(kit, &done, STORE_OK, true);
    assert_int_equal(look(kit, "doubt", NULL).ret_legs[SIDE_NEW].state, LEG_DONE);
}

static void open_legs_of_one_entity_add_up(void **state) {
    struct kit *kit = *state;
    struct store_assert done = known("sum-0", "o/r#sum", SIDE_LEGACY, LEG_DONE, 1700000000000000);
    struct store_assert a = known("sum-a", "o/r#sum", SIDE_NEW, LEG_IN_FLIGHT, 1700000000000005);
    struct store_assert b = known("sum-b", "o/r#sum", SIDE_NEW, LEG_IN_FLIGHT, 1700000000000005);
    done.stick_left_ms = 60000;
    put_back(kit, &a, STORE_OK, true);
    put_back(kit, &done, STORE_OK, true);
    put_back(kit, &b, STORE_OK, true);
    struct store_look l = look(kit, NULL, "o/r#sum");
    assert_int_equal(l.ret_owner, SIDE_NEW);
    assert_int_equal(l.ret_open, 2);
    assert_int_equal(l.ret_fence, 1700000000000005);
    assert_int_equal(l.ret_stick_wall_us, 0);
}

static void putting_back_never_lowers_a_fence_or_displaces_what_runs(void **state) {
    struct kit *kit = *state;
    struct store_claim c = {.source = slice_of("github"),
                            .id = slice_of("displace"),
                            .entity = slice_of("o/r#displace"),
                            .side = SIDE_LEGACY,
                            .token = token_new(),
                            .lease_ms = LEASE_MS};
    kit_claim(kit, &c);
    assert_int_equal(c.call.result, STORE_GRANTED);
    struct store_assert a =
        known("displace", "o/r#displace", SIDE_LEGACY, LEG_IN_FLIGHT, 1700000000000000);
    put_back(kit, &a, STORE_STALE, false);
    a.leg.fence = c.ret_fence + 1;
    put_back(kit, &a, STORE_STALE, false);
    struct store_assert b =
        known("displace-2", "o/r#displace", SIDE_NEW, LEG_DONE, 1700000000000000);
    put_back(kit, &b, STORE_OK, true);
    struct store_look l = look(kit, "displace", NULL);
    assert_string_equal(l.ret_legs[SIDE_LEGACY].token, c.token.text);
    assert_int_equal(l.ret_fence, c.ret_fence);
    assert_int_equal(l.ret_owner, SIDE_LEGACY);
    assert_int_equal(l.ret_open, 1);
}

static void a_known_outcome_ends_what_is_stored_as_open(void **state) {
    struct kit *kit = *state;
    struct store_assert a = known("ends", "o/r#ends", SIDE_NEW, LEG_IN_FLIGHT, 1700000000000000);
    put_back(kit, &a, STORE_OK, true);
    a.leg.state = LEG_DONE;
    a.stick_left_ms = 60000;
    put_back(kit, &a, STORE_OK, true);
    put_back(kit, &a, STORE_OK, false);
    struct store_look l = look(kit, "ends", NULL);
    assert_int_equal(l.ret_legs[SIDE_NEW].state, LEG_DONE);
    assert_int_equal(l.ret_open, 0);
    assert_true(l.ret_stick_wall_us > 0);
}

static const struct CMUnitTest cases[] = {
    cmocka_unit_test(a_lost_leg_is_put_back_once),
    cmocka_unit_test(a_doubt_ends_by_what_is_done_only),
    cmocka_unit_test(open_legs_of_one_entity_add_up),
    cmocka_unit_test(putting_back_never_lowers_a_fence_or_displaces_what_runs),
    cmocka_unit_test(a_known_outcome_ends_what_is_stored_as_open),
};

static void it_survives_a_restart(void **state) {
    struct kit *kit = *state;
    struct store_assert a = known("kept", "o/r#kept", SIDE_NEW, LEG_DONE, 1700000000000000);
    put_back(kit, &a, STORE_OK, true);
    kit_close(kit);
    kit_open(kit);
    assert_int_equal(look(kit, "kept", NULL).ret_legs[SIDE_NEW].state, LEG_DONE);
}

static const struct CMUnitTest embedded_cases[] = {
    cmocka_unit_test(it_survives_a_restart),
};

int main(void) {
    int failed = cmocka_run_group_tests_name("embedded", cases, open_embedded, close_store);
    failed +=
        cmocka_run_group_tests_name("embedded only", embedded_cases, open_embedded, close_store);
    return failed + cmocka_run_group_tests_name("redis", cases, open_redis, close_store);
}

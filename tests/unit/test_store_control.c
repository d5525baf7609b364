/* Control, audit and putting back, on both stores. */
#include "store_kit.h"

#define LEASE_MS 60000

static struct store_control_get get(struct kit *kit) {
    struct store_control_get g = {.ret_epoch = 0};
    KIT_CALL(kit, store_control_get, &g);
    assert_int_equal(g.call.result, STORE_OK);
    return g;
}

static enum store_result set(struct kit *kit, struct store_control_set *s) {
    KIT_CALL(kit, store_control_set, s);
    return s->call.result;
}

static void control_is_empty_at_first(void **state) {
    struct store_control_get g = get(*state);
    assert_false(g.ret_has_mode || g.ret_has_percentage || g.ret_has_good);
    assert_int_equal(g.ret_epoch, 0);
}

static void a_change_is_written_once_and_audited(void **state) {
    struct kit *kit = *state;
    uint64_t epoch = get(kit).ret_epoch;
    struct store_control_set s = {.expected_epoch = epoch,
                                  .mode = MODE_GRADUAL,
                                  .ppm = 125000,
                                  .from_mode = MODE_LEGACY_ONLY,
                                  .actor = slice_of("cli"),
                                  .reason = slice_of("first steps"),
                                  .evidence = slice_of("{\"a\":1}")};
    assert_int_equal(set(kit, &s), STORE_OK);
    assert_int_equal(s.ret_epoch, epoch + 1);
    struct store_control_get g = get(kit);
    assert_string_equal(g.ret_mode, "gradual");
    assert_string_equal(g.ret_percentage, "12.5");
    assert_true(g.ret_has_good);
    assert_int_equal(g.ret_good_mode, MODE_GRADUAL);
    assert_int_equal(g.ret_good_ppm, 125000);
    assert_int_equal(g.ret_epoch, epoch + 1);
    struct store_control_set late = s;
    assert_int_equal(set(kit, &late), STORE_STALE);
    assert_int_equal(get(kit).ret_epoch, epoch + 1);

    struct audit_entry entries[2];
    struct store_audit a = {.limit = 2, .ret_entries = entries};
    KIT_CALL(kit, store_audit, &a);
    assert_int_equal(a.call.result, STORE_OK);
    assert_int_equal(a.ret_count, 1);
    assert_int_equal(entries[0].epoch, epoch + 1);
    assert_int_equal(entries[0].from_mode, MODE_LEGACY_ONLY);
    assert_int_equal(entries[0].mode, MODE_GRADUAL);
    assert_int_equal(entries[0].ppm, 125000);
    assert_string_equal(entries[0].actor, "cli");
    assert_string_equal(entries[0].reason, "first steps");
    assert_string_equal(entries[0].evidence, "{\"a\":1}");
    assert_true(entries[0].at_wall_us > 1500000000000000);
}

static void raw_values_stay_where_they_came_from_outside(void **state) {
    struct kit *kit = *state;
    struct store_control_get before = get(kit);
    struct store_control_set s = {.expected_epoch = before.ret_epoch,
                                  .keep_raw = true,
                                  .mode = MODE_PARALLEL,
                                  .actor = slice_of("outside")};
    assert_int_equal(set(kit, &s), STORE_OK);
    struct store_control_get g = get(kit);
    assert_string_equal(g.ret_mode, before.ret_mode);
    assert_string_equal(g.ret_percentage, before.ret_percentage);
    assert_int_equal(g.ret_good_mode, MODE_PARALLEL);
}

static void the_audit_is_read_in_pages_newest_first(void **state) {
    struct kit *kit = *state;
    char reason[600];
    memset(reason, 'r', sizeof(reason));
    for (int i = 0; i < 5; i++) {
        struct store_control_set s = {.expected_epoch = get(kit).ret_epoch,
                                      .mode = MODE_NEW_ONLY,
                                      .reason = slice(reason, sizeof(reason))};
        assert_int_equal(set(kit, &s), STORE_OK);
    }
    struct audit_entry entries[3];
    struct store_audit a = {.limit = 3, .ret_entries = entries};
    KIT_CALL(kit, store_audit, &a);
    assert_int_equal(a.ret_count, 3);
    assert_int_equal(entries[0].epoch, get(kit).ret_epoch);
    assert_int_equal(entries[1].epoch, entries[0].epoch - 1);
    assert_int_equal(strlen(entries[0].reason), 512);
    struct store_audit b = {.limit = 3, .before = entries[2].epoch, .ret_entries = entries};
    KIT_CALL(kit, store_audit, &b);
    assert_int_equal(b.ret_count, 3);
    assert_int_equal(entries[0].epoch, b.before - 1);
}

/* ---- putting back ---- */

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

static struct store_look look(struct kit *kit, const char *id, const char *entity) {
    struct store_look l = {
        .source = slice_of("github"), .id = slice_of(id), .entity = slice_of(entity)};
    KIT_CALL(kit, store_look, &l);
    return l;
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
    cmocka_unit_test(control_is_empty_at_first),
    cmocka_unit_test(a_change_is_written_once_and_audited),
    cmocka_unit_test(raw_values_stay_where_they_came_from_outside),
    cmocka_unit_test(the_audit_is_read_in_pages_newest_first),
    cmocka_unit_test(a_lost_leg_is_put_back_once),
    cmocka_unit_test(open_legs_of_one_entity_add_up),
    cmocka_unit_test(putting_back_never_lowers_a_fence_or_displaces_what_runs),
    cmocka_unit_test(a_known_outcome_ends_what_is_stored_as_open),
};

/* ---- the embedded store alone ---- */

static void everything_survives_a_restart(void **state) {
    struct kit *kit = *state;
    struct store_control_get before = get(kit);
    kit_close(kit);
    kit_open(kit);
    struct store_control_get after = get(kit);
    assert_int_equal(after.ret_epoch, before.ret_epoch);
    assert_int_equal(look(kit, "ends", NULL).ret_legs[SIDE_NEW].state, LEG_DONE);
}

static void a_directory_belongs_to_one_process(void **state) {
    struct kit *kit = *state;
    struct conf conf = kit_conf(kit);
    struct err err;
    char pid[32];
    assert_null(store_open(&conf, &err));
    snprintf(pid, sizeof(pid), "(process %ld)", (long)getpid());
    assert_non_null(strstr(err.text, pid));
}

static const struct CMUnitTest embedded_cases[] = {
    cmocka_unit_test(everything_survives_a_restart),
    cmocka_unit_test(a_directory_belongs_to_one_process),
};

/* ---- Redis alone: what people do to it by hand ---- */

static void values_of_any_type_are_readable(void **state) {
    struct kit *kit = *state;
    kit_redis(kit, "SET pointsman:system_mode %s", " Gradual ");
    kit_redis(kit, "DEL pointsman:rollout_percentage");
    kit_redis(kit, "LPUSH pointsman:rollout_percentage 5");
    struct store_control_get g = get(kit);
    assert_string_equal(g.ret_mode, " Gradual ");
    assert_string_equal(g.ret_percentage, "(a list)");
    struct store_control_set s = {.expected_epoch = g.ret_epoch, .mode = MODE_GRADUAL, .ppm = 1};
    assert_int_equal(set(kit, &s), STORE_OK);
    assert_string_equal(get(kit).ret_percentage, "0.0001");
}

static void a_lost_good_pair_does_not_stop_changes(void **state) {
    struct kit *kit = *state;
    uint64_t epoch = get(kit).ret_epoch;
    kit_redis(kit, "SET pointsman:good nonsense");
    struct store_control_get g = get(kit);
    assert_false(g.ret_has_good);
    struct store_control_set s = {.expected_epoch = 0, .mode = MODE_LEGACY_ONLY};
    assert_int_equal(set(kit, &s), STORE_OK);
    assert_int_equal(s.ret_epoch, epoch + 1);
}

static const struct CMUnitTest redis_cases[] = {
    cmocka_unit_test(values_of_any_type_are_readable),
    cmocka_unit_test(a_lost_good_pair_does_not_stop_changes),
};

static struct kit kit;

static int open_embedded(void **state) {
    if (!kit.directory[0]) {
        kit = (struct kit){.kind = STORE_EMBEDDED};
        kit_directory(&kit);
    }
    kit_open(&kit);
    *state = &kit;
    return 0;
}

static int open_redis(void **state) {
    if (!kit.directory[0]) {
        kit = (struct kit){.kind = STORE_REDIS, .when_down = WHEN_DOWN_REFUSE};
        kit_directory(&kit);
        kit_redis_start(&kit);
    }
    kit_open(&kit);
    kit_wait_hold(&kit);
    *state = &kit;
    return 0;
}

static int close_store(void **state) {
    kit_close(*state);
    return 0;
}

static int end_store(void **state) {
    kit_close(*state);
    kit_redis_stop(*state);
    kit_remove(*state);
    kit = (struct kit){.redis = 0};
    return 0;
}

int main(void) {
    int failed = cmocka_run_group_tests_name("embedded", cases, open_embedded, close_store);
    failed +=
        cmocka_run_group_tests_name("embedded only", embedded_cases, open_embedded, end_store);
    failed += cmocka_run_group_tests_name("redis", cases, open_redis, close_store);
    return failed + cmocka_run_group_tests_name("redis only", redis_cases, open_redis, end_store);
}

/* What people SET in Redis: obeyed where it names something, audited once, else refused loudly. */
#include "rig_steering.h"
#include "store_kit.h"

static struct wheelhouse house;
static struct kit kit;

static int make(void **state) {
    (void)state;
    memset(&house, 0, sizeof house);
    kit = (struct kit){.kind = STORE_REDIS};
    kit_directory(&kit);
    memcpy(house.directory, kit.directory, sizeof house.directory);
    house.socket = kit.socket;
    kit_redis_start(&kit);
    return 0;
}

static int drop(void **state) {
    (void)state;
    kit_redis_stop(&kit);
    rig_remove(house.directory);
    return 0;
}

static void open_known(void) {
    wheelhouse_open(&house, REDIS, "");
    WHEELHOUSE_UNTIL(&house, wheelhouse_state(&house).known && house.first == 1);
}

#define SET(key, value) kit_redis(&kit, "SET pointsman:" key " %s", value)

static void a_raw_set_is_adopted_and_audited_once(void **state) {
    (void)state;
    struct audit_entry entries[8];
    open_known();
    SET("system_mode", " Python_Only ");
    wheelhouse_polls(&house, 3);
    assert_control(&house, MODE_NEW_ONLY, 0);
    SET("system_mode", "gradual");
    SET("rollout_percentage", "12.5%");
    wheelhouse_polls(&house, 5);
    assert_control(&house, MODE_GRADUAL, 125000);
    unsigned count = wheelhouse_audit(&house, entries);
    assert_int_equal(count, 2);
    for (unsigned i = 0; i < count; i++) {
        assert_string_equal(entries[i].actor, "outside");
        assert_int_equal(entries[i].epoch, count - i);
    }
    assert_int_equal(entries[0].from_mode, MODE_NEW_ONLY);
    struct store_control_get g = wheelhouse_get(&house);
    assert_string_equal(g.ret_mode, "gradual"); /* as people wrote it */
    assert_string_equal(g.ret_percentage, "12.5%");
    assert_int_equal(wheelhouse_close(&house, "control invalid"), 0);
}

static void a_percentage_set_before_the_mode_is_kept(void **state) {
    (void)state;
    open_known();
    SET("rollout_percentage", "25");
    wheelhouse_polls(&house, 2);
    assert_control(&house, MODE_LEGACY_ONLY, 250000);
    SET("system_mode", "gradual");
    wheelhouse_polls(&house, 2);
    assert_control(&house, MODE_GRADUAL, 250000);
    wheelhouse_close(&house, NULL);
}

static void a_raw_rollback_sets_the_percentage_to_zero(void **state) {
    (void)state;
    struct audit_entry entries[8];
    open_known();
    SET("rollout_percentage", "75");
    SET("system_mode", "gradual");
    wheelhouse_polls(&house, 2);
    assert_control(&house, MODE_GRADUAL, 750000);
    SET("system_mode", "emergency_rollback");
    wheelhouse_polls(&house, 3);
    assert_control(&house, MODE_EMERGENCY_ROLLBACK, 0);
    assert_string_equal(wheelhouse_get(&house).ret_percentage, "0");
    unsigned count = wheelhouse_audit(&house, entries);
    assert_string_equal(entries[0].actor, "outside");
    SET("system_mode", "gradual");
    wheelhouse_polls(&house, 2);
    assert_control(&house, MODE_GRADUAL, 0); /* does not jump back to 75 % */
    assert_int_equal(wheelhouse_audit(&house, entries), count + 1);
    wheelhouse_close(&house, NULL);
}

static void a_typo_keeps_the_last_good_pair_and_complains_once(void **state) {
    (void)state;
    struct audit_entry entries[8];
    open_known();
    SET("rollout_percentage", "25");
    SET("system_mode", "gradual");
    wheelhouse_polls(&house, 2);
    unsigned count = wheelhouse_audit(&house, entries);
    SET("system_mode", "gradul");
    wheelhouse_polls(&house, 5);
    struct steering_state s = wheelhouse_state(&house);
    assert_true(s.invalid);
    assert_non_null(strstr(s.problem, "gradul"));
    assert_control(&house, MODE_GRADUAL, 250000);
    assert_int_equal(wheelhouse_audit(&house, entries), count);
    SET("system_mode", "gradual");
    wheelhouse_polls(&house, 2);
    assert_false(wheelhouse_state(&house).invalid);
    SET("rollout_percentage", "101");
    wheelhouse_polls(&house, 3);
    assert_true(wheelhouse_state(&house).invalid);
    assert_control(&house, MODE_GRADUAL, 250000);
    assert_int_equal(wheelhouse_close(&house, "\"control invalid\""), 2);
}

static void a_typo_at_the_very_first_start_is_legacy_only(void **state) {
    (void)state;
    SET("system_mode", "nwe_only");
    open_known();
    assert_true(wheelhouse_state(&house).invalid);
    assert_control(&house, MODE_LEGACY_ONLY, 0);
    assert_int_equal(wheelhouse_close(&house, "\"control invalid\""), 1);
}

static void a_change_by_the_api_mends_a_typo(void **state) {
    (void)state;
    open_known();
    SET("system_mode", "gradul");
    wheelhouse_polls(&house, 2);
    assert_true(wheelhouse_state(&house).invalid);
    struct change c = wheelhouse_change(&house, MODE_LEGACY_ONLY, -1, false);
    assert_int_equal(c.result, CHANGE_OK);
    assert_false(wheelhouse_state(&house).invalid);
    assert_string_equal(wheelhouse_get(&house).ret_mode, "legacy_only");
    wheelhouse_polls(&house, 2);
    assert_false(wheelhouse_state(&house).invalid);
    wheelhouse_close(&house, NULL);
}

static void what_was_set_a_moment_ago_is_audited_before_a_change(void **state) {
    (void)state;
    struct audit_entry entries[8];
    open_known();
    SET("system_mode", "parallel");
    struct change c = wheelhouse_change(&house, MODE_LEGACY_ONLY, -1, false);
    assert_int_equal(c.result, CHANGE_OK);
    assert_control(&house, MODE_LEGACY_ONLY, 0);
    assert_int_equal(wheelhouse_audit(&house, entries), 2);
    assert_string_equal(entries[1].actor, "outside");
    assert_int_equal(entries[1].mode, MODE_PARALLEL);
    assert_string_equal(entries[0].actor, "api");
    assert_int_equal(entries[0].from_mode, MODE_PARALLEL);
    wheelhouse_close(&house, NULL);
}

static void a_store_that_is_emptied_means_legacy(void **state) {
    (void)state;
    struct audit_entry entries[8];
    open_known();
    SET("system_mode", "new_only");
    wheelhouse_polls(&house, 2);
    assert_control(&house, MODE_NEW_ONLY, 0);
    kit_redis(&kit, "FLUSHALL");
    wheelhouse_polls(&house, 4);
    assert_control(&house, MODE_LEGACY_ONLY, 0);
    assert_int_equal(wheelhouse_audit(&house, entries), 1);
    assert_string_equal(entries[0].actor, "pointsman");
    wheelhouse_close(&house, NULL);
}

static void keys_that_are_deleted_mean_legacy(void **state) {
    (void)state;
    open_known();
    SET("system_mode", "new_only");
    wheelhouse_polls(&house, 2);
    assert_control(&house, MODE_NEW_ONLY, 0);
    kit_redis(&kit, "DEL pointsman:system_mode");
    wheelhouse_polls(&house, 3);
    assert_control(&house, MODE_LEGACY_ONLY, 0);
    wheelhouse_close(&house, NULL);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, make, drop)
    const struct CMUnitTest tests[] = {
        TEST(a_raw_set_is_adopted_and_audited_once),
        TEST(a_percentage_set_before_the_mode_is_kept),
        TEST(a_raw_rollback_sets_the_percentage_to_zero),
        TEST(a_typo_keeps_the_last_good_pair_and_complains_once),
        TEST(a_typo_at_the_very_first_start_is_legacy_only),
        TEST(a_change_by_the_api_mends_a_typo),
        TEST(what_was_set_a_moment_ago_is_audited_before_a_change),
        TEST(a_store_that_is_emptied_means_legacy),
        TEST(keys_that_are_deleted_mean_legacy),
    };
    return cmocka_run_group_tests(tests, rig_clock_on, rig_clock_off);
}

/* New is down: its breaker opens, and pointsman goes back to legacy by itself, once. */
#include "rig_steering.h"

#include "../../proxy/table.h"

static struct wheelhouse house;

static int make(void **state) {
    (void)state;
    memset(&house, 0, sizeof house);
    rig_directory(house.directory);
    return 0;
}

static int drop(void **state) {
    (void)state;
    rig_remove(house.directory);
    return 0;
}

static void open_known(const char *rollout) {
    wheelhouse_open(&house, EMBEDDED, rollout);
    WHEELHOUSE_UNTIL(&house, wheelhouse_state(&house).known && house.first == 1);
}

static void fail_attempts(enum side side, enum breaker_pass expect, unsigned count) {
    const struct conf *conf = house.proxy->rules->conf;
    for (; count > 0; count--) {
        uint64_t entered_us = clock_mono_us();
        assert_int_equal(breakers_enter(house.proxy, side, conf), expect);
        breakers_left(house.proxy, side, conf, expect, entered_us, OUTCOME_UNSENT);
    }
    assert_int_equal(breakers_state(house.proxy, side), BREAKER_OPEN);
}

static void take_new_down(void) {
    fail_attempts(SIDE_NEW, PASS_FREE, 5);
}

static int64_t rollbacks(void) {
    return metrics_value(house.proxy->metrics, METRIC_AUTO_ROLLBACKS, 0, 0, 0);
}

static void expect_rollback(void) {
    WHEELHOUSE_UNTIL(&house, wheelhouse_state(&house).now.mode == MODE_EMERGENCY_ROLLBACK);
    assert_control(&house, MODE_EMERGENCY_ROLLBACK, 0);
}

static void it_rolls_back_from_gradual_with_the_evidence(void **state) {
    (void)state;
    struct audit_entry entries[8];
    open_known("rollout: {mode: gradual, percentage: 75}\n");
    take_new_down();
    expect_rollback();
    wheelhouse_polls(&house, 5);
    assert_control(&house, MODE_EMERGENCY_ROLLBACK, 0);
    assert_int_equal(wheelhouse_audit(&house, entries), 2);
    assert_string_equal(entries[0].actor, "pointsman");
    assert_string_equal(entries[0].reason, "new is down: 5 attempts in a row failed");
    assert_string_equal(entries[0].evidence,
                        "{\"breaker\":\"open\",\"failures\":5,\"attempts\":5,\"failed\":5,"
                        "\"window_ms\":60000,\"last_outcome\":\"unsent\"}");
    assert_int_equal(entries[0].from_mode, MODE_GRADUAL);
    assert_int_equal(entries[0].from_ppm, 750000);
    assert_int_equal(entries[0].ppm, 0);
    assert_int_equal(rollbacks(), 1);
    assert_int_equal(wheelhouse_close(&house, "\"rolled back\""), 1);
}

static void it_rolls_back_from_new_only(void **state) {
    (void)state;
    open_known("rollout: {mode: new_only}\n");
    take_new_down();
    expect_rollback();
    wheelhouse_close(&house, NULL);
}

static void where_new_owns_nothing_nothing_is_done(void **state) {
    (void)state;
    struct audit_entry entries[8];
    static const char *const rollouts[] = {"", "rollout: {mode: parallel}\n",
                                           "rollout: {mode: gradual, percentage: 0}\n"};
    for (size_t i = 0; i < ARRAY_LEN(rollouts); i++) {
        drop(NULL);
        make(NULL);
        open_known(rollouts[i]);
        unsigned before = wheelhouse_audit(&house, entries);
        take_new_down();
        wheelhouse_polls(&house, 3);
        assert_int_equal(wheelhouse_audit(&house, entries), before);
        assert_int_not_equal(wheelhouse_state(&house).now.mode, MODE_EMERGENCY_ROLLBACK);
        assert_int_equal(rollbacks(), 0);
        wheelhouse_close(&house, NULL);
    }
}

static void legacy_being_down_moves_nothing(void **state) {
    (void)state;
    open_known("rollout: {mode: gradual, percentage: 75}\n");
    fail_attempts(SIDE_LEGACY, PASS_FREE, 5);
    wheelhouse_polls(&house, 3);
    assert_control(&house, MODE_GRADUAL, 750000);
    wheelhouse_close(&house, NULL);
}

static void it_can_be_switched_off(void **state) {
    (void)state;
    open_known("rollout: {mode: gradual, percentage: 75}\nauto_rollback: {on_new_down: off}\n");
    take_new_down();
    wheelhouse_polls(&house, 3);
    assert_control(&house, MODE_GRADUAL, 750000);
    wheelhouse_close(&house, NULL);
}

static void who_goes_back_to_new_is_obeyed_until_it_opens_again(void **state) {
    (void)state;
    struct audit_entry entries[8];
    open_known("rollout: {mode: gradual, percentage: 75}\n");
    take_new_down();
    expect_rollback();
    assert_int_equal(wheelhouse_change(&house, MODE_GRADUAL, 10000, true).result, CHANGE_OK);
    wheelhouse_polls(&house, 5);
    assert_control(&house, MODE_GRADUAL, 10000);
    atomic_fetch_add(&rig_offset_us, 60 * RIG_SECOND_US);
    fail_attempts(SIDE_NEW, PASS_PROBE, 1);
    expect_rollback();
    assert_int_equal(wheelhouse_audit(&house, entries), 4);
    assert_string_equal(entries[0].reason, "new is down: a probe failed");
    assert_int_equal(rollbacks(), 2);
    wheelhouse_close(&house, NULL);
}

/* True: the other one was first. */
static bool race(enum mode mode) {
    bool done = false;
    open_known("rollout: {mode: gradual, percentage: 75}\n");
    struct store_client *other = store_client_new(house.proxy->store, house.loop);
    assert_non_null(other);
    struct store_control_get g = wheelhouse_get(&house);
    struct store_control_set s = {
        .call = {.done = wheelhouse_answered, .arg = &done, .timeout_ms = 60000},
        .expected_epoch = g.ret_epoch,
        .mode = mode,
        .actor = slice_of("other"),
        .reason = slice_of("the other saw it too"),
        .evidence = slice_of("")};
    take_new_down();
    atomic_fetch_add(&rig_offset_us, 160000);
    wheelhouse_turn(&house); /* ours has asked what is in force, and will write what follows */
    store_control_set(other, &s);
    WHEELHOUSE_UNTIL(&house, done && wheelhouse_state(&house).now.mode != MODE_GRADUAL);
    wheelhouse_polls(&house, 5);
    store_client_free(other);
    return s.call.result == STORE_OK;
}

static void of_two_instances_one_rolls_back(void **state) {
    (void)state;
    static const enum mode modes[] = {MODE_EMERGENCY_ROLLBACK, MODE_LEGACY_ONLY};
    struct audit_entry entries[8];
    for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
        drop(NULL);
        make(NULL);
        bool other = race(modes[i]);
        assert_control(&house, other ? modes[i] : MODE_EMERGENCY_ROLLBACK, 0);
        assert_int_equal(wheelhouse_audit(&house, entries), 2);
        assert_int_equal(rollbacks(), !other);
        wheelhouse_close(&house, NULL);
    }
}

static void without_the_store_it_is_obeyed_here_and_written_back(void **state) {
    (void)state;
    struct audit_entry entries[8];
    open_known("rollout: {mode: new_only}\n");
    atomic_store(&rig_hurry_us, 3 * RIG_SECOND_US);
    take_new_down();
    expect_rollback();
    assert_true(wheelhouse_state(&house).pending);
    atomic_store(&rig_hurry_us, 0);
    WHEELHOUSE_UNTIL(&house, !wheelhouse_state(&house).pending);
    wheelhouse_polls(&house, 3);
    assert_control(&house, MODE_EMERGENCY_ROLLBACK, 0);
    assert_string_equal(wheelhouse_get(&house).ret_mode, "emergency_rollback");
    assert_int_equal(wheelhouse_audit(&house, entries), 2);
    assert_string_equal(entries[0].actor, "pointsman");
    assert_string_equal(entries[0].reason, "new is down: 5 attempts in a row failed");
    assert_non_null(strstr(entries[0].evidence, "\"breaker\":\"open\""));
    assert_int_equal(rollbacks(), 1);
    wheelhouse_close(&house, NULL);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, make, drop)
    const struct CMUnitTest tests[] = {
        TEST(it_rolls_back_from_gradual_with_the_evidence),
        TEST(it_rolls_back_from_new_only),
        TEST(where_new_owns_nothing_nothing_is_done),
        TEST(legacy_being_down_moves_nothing),
        TEST(it_can_be_switched_off),
        TEST(who_goes_back_to_new_is_obeyed_until_it_opens_again),
        TEST(of_two_instances_one_rolls_back),
        TEST(without_the_store_it_is_obeyed_here_and_written_back),
    };
    return cmocka_run_group_tests(tests, rig_clock_on, rig_clock_off);
}

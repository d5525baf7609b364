/* Mode and percentage: what is in force at a start, after each change, and while the store is away.
 */
#include "rig_steering.h"

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

/* More than a call to the store may take passes at each look at the clock. */
static void store_away(bool away) {
    atomic_store(&rig_hurry_us, away ? 3 * RIG_SECOND_US : 0);
}

static void reopen_away(void) {
    store_away(true);
    wheelhouse_open(&house, EMBEDDED, "");
    WHEELHOUSE_UNTIL(&house, house.first == 1);
}

/* ---- starts ---- */

static void where_nothing_is_set_it_is_legacy_only(void **state) {
    (void)state;
    open_known("");
    assert_control(&house, MODE_LEGACY_ONLY, 0);
    assert_int_equal(wheelhouse_state(&house).now.epoch, 0);
    assert_false(wheelhouse_get(&house).ret_has_good);
    assert_int_equal(wheelhouse_close(&house, "control invalid"), 0);
}

static void the_first_start_takes_the_configured_pair(void **state) {
    (void)state;
    struct audit_entry entries[8];
    open_known("rollout: {mode: gradual, percentage: 25}\n");
    assert_control(&house, MODE_GRADUAL, 250000);
    struct store_control_get g = wheelhouse_get(&house);
    assert_string_equal(g.ret_mode, "gradual");
    assert_string_equal(g.ret_percentage, "25");
    assert_int_equal(wheelhouse_audit(&house, entries), 1);
    assert_string_equal(entries[0].actor, "config");
    wheelhouse_close(&house, NULL);
}

static void the_configured_pair_counts_at_the_very_first_start_only(void **state) {
    (void)state;
    open_known("");
    assert_int_equal(wheelhouse_change(&house, MODE_PARALLEL, -1, true).result, CHANGE_OK);
    wheelhouse_close(&house, NULL);
    open_known("rollout: {mode: gradual, percentage: 25}\n");
    assert_control(&house, MODE_PARALLEL, 0);
    wheelhouse_close(&house, NULL);
}

static void a_store_found_empty_means_legacy(void **state) {
    (void)state;
    struct audit_entry entries[8];
    struct control_file file = {.control = {MODE_GRADUAL, 750000, 12}};
    assert_true(control_file_write(house.directory, &file)); /* the disk knows of epoch 12 */
    open_known("rollout: {mode: gradual, percentage: 25}\n");
    assert_control(&house, MODE_LEGACY_ONLY, 0);
    assert_int_equal(wheelhouse_audit(&house, entries), 1);
    assert_string_equal(entries[0].actor, "pointsman");
    assert_string_equal(entries[0].reason, "the store was found empty");
    wheelhouse_close(&house, NULL);
}

static void a_start_without_the_store_is_legacy_only_until_it_is_read(void **state) {
    (void)state;
    open_known("rollout: {mode: gradual, percentage: 100}\n");
    wheelhouse_close(&house, NULL);
    reopen_away();
    assert_control(&house, MODE_LEGACY_ONLY, 0);
    assert_false(wheelhouse_state(&house).known);
    store_away(false);
    WHEELHOUSE_UNTIL(&house, wheelhouse_state(&house).known);
    assert_control(&house, MODE_GRADUAL, PPM_ALL);
    assert_int_equal(house.first, 1);
    wheelhouse_close(&house, NULL);
}

/* ---- changes ---- */

static void a_change_is_written_audited_and_kept_on_disk(void **state) {
    (void)state;
    struct audit_entry entries[8];
    struct control_file file;
    open_known("");
    struct change c = wheelhouse_change(&house, MODE_GRADUAL, 125000, true);
    assert_int_equal(c.result, CHANGE_OK);
    assert_int_equal(c.now.mode, MODE_GRADUAL);
    assert_control(&house, MODE_GRADUAL, 125000);
    assert_int_equal(wheelhouse_audit(&house, entries), 1);
    assert_string_equal(entries[0].actor, "api");
    assert_string_equal(entries[0].reason, "a test");
    assert_int_equal(entries[0].from_mode, MODE_LEGACY_ONLY);
    assert_true(control_file_read(house.directory, &file));
    assert_int_equal(file.control.epoch, c.now.epoch);
    assert_false(file.pending);
    /* what is in force already is no change */
    assert_int_equal(wheelhouse_change(&house, MODE_GRADUAL, 125000, false).result, CHANGE_OK);
    assert_int_equal(wheelhouse_audit(&house, entries), 1);
    wheelhouse_close(&house, NULL);
}

static void a_move_that_is_not_allowed_is_refused_and_says_why(void **state) {
    (void)state;
    struct audit_entry entries[8];
    open_known("");
    struct change c = wheelhouse_change(&house, MODE_NEW_ONLY, -1, false);
    assert_int_equal(c.result, CHANGE_REFUSED);
    assert_non_null(strstr(c.err.text, "legacy_only does not go to new_only"));
    c = wheelhouse_change(&house, MODE_PARALLEL, -1, false);
    assert_int_equal(c.result, CHANGE_REFUSED); /* nobody knows how new is */
    assert_non_null(strstr(c.err.text, "health of new is unknown"));
    assert_control(&house, MODE_LEGACY_ONLY, 0);
    assert_int_equal(wheelhouse_audit(&house, entries), 0);
    health_attempt(&house.proxy->health[SIDE_NEW], OUTCOME_DONE, clock_mono_us());
    assert_int_equal(wheelhouse_change(&house, MODE_PARALLEL, -1, false).result, CHANGE_OK);
    assert_int_equal(wheelhouse_change(&house, MODE_NEW_ONLY, -1, true).result, CHANGE_OK);
    assert_control(&house, MODE_NEW_ONLY, 0);
    wheelhouse_close(&house, NULL);
}

static void a_rollback_sets_the_percentage_to_zero(void **state) {
    (void)state;
    open_known("rollout: {mode: gradual, percentage: 75}\n");
    struct change c = wheelhouse_change(&house, MODE_EMERGENCY_ROLLBACK, -1, false);
    assert_int_equal(c.result, CHANGE_OK);
    assert_control(&house, MODE_EMERGENCY_ROLLBACK, 0);
    assert_string_equal(wheelhouse_get(&house).ret_percentage, "0");
    wheelhouse_close(&house, NULL);
}

static void a_percentage_alone_keeps_the_mode(void **state) {
    (void)state;
    open_known("rollout: {mode: gradual, percentage: 75}\n");
    bool done = false;
    struct change c = {.done = wheelhouse_changed,
                       .arg = &done,
                       .keep_mode = true,
                       .has_ppm = true,
                       .ppm = 500000,
                       .actor = "cli"};
    proxy_change(house.proxy, &c);
    WHEELHOUSE_UNTIL(&house, done);
    assert_int_equal(c.result, CHANGE_OK); /* less for new: its health does not matter */
    assert_control(&house, MODE_GRADUAL, 500000);
    wheelhouse_close(&house, NULL);
}

static void a_change_of_another_instance_is_followed_and_judged_before_ours(void **state) {
    (void)state;
    struct audit_entry entries[8];
    open_known("rollout: {mode: gradual, percentage: 100}\n");
    wheelhouse_set(&house, MODE_EMERGENCY_ROLLBACK, 0);
    struct change c = wheelhouse_change(&house, MODE_NEW_ONLY, -1, false);
    assert_int_equal(c.result, CHANGE_REFUSED); /* allowed from what was in force here before */
    assert_control(&house, MODE_EMERGENCY_ROLLBACK, 0);
    assert_int_equal(wheelhouse_audit(&house, entries), 2);
    wheelhouse_close(&house, NULL);
}

static void changes_at_once_are_made_one_after_the_other(void **state) {
    (void)state;
    struct audit_entry entries[8];
    bool done[3] = {false};
    struct change c[3];
    open_known("");
    for (int i = 0; i < 3; i++) {
        c[i] = (struct change){.done = wheelhouse_changed,
                               .arg = &done[i],
                               .mode = MODE_GRADUAL,
                               .has_ppm = true,
                               .ppm = 100000u * (unsigned)(i + 1),
                               .force = true,
                               .actor = "api"};
        proxy_change(house.proxy, &c[i]);
    }
    WHEELHOUSE_UNTIL(&house, done[0] && done[1] && done[2]);
    for (int i = 0; i < 3; i++)
        assert_int_equal(c[i].result, CHANGE_OK);
    assert_control(&house, MODE_GRADUAL, 300000);
    assert_int_equal(wheelhouse_audit(&house, entries), 3);
    assert_int_equal(entries[0].from_ppm, 200000);
    wheelhouse_close(&house, NULL);
}

static void changes_that_wait_at_the_end_have_failed(void **state) {
    (void)state;
    bool done = false;
    struct change c = {.done = wheelhouse_changed, .arg = &done, .mode = MODE_PARALLEL};
    open_known("");
    proxy_change(house.proxy, &c);
    wheelhouse_close(&house, NULL);
    assert_true(done);
    assert_int_equal(c.result, CHANGE_FAILED);
}

/* ---- while the store is away ---- */

static void a_move_towards_legacy_is_obeyed_kept_and_written_back(void **state) {
    (void)state;
    struct audit_entry entries[8];
    struct control_file file;
    open_known("rollout: {mode: gradual, percentage: 75}\n");
    store_away(true);
    assert_int_equal(wheelhouse_change(&house, MODE_EMERGENCY_ROLLBACK, -1, false).result,
                     CHANGE_OK);
    assert_control(&house, MODE_EMERGENCY_ROLLBACK, 0);
    assert_true(wheelhouse_state(&house).pending);
    assert_true(control_file_read(house.directory, &file));
    assert_true(file.pending);
    assert_int_equal(file.control.mode, MODE_EMERGENCY_ROLLBACK);
    wheelhouse_close(&house, NULL);
    reopen_away(); /* a restart does not lose it */
    assert_control(&house, MODE_EMERGENCY_ROLLBACK, 0);
    assert_true(wheelhouse_state(&house).pending);
    store_away(false);
    WHEELHOUSE_UNTIL(&house, !wheelhouse_state(&house).pending);
    assert_control(&house, MODE_EMERGENCY_ROLLBACK, 0);
    assert_string_equal(wheelhouse_get(&house).ret_mode, "emergency_rollback");
    assert_int_equal(wheelhouse_audit(&house, entries), 2);
    assert_string_equal(entries[0].reason, "a test");
    assert_true(control_file_read(house.directory, &file));
    assert_false(file.pending);
    wheelhouse_close(&house, NULL);
}

static void a_move_towards_new_fails_without_the_store(void **state) {
    (void)state;
    struct control_file file;
    open_known("rollout: {mode: gradual, percentage: 25}\n");
    store_away(true);
    struct change c = wheelhouse_change(&house, MODE_GRADUAL, 260000, true);
    assert_int_equal(c.result, CHANGE_FAILED);
    assert_control(&house, MODE_GRADUAL, 250000);
    assert_false(wheelhouse_state(&house).pending);
    assert_true(control_file_read(house.directory, &file));
    assert_false(file.pending);
    wheelhouse_close(&house, NULL);
}

static void a_weaker_pending_move_is_not_written_back(void **state) {
    (void)state;
    struct audit_entry entries[8];
    struct control_file file;
    open_known("rollout: {mode: gradual, percentage: 75}\n");
    struct control_file weaker = {
        .control = {MODE_GRADUAL, 500000, 1}, .pending = true, .reason = "half"};
    wheelhouse_set(&house, MODE_EMERGENCY_ROLLBACK, 0); /* somebody else went further */
    wheelhouse_close(&house, NULL);
    assert_true(control_file_write(house.directory, &weaker));
    reopen_away();
    assert_control(&house, MODE_GRADUAL, 500000);
    store_away(false);
    WHEELHOUSE_UNTIL(&house, wheelhouse_state(&house).known);
    assert_control(&house, MODE_EMERGENCY_ROLLBACK, 0);
    assert_false(wheelhouse_state(&house).pending);
    assert_int_equal(wheelhouse_audit(&house, entries), 2);
    assert_true(control_file_read(house.directory, &file));
    assert_false(file.pending);
    wheelhouse_close(&house, NULL);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, make, drop)
    const struct CMUnitTest tests[] = {
        TEST(where_nothing_is_set_it_is_legacy_only),
        TEST(the_first_start_takes_the_configured_pair),
        TEST(the_configured_pair_counts_at_the_very_first_start_only),
        TEST(a_store_found_empty_means_legacy),
        TEST(a_start_without_the_store_is_legacy_only_until_it_is_read),
        TEST(a_change_is_written_audited_and_kept_on_disk),
        TEST(a_move_that_is_not_allowed_is_refused_and_says_why),
        TEST(a_rollback_sets_the_percentage_to_zero),
        TEST(a_percentage_alone_keeps_the_mode),
        TEST(a_change_of_another_instance_is_followed_and_judged_before_ours),
        TEST(changes_at_once_are_made_one_after_the_other),
        TEST(changes_that_wait_at_the_end_have_failed),
        TEST(a_move_towards_legacy_is_obeyed_kept_and_written_back),
        TEST(a_move_towards_new_fails_without_the_store),
        TEST(a_weaker_pending_move_is_not_written_back),
    };
    return cmocka_run_group_tests(tests, rig_clock_on, rig_clock_off);
}

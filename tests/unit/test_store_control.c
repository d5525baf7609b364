/* Control and audit, on both stores. */
#include <sqlite3.h>

#include "store_kit.h"

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

static void noted(struct kit *kit, const char *reason) {
    struct store_note n = {.actor = slice_of("cli"),
                           .action = slice_of("dead replay"),
                           .reason = slice_of(reason),
                           .evidence = slice_of("{\"events\":3}")};
    KIT_CALL(kit, store_note, &n);
    assert_int_equal(n.call.result, STORE_OK);
}

static void what_is_noted_before_any_change_is_listed(void **state) {
    struct kit *kit = *state;
    struct audit_entry entries[2];
    noted(kit, "first");
    noted(kit, "second");
    struct store_audit a = {.limit = 1, .ret_entries = entries};
    KIT_CALL(kit, store_audit, &a);
    assert_true(a.ret_count == 1 && entries[0].epoch == 0 && entries[0].nth == 2);
    a.before_nth = 2;
    KIT_CALL(kit, store_audit, &a);
    assert_true(a.ret_count == 1 && entries[0].nth == 1);
    assert_string_equal(entries[0].reason, "first");
    a.before_nth = 1;
    KIT_CALL(kit, store_audit, &a);
    assert_int_equal(a.ret_count, 0);
    assert_int_equal(get(kit).ret_epoch, 0);
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
    struct store_audit a = {.limit = 2, .changes = true, .ret_entries = entries};
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

static void what_is_noted_stands_beside_the_changes_and_changes_nothing(void **state) {
    struct kit *kit = *state;
    struct store_control_get before = get(kit);
    noted(kit, "one");
    noted(kit, "two");
    struct store_control_get after = get(kit);
    assert_int_equal(after.ret_epoch, before.ret_epoch);
    assert_string_equal(after.ret_mode, before.ret_mode);
    struct audit_entry entries[3];
    struct store_audit a = {.limit = 3, .ret_entries = entries};
    KIT_CALL(kit, store_audit, &a);
    assert_int_equal(a.ret_count, 3);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(entries[i].epoch, before.ret_epoch);
        assert_int_equal(entries[i].nth, 2 - i);
        assert_string_equal(entries[i].action, "dead replay");
        assert_string_equal(entries[i].actor, "cli");
        assert_string_equal(entries[i].reason, i == 0 ? "two" : "one");
        assert_string_equal(entries[i].evidence, "{\"events\":3}");
        assert_true(entries[i].at_wall_us > 1500000000000000);
    }
    assert_int_equal(entries[2].nth, 0);
    assert_string_equal(entries[2].action, "");
    struct store_audit changes = {.limit = 1, .changes = true, .ret_entries = entries};
    KIT_CALL(kit, store_audit, &changes);
    assert_int_equal(changes.ret_count, 1);
    assert_true(entries[0].epoch == before.ret_epoch && entries[0].nth == 0);
    struct store_control_set s = {.expected_epoch = before.ret_epoch, .mode = MODE_LEGACY_ONLY};
    assert_int_equal(set(kit, &s), STORE_OK);
    assert_int_equal(s.ret_epoch, before.ret_epoch + 1);
}

/* Reads all of the audit in pages of `limit`; every entry is older than the one before. */
static unsigned read_pages(struct kit *kit, uint32_t limit, bool changes, unsigned *ret_notes) {
    struct audit_entry entries[AUDIT_PAGE];
    struct store_audit a = {.limit = limit, .changes = changes, .ret_entries = entries};
    unsigned count = 0, notes = 0;
    do {
        uint64_t epoch = count ? a.before : UINT64_MAX, nth = a.before_nth;
        a.call.timeout_ms = 0;
        KIT_CALL(kit, store_audit, &a);
        assert_int_equal(a.call.result, STORE_OK);
        for (uint32_t i = 0; i < a.ret_count; i++) {
            assert_true(entries[i].epoch < epoch ||
                        (entries[i].epoch == epoch && entries[i].nth < nth));
            epoch = entries[i].epoch;
            nth = entries[i].nth;
            notes += entries[i].action[0] != '\0';
        }
        a.before = epoch;
        a.before_nth = nth;
        count += a.ret_count;
    } while (a.ret_count == limit);
    *ret_notes = notes;
    return count;
}

static void no_entry_is_lost_between_pages(void **state) {
    struct kit *kit = *state;
    unsigned notes, noted_before, changes;
    unsigned before = read_pages(kit, AUDIT_PAGE, false, &noted_before);
    for (int i = 0; i < 3; i++) {
        struct store_control_set s = {.expected_epoch = get(kit).ret_epoch, .mode = MODE_GRADUAL};
        assert_int_equal(set(kit, &s), STORE_OK);
        for (int k = 0; k < 40; k++)
            noted(kit, "again");
    }
    static const uint32_t limits[] = {1, 3, 7, 41, AUDIT_PAGE};
    for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
        assert_int_equal(read_pages(kit, limits[i], false, &notes), before + 123);
        assert_int_equal(notes, noted_before + 120);
        changes = read_pages(kit, limits[i], true, &notes);
        assert_int_equal(changes, before - noted_before + 3);
        assert_int_equal(notes, 0);
    }
}

static const struct CMUnitTest cases[] = {
    cmocka_unit_test(control_is_empty_at_first),
    cmocka_unit_test(what_is_noted_before_any_change_is_listed),
    cmocka_unit_test(a_change_is_written_once_and_audited),
    cmocka_unit_test(raw_values_stay_where_they_came_from_outside),
    cmocka_unit_test(the_audit_is_read_in_pages_newest_first),
    cmocka_unit_test(what_is_noted_stands_beside_the_changes_and_changes_nothing),
    cmocka_unit_test(no_entry_is_lost_between_pages),
};

/* ---- the embedded store alone ---- */

static void everything_survives_a_restart(void **state) {
    struct kit *kit = *state;
    struct store_control_get before = get(kit);
    kit_close(kit);
    kit_open(kit);
    struct store_control_get after = get(kit);
    assert_int_equal(after.ret_epoch, before.ret_epoch);
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

static void run_sql(const struct kit *kit, const char *text) {
    char path[128];
    sqlite3 *db;
    snprintf(path, sizeof(path), "%.63s/store.db", kit->directory);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, text, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s: %s", text, sqlite3_errmsg(db));
    sqlite3_close(db);
}

static void a_file_of_layout_1_goes_along(void **state) {
    static const char layout_1[] =
        "PRAGMA journal_mode = WAL;"
        "CREATE TABLE record"
        " (key TEXT PRIMARY KEY, value BLOB NOT NULL, expires INTEGER NOT NULL) WITHOUT ROWID;"
        "CREATE INDEX record_expires ON record (expires);"
        "CREATE TABLE audit"
        " (epoch INTEGER PRIMARY KEY, at INTEGER, from_mode TEXT, mode TEXT, from_ppm INTEGER,"
        " ppm INTEGER, actor TEXT, reason TEXT, evidence TEXT);"
        "INSERT INTO record VALUES ('good', '12 gradual 250000', 9223372036854775807);"
        "INSERT INTO audit VALUES (11, 1700000000000000, 'legacy_only', 'parallel', 0, 0, 'api',"
        " 'look', ''), (12, 1700000000000001, 'parallel', 'gradual', 0, 250000, 'cli', 'go', '{}');"
        "PRAGMA user_version = 1;";
    (void)state;
    struct kit old = {.kind = STORE_EMBEDDED};
    kit_directory(&old);
    run_sql(&old, layout_1);
    for (unsigned start = 0; start < 2; start++) {
        kit_open(&old);
        assert_int_equal(get(&old).ret_epoch, 12);
        noted(&old, "after");
        struct audit_entry entries[5];
        struct store_audit a = {.limit = 5, .ret_entries = entries};
        KIT_CALL(&old, store_audit, &a);
        assert_int_equal(a.ret_count, 3 + start);
        assert_true(entries[0].epoch == 12 && entries[0].nth == 1 + start);
        const struct audit_entry *last = &entries[a.ret_count - 2];
        assert_true(last->epoch == 12 && last->nth == 0 && !last->action[0]);
        assert_true(last->from_mode == MODE_PARALLEL && last->mode == MODE_GRADUAL);
        assert_true(last->ppm == 250000 && last->at_wall_us == 1700000000000001);
        assert_string_equal(last->reason, "go");
        assert_int_equal(entries[a.ret_count - 1].epoch, 11);
        kit_close(&old);
    }
    run_sql(&old, "PRAGMA user_version = 3;");
    struct conf conf = kit_conf(&old);
    struct err err;
    assert_null(store_open(&conf, &err));
    assert_non_null(strstr(err.text, "layout 3, this release knows up to 2"));
    kit_remove(&old);
}

static const struct CMUnitTest embedded_cases[] = {
    cmocka_unit_test(everything_survives_a_restart),
    cmocka_unit_test(a_directory_belongs_to_one_process),
    cmocka_unit_test(a_file_of_layout_1_goes_along),
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

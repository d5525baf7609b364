/* What operators see, and their word on it. */
#include "../../store/journal_read.h"
#include "../../store/journal_sql.h"
#include "journal_kit.h"

static void put_as(struct jkit *kit, const char *id, enum row_state state, enum row_reason reason,
                   enum side side) {
    struct journal_put c = jkit_event(id);
    c.mark.state = state;
    c.mark.reason = reason;
    c.mark.side = side;
    c.mark.answer = slice_of("no");
    assert_int_equal(jkit_put(kit, &c), JOURNAL_OK);
}

static const char *list_ids(struct jkit *kit, struct journal_filter filter) {
    struct journal_list c = {.filter = filter, .limit = ROW_LIST_MAX};
    JKIT_CALL(kit, journal_list, &c);
    assert_int_equal(c.call.result, JOURNAL_OK);
    return jkit_ids(c.ret_rows);
}

static void a_list_is_read_in_pages(void **state) {
    struct jkit *kit = *state;
    char id[16];
    for (int i = 0; i < 25; i++) {
        snprintf(id, sizeof(id), "d%02d", i);
        put_as(kit, id, ROW_DEAD, REASON_REJECTED, SIDE_NEW);
    }
    put_as(kit, "p", ROW_PARKED, REASON_IN_DOUBT, SIDE_NEW);
    struct journal_list c = {
        .filter = {.state = ROW_DEAD, .side = SIDE_NONE}, .limit = 10, .count = true};
    unsigned seen = 0;
    for (int page = 0; page < 4; page++) {
        JKIT_CALL(kit, journal_list, &c);
        assert_int_equal(c.call.result, JOURNAL_OK);
        assert_int_equal(c.ret_matching, 25);
        for (struct journal_row *row = c.ret_rows; row; row = row->next) {
            snprintf(id, sizeof(id), "d%02u", seen++);
            assert_true(slice_is(row->event.id, id));
            assert_null(row->event.body);
            assert_null(row->mark.answer.ptr);
            assert_int_equal(row->mark.reason, REASON_REJECTED);
            c.after = row->seq;
        }
        jkit_rows_free(c.ret_rows);
    }
    assert_int_equal(seen, 25);
}

static void a_filter_leaves_what_fits_all_of_it(void **state) {
    struct jkit *kit = *state;
    put_as(kit, "a", ROW_DEAD, REASON_REJECTED, SIDE_NEW);
    put_as(kit, "b", ROW_DEAD, REASON_NOT_DONE, SIDE_LEGACY);
    struct journal_put c = jkit_event("c");
    c.event.source = slice_of("other");
    c.event.type = slice_of("push");
    c.event.entity = slice_of("o/r#2");
    c.mark.state = ROW_DEAD;
    c.mark.side = SIDE_NEW;
    assert_int_equal(jkit_put(kit, &c), JOURNAL_OK);
    const struct journal_filter any = {.state = ROW_DEAD, .side = SIDE_NONE};
    struct journal_filter f = any;
    assert_string_equal(list_ids(kit, f), "a b c ");
    f.side = SIDE_NEW;
    assert_string_equal(list_ids(kit, f), "a c ");
    f.source = slice_of("github");
    assert_string_equal(list_ids(kit, f), "a ");
    f = any;
    f.reason = REASON_NOT_DONE;
    assert_string_equal(list_ids(kit, f), "b ");
    f = any;
    f.type = slice_of("push");
    assert_string_equal(list_ids(kit, f), "c ");
    f = any;
    f.entity = slice_of("o/r#1");
    assert_string_equal(list_ids(kit, f), "a b ");
    struct journal_row *row = jkit_look(kit, "b");
    f = any;
    f.from_wall_us = row->changed_wall_us;
    assert_string_equal(list_ids(kit, f), "b c ");
    f.from_wall_us = 0;
    f.to_wall_us = row->changed_wall_us;
    assert_string_equal(list_ids(kit, f), "a ");
    journal_row_free(row);
}

static void an_id_is_found_in_any_source(void **state) {
    struct jkit *kit = *state;
    struct journal_put c = jkit_event("e1");
    c.event.source = slice_of("other");
    assert_int_equal(jkit_put(kit, &c), JOURNAL_OK);
    struct journal_look look = {.id = slice_of("e1")};
    JKIT_CALL(kit, journal_look, &look);
    assert_int_equal(look.call.result, JOURNAL_OK);
    assert_true(slice_is(look.ret_row->event.source, "other"));
    journal_row_free(look.ret_row);
    look.source = slice_of("github");
    JKIT_CALL(kit, journal_look, &look);
    assert_int_equal(look.call.result, JOURNAL_ABSENT);
    assert_null(look.ret_row);
}

static enum journal_result turn(struct jkit *kit, const char *id, enum row_state from,
                                enum turn what) {
    struct journal_turn c = {.source = slice_of("github"),
                             .id = slice_of(id),
                             .from = from,
                             .turn = what,
                             .new_id = slice_of("copy"),
                             .side = SIDE_LEGACY};
    JKIT_CALL(kit, journal_turn, &c);
    return c.call.result;
}

static void a_replayed_row_is_due_now_with_a_fresh_ladder(void **state) {
    struct jkit *kit = *state;
    struct journal_put c = jkit_event("e1");
    c.mark = (struct journal_mark){.state = ROW_DEAD,
                                   .reason = REASON_NOT_DONE,
                                   .side = SIDE_NEW,
                                   .tries = 10,
                                   .retry = true,
                                   .attempt = 10,
                                   .due_wall_us = INT64_MAX};
    assert_int_equal(jkit_put(kit, &c), JOURNAL_OK);
    assert_int_equal(turn(kit, "e1", ROW_PARKED, TURN_QUEUE), JOURNAL_STALE);
    assert_int_equal(turn(kit, "e2", ROW_DEAD, TURN_QUEUE), JOURNAL_ABSENT);
    assert_int_equal(turn(kit, "e1", ROW_DEAD, TURN_QUEUE), JOURNAL_OK);
    struct journal_row *row = jkit_take(kit, 1);
    assert_int_equal(row->mark.side, SIDE_LEGACY);
    assert_int_equal(row->mark.reason, REASON_OPERATOR);
    assert_int_equal(row->mark.tries, 0);
    assert_int_equal(row->mark.attempt, 10);
    assert_false(row->mark.retry);
    journal_row_free(row);
    assert_int_equal(turn(kit, "e1", ROW_QUEUED, TURN_DROP), JOURNAL_STALE);
    assert_int_equal(jkit_state(kit).rows[ROW_DEAD], 0);
}

static void a_resolved_row_is_done_and_a_dropped_one_gone(void **state) {
    struct jkit *kit = *state;
    put_as(kit, "e1", ROW_PARKED, REASON_IN_DOUBT, SIDE_NEW);
    put_as(kit, "e2", ROW_DEAD, REASON_REJECTED, SIDE_NEW);
    assert_int_equal(turn(kit, "e1", ROW_PARKED, TURN_DONE), JOURNAL_OK);
    assert_int_equal(jkit_state_of(kit, "e1"), ROW_DONE);
    assert_int_equal(turn(kit, "e1", ROW_DONE, TURN_QUEUE), JOURNAL_STALE);
    assert_int_equal(turn(kit, "e2", ROW_DEAD, TURN_DROP), JOURNAL_OK);
    assert_int_equal(jkit_state_of(kit, "e2"), ROW_STATES);
    assert_int_equal(jkit_state(kit).rows[ROW_PARKED] + jkit_state(kit).rows[ROW_DEAD], 0);
}

static void a_copy_is_another_event_with_the_same_payload(void **state) {
    struct jkit *kit = *state;
    put_as(kit, "e1", ROW_DONE, REASON_NONE, SIDE_NEW);
    uint64_t before = jkit_state(kit).bytes;
    assert_int_equal(turn(kit, "e1", ROW_DONE, TURN_COPY), JOURNAL_OK);
    assert_int_equal(turn(kit, "e1", ROW_DONE, TURN_COPY), JOURNAL_EXISTS);
    assert_int_equal(jkit_state_of(kit, "e1"), ROW_DONE);
    struct journal_row *row = jkit_take(kit, 1);
    assert_true(slice_is(row->event.id, "copy"));
    assert_true(slice_is(row->event.type, "issues"));
    assert_true(slice_is(blob_slice(row->event.body), "e1: the body"));
    assert_int_equal(row->mark.side, SIDE_LEGACY);
    uint64_t len = row->event.body->len + row->event.head.len + row->event.target.len;
    assert_int_equal(jkit_state(kit).bytes, before + len);
    journal_row_free(row);
    put_as(kit, "e3", ROW_DEAD, REASON_REJECTED, SIDE_NEW);
    struct journal_turn c = {.source = slice_of("github"),
                             .id = slice_of("e3"),
                             .from = ROW_DEAD,
                             .turn = TURN_COPY,
                             .new_id = slice_of("e3+1"),
                             .side = SIDE_NONE};
    JKIT_CALL(kit, journal_turn, &c);
    assert_int_equal(c.call.result, JOURNAL_OK);
    assert_int_equal(jkit_state_of(kit, "e3"), ROW_DONE);
    assert_int_equal(jkit_state_of(kit, "e3+1"), ROW_QUEUED);
}

/* ---- 100,000 rows ---- */

static void assert_plan(sqlite3 *db, const char *text, const char *uses) {
    sqlite3_stmt *s = NULL;
    char explain[2000], plan[1000] = "";
    snprintf(explain, sizeof(explain), "EXPLAIN QUERY PLAN %s", text);
    assert_int_equal(sqlite3_prepare_v2(db, explain, -1, &s, NULL), SQLITE_OK);
    while (sqlite3_step(s) == SQLITE_ROW) {
        size_t len = strlen(plan);
        snprintf(plan + len, sizeof(plan) - len, "%s\n", (const char *)sqlite3_column_text(s, 3));
    }
    sqlite3_finalize(s);
    if (!strstr(plan, uses) || strstr(plan, "B-TREE") || strstr(plan, "SCAN event"))
        fail_msg("%s\nis read so:\n%s", text, plan);
}

static void no_read_walks_over_all_rows(void **state) {
    struct jkit *kit = *state;
    char path[160];
    sqlite3 *db;
    jkit_path(kit, "journal.db", path);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_plan(db, journal_read_texts[READ_LIST], "INDEX event_state (state=? AND seq>?)");
    assert_plan(db, journal_read_texts[READ_COUNT], "INDEX event_state (state=? AND seq>?)");
    assert_plan(db, journal_read_texts[READ_LOOK], "(id=? AND source=?)");
    assert_plan(db, journal_read_texts[READ_LOOK_ANY], "(id=?)");
    assert_plan(db, journal_sql_text(JS_DUE),
                "COVERING INDEX event_due (retry=? AND side=? AND due<?)");
    assert_plan(db, journal_sql_text(JS_DUE_NEXT),
                "COVERING INDEX event_due (retry=? AND side=? AND due>?)");
    assert_plan(db, journal_sql_text(JS_LINE_FIRST), "INDEX event_line (source=? AND entity=?");
    assert_plan(db, journal_sql_text(JS_LINE_NEXT), "INDEX event_line (source=? AND entity=?");
    assert_plan(db, journal_sql_text(JS_DONE_OLDEST), "INDEX event_done (changed<?)");
    assert_plan(db, journal_sql_text(JS_SENDING), "INDEX event_state (state=? AND seq>?)");
    assert_plan(db, journal_sql_text(JS_WALK), "INDEX event_state (state=? AND seq>? AND seq<?)");
    assert_plan(db, journal_sql_text(JS_FIND), "(id=? AND source=?)");
    sqlite3_close(db);
}

static void a_hundred_thousand_rows_are_taken_and_listed_from_their_end(void **state) {
    struct jkit *kit = *state;
    jkit_close(kit);
    jkit_sql(kit,
             "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)"
             " INSERT INTO event (ver, state, reason, source, id, type, entity, closes, side,"
             " ordered, first, retry, tries, attempt, fence, token, due, at, changed, status,"
             " sticky_ms, bytes) SELECT 1, (i % 2) * 3, 1, 'github', 'e' || i, 'issues', 'o/r#1',"
             " 0, 1, 1, i = 2, 0, 0, 0, 0, '', i, i, i, 0, 0, 10 FROM n");
    jkit_open(kit);
    assert_int_equal(jkit_state(kit).rows[ROW_QUEUED], 50000);
    assert_int_equal(jkit_state(kit).rows[ROW_DEAD], 50000);
    assert_int_equal(jkit_state(kit).oldest_wall_us, 2);
    struct journal_list c = {.filter = {.state = ROW_DEAD, .side = SIDE_NONE},
                             .after = 99990,
                             .limit = ROW_LIST_MAX,
                             .count = true};
    JKIT_CALL(kit, journal_list, &c);
    assert_int_equal(c.ret_matching, 50000);
    assert_string_equal(jkit_ids(c.ret_rows), "e99991 e99993 e99995 e99997 e99999 ");
    jkit_rows_free(jkit_take_now(kit, 10)); /* without a payload: dead */
    JKIT_UNTIL(kit, jkit_state(kit).rows[ROW_DEAD] > 50000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        JKIT_TEST(a_list_is_read_in_pages),
        JKIT_TEST(a_filter_leaves_what_fits_all_of_it),
        JKIT_TEST(an_id_is_found_in_any_source),
        JKIT_TEST(a_replayed_row_is_due_now_with_a_fresh_ladder),
        JKIT_TEST(a_resolved_row_is_done_and_a_dropped_one_gone),
        JKIT_TEST(a_copy_is_another_event_with_the_same_payload),
        JKIT_TEST(no_read_walks_over_all_rows),
        JKIT_TEST(a_hundred_thousand_rows_are_taken_and_listed_from_their_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

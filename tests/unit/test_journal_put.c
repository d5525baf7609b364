/* What is put on disk, replaced, moved, and under which version. */
#include "journal_kit.h"

static void an_event_comes_back_as_it_was_put(void **state) {
    struct jkit *kit = *state;
    char answer[ROW_ANSWER_MAX + 100];
    memset(answer, 'x', sizeof(answer));
    struct journal_put c = jkit_event("e1");
    c.event.action = slice_of("");
    c.event.owner = slice_of("o");
    c.event.digest = slice_of("abc");
    c.event.number = 7;
    c.event.has_number = true;
    c.event.closes = true;
    c.mark = (struct journal_mark){.state = ROW_QUEUED,
                                   .reason = REASON_BREAKER,
                                   .side = SIDE_NEW,
                                   .token = token_new(),
                                   .attempt = 3,
                                   .fence = UINT64_C(1) << 60,
                                   .tries = 2,
                                   .retry = true,
                                   .due_wall_us = 12345,
                                   .status = 503,
                                   .answer = slice(answer, sizeof(answer)),
                                   .sticky_ms = 99};
    assert_int_equal(jkit_put(kit, &c), JOURNAL_OK);
    assert_true(c.ret_first);
    jkit_reopen(kit);
    struct journal_row *row = jkit_look(kit, "e1");
    assert_non_null(row);
    assert_int_equal(row->seq, c.ret_seq);
    assert_int_equal(row->ver, c.ret_ver);
    assert_true(slice_is(row->event.source, "github"));
    assert_true(slice_is(row->event.type, "issues"));
    assert_non_null(row->event.action.ptr);
    assert_int_equal(row->event.action.len, 0);
    assert_true(slice_is(row->event.entity, "o/r#1"));
    assert_true(slice_is(row->event.owner, "o"));
    assert_true(slice_is(row->event.digest, "abc"));
    assert_true(row->event.has_number && row->event.number == 7 && row->event.closes);
    assert_true(slice_is(row->event.head, "Content-Type: application/json\r\n"));
    assert_true(slice_is(row->event.target, "/webhooks/github?a=1"));
    assert_true(slice_is(blob_slice(row->event.body), "e1: the body"));
    assert_int_equal(row->mark.reason, REASON_BREAKER);
    assert_int_equal(row->mark.side, SIDE_NEW);
    assert_string_equal(row->mark.token.text, c.mark.token.text);
    assert_int_equal(row->mark.attempt, 3);
    assert_true(row->mark.fence == UINT64_C(1) << 60);
    assert_int_equal(row->mark.tries, 2);
    assert_true(row->mark.retry);
    assert_int_equal(row->mark.due_wall_us, 12345);
    assert_int_equal(row->mark.status, 503);
    assert_int_equal(row->mark.answer.len, ROW_ANSWER_MAX);
    assert_int_equal(row->mark.sticky_ms, 99);
    assert_true(row->at_wall_us > 0);
    journal_row_free(row);
}

static void absent_texts_come_back_absent(void **state) {
    struct jkit *kit = *state;
    jkit_queue(kit, "e1");
    struct journal_row *row = jkit_look(kit, "e1");
    assert_null(row->event.action.ptr);
    assert_false(row->event.has_number);
    assert_null(row->mark.answer.ptr);
    journal_row_free(row);
}

static void what_is_queued_stays_as_it_is_for_who_holds_no_claim(void **state) {
    struct jkit *kit = *state;
    jkit_queue(kit, "e1");
    struct journal_put again = jkit_event("e1");
    again.event.type = slice_of("other");
    assert_int_equal(jkit_put(kit, &again), JOURNAL_EXISTS);
    assert_int_equal(again.ret_state, ROW_QUEUED);
    struct journal_row *row = jkit_look(kit, "e1");
    assert_true(slice_is(row->event.type, "issues"));
    journal_row_free(row);
}

static void a_holder_of_the_claim_replaces_in_place(void **state) {
    struct jkit *kit = *state;
    struct journal_put first = jkit_event("e1");
    first.mark.tries = 4;
    assert_int_equal(jkit_put(kit, &first), JOURNAL_OK);
    struct journal_put mine = jkit_event("e1");
    mine.mine = true;
    mine.mark.state = ROW_PARKED;
    mine.mark.tries = 1;
    assert_int_equal(jkit_put(kit, &mine), JOURNAL_OK);
    assert_int_equal(mine.ret_seq, first.ret_seq);
    assert_int_equal(mine.ret_ver, first.ret_ver + 1);
    uint64_t ver = first.ret_ver;
    assert_int_equal(jkit_move_to(kit, first.ret_seq, &ver, ROW_DONE), JOURNAL_STALE);
    struct journal_row *row = jkit_look(kit, "e1");
    assert_int_equal(row->mark.state, ROW_PARKED);
    assert_int_equal(row->mark.tries, 4);
    journal_row_free(row);
}

static void a_redelivery_refreshes_what_is_parked(void **state) {
    struct jkit *kit = *state;
    struct journal_put parked = jkit_event("e1");
    parked.mark.state = ROW_PARKED;
    parked.mark.reason = REASON_IN_DOUBT;
    assert_int_equal(jkit_put(kit, &parked), JOURNAL_OK);
    struct journal_put again = jkit_event("e1");
    again.event.body = jkit_body("a newer and longer body");
    again.event.digest = slice_of("new");
    assert_int_equal(jkit_put(kit, &again), JOURNAL_EXISTS);
    assert_int_equal(again.ret_state, ROW_PARKED);
    blob_unref(again.event.body);
    struct journal_row *row = jkit_look(kit, "e1");
    assert_int_equal(row->mark.state, ROW_PARKED);
    assert_int_equal(row->mark.reason, REASON_IN_DOUBT);
    assert_int_equal(row->ver, parked.ret_ver);
    assert_true(slice_is(row->event.digest, "new"));
    assert_true(slice_is(blob_slice(row->event.body), "a newer and longer body"));
    uint64_t bytes = row->event.head.len + row->event.target.len + row->event.body->len;
    assert_int_equal(jkit_state(kit).bytes, bytes);
    journal_row_free(row);
}

static void what_is_dead_or_done_begins_anew(void **state) {
    struct jkit *kit = *state;
    const enum row_state over[] = {ROW_DEAD, ROW_DONE};
    for (int i = 0; i < 2; i++) {
        struct journal_put old = jkit_event("e1");
        old.mine = true;
        old.mark.state = over[i];
        old.mark.tries = 9;
        assert_int_equal(jkit_put(kit, &old), JOURNAL_OK);
        struct journal_put again = jkit_event("e1");
        assert_int_equal(jkit_put(kit, &again), JOURNAL_OK);
        assert_true(again.ret_seq > old.ret_seq);
        uint64_t ver = old.ret_ver;
        assert_int_equal(jkit_move_to(kit, old.ret_seq, &ver, ROW_DONE), JOURNAL_ABSENT);
        struct journal_row *row = jkit_look(kit, "e1");
        assert_int_equal(row->mark.state, ROW_QUEUED);
        assert_int_equal(row->mark.tries, 0);
        journal_row_free(row);
        assert_int_equal(jkit_state(kit).rows[ROW_QUEUED], 1);
        assert_int_equal(jkit_state(kit).rows[over[i]], 0);
    }
}

static void a_move_needs_the_version_and_raises_it(void **state) {
    struct jkit *kit = *state;
    struct journal_put c = jkit_event("e1");
    c.in_hand = true;
    assert_int_equal(jkit_put(kit, &c), JOURNAL_OK);
    struct journal_move m = {.seq = c.ret_seq,
                             .ver = c.ret_ver,
                             .keep_hand = true,
                             .mark = {.state = ROW_SENDING,
                                      .side = SIDE_LEGACY,
                                      .token = token_new(),
                                      .attempt = 1,
                                      .fence = 5,
                                      .answer = slice_of("answer")}};
    JKIT_CALL(kit, journal_move, &m);
    assert_int_equal(m.call.result, JOURNAL_OK);
    assert_int_equal(m.ret_ver, c.ret_ver + 1);
    JKIT_CALL(kit, journal_move, &m);
    assert_int_equal(m.call.result, JOURNAL_STALE);
    struct journal_row *row = jkit_look(kit, "e1");
    assert_int_equal(row->mark.state, ROW_SENDING);
    assert_int_equal(row->mark.side, SIDE_LEGACY);
    assert_string_equal(row->mark.token.text, m.mark.token.text);
    assert_true(slice_is(row->mark.answer, "answer"));
    journal_row_free(row);
    m.ver = m.ret_ver;
    m.mark.state = ROW_DEAD;
    m.mark.answer = slice(NULL, 0);
    JKIT_CALL(kit, journal_move, &m);
    assert_int_equal(m.call.result, JOURNAL_OK);
    row = jkit_look(kit, "e1");
    assert_true(slice_is(row->mark.answer, "answer"));
    journal_row_free(row);
    assert_int_equal(jkit_state(kit).rows[ROW_DEAD], 1);
    assert_int_equal(jkit_state(kit).rows[ROW_QUEUED] + jkit_state(kit).rows[ROW_SENDING], 0);
}

static void a_row_that_is_gone_leaves_nothing(void **state) {
    struct jkit *kit = *state;
    struct journal_put c = jkit_queue(kit, "e1");
    struct journal_move m = {.seq = c.ret_seq, .ver = c.ret_ver, .gone = true};
    JKIT_CALL(kit, journal_move, &m);
    assert_int_equal(m.call.result, JOURNAL_OK);
    assert_int_equal(jkit_state_of(kit, "e1"), ROW_STATES);
    assert_int_equal(jkit_state(kit).bytes, 0);
    JKIT_CALL(kit, journal_move, &m);
    assert_int_equal(m.call.result, JOURNAL_ABSENT);
    assert_true(jkit_queue(kit, "e2").ret_seq > c.ret_seq);
}

static void done_rows_are_not_kept_where_nothing_is_to_be(void **state) {
    struct jkit *kit = *state;
    kit->keep_ms = 0;
    struct conf conf = jkit_conf(kit);
    journal_reload(kit->journal, &conf);
    struct journal_put c = jkit_queue(kit, "e1");
    uint64_t ver = c.ret_ver;
    assert_int_equal(jkit_move_to(kit, c.ret_seq, &ver, ROW_DONE), JOURNAL_OK);
    assert_int_equal(jkit_state_of(kit, "e1"), ROW_STATES);
}

static void a_settled_row_is_done_unless_somebody_holds_it(void **state) {
    struct jkit *kit = *state;
    struct journal_put held = jkit_event("held");
    held.in_hand = true;
    assert_int_equal(jkit_put(kit, &held), JOURNAL_OK);
    jkit_queue(kit, "lies");
    const char *const ids[] = {"held", "lies", "none"};
    const enum row_state states[] = {ROW_QUEUED, ROW_DONE, ROW_STATES};
    for (int i = 0; i < 3; i++) {
        struct journal_settle c = {.source = slice_of("github"), .id = slice_of(ids[i])};
        JKIT_CALL(kit, journal_settle, &c);
        assert_int_equal(c.call.result, i < 2 ? JOURNAL_OK : JOURNAL_ABSENT);
        assert_int_equal(jkit_state_of(kit, ids[i]), states[i]);
    }
}

static void stop_other(struct journal_call *call) {
    loop_stop(call->arg);
}

/* What another thread asks for meanwhile is done before it. */
static void a_call_is_handed_on_when_its_turn_ends(void **state) {
    struct jkit *kit = *state;
    struct loop *other = loop_new();
    struct journal_client *client = journal_client_new(kit->journal, other);
    assert_non_null(client);
    struct journal_put mine = jkit_event("mine"), theirs = jkit_event("theirs");
    JKIT_SUBMIT(kit, journal_put, &mine);
    theirs.call.done = stop_other;
    theirs.call.arg = other;
    journal_put(client, &theirs);
    loop_run(other);
    assert_int_equal(jkit_state(kit).committed, 1);
    jkit_wait(kit);
    assert_int_equal(jkit_state(kit).committed, 2);
    assert_int_equal(mine.call.result, JOURNAL_OK);
    journal_client_free(client);
    loop_free(other);
}

static void calls_of_one_turn_share_a_commit(void **state) {
    struct jkit *kit = *state;
    enum { COUNT = 200 };
    static struct journal_put puts[COUNT];
    char ids[COUNT][12];
    struct blob *body = jkit_body("body");
    for (int i = 0; i < COUNT; i++) {
        snprintf(ids[i], sizeof(ids[i]), "%d", i);
        puts[i] = jkit_event(ids[i]);
        puts[i].event.body = body;
        JKIT_SUBMIT(kit, journal_put, &puts[i]);
    }
    jkit_wait(kit);
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(puts[i].call.result, JOURNAL_OK);
    struct journal_state s = jkit_state(kit);
    assert_int_equal(s.committed, COUNT);
    assert_int_equal(s.commits, 1);
    assert_int_equal(s.rows[ROW_QUEUED], COUNT);
    blob_unref(body);
}

static void an_event_no_row_can_hold_fails_alone(void **state) {
    struct jkit *kit = *state;
    char id[EVENT_ID_MAX + 2];
    memset(id, 'x', sizeof(id) - 1);
    id[sizeof(id) - 1] = '\0';
    struct journal_put bad = jkit_event(id), good = jkit_event("good");
    JKIT_SUBMIT(kit, journal_put, &bad);
    JKIT_SUBMIT(kit, journal_put, &good);
    jkit_wait(kit);
    assert_int_equal(bad.call.result, JOURNAL_FAILED);
    assert_int_equal(good.call.result, JOURNAL_OK);
}

static void a_file_of_a_newer_release_is_refused(void **state) {
    struct jkit *kit = *state;
    struct err err;
    jkit_close(kit);
    jkit_sql(kit, "PRAGMA user_version = 7");
    struct conf conf = jkit_conf(kit);
    assert_null(journal_open(&conf, &err));
    assert_non_null(strstr(err.text, "has layout 7, this release knows up to"));
}

static void open_calls_fail_when_their_client_ends(void **state) {
    struct jkit *kit = *state;
    struct journal_take c = jkit_want(1);
    JKIT_SUBMIT(kit, journal_take, &c);
    jkit_turn(kit, 5000);
    journal_client_free(kit->client);
    assert_int_equal(kit->open, 0);
    assert_int_equal(c.call.result, JOURNAL_FAILED);
    kit->client = journal_client_new(kit->journal, kit->loop);
    jkit_queue(kit, "e1");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        JKIT_TEST(an_event_comes_back_as_it_was_put),
        JKIT_TEST(absent_texts_come_back_absent),
        JKIT_TEST(what_is_queued_stays_as_it_is_for_who_holds_no_claim),
        JKIT_TEST(a_holder_of_the_claim_replaces_in_place),
        JKIT_TEST(a_redelivery_refreshes_what_is_parked),
        JKIT_TEST(what_is_dead_or_done_begins_anew),
        JKIT_TEST(a_move_needs_the_version_and_raises_it),
        JKIT_TEST(a_row_that_is_gone_leaves_nothing),
        JKIT_TEST(done_rows_are_not_kept_where_nothing_is_to_be),
        JKIT_TEST(a_settled_row_is_done_unless_somebody_holds_it),
        JKIT_TEST(a_call_is_handed_on_when_its_turn_ends),
        JKIT_TEST(calls_of_one_turn_share_a_commit),
        JKIT_TEST(an_event_no_row_can_hold_fails_alone),
        JKIT_TEST(a_file_of_a_newer_release_is_refused),
        JKIT_TEST(open_calls_fail_when_their_client_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

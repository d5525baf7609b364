/* Who gets which rows when: due times, retries, sides, hands, lines. */
#include "journal_kit.h"

static void put_at(struct jkit *kit, const char *id, bool retry, uint64_t due_us, enum side side) {
    struct journal_put c = jkit_event(id);
    c.mark.retry = retry;
    c.mark.due_wall_us = due_us;
    c.mark.side = side;
    assert_int_equal(jkit_put(kit, &c), JOURNAL_OK);
}

static struct journal_put put_in_line(struct jkit *kit, const char *id, const char *entity) {
    struct journal_put c = jkit_event(id);
    c.ordered = true;
    c.event.entity = slice_of(entity);
    assert_int_equal(jkit_put(kit, &c), JOURNAL_OK);
    return c;
}

static void never_tried_rows_come_first_each_by_due_time(void **state) {
    struct jkit *kit = *state;
    put_at(kit, "r2", true, 20, SIDE_NEW);
    put_at(kit, "r1", true, 10, SIDE_LEGACY);
    put_at(kit, "n3", false, 30, SIDE_NONE);
    put_at(kit, "n1", false, 11, SIDE_NEW);
    put_at(kit, "n2", false, 12, SIDE_LEGACY);
    assert_string_equal(jkit_ids(jkit_take(kit, 100)), "n1 n2 n3 r1 r2 ");
}

static void retries_are_given_within_their_budget(void **state) {
    struct jkit *kit = *state;
    put_at(kit, "r1", true, 1, SIDE_NEW);
    put_at(kit, "r2", true, 2, SIDE_NEW);
    put_at(kit, "n1", false, 3, SIDE_NEW);
    struct journal_take c = jkit_want(100);
    c.retries = 1;
    JKIT_CALL(kit, journal_take, &c);
    assert_string_equal(jkit_ids(c.ret_rows), "n1 r1 ");
    c = jkit_want(100);
    c.retries = 0;
    JKIT_SUBMIT(kit, journal_take, &c);
    jkit_turn(kit, 5000);
    assert_int_equal(kit->open, 1);
    journal_nudge(kit->client);
    jkit_wait(kit);
    assert_null(c.ret_rows);
}

static void only_wanted_sides_are_given_and_the_undecided(void **state) {
    struct jkit *kit = *state;
    put_at(kit, "l", false, 1, SIDE_LEGACY);
    put_at(kit, "n", false, 2, SIDE_NEW);
    put_at(kit, "u", false, 3, SIDE_NONE);
    struct journal_take c = jkit_want(100);
    c.sides[SIDE_NEW] = false;
    JKIT_CALL(kit, journal_take, &c);
    assert_string_equal(jkit_ids(c.ret_rows), "l u ");
}

static void a_row_in_hand_is_nobody_elses(void **state) {
    struct jkit *kit = *state;
    struct journal_put c = jkit_event("held");
    c.in_hand = true;
    assert_int_equal(jkit_put(kit, &c), JOURNAL_OK);
    assert_null(jkit_take_now(kit, 10));
    jkit_queue(kit, "free");
    assert_string_equal(jkit_ids(jkit_take(kit, 10)), "free ");
    assert_null(jkit_take_now(kit, 10));
    uint64_t ver = c.ret_ver;
    assert_int_equal(jkit_move_to(kit, c.ret_seq, &ver, ROW_QUEUED), JOURNAL_OK);
    assert_string_equal(jkit_ids(jkit_take(kit, 10)), "held ");
}

static void nothing_is_in_hand_after_a_restart(void **state) {
    struct jkit *kit = *state;
    jkit_queue(kit, "e1");
    assert_string_equal(jkit_ids(jkit_take(kit, 10)), "e1 ");
    jkit_reopen(kit);
    assert_string_equal(jkit_ids(jkit_take(kit, 10)), "e1 ");
}

static void an_open_take_gets_what_is_put(void **state) {
    struct jkit *kit = *state;
    struct journal_take c = jkit_want(10);
    JKIT_SUBMIT(kit, journal_take, &c);
    jkit_turn(kit, 5000);
    struct journal_put put = jkit_event("e1");
    struct blob *body = jkit_body("body");
    put.event.body = body;
    JKIT_SUBMIT(kit, journal_put, &put);
    jkit_wait(kit);
    assert_string_equal(jkit_ids(c.ret_rows), "e1 ");
    blob_unref(body);
}

static void an_open_take_gets_a_row_when_it_becomes_due(void **state) {
    struct jkit *kit = *state;
    put_at(kit, "soon", true, clock_wall_us() + 50000, SIDE_NEW);
    put_at(kit, "later", true, clock_wall_us() + 3600000000, SIDE_NEW);
    uint64_t begin_us = clock_wall_us();
    assert_string_equal(jkit_ids(jkit_take(kit, 10)), "soon ");
    assert_true(clock_wall_us() - begin_us < 900000); /* by its time, not by the look each second */
}

static void workers_share_what_is_due(void **state) {
    struct jkit *kit = *state;
    struct journal_client *other = journal_client_new(kit->journal, kit->loop), *own = kit->client;
    struct journal_take takes[2] = {jkit_want(10), jkit_want(10)};
    JKIT_SUBMIT(kit, journal_take, &takes[0]);
    kit->client = other;
    JKIT_SUBMIT(kit, journal_take, &takes[1]);
    jkit_turn(kit, 5000);
    static struct journal_put puts[12];
    char ids[12][12];
    struct blob *body = jkit_body("body");
    for (int i = 0; i < 12; i++) {
        snprintf(ids[i], sizeof(ids[i]), "%d", i);
        puts[i] = jkit_event(ids[i]);
        puts[i].event.body = body;
        puts[i].mark.due_wall_us = clock_wall_us() + 30000;
        JKIT_SUBMIT(kit, journal_put, &puts[i]);
    }
    jkit_wait(kit);
    assert_non_null(takes[0].ret_rows);
    assert_non_null(takes[1].ret_rows);
    jkit_rows_free(takes[0].ret_rows);
    jkit_rows_free(takes[1].ret_rows);
    blob_unref(body);
    journal_client_free(other);
    kit->client = own;
}

static void the_body_can_be_read_behind_its_end(void **state) {
    struct jkit *kit = *state;
    jkit_queue(kit, "e1");
    struct journal_row *row = jkit_take(kit, 1);
    assert_true(slice_is(blob_slice(row->event.body), "e1: the body"));
    for (int i = 0; i < BLOB_PADDING; i++)
        assert_int_equal(row->event.body->data[row->event.body->len + (size_t)i], 0);
    assert_null(row->mark.answer.ptr);
    journal_row_free(row);
}

static void what_was_being_sent_is_listed_once_after_a_restart(void **state) {
    struct jkit *kit = *state;
    uint64_t seqs[3];
    for (int i = 0; i < 3; i++) {
        char id[] = {(char)('a' + i), '\0'};
        struct journal_put c = jkit_event(id);
        c.mark.state = ROW_SENDING;
        c.mark.token = token_new();
        c.in_hand = true;
        assert_int_equal(jkit_put(kit, &c), JOURNAL_OK);
        seqs[i] = c.ret_seq;
    }
    jkit_reopen(kit);
    assert_int_equal(jkit_state(kit).rows[ROW_SENDING], 3);
    struct journal_sending c = {.limit = 2};
    JKIT_CALL(kit, journal_sending, &c);
    assert_null(c.ret_rows->event.body);
    assert_int_equal(strlen(c.ret_rows->mark.token.text), TOKEN_LEN);
    assert_string_equal(jkit_ids(c.ret_rows), "a b ");
    c.after = seqs[1];
    JKIT_CALL(kit, journal_sending, &c);
    assert_string_equal(jkit_ids(c.ret_rows), "c ");
    c.after = 0;
    JKIT_CALL(kit, journal_sending, &c);
    assert_null(c.ret_rows);
    uint64_t ver = 1;
    assert_int_equal(jkit_move_to(kit, seqs[0], &ver, ROW_QUEUED), JOURNAL_OK);
    assert_string_equal(jkit_ids(jkit_take(kit, 10)), "a ");
}

/* ---- order: entity ---- */

static void a_line_is_given_one_row_at_a_time(void **state) {
    struct jkit *kit = *state;
    struct journal_put a1 = put_in_line(kit, "a1", "a"), a2 = put_in_line(kit, "a2", "a");
    assert_true(a1.ret_first);
    assert_false(a2.ret_first);
    put_in_line(kit, "a3", "a");
    assert_true(put_in_line(kit, "b1", "b").ret_first);
    assert_string_equal(jkit_ids(jkit_take(kit, 10)), "a1 b1 ");
    assert_null(jkit_take_now(kit, 10));
    uint64_t ver = a1.ret_ver;
    assert_int_equal(jkit_move_to(kit, a1.ret_seq, &ver, ROW_SENDING), JOURNAL_OK);
    assert_null(jkit_take_now(kit, 10));
    assert_int_equal(jkit_move_to(kit, a1.ret_seq, &ver, ROW_DONE), JOURNAL_OK);
    assert_string_equal(jkit_ids(jkit_take(kit, 10)), "a2 ");
    ver = a2.ret_ver;
    assert_int_equal(jkit_move_to(kit, a2.ret_seq, &ver, ROW_PARKED), JOURNAL_OK);
    assert_string_equal(jkit_ids(jkit_take(kit, 10)), "a3 ");
}

static void an_open_take_hears_at_once_that_a_line_moves_up(void **state) {
    struct jkit *kit = *state;
    struct journal_put a1 = put_in_line(kit, "a1", "a");
    put_in_line(kit, "a2", "a");
    jkit_rows_free(jkit_take(kit, 10));
    struct journal_take take = jkit_want(10);
    JKIT_SUBMIT(kit, journal_take, &take);
    jkit_turn(kit, 5000);
    struct journal_move m = {.seq = a1.ret_seq, .ver = a1.ret_ver, .gone = true};
    uint64_t begin_us = clock_mono_us();
    JKIT_SUBMIT(kit, journal_move, &m);
    jkit_wait(kit);
    assert_true(clock_mono_us() - begin_us < 500000);
    assert_string_equal(jkit_ids(take.ret_rows), "a2 ");
}

static void a_retry_keeps_its_place_in_line(void **state) {
    struct jkit *kit = *state;
    struct journal_put a1 = put_in_line(kit, "a1", "a");
    put_in_line(kit, "a2", "a");
    jkit_rows_free(jkit_take(kit, 10));
    struct journal_move m = {.seq = a1.ret_seq,
                             .ver = a1.ret_ver,
                             .mark = {.state = ROW_QUEUED,
                                      .side = SIDE_NONE,
                                      .retry = true,
                                      .due_wall_us = clock_wall_us() + 60000}};
    JKIT_CALL(kit, journal_move, &m);
    assert_null(jkit_take_now(kit, 10));
    assert_string_equal(jkit_ids(jkit_take(kit, 10)), "a1 ");
}

static void one_that_waits_in_line_is_in_nobodys_hand(void **state) {
    struct jkit *kit = *state;
    struct journal_put a1 = put_in_line(kit, "a1", "a"), a2 = jkit_event("a2");
    a2.ordered = true;
    a2.in_hand = true;
    a2.event.entity = slice_of("a");
    assert_int_equal(jkit_put(kit, &a2), JOURNAL_OK);
    assert_false(a2.ret_first);
    struct journal_settle s = {.source = slice_of("github"), .id = slice_of("a1")};
    JKIT_CALL(kit, journal_settle, &s);
    assert_string_equal(jkit_ids(jkit_take(kit, 10)), "a2 ");
    assert_true(a1.ret_seq < a2.ret_seq);
}

static void a_replayed_row_goes_before_those_that_have_not_begun(void **state) {
    struct jkit *kit = *state;
    struct journal_put a1 = put_in_line(kit, "a1", "a");
    put_in_line(kit, "a2", "a");
    put_in_line(kit, "a3", "a");
    uint64_t ver = a1.ret_ver;
    assert_int_equal(jkit_move_to(kit, a1.ret_seq, &ver, ROW_DEAD), JOURNAL_OK);
    struct journal_turn t = {.source = slice_of("github"),
                             .id = slice_of("a1"),
                             .from = ROW_DEAD,
                             .turn = TURN_QUEUE,
                             .side = SIDE_NONE};
    JKIT_CALL(kit, journal_turn, &t);
    assert_int_equal(t.call.result, JOURNAL_OK);
    assert_string_equal(jkit_ids(jkit_take(kit, 10)), "a1 ");
}

static void a_replayed_row_does_not_run_beside_the_one_that_has_begun(void **state) {
    struct jkit *kit = *state;
    struct journal_put a1 = put_in_line(kit, "a1", "a"), a2 = put_in_line(kit, "a2", "a");
    uint64_t ver = a1.ret_ver;
    assert_int_equal(jkit_move_to(kit, a1.ret_seq, &ver, ROW_DEAD), JOURNAL_OK);
    assert_string_equal(jkit_ids(jkit_take(kit, 10)), "a2 ");
    struct journal_turn t = {.source = slice_of("github"),
                             .id = slice_of("a1"),
                             .from = ROW_DEAD,
                             .turn = TURN_QUEUE,
                             .side = SIDE_NONE};
    JKIT_CALL(kit, journal_turn, &t);
    assert_null(jkit_take_now(kit, 10));
    ver = a2.ret_ver;
    assert_int_equal(jkit_move_to(kit, a2.ret_seq, &ver, ROW_DONE), JOURNAL_OK);
    assert_string_equal(jkit_ids(jkit_take(kit, 10)), "a1 ");
}

/* ---- a side's events go elsewhere; clocks ---- */

static void hastened_rows_are_due_now_as_if_never_tried(void **state) {
    struct jkit *kit = *state;
    uint64_t later_us = clock_wall_us() + 3600000000;
    put_at(kit, "n1", true, later_us, SIDE_NEW);
    put_at(kit, "n2", false, later_us, SIDE_NEW);
    put_at(kit, "l1", true, later_us, SIDE_LEGACY);
    struct journal_hasten c = {.side = SIDE_NEW};
    JKIT_CALL(kit, journal_hasten, &c);
    assert_int_equal(c.call.result, JOURNAL_OK);
    struct journal_take take = jkit_want(10);
    take.retries = 0;
    JKIT_CALL(kit, journal_take, &take);
    assert_string_equal(jkit_ids(take.ret_rows), "n1 n2 ");
}

static uint64_t ahead_us;
static uint64_t wall_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000 +
           __atomic_load_n(&ahead_us, __ATOMIC_RELAXED);
}

static int with_a_clock(void **state) {
    ahead_us = 0;
    clock_replace(NULL, wall_us);
    return jkit_setup(state);
}

static int without_a_clock(void **state) {
    int rc = jkit_teardown(state);
    clock_replace(NULL, NULL);
    return rc;
}

static void a_clock_that_goes_back_does_not_stall_what_is_due(void **state) {
    struct jkit *kit = *state;
    __atomic_store_n(&ahead_us, UINT64_C(6) * 3600000000, __ATOMIC_RELAXED);
    JKIT_UNTIL(kit, true);
    put_at(kit, "soon", true, wall_us() + 100000, SIDE_NEW);
    put_at(kit, "later", true, wall_us() + UINT64_C(600) * 1000000, SIDE_NEW);
    jkit_turn(kit, 1200000); /* the journal has looked at the clock */
    jkit_rows_free(jkit_take(kit, 10));
    put_at(kit, "soon2", true, wall_us() + 100000, SIDE_NEW);
    __atomic_store_n(&ahead_us, 0, __ATOMIC_RELAXED);
    assert_string_equal(jkit_ids(jkit_take(kit, 10)), "soon2 ");
    struct journal_row *row = jkit_look(kit, "later");
    assert_true(row->mark.due_wall_us < wall_us() + UINT64_C(601) * 1000000);
    journal_row_free(row);
}

static void a_clock_that_went_back_over_a_restart_does_not_either(void **state) {
    struct jkit *kit = *state;
    __atomic_store_n(&ahead_us, UINT64_C(6) * 3600000000, __ATOMIC_RELAXED);
    put_at(kit, "soon", true, wall_us() + 100000, SIDE_NEW);
    jkit_close(kit);
    __atomic_store_n(&ahead_us, 0, __ATOMIC_RELAXED);
    jkit_open(kit);
    assert_string_equal(jkit_ids(jkit_take(kit, 10)), "soon ");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        JKIT_TEST(never_tried_rows_come_first_each_by_due_time),
        JKIT_TEST(retries_are_given_within_their_budget),
        JKIT_TEST(only_wanted_sides_are_given_and_the_undecided),
        JKIT_TEST(a_row_in_hand_is_nobody_elses),
        JKIT_TEST(nothing_is_in_hand_after_a_restart),
        JKIT_TEST(an_open_take_gets_what_is_put),
        JKIT_TEST(an_open_take_gets_a_row_when_it_becomes_due),
        JKIT_TEST(workers_share_what_is_due),
        JKIT_TEST(the_body_can_be_read_behind_its_end),
        JKIT_TEST(what_was_being_sent_is_listed_once_after_a_restart),
        JKIT_TEST(a_line_is_given_one_row_at_a_time),
        JKIT_TEST(an_open_take_hears_at_once_that_a_line_moves_up),
        JKIT_TEST(a_retry_keeps_its_place_in_line),
        JKIT_TEST(one_that_waits_in_line_is_in_nobodys_hand),
        JKIT_TEST(a_replayed_row_goes_before_those_that_have_not_begun),
        JKIT_TEST(a_replayed_row_does_not_run_beside_the_one_that_has_begun),
        JKIT_TEST(hastened_rows_are_due_now_as_if_never_tried),
        cmocka_unit_test_setup_teardown(a_clock_that_goes_back_does_not_stall_what_is_due,
                                        with_a_clock, without_a_clock),
        cmocka_unit_test_setup_teardown(a_clock_that_went_back_over_a_restart_does_not_either,
                                        with_a_clock, without_a_clock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The sender's deadline nears while its event runs: it is put on disk, whatever the attempt and the
 * disk do meanwhile. */
#include "rig_rows.h"

static const struct rig_conf answers_only = {.mode = MODE_LEGACY_ONLY, .journal = true};
static const struct rig_conf queues = {
    .mode = MODE_LEGACY_ONLY, .source = ", on_failure: queue", .journal = true};
static const struct rig_conf new_only = {
    .mode = MODE_NEW_ONLY, .source = ", on_failure: queue", .journal = true};

/* ---- the deadline ---- */

static void an_attempt_at_the_deadline_is_put_on_disk_told_and_goes_on(void **state) {
    (void)state;
    struct rig r;
    rig_start(&r, &answers_only);
    struct sender *s = rig_open_at(&r, SIDE_LEGACY, "late", 1);
    rig_near(&r);
    rig_expect(&r, s, 202, "{\"status\":\"accepted\",\"event\":\"late\"}");
    struct rig_row row = rig_until_row(&r, "late", ROW_SENDING);
    assert_int_equal(row.mark.reason, REASON_ACCEPTED);
    assert_int_equal(row.mark.side, SIDE_LEGACY);
    assert_true(row.body_len > 0);
    stub_says(&r.stubs[SIDE_LEGACY], OK_ANSWER);
    rig_until_row(&r, "late", ROW_DONE);
    assert_int_equal(r.stubs[SIDE_LEGACY].requests, 1);
    rig_stop(&r);
}

static void what_was_told_at_the_deadline_follows_its_outcome(void **state) {
    (void)state;
    static const struct {
        const char *id, *answer; /* NULL: none */
        enum row_state state;
        enum row_reason reason;
    } cases[] = {{"not-done", FAILED_ANSWER, ROW_QUEUED, REASON_NOT_DONE},
                 {"rejected", REFUSAL("400 Bad Request", "nope"), ROW_DEAD, REASON_REJECTED},
                 {"doubt", NULL, ROW_PARKED, REASON_IN_DOUBT},
                 {"gateway", REFUSAL("502 Bad Gateway", "what"), ROW_PARKED, REASON_IN_DOUBT}};
    struct rig r;
    rig_start(&r, &answers_only);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct sender *s = rig_open_at(&r, SIDE_LEGACY, cases[i].id, 1);
        rig_near(&r);
        rig_expect(&r, s, 202, "accepted");
        if (cases[i].answer)
            stub_says(&r.stubs[SIDE_LEGACY], cases[i].answer);
        else
            stub_hang_up(r.stubs[SIDE_LEGACY].now);
        struct rig_row row = rig_until_row(&r, cases[i].id, cases[i].state);
        assert_int_equal(row.mark.reason, cases[i].reason);
        assert_int_equal(row.mark.tries, 1);
        RIG_UNTIL_OVER(&r);
        sender_reset(s);
    }
    rig_stop(&r);
}

/* The journal takes its time with what the deadline asked for, and the attempt ends. */
static struct sender *put_under_way(struct rig *r, enum side side, sqlite3 **ret_holder) {
    *ret_holder = rig_hold_journal(r);
    struct sender *s = rig_open_at(r, side, "race", 1);
    rig_near(r);
    timer_stop(&rig_delivery(r)->deadline); /* comes when the test says */
    assert_true(row_is_being_put(rig_delivery(r)));
    return s;
}

static void done_while_it_is_put_on_disk_is_the_backends_answer(void **state) {
    (void)state;
    struct rig r;
    sqlite3 *holder;
    rig_start(&r, &answers_only);
    struct sender *s = put_under_way(&r, SIDE_LEGACY, &holder);
    stub_says(&r.stubs[SIDE_LEGACY], OK_ANSWER);
    rig_expect(&r, s, 200, "ok");
    rig_let_journal_go(holder);
    rig_until_row(&r, "race", ROW_DONE);
    rig_stop(&r);
}

static void rejected_while_it_is_put_on_disk_is_told_and_dead(void **state) {
    (void)state;
    struct rig r;
    sqlite3 *holder;
    rig_start(&r, &answers_only);
    struct sender *s = put_under_way(&r, SIDE_LEGACY, &holder);
    stub_says(&r.stubs[SIDE_LEGACY], REFUSAL("400 Bad Request", "nope"));
    rig_expect(&r, s, 400, "nope");
    rig_let_journal_go(holder);
    rig_until_row(&r, "race", ROW_DEAD);
    RIG_UNTIL_OVER(&r);
    rig_stop(&r);
}

static void not_done_while_it_is_put_on_disk_is_queued(void **state) {
    (void)state;
    struct rig r;
    sqlite3 *holder;
    rig_start(&r, &queues);
    struct sender *s = put_under_way(&r, SIDE_LEGACY, &holder);
    stub_says(&r.stubs[SIDE_LEGACY], FAILED_ANSWER);
    RIG_UNTIL(&r, rig_delivery(&r)->settled);
    assert_int_equal(buf_len(&s->got), 0);
    rig_let_journal_go(holder);
    rig_expect(&r, s, 202, "{\"status\":\"queued\",\"event\":\"race\"}");
    assert_int_equal(rig_until_row(&r, "race", ROW_QUEUED).mark.tries, 1);
    RIG_UNTIL_OVER(&r);
    assert_true(rig_is_free(&r, "race"));
    rig_stop(&r);
}

static void not_done_where_the_journal_fails_is_the_backends_answer(void **state) {
    (void)state;
    struct rig r;
    sqlite3 *holder;
    rig_start(&r, &queues);
    struct sender *s = put_under_way(&r, SIDE_LEGACY, &holder);
    stub_says(&r.stubs[SIDE_LEGACY], FAILED_ANSWER);
    rig_expect(&r, s, 503, "busy");
    rig_let_journal_go(holder);
    RIG_UNTIL_OVER(&r);
    rig_stop(&r);
}

static void new_refuses_while_it_is_put_on_disk_and_legacy_gets_it_then(void **state) {
    (void)state;
    struct rig r;
    sqlite3 *holder;
    rig_start(&r, &new_only);
    r.stubs[SIDE_LEGACY].answer = OK_ANSWER;
    struct sender *s = put_under_way(&r, SIDE_NEW, &holder);
    stub_says(&r.stubs[SIDE_NEW], FAILED_ANSWER);
    RIG_UNTIL(&r, rig_delivery(&r)->owner == SIDE_NONE);
    for (int i = 0; i < 50; i++)
        rig_turn(&r);
    assert_int_equal(r.stubs[SIDE_LEGACY].requests, 0);
    rig_let_journal_go(holder);
    rig_expect(&r, s, 202, "accepted");
    assert_int_equal(rig_until_row(&r, "race", ROW_DONE).mark.side, SIDE_LEGACY);
    assert_int_equal(r.stubs[SIDE_LEGACY].requests, 1);
    rig_stop(&r);
}

static void new_refuses_and_the_journal_fails_and_legacy_answers(void **state) {
    (void)state;
    struct rig r;
    sqlite3 *holder;
    rig_start(&r, &new_only);
    r.stubs[SIDE_LEGACY].answer = OK_ANSWER;
    struct sender *s = put_under_way(&r, SIDE_NEW, &holder);
    stub_says(&r.stubs[SIDE_NEW], FAILED_ANSWER);
    rig_expect(&r, s, 200, "ok");
    rig_let_journal_go(holder);
    RIG_UNTIL_OVER(&r);
    rig_stop(&r);
}

static void the_deadline_comes_while_legacy_waits_for_the_disk(void **state) {
    (void)state;
    struct rig r;
    sqlite3 *holder;
    rig_start(&r, &new_only);
    r.stubs[SIDE_LEGACY].answer = OK_ANSWER;
    struct sender *s = put_under_way(&r, SIDE_NEW, &holder);
    stub_says(&r.stubs[SIDE_NEW], FAILED_ANSWER);
    RIG_UNTIL(&r, rig_delivery(&r)->owner == SIDE_NONE);
    flow_deadline(rig_delivery(&r));
    rig_expect(&r, s, 503, "urn:pointsman:problem:journal");
    rig_let_journal_go(holder);
    rig_until_row(&r, "race", ROW_DONE);
    rig_stop(&r);
}

static void a_full_journal_at_the_deadline_is_504_and_the_attempt_goes_on(void **state) {
    (void)state;
    struct rig r;
    rig_start(&r, &answers_only);
    struct sender *s = rig_open_at(&r, SIDE_LEGACY, "late", 1);
    rig_fill_journal(&r);
    rig_near(&r);
    RIG_UNTIL(&r, !rig_delivery(&r)->row->writing);
    assert_int_equal(buf_len(&s->got), 0);
    flow_deadline(rig_delivery(&r));
    rig_expect(&r, s, 504, "urn:pointsman:problem:deadline");
    stub_says(&r.stubs[SIDE_LEGACY], OK_ANSWER);
    RIG_UNTIL_OVER(&r);
    assert_int_equal(rig_leg(&r, "late", SIDE_LEGACY), LEG_DONE);
    assert_false(rig_row(&r, "late").there);
    rig_stop(&r);
}

static void a_duplicate_of_what_is_on_disk_is_told_202(void **state) {
    (void)state;
    struct rig r;
    rig_start(&r, &answers_only);
    struct sender *s = rig_open_at(&r, SIDE_LEGACY, "late", 1);
    rig_near(&r);
    rig_expect(&r, s, 202, "accepted");
    RIG_UNTIL(&r, !rig_delivery(&r)->legs[SIDE_LEGACY].renewing);
    sender_says(&r, s, rig_event("late", 1));
    rig_expect(&r, s, 202, "{\"status\":\"in_progress\",\"event\":\"late\"}");
    stub_says(&r.stubs[SIDE_LEGACY], OK_ANSWER);
    rig_until_row(&r, "late", ROW_DONE);
    rig_stop(&r);
}

static void a_summary_that_comes_too_late_is_accepted(void **state) {
    (void)state;
    struct rig r;
    struct rig_conf conf = answers_only;
    conf.mode = MODE_PARALLEL;
    conf.source = ", reply: summary";
    rig_start(&r, &conf);
    r.stubs[SIDE_NEW].answer = OK_ANSWER;
    struct sender *s = rig_open_at(&r, SIDE_LEGACY, "sum", 1);
    rig_near(&r);
    rig_expect(&r, s, 202, "accepted");
    stub_says(&r.stubs[SIDE_LEGACY], OK_ANSWER);
    rig_until_row(&r, "sum", ROW_DONE);
    rig_stop(&r);
}

/* ---- it can not be claimed ---- */

static void what_the_store_does_not_answer_is_on_disk_and_given_back(void **state) {
    (void)state;
    struct rig r;
    struct rig_conf conf = answers_only;
    conf.store = ", when_down: hold";
    rig_start(&r, &conf);
    rig_hold_store(&r);
    struct sender *s = rig_post(&r, "away", 1);
    RIG_UNTIL(&r, rig_delivery(&r)->state == DELIVERY_CLAIMING);
    rig_near(&r);
    rig_expect(&r, s, 202, "queued");
    rig_let_store_go(&r);
    RIG_UNTIL_OVER(&r);
    assert_int_equal(rig_until_row(&r, "away", ROW_QUEUED).mark.reason, REASON_STORE);
    assert_int_equal(rig_look(&r, "away", "o/r#1").ret_open, 0);
    r.stubs[SIDE_LEGACY].answer = OK_ANSWER;
    queue_open(r.worker);
    rig_until_row(&r, "away", ROW_DONE);
    assert_int_equal(r.stubs[SIDE_LEGACY].requests, 1);
    rig_stop(&r);
}

static void where_neither_store_nor_journal_take_it_the_sender_knows(void **state) {
    (void)state;
    struct rig r;
    struct rig_conf conf = queues;
    conf.store = ", when_down: hold";
    rig_start(&r, &conf);
    rig_fill_journal(&r);
    rig_hold_store(&r);
    struct sender *s = rig_post(&r, "away", 1);
    RIG_UNTIL(&r, rig_delivery(&r)->state == DELIVERY_CLAIMING);
    rig_near(&r);
    rig_expect(&r, s, 503, "urn:pointsman:problem:store");
    rig_let_store_go(&r);
    RIG_UNTIL_OVER(&r);
    assert_false(rig_row(&r, "away").there);
    rig_stop(&r);
}

/* New refuses, and legacy is busy for it: another event of the entity is open at new. */
static void a_fallback_that_finds_the_entity_busy_is_queued_and_delivered_once(void **state) {
    (void)state;
    struct rig r;
    rig_start(&r, &new_only);
    rig_open_at(&r, SIDE_NEW, "one", 1);
    stub_refuse(&r.stubs[SIDE_NEW]);
    struct sender *s = rig_post(&r, "two", 1);
    RIG_UNTIL(&r, rig_delivery(&r)->state == DELIVERY_WAITING);
    assert_int_equal(rig_delivery(&r)->claimed, STORE_BUSY);
    rig_near(&r);
    rig_expect(&r, s, 202, "queued");
    struct rig_row row = rig_until_row(&r, "two", ROW_QUEUED);
    assert_int_equal(row.mark.reason, REASON_BUSY);
    assert_int_equal(row.mark.side, SIDE_LEGACY);
    stub_says(&r.stubs[SIDE_NEW], OK_ANSWER);
    RIG_UNTIL_OVER(&r);
    stub_hang_up(r.stubs[SIDE_NEW].now);
    r.stubs[SIDE_LEGACY].answer = OK_ANSWER;
    rig_advance(&r, RIG_SECOND_US);
    queue_open(r.worker);
    assert_int_equal(rig_until_row(&r, "two", ROW_DONE).mark.side, SIDE_LEGACY);
    assert_int_equal(r.stubs[SIDE_LEGACY].requests, 1);
    rig_stop(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_attempt_at_the_deadline_is_put_on_disk_told_and_goes_on),
        cmocka_unit_test(what_was_told_at_the_deadline_follows_its_outcome),
        cmocka_unit_test(done_while_it_is_put_on_disk_is_the_backends_answer),
        cmocka_unit_test(rejected_while_it_is_put_on_disk_is_told_and_dead),
        cmocka_unit_test(not_done_while_it_is_put_on_disk_is_queued),
        cmocka_unit_test(not_done_where_the_journal_fails_is_the_backends_answer),
        cmocka_unit_test(new_refuses_while_it_is_put_on_disk_and_legacy_gets_it_then),
        cmocka_unit_test(new_refuses_and_the_journal_fails_and_legacy_answers),
        cmocka_unit_test(the_deadline_comes_while_legacy_waits_for_the_disk),
        cmocka_unit_test(a_full_journal_at_the_deadline_is_504_and_the_attempt_goes_on),
        cmocka_unit_test(a_duplicate_of_what_is_on_disk_is_told_202),
        cmocka_unit_test(a_summary_that_comes_too_late_is_accepted),
        cmocka_unit_test(what_the_store_does_not_answer_is_on_disk_and_given_back),
        cmocka_unit_test(where_neither_store_nor_journal_take_it_the_sender_knows),
        cmocka_unit_test(a_fallback_that_finds_the_entity_busy_is_queued_and_delivered_once),
    };
    return cmocka_run_group_tests(tests, rig_clock_on, rig_clock_off);
}

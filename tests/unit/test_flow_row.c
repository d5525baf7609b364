/* The way of an event through the journal: what its sender is told, what is on disk then, and that
 * nobody holds on to it afterwards (rig_stop waits until no event is under way). */
#include "rig_rows.h"

static const struct rig_conf accepts = {
    .mode = MODE_LEGACY_ONLY, .source = ", reply: accepted", .journal = true};
static const struct rig_conf answers_only = {.mode = MODE_LEGACY_ONLY, .journal = true};
static const struct rig_conf queues = {
    .mode = MODE_LEGACY_ONLY, .source = ", on_failure: queue", .journal = true};

/* ---- reply: accepted ---- */

static void accepted_is_told_and_sent_only_once_it_is_on_disk(void **state) {
    (void)state;
    struct rig r;
    rig_start(&r, &accepts);
    sqlite3 *holder = rig_hold_journal(&r);
    struct sender *s = rig_post(&r, "acc", 1);
    RIG_UNTIL(&r, rig_delivery(&r)->state == DELIVERY_WRITING);
    for (int i = 0; i < 100; i++)
        rig_turn(&r);
    assert_int_equal(buf_len(&s->got), 0);
    assert_int_equal(r.stubs[SIDE_LEGACY].accepted, 0);
    rig_let_journal_go(holder);
    rig_expect(&r, s, 202, "{\"status\":\"accepted\",\"event\":\"acc\"}");
    assert_int_equal(rig_until_row(&r, "acc", ROW_SENDING).mark.attempt, 1);
    RIG_UNTIL(&r, r.stubs[SIDE_LEGACY].requests == 1);
    stub_says(&r.stubs[SIDE_LEGACY], OK_ANSWER);
    assert_int_equal(rig_until_row(&r, "acc", ROW_DONE).mark.status, 200);
    rig_stop(&r);
}

static void a_full_journal_accepts_nothing_and_sends_nothing(void **state) {
    (void)state;
    struct rig r;
    rig_start(&r, &accepts);
    rig_fill_journal(&r);
    struct sender *s = rig_post(&r, "acc", 1);
    struct http_head head = rig_expect(&r, s, 503, "urn:pointsman:problem:journal");
    assert_header(&head, "retry-after", "5");
    RIG_UNTIL_OVER(&r);
    assert_int_equal(r.stubs[SIDE_LEGACY].accepted, 0);
    assert_int_equal(rig_leg(&r, "acc", SIDE_LEGACY), LEG_UNSENT);
    assert_int_equal(rig_look(&r, "acc", "o/r#1").ret_open, 0);
    rig_empty_journal(&r);
    sender_says(&r, s, rig_event("acc", 1));
    rig_expect(&r, s, 202, "accepted");
    rig_stop(&r);
}

static void a_failing_journal_accepts_nothing_and_sends_nothing(void **state) {
    (void)state;
    struct rig r;
    rig_start(&r, &accepts);
    sqlite3 *holder = rig_hold_journal(&r);
    rig_expect(&r, rig_post(&r, "acc", 1), 503, "urn:pointsman:problem:journal");
    RIG_UNTIL_OVER(&r);
    assert_int_equal(rig_leg(&r, "acc", SIDE_LEGACY), LEG_UNSENT);
    rig_let_journal_go(holder);
    rig_stop(&r);
}

static void a_disk_slower_than_the_deadline_is_answered_504_and_goes_on(void **state) {
    (void)state;
    struct rig r;
    rig_start(&r, &accepts);
    r.stubs[SIDE_LEGACY].answer = OK_ANSWER;
    sqlite3 *holder = rig_hold_journal(&r);
    struct sender *s = rig_post(&r, "slow", 1);
    RIG_UNTIL(&r, rig_delivery(&r)->state == DELIVERY_WRITING);
    rig_near(&r);
    flow_deadline(rig_delivery(&r));
    rig_expect(&r, s, 504, "urn:pointsman:problem:deadline");
    rig_let_journal_go(holder);
    rig_until_row(&r, "slow", ROW_DONE);
    rig_stop(&r);
}

static void what_was_accepted_and_then_rejected_is_dead(void **state) {
    (void)state;
    struct rig r;
    rig_start(&r, &accepts);
    r.stubs[SIDE_LEGACY].answer = REFUSAL("422 Unprocessable Content", "nope");
    rig_expect(&r, rig_post(&r, "acc", 1), 202, "accepted");
    struct rig_row row = rig_until_row(&r, "acc", ROW_DEAD);
    assert_int_equal(row.mark.reason, REASON_REJECTED);
    assert_int_equal(row.mark.status, 422);
    assert_string_equal(row.answer, "nope");
    rig_stop(&r);
}

static void a_sender_gone_while_it_is_written_still_gets_its_event_delivered(void **state) {
    (void)state;
    struct rig r;
    rig_start(&r, &accepts);
    r.stubs[SIDE_LEGACY].answer = OK_ANSWER;
    sqlite3 *holder = rig_hold_journal(&r);
    struct sender *s = rig_post(&r, "gone", 1);
    RIG_UNTIL(&r, rig_delivery(&r)->state == DELIVERY_WRITING);
    sender_leaves(&r, s);
    rig_let_journal_go(holder);
    rig_until_row(&r, "gone", ROW_DONE);
    rig_stop(&r);
}

static void a_shadow_runs_beside_the_row_and_can_not_fail_it(void **state) {
    (void)state;
    struct rig r;
    struct rig_conf conf = accepts;
    conf.mode = MODE_PARALLEL;
    rig_start(&r, &conf);
    r.stubs[SIDE_LEGACY].answer = OK_ANSWER;
    stub_refuse(&r.stubs[SIDE_NEW]);
    rig_expect(&r, rig_post(&r, "both", 1), 202, "accepted");
    rig_until_row(&r, "both", ROW_DONE);
    RIG_UNTIL_OVER(&r);
    assert_int_equal(rig_leg(&r, "both", SIDE_NEW), LEG_UNSENT);
    rig_stop(&r);
}

/* ---- outcomes that go to the journal ---- */

static void what_the_backend_did_not_do_is_queued_with_its_answer(void **state) {
    (void)state;
    struct rig r;
    rig_start(&r, &queues);
    r.stubs[SIDE_LEGACY].answer = FAILED_ANSWER;
    rig_expect(&r, rig_post(&r, "q", 1), 202, "{\"status\":\"queued\",\"event\":\"q\"}");
    struct rig_row row = rig_until_row(&r, "q", ROW_QUEUED);
    assert_int_equal(row.mark.reason, REASON_NOT_DONE);
    assert_int_equal(row.mark.status, 503);
    assert_true(row.mark.retry);
    assert_true(row.mark.due_wall_us > rig_wall_us());
    assert_string_equal(row.answer, "busy");
    RIG_UNTIL_OVER(&r);
    assert_true(rig_is_free(&r, "q"));
    rig_stop(&r);
}

static void of_a_big_answer_the_beginning_is_kept(void **state) {
    (void)state;
    static char text[2 * 1024 * 1024];
    struct rig r;
    int len = snprintf(text, sizeof text,
                       "HTTP/1.1 500 Oops\r\nContent-Length: 2000000\r\n\r\nit began so");
    memset(text + len, 'x', 2000000);
    rig_start(&r, &queues);
    struct sender *s = rig_open_at(&r, SIDE_LEGACY, "big", 1);
    stub_say(&r.stubs[SIDE_LEGACY], text, (size_t)len + 1500000);
    rig_expect(&r, s, 202, "queued");
    struct rig_row row = rig_until_row(&r, "big", ROW_QUEUED);
    assert_int_equal(row.answer_len, ROW_ANSWER_MAX);
    assert_memory_equal(row.answer, "it began so", 11);
    RIG_UNTIL_OVER(&r);
    rig_stop(&r);
}

static void what_never_left_is_queued_and_what_a_limit_stopped_costs_no_try(void **state) {
    (void)state;
    struct rig r;
    rig_start(&r, &queues);
    atomic_store(&r.proxy->in_flight[SIDE_LEGACY][ROLE_OWNER], 1000000);
    rig_expect(&r, rig_post(&r, "limit", 1), 202, "queued");
    atomic_store(&r.proxy->in_flight[SIDE_LEGACY][ROLE_OWNER], 0);
    struct rig_row row = rig_until_row(&r, "limit", ROW_QUEUED);
    assert_int_equal(row.mark.tries, 0);
    assert_int_equal(row.mark.reason, REASON_BREAKER);
    stub_refuse(&r.stubs[SIDE_LEGACY]);
    rig_expect(&r, rig_post(&r, "unsent", 2), 202, "queued");
    row = rig_until_row(&r, "unsent", ROW_QUEUED);
    assert_int_equal(row.mark.tries, 1);
    assert_int_equal(row.mark.reason, REASON_UNSENT);
    rig_stop(&r);
}

static void where_failures_are_answered_nothing_goes_to_disk(void **state) {
    (void)state;
    struct rig r;
    rig_start(&r, &answers_only);
    r.stubs[SIDE_LEGACY].answer = FAILED_ANSWER;
    rig_expect(&r, rig_post(&r, "plain", 1), 503, "busy");
    RIG_UNTIL_OVER(&r);
    assert_false(rig_row(&r, "plain").there);
    rig_stop(&r);
}

static void an_attempt_in_doubt_is_parked_and_its_redelivery_too(void **state) {
    (void)state;
    struct rig r;
    rig_start(&r, &queues);
    struct sender *s = rig_open_at(&r, SIDE_LEGACY, "doubt", 1);
    stub_hang_up(r.stubs[SIDE_LEGACY].now);
    rig_expect(&r, s, 202, "{\"status\":\"in_doubt\",\"event\":\"doubt\",\"backend\":\"legacy\"}");
    uint64_t seq = rig_until_row(&r, "doubt", ROW_PARKED).seq;
    sender_says(&r, s, rig_event("doubt", 12345));
    rig_expect(&r, s, 202, "in_doubt");
    struct rig_row row = rig_until_row(&r, "doubt", ROW_PARKED);
    assert_int_equal(row.seq, seq);
    assert_int_equal(row.mark.tries, 1);
    assert_int_equal(r.stubs[SIDE_LEGACY].requests, 1);
    rig_stop(&r);
}

static void a_full_journal_passes_the_outcome_on(void **state) {
    (void)state;
    struct rig r;
    rig_start(&r, &queues);
    rig_fill_journal(&r);
    struct sender *s = rig_open_at(&r, SIDE_LEGACY, "doubt", 1);
    stub_hang_up(r.stubs[SIDE_LEGACY].now);
    rig_expect(&r, s, 504, "in_doubt");
    sender_says(&r, s, rig_event("fails", 2));
    RIG_UNTIL(&r, r.stubs[SIDE_LEGACY].requests == 2);
    stub_says(&r.stubs[SIDE_LEGACY], FAILED_ANSWER);
    rig_expect(&r, s, 503, "busy");
    RIG_UNTIL_OVER(&r);
    rig_stop(&r);
}

/* A redelivery of what is queued runs at once; whatever it ends with, the event is owed still. */
static void a_redelivery_that_is_rejected_leaves_the_event_listed(void **state) {
    (void)state;
    struct rig r;
    rig_start(&r, &queues);
    struct sender *s = rig_open_at(&r, SIDE_LEGACY, "again", 1);
    stub_says(&r.stubs[SIDE_LEGACY], FAILED_ANSWER);
    rig_expect(&r, s, 202, "queued");
    sender_says(&r, s, rig_event("again", 1));
    RIG_UNTIL(&r, r.stubs[SIDE_LEGACY].requests == 2);
    rig_near(&r);
    rig_expect(&r, s, 202, "accepted");
    stub_says(&r.stubs[SIDE_LEGACY], REFUSAL("400 Bad Request", "nope"));
    rig_until_row(&r, "again", ROW_DEAD);
    rig_stop(&r);
}

static void a_redelivery_that_is_done_settles_the_row(void **state) {
    (void)state;
    struct rig r;
    rig_start(&r, &queues);
    struct sender *s = rig_open_at(&r, SIDE_LEGACY, "again", 1);
    stub_says(&r.stubs[SIDE_LEGACY], FAILED_ANSWER);
    rig_expect(&r, s, 202, "queued");
    r.stubs[SIDE_LEGACY].answer = OK_ANSWER;
    sender_says(&r, s, rig_event("again", 1));
    rig_expect(&r, s, 200, "ok");
    rig_until_row(&r, "again", ROW_DONE);
    rig_stop(&r);
}

static void who_changed_the_row_meanwhile_keeps_it(void **state) {
    (void)state;
    static const char *const changes[] = {"UPDATE event SET ver = ver + 5", "DELETE FROM event"};
    for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
        struct rig r;
        rig_start(&r, &accepts);
        struct sender *s = rig_open_at(&r, SIDE_LEGACY, "mine", 1);
        rig_expect(&r, s, 202, "accepted");
        rig_sql(&r, changes[i]);
        stub_says(&r.stubs[SIDE_LEGACY], i ? OK_ANSWER : FAILED_ANSWER);
        RIG_UNTIL_OVER(&r);
        struct rig_row row = rig_row(&r, "mine");
        assert_true(i ? !row.there : row.mark.state == ROW_SENDING);
        rig_stop(&r);
    }
}

static void an_outcome_is_written_until_the_disk_has_it(void **state) {
    (void)state;
    struct rig r;
    rig_start(&r, &accepts);
    struct sender *s = rig_open_at(&r, SIDE_LEGACY, "keep", 1);
    rig_expect(&r, s, 202, "accepted");
    sqlite3 *holder = rig_hold_journal(&r);
    stub_says(&r.stubs[SIDE_LEGACY], OK_ANSWER);
    RIG_UNTIL(&r, timer_is_set(&rig_delivery(&r)->row->again));
    rig_let_journal_go(holder);
    rig_advance(&r, 6 * RIG_SECOND_US);
    rig_until_row(&r, "keep", ROW_DONE);
    rig_stop(&r);
}

/* ---- claims: off ---- */

static void without_claims_the_journal_does_its_part(void **state) {
    (void)state;
    struct rig r;
    struct rig_conf conf = accepts;
    conf.store = ", claims: off";
    rig_start(&r, &conf);
    rig_expect(&r, rig_open_at(&r, SIDE_LEGACY, "free", 1), 202, "accepted");
    stub_says(&r.stubs[SIDE_LEGACY], FAILED_ANSWER);
    rig_until_row(&r, "free", ROW_QUEUED);
    RIG_UNTIL_OVER(&r);
    r.stubs[SIDE_LEGACY].answer = OK_ANSWER;
    rig_advance(&r, 3600 * RIG_SECOND_US);
    queue_open(r.worker);
    rig_until_row(&r, "free", ROW_DONE);
    rig_stop(&r);
}

static void without_claims_a_full_journal_sends_nothing(void **state) {
    (void)state;
    struct rig r;
    struct rig_conf conf = accepts;
    conf.store = ", claims: off";
    rig_start(&r, &conf);
    rig_fill_journal(&r);
    rig_expect(&r, rig_post(&r, "free", 1), 503, "journal");
    RIG_UNTIL_OVER(&r);
    assert_int_equal(r.stubs[SIDE_LEGACY].accepted, 0);
    rig_stop(&r);
}

/* ---- the end ---- */

static void a_drain_lets_what_runs_end_and_gives_up_on_a_failing_disk(void **state) {
    (void)state;
    struct rig r;
    rig_start(&r, &accepts);
    struct sender *s = rig_open_at(&r, SIDE_LEGACY, "last", 1);
    rig_expect(&r, s, 202, "accepted");
    sqlite3 *holder = rig_hold_journal(&r);
    stub_says(&r.stubs[SIDE_LEGACY], OK_ANSWER);
    rig_drain(&r);
    RIG_UNTIL_OVER(&r); /* the next start finds it sending, and the store knows */
    rig_let_journal_go(holder);
    rig_advance(&r, 6 * RIG_SECOND_US);
    rig_until_row(&r, "last", ROW_SENDING);
    assert_int_equal(rig_leg(&r, "last", SIDE_LEGACY), LEG_DONE);
    rig_stop(&r);
}

/* Calls of every kind are open when the worker goes. */
static void the_worker_ends_in_the_middle_of_everything(void **state) {
    (void)state;
    struct rig r;
    struct rig_conf conf = accepts;
    conf.store = ", when_down: hold";
    rig_start(&r, &conf);
    queue_open(r.worker);
    rig_expect(&r, rig_open_at(&r, SIDE_LEGACY, "runs", 1), 202, "accepted");
    rig_expect(&r, rig_open_at(&r, SIDE_LEGACY, "moves", 2), 202, "accepted");
    sqlite3 *holder = rig_hold_journal(&r);
    stub_says(&r.stubs[SIDE_LEGACY], OK_ANSWER);
    rig_post(&r, "writes", 3);
    RIG_UNTIL(&r, rig_delivery(&r)->state == DELIVERY_WRITING);
    rig_hold_store(&r);
    rig_post(&r, "claims", 4);
    RIG_UNTIL(&r, rig_delivery(&r)->state == DELIVERY_CLAIMING);
    rig_near(&r);
    rig_let_journal_go(holder);
    rig_hang_up(&r);
    rig_end(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepted_is_told_and_sent_only_once_it_is_on_disk),
        cmocka_unit_test(a_full_journal_accepts_nothing_and_sends_nothing),
        cmocka_unit_test(a_failing_journal_accepts_nothing_and_sends_nothing),
        cmocka_unit_test(a_disk_slower_than_the_deadline_is_answered_504_and_goes_on),
        cmocka_unit_test(what_was_accepted_and_then_rejected_is_dead),
        cmocka_unit_test(a_sender_gone_while_it_is_written_still_gets_its_event_delivered),
        cmocka_unit_test(a_shadow_runs_beside_the_row_and_can_not_fail_it),
        cmocka_unit_test(what_the_backend_did_not_do_is_queued_with_its_answer),
        cmocka_unit_test(of_a_big_answer_the_beginning_is_kept),
        cmocka_unit_test(what_never_left_is_queued_and_what_a_limit_stopped_costs_no_try),
        cmocka_unit_test(where_failures_are_answered_nothing_goes_to_disk),
        cmocka_unit_test(an_attempt_in_doubt_is_parked_and_its_redelivery_too),
        cmocka_unit_test(a_full_journal_passes_the_outcome_on),
        cmocka_unit_test(a_redelivery_that_is_rejected_leaves_the_event_listed),
        cmocka_unit_test(a_redelivery_that_is_done_settles_the_row),
        cmocka_unit_test(who_changed_the_row_meanwhile_keeps_it),
        cmocka_unit_test(an_outcome_is_written_until_the_disk_has_it),
        cmocka_unit_test(without_claims_the_journal_does_its_part),
        cmocka_unit_test(without_claims_a_full_journal_sends_nothing),
        cmocka_unit_test(a_drain_lets_what_runs_end_and_gives_up_on_a_failing_disk),
        cmocka_unit_test(the_worker_ends_in_the_middle_of_everything),
    };
    return cmocka_run_group_tests(tests, rig_clock_on, rig_clock_off);
}

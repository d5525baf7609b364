/* A worker's share of the queue: what it sends, where to, and what it leaves at the end. */
#include "rig_rows.h"

static const struct rig_conf legacy = {
    .mode = MODE_LEGACY_ONLY, .source = ", on_failure: queue", .journal = true};

/* ---- open and closed ---- */

static void what_is_due_is_sent_once_the_queue_is_open(void **state) {
    (void)state;
    struct rig r;
    rig_start(&r, &legacy);
    rig_queued(&r, "due", SIDE_LEGACY);
    rig_turns(&r, 100);
    assert_int_equal(r.stubs[SIDE_LEGACY].accepted, 0);
    queue_open(r.worker);
    queue_open(r.worker);
    RIG_UNTIL(&r, r.stubs[SIDE_LEGACY].requests == 1);
    struct rig_row row = rig_until_row(&r, "due", ROW_SENDING);
    assert_int_equal(row.mark.attempt, 1);
    assert_non_null(strstr(r.stubs[SIDE_LEGACY].seen.data, "Idempotency-Key: \"due\"\r\n"));
    assert_non_null(strstr(r.stubs[SIDE_LEGACY].seen.data, "{\"a\":1}"));
    stub_says(&r.stubs[SIDE_LEGACY], OK_ANSWER);
    row = rig_until_row(&r, "due", ROW_DONE);
    assert_int_equal(row.mark.tries, 1);
    assert_int_equal(r.stubs[SIDE_LEGACY].requests, 1);
    rig_stop(&r);
}

static void the_ladder_is_climbed_to_its_end(void **state) {
    (void)state;
    struct rig r;
    struct rig_conf conf = legacy;
    conf.rest = "retry: {ladder: [1s, 2s], jitter: 0%}\n";
    rig_start(&r, &conf);
    r.stubs[SIDE_LEGACY].answer = FAILED_ANSWER;
    rig_queued(&r, "climbs", SIDE_LEGACY);
    queue_open(r.worker);
    for (uint32_t tries = 1; tries <= 2; tries++) {
        RIG_UNTIL(&r, r.stubs[SIDE_LEGACY].requests == tries);
        RIG_UNTIL_OVER(&r);
        struct rig_row row = rig_until_row(&r, "climbs", ROW_QUEUED);
        assert_int_equal(row.mark.tries, tries);
        rig_advance(&r, tries * 1100000);
        journal_nudge(r.worker->journal);
    }
    struct rig_row row = rig_until_row(&r, "climbs", ROW_DEAD);
    assert_int_equal(row.mark.tries, 3);
    assert_int_equal(row.mark.reason, REASON_NOT_DONE);
    assert_string_equal(row.answer, "busy");
    rig_stop(&r);
}

static void a_drain_takes_nothing_and_lets_go_of_what_waits(void **state) {
    (void)state;
    struct rig r;
    rig_start(&r, &legacy);
    /* in flight elsewhere: it waits */
    bool done = false;
    struct store_claim c = {.source = slice_of("github"),
                            .id = slice_of("waits"),
                            .entity = slice_of("waits"),
                            .side = SIDE_LEGACY,
                            .token = token_new(),
                            .lease_ms = 600000,
                            .call = {.done = rig_looked, .arg = &done, .timeout_ms = 60000}};
    store_claim(r.worker->store, &c);
    RIG_UNTIL(&r, done);
    rig_queued(&r, "waits", SIDE_LEGACY);
    queue_open(r.worker);
    RIG_UNTIL(&r, r.proxy->deliveries == 1 && rig_delivery(&r)->state == DELIVERY_WAITING);
    rig_drain(&r);
    rig_queued(&r, "later", SIDE_LEGACY);
    RIG_UNTIL_OVER(&r);
    rig_turns(&r, 100);
    assert_int_equal(r.stubs[SIDE_LEGACY].accepted, 0);
    assert_int_equal(rig_row(&r, "waits").mark.state, ROW_QUEUED);
    assert_int_equal(rig_row(&r, "later").mark.state, ROW_QUEUED);
    rig_stop(&r);
}

static void a_claim_granted_into_a_drain_is_given_back(void **state) {
    (void)state;
    struct rig r;
    rig_start(&r, &legacy);
    rig_queued(&r, "late", SIDE_LEGACY);
    rig_hold_store(&r);
    queue_open(r.worker);
    RIG_UNTIL(&r, r.proxy->deliveries == 1 && rig_delivery(&r)->state == DELIVERY_CLAIMING);
    rig_drain(&r);
    rig_let_store_go(&r);
    RIG_UNTIL_OVER(&r);
    assert_int_equal(rig_leg(&r, "late", SIDE_LEGACY), LEG_UNSENT);
    assert_int_equal(rig_row(&r, "late").mark.state, ROW_QUEUED);
    rig_stop(&r);
}

static void the_worker_ends_with_events_of_the_queue_under_way(void **state) {
    (void)state;
    struct rig r;
    rig_start(&r, &legacy);
    rig_queued(&r, "one", SIDE_LEGACY);
    rig_queued(&r, "two", SIDE_LEGACY);
    queue_open(r.worker);
    RIG_UNTIL(&r, r.stubs[SIDE_LEGACY].requests == 2);
    sqlite3 *holder = rig_hold_journal(&r);
    stub_says(&r.stubs[SIDE_LEGACY], OK_ANSWER);
    RIG_UNTIL(&r, r.proxy->recording == 0);
    rig_let_journal_go(holder);
    rig_hang_up(&r);
    rig_end(&r);
}

/* ---- who gets it ---- */

static void a_rollback_takes_what_waited_for_new_to_legacy(void **state) {
    (void)state;
    struct rig r;
    struct rig_conf conf = legacy;
    conf.mode = MODE_EMERGENCY_ROLLBACK;
    rig_start(&r, &conf);
    r.stubs[SIDE_LEGACY].answer = OK_ANSWER;
    rig_retried(&r, "moves", SIDE_NEW, 1);
    queue_open(r.worker);
    assert_int_equal(rig_until_row(&r, "moves", ROW_DONE).mark.side, SIDE_LEGACY);
    assert_int_equal(r.stubs[SIDE_NEW].accepted, 0);
    rig_stop(&r);
}

static void in_gradual_it_stays_where_it_was(void **state) {
    (void)state;
    struct rig r;
    struct rig_conf conf = legacy;
    conf.mode = MODE_GRADUAL;
    conf.ppm = 1;
    rig_start(&r, &conf);
    r.stubs[SIDE_NEW].answer = OK_ANSWER;
    rig_queued(&r, "stays", SIDE_NEW);
    queue_open(r.worker);
    rig_until_row(&r, "stays", ROW_DONE);
    assert_int_equal(r.stubs[SIDE_NEW].requests, 1);
    rig_stop(&r);
}

static void gradual_at_nothing_moves_it_while_new_is_not_tried(void **state) {
    (void)state;
    struct rig r;
    struct rig_conf conf = legacy;
    conf.mode = MODE_GRADUAL;
    conf.new = ", fallback: false";
    rig_start(&r, &conf);
    for (unsigned i = 0; i < 5; i++)
        breakers_left(r.proxy, SIDE_NEW, r.proxy->rules->conf, PASS_FREE, clock_mono_us(),
                      OUTCOME_NOT_DONE);
    assert_int_equal(breakers_state(r.proxy, SIDE_NEW), BREAKER_OPEN);
    r.stubs[SIDE_LEGACY].answer = OK_ANSWER;
    rig_queued(&r, "moves", SIDE_NEW);
    queue_open(r.worker);
    assert_int_equal(rig_until_row(&r, "moves", ROW_DONE).mark.side, SIDE_LEGACY);
    rig_stop(&r);
}

static void the_operators_side_counts_whatever_the_mode_says(void **state) {
    (void)state;
    struct rig r;
    rig_start(&r, &legacy);
    struct journal_mark mark = {
        .state = ROW_QUEUED, .reason = REASON_OPERATOR, .side = SIDE_NEW, .retry = false};
    r.stubs[SIDE_NEW].answer = OK_ANSWER;
    rig_put_row(&r, "asked", &mark, false);
    queue_open(r.worker);
    assert_int_equal(rig_until_row(&r, "asked", ROW_DONE).mark.side, SIDE_NEW);
    rig_stop(&r);
}

static void what_was_done_before_is_not_sent_again(void **state) {
    (void)state;
    struct rig r;
    rig_start(&r, &legacy);
    r.stubs[SIDE_LEGACY].answer = OK_ANSWER;
    rig_expect(&r, rig_post(&r, "known", 1), 200, "ok");
    rig_queued(&r, "known", SIDE_LEGACY);
    queue_open(r.worker);
    assert_int_equal(rig_until_row(&r, "known", ROW_DONE).mark.status, 200);
    assert_int_equal(r.stubs[SIDE_LEGACY].requests, 1);
    rig_stop(&r);
}

static void what_the_store_calls_in_doubt_is_parked(void **state) {
    (void)state;
    struct rig r;
    struct rig_conf conf = legacy;
    conf.source = NULL;
    rig_start(&r, &conf);
    struct sender *s = rig_open_at(&r, SIDE_LEGACY, "doubt", 1);
    stub_hang_up(r.stubs[SIDE_LEGACY].now);
    rig_expect(&r, s, 504, "in_doubt");
    rig_queued(&r, "doubt", SIDE_LEGACY);
    queue_open(r.worker);
    assert_int_equal(rig_until_row(&r, "doubt", ROW_PARKED).mark.reason, REASON_IN_DOUBT);
    assert_int_equal(r.stubs[SIDE_LEGACY].requests, 1);
    rig_stop(&r);
}

static void an_event_in_flight_elsewhere_goes_back_and_comes_again(void **state) {
    (void)state;
    struct rig r;
    rig_start(&r, &legacy);
    struct sender *s = rig_open_at(&r, SIDE_LEGACY, "busy", 1);
    rig_queued(&r, "busy", SIDE_LEGACY);
    queue_open(r.worker);
    RIG_UNTIL(&r, r.proxy->deliveries == 2);
    rig_advance(&r, 1100000);
    RIG_UNTIL(&r, r.proxy->deliveries == 1);
    struct rig_row row = rig_until_row(&r, "busy", ROW_QUEUED);
    assert_int_equal(row.mark.reason, REASON_BUSY);
    assert_int_equal(row.mark.tries, 0);
    stub_says(&r.stubs[SIDE_LEGACY], OK_ANSWER);
    rig_expect(&r, s, 200, "ok");
    rig_advance(&r, 16 * RIG_SECOND_US);
    journal_nudge(r.worker->journal);
    rig_until_row(&r, "busy", ROW_DONE);
    assert_int_equal(r.stubs[SIDE_LEGACY].requests, 1);
    rig_stop(&r);
}

static void a_retry_has_no_shadow(void **state) {
    (void)state;
    struct rig r;
    struct rig_conf conf = legacy;
    conf.mode = MODE_PARALLEL;
    rig_start(&r, &conf);
    r.stubs[SIDE_LEGACY].answer = OK_ANSWER;
    rig_retried(&r, "again", SIDE_LEGACY, 1);
    queue_open(r.worker);
    rig_until_row(&r, "again", ROW_DONE);
    RIG_UNTIL_OVER(&r);
    assert_int_equal(r.stubs[SIDE_NEW].accepted, 0);
    rig_stop(&r);
}

static void ordered_events_go_one_after_the_other_past_a_dead_one(void **state) {
    (void)state;
    struct rig r;
    rig_start(&r, &legacy);
    struct journal_mark mark = {
        .state = ROW_QUEUED, .reason = REASON_ACCEPTED, .side = SIDE_LEGACY};
    rig_put_row(&r, "first", &mark, true);
    rig_put_row(&r, "second", &mark, true);
    queue_open(r.worker);
    RIG_UNTIL(&r, r.stubs[SIDE_LEGACY].requests == 1);
    rig_turns(&r, 200);
    assert_int_equal(r.stubs[SIDE_LEGACY].requests, 1);
    assert_non_null(strstr(r.stubs[SIDE_LEGACY].seen.data, "\"first\""));
    stub_says(&r.stubs[SIDE_LEGACY], REFUSAL("400 Bad Request", "nope"));
    RIG_UNTIL(&r, r.stubs[SIDE_LEGACY].requests == 2);
    assert_int_equal(rig_row(&r, "first").mark.state, ROW_DEAD);
    stub_says(&r.stubs[SIDE_LEGACY], OK_ANSWER);
    rig_until_row(&r, "second", ROW_DONE);
    rig_stop(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_due_is_sent_once_the_queue_is_open),
        cmocka_unit_test(the_ladder_is_climbed_to_its_end),
        cmocka_unit_test(a_drain_takes_nothing_and_lets_go_of_what_waits),
        cmocka_unit_test(a_claim_granted_into_a_drain_is_given_back),
        cmocka_unit_test(the_worker_ends_with_events_of_the_queue_under_way),
        cmocka_unit_test(a_rollback_takes_what_waited_for_new_to_legacy),
        cmocka_unit_test(in_gradual_it_stays_where_it_was),
        cmocka_unit_test(gradual_at_nothing_moves_it_while_new_is_not_tried),
        cmocka_unit_test(the_operators_side_counts_whatever_the_mode_says),
        cmocka_unit_test(what_was_done_before_is_not_sent_again),
        cmocka_unit_test(what_the_store_calls_in_doubt_is_parked),
        cmocka_unit_test(an_event_in_flight_elsewhere_goes_back_and_comes_again),
        cmocka_unit_test(a_retry_has_no_shadow),
        cmocka_unit_test(ordered_events_go_one_after_the_other_past_a_dead_one),
    };
    return cmocka_run_group_tests(tests, rig_clock_on, rig_clock_off);
}

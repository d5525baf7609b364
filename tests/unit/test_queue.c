/* A worker's share of the queue: what it takes, when, and how many; that nothing it took is held
 * back. */
#include "rig_rows.h"

static const struct rig_conf legacy = {
    .mode = MODE_LEGACY_ONLY, .source = ", on_failure: queue", .journal = true};

#define FAILED_ANSWER REFUSAL("503 Service Unavailable", "busy")

/* ---- rows ---- */

static void put_row(struct rig *r, const char *id, const struct journal_mark *mark, bool ordered) {
    static const char body[] = "{\"a\":1}";
    struct journal_client *client = journal_client_new(r->proxy->journal, r->worker->loop);
    struct blob *blob = blob_new(sizeof body - 1);
    bool done = false;
    assert_true(client && blob);
    memcpy(blob->data, body, sizeof body - 1);
    blob->len = sizeof body - 1;
    struct journal_put p = {.call = {.done = rig_asked, .arg = &done},
                            .event = {.source = slice_of("github"),
                                      .id = slice_of(id),
                                      .type = slice_of("issues"),
                                      .entity = slice_of(ordered ? "o/r#1" : id),
                                      .head = slice_of("Content-Type: application/json\r\n"),
                                      .target = slice_of("/w"),
                                      .body = blob},
                            .mark = *mark,
                            .ordered = ordered};
    journal_put(client, &p);
    RIG_UNTIL(r, done);
    assert_int_equal(p.call.result, JOURNAL_OK);
    journal_client_free(client);
    blob_unref(blob);
}

static void queued(struct rig *r, const char *id, enum side side) {
    struct journal_mark mark = {.state = ROW_QUEUED, .reason = REASON_STORE, .side = side};
    put_row(r, id, &mark, false);
}

/* Tried before. */
static void retried(struct rig *r, const char *id, enum side side, uint32_t tries) {
    struct journal_mark mark = {.state = ROW_QUEUED,
                                .reason = REASON_NOT_DONE,
                                .side = side,
                                .tries = tries,
                                .retry = true};
    put_row(r, id, &mark, false);
}

static void turns(struct rig *r, int count) {
    while (count--)
        rig_turn(r);
}

/* ---- open and closed ---- */

static void what_is_due_is_sent_once_the_queue_is_open(void **state) {
    (void)state;
    struct rig r;
    rig_start(&r, &legacy);
    queued(&r, "due", SIDE_LEGACY);
    turns(&r, 100);
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
    queued(&r, "climbs", SIDE_LEGACY);
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
    queued(&r, "waits", SIDE_LEGACY);
    queue_open(r.worker);
    RIG_UNTIL(&r, r.proxy->deliveries == 1 && rig_delivery(&r)->state == DELIVERY_WAITING);
    rig_drain(&r);
    queued(&r, "later", SIDE_LEGACY);
    RIG_UNTIL_OVER(&r);
    turns(&r, 100);
    assert_int_equal(r.stubs[SIDE_LEGACY].accepted, 0);
    assert_int_equal(rig_row(&r, "waits").mark.state, ROW_QUEUED);
    assert_int_equal(rig_row(&r, "later").mark.state, ROW_QUEUED);
    rig_stop(&r);
}

static void a_claim_granted_into_a_drain_is_given_back(void **state) {
    (void)state;
    struct rig r;
    rig_start(&r, &legacy);
    queued(&r, "late", SIDE_LEGACY);
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
    queued(&r, "one", SIDE_LEGACY);
    queued(&r, "two", SIDE_LEGACY);
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
    retried(&r, "moves", SIDE_NEW, 1);
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
    queued(&r, "stays", SIDE_NEW);
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
    queued(&r, "moves", SIDE_NEW);
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
    put_row(&r, "asked", &mark, false);
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
    queued(&r, "known", SIDE_LEGACY);
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
    queued(&r, "doubt", SIDE_LEGACY);
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
    queued(&r, "busy", SIDE_LEGACY);
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
    retried(&r, "again", SIDE_LEGACY, 1);
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
    put_row(&r, "first", &mark, true);
    put_row(&r, "second", &mark, true);
    queue_open(r.worker);
    RIG_UNTIL(&r, r.stubs[SIDE_LEGACY].requests == 1);
    turns(&r, 200);
    assert_int_equal(r.stubs[SIDE_LEGACY].requests, 1);
    assert_non_null(strstr(r.stubs[SIDE_LEGACY].seen.data, "\"first\""));
    stub_says(&r.stubs[SIDE_LEGACY], REFUSAL("400 Bad Request", "nope"));
    RIG_UNTIL(&r, r.stubs[SIDE_LEGACY].requests == 2);
    assert_int_equal(rig_row(&r, "first").mark.state, ROW_DEAD);
    stub_says(&r.stubs[SIDE_LEGACY], OK_ANSWER);
    rig_until_row(&r, "second", ROW_DONE);
    rig_stop(&r);
}

/* ---- how many ---- */

static void open_breaker(struct rig *r, enum side side) {
    for (unsigned i = 0; i < 5; i++)
        breakers_left(r->proxy, side, r->proxy->rules->conf, PASS_FREE, clock_mono_us(),
                      OUTCOME_NOT_DONE);
    assert_int_equal(breakers_state(r->proxy, side), BREAKER_OPEN);
}

static void behind_an_open_breaker_events_wait_without_tries(void **state) {
    (void)state;
    struct rig r;
    char id[32];
    rig_start(&r, &legacy);
    open_breaker(&r, SIDE_LEGACY);
    for (int i = 0; i < 6; i++) {
        snprintf(id, sizeof id, "row-%d", i);
        queued(&r, id, SIDE_LEGACY);
    }
    queue_open(r.worker);
    turns(&r, 200);
    rig_advance(&r, 30 * RIG_SECOND_US);
    turns(&r, 200);
    assert_int_equal(r.stubs[SIDE_LEGACY].accepted, 0);
    assert_int_equal(rig_row(&r, "row-0").mark.tries, 0);
    rig_advance(&r, 31 * RIG_SECOND_US);
    RIG_UNTIL(&r, r.stubs[SIDE_LEGACY].requests == 3); /* the probes */
    turns(&r, 200);
    assert_int_equal(r.stubs[SIDE_LEGACY].requests, 3);
    r.stubs[SIDE_LEGACY].answer = OK_ANSWER;
    for (int i = 0; i < STUB_CONNS; i++)
        if (r.stubs[SIDE_LEGACY].conns[i].fd >= 0) {
            r.stubs[SIDE_LEGACY].now = &r.stubs[SIDE_LEGACY].conns[i];
            stub_says(&r.stubs[SIDE_LEGACY], OK_ANSWER);
        }
    for (int i = 0; i < 6; i++) {
        snprintf(id, sizeof id, "row-%d", i);
        assert_int_equal(rig_until_row(&r, id, ROW_DONE).mark.tries, 1);
    }
    assert_int_equal(breakers_state(r.proxy, SIDE_LEGACY), BREAKER_CLOSED);
    rig_stop(&r);
}

/* The lease is gone before the probe could be sent: that is no word on the backend. */
static void a_probe_that_was_not_sent_gives_its_place_back(void **state) {
    (void)state;
    struct rig r;
    rig_start(&r, &legacy);
    open_breaker(&r, SIDE_LEGACY);
    queued(&r, "probe", SIDE_LEGACY);
    rig_advance(&r, 61 * RIG_SECOND_US);
    queue_open(r.worker);
    RIG_UNTIL(&r, breakers_state(r.proxy, SIDE_LEGACY) == BREAKER_HALF_OPEN);
    struct leg *leg = &rig_delivery(&r)->legs[SIDE_LEGACY];
    assert_int_equal(leg->pass, PASS_PROBE);
    if (leg->phase == PHASE_RUNNING && !leg->x.sent) {
        leg->until_us = 1; /* as after a stop of the process */
        RIG_UNTIL(&r, leg->phase != PHASE_RUNNING);
        assert_int_equal(leg->outcome, OUTCOME_UNSENT);
    }
    struct breaker b = breakers_look(r.proxy, SIDE_LEGACY);
    assert_int_equal(b.state, BREAKER_HALF_OPEN);
    assert_int_equal(b.probes_out, 0);
    rig_stop(&r);
}

static void retries_wait_for_their_budget_and_new_ones_do_not(void **state) {
    (void)state;
    struct rig r;
    char id[32];
    rig_start(&r, &legacy);
    r.stubs[SIDE_LEGACY].answer = OK_ANSWER;
    assert_int_equal(budget_take(r.proxy, r.proxy->rules->conf, 1000), RETRY_FLOOR);
    for (int i = 0; i < 3; i++) {
        snprintf(id, sizeof id, "again-%d", i);
        retried(&r, id, SIDE_LEGACY, 1);
    }
    queued(&r, "new", SIDE_LEGACY);
    queue_open(r.worker);
    rig_until_row(&r, "new", ROW_DONE);
    rig_advance(&r, RIG_SECOND_US);
    for (int i = 0; i < 3; i++) {
        snprintf(id, sizeof id, "again-%d", i);
        rig_until_row(&r, id, ROW_DONE);
    }
    rig_stop(&r);
}

static void what_the_queue_did_not_use_of_the_budget_it_gives_back(void **state) {
    (void)state;
    struct rig r;
    rig_start(&r, &legacy);
    queue_open(r.worker);
    turns(&r, 100);
    rig_drain(&r);
    turns(&r, 100);
    RIG_UNTIL(&r, budget_take(r.proxy, r.proxy->rules->conf, 1000) == RETRY_FLOOR);
    rig_stop(&r);
}

static void nothing_is_taken_while_the_store_is_away(void **state) {
    (void)state;
    struct rig r;
    struct rig_conf conf = legacy;
    conf.store = ", kind: redis, redis: {url: \"redis://127.0.0.1:1\"}, when_down: hold";
    rig_start(&r, &conf);
    queued(&r, "waits", SIDE_LEGACY);
    queue_open(r.worker);
    for (int i = 0; i < 10; i++) {
        rig_advance(&r, 300000);
        turns(&r, 20);
    }
    assert_int_equal(r.proxy->deliveries, 0);
    assert_true(rig_is_due(&r, "waits"));
    /* and what comes in now is put beside it, without a word with the store */
    rig_expect(&r, rig_post(&r, "comes", 1), 202, "queued");
    assert_int_equal(rig_until_row(&r, "comes", ROW_QUEUED).mark.reason, REASON_STORE);
    rig_stop(&r);
}

/* ---- what it can do nothing with ---- */

static void reload(struct rig *r, const char *source_name) {
    char text[1024];
    snprintf(text, sizeof text,
             "listeners: [{address: \"127.0.0.1:0\"}]\nworkers: 1\nstore: {directory: %s}\n"
             "backends:\n  legacy: {url: \"http://127.0.0.1:%u\"}\n"
             "  new: {url: \"http://127.0.0.1:%u\"}\n"
             "sources: [{path: /w, name: %s, secrets: none}]\n",
             r->directory, r->stubs[SIDE_LEGACY].port, r->stubs[SIDE_NEW].port, source_name);
    struct conf *conf = rig_load(text);
    struct rules *rules = rules_new(conf, r->proxy->resolver);
    conf_unref(conf);
    assert_non_null(rules);
    assert_true(worker_tell_rules(r->worker, rules));
    rules_unref(rules);
    RIG_UNTIL(r, r->worker->rules == rules);
}

static void events_of_a_source_that_is_gone_wait_for_its_return(void **state) {
    (void)state;
    struct rig r;
    rig_start(&r, &legacy);
    r.stubs[SIDE_LEGACY].answer = OK_ANSWER;
    reload(&r, "other");
    queued(&r, "lost", SIDE_LEGACY);
    queue_open(r.worker);
    RIG_UNTIL(&r, rig_row(&r, "lost").mark.reason == REASON_SOURCE);
    reload(&r, "github");
    rig_advance(&r, 61 * RIG_SECOND_US);
    journal_nudge(r.worker->journal);
    rig_until_row(&r, "lost", ROW_DONE);
    rig_stop(&r);
}

static void what_goes_back_goes_back_also_after_the_disk_failed(void **state) {
    (void)state;
    struct rig r;
    rig_start(&r, &legacy);
    reload(&r, "other");
    queued(&r, "lost", SIDE_LEGACY);
    sqlite3 *holder = rig_hold_journal(&r);
    queue_open(r.worker);
    RIG_UNTIL(&r, !rig_journal_state(&r).accepts);
    rig_let_journal_go(holder);
    rig_advance(&r, 6 * RIG_SECOND_US);
    rig_until_row(&r, "lost", ROW_QUEUED);
    RIG_UNTIL(&r, rig_row(&r, "lost").mark.reason == REASON_SOURCE);
    r.stubs[SIDE_LEGACY].answer = OK_ANSWER;
    reload(&r, "github");
    rig_advance(&r, 61 * RIG_SECOND_US);
    journal_nudge(r.worker->journal);
    rig_until_row(&r, "lost", ROW_DONE);
    rig_stop(&r);
}

static void a_reload_leaves_what_is_under_way_alone(void **state) {
    (void)state;
    struct rig r;
    rig_start(&r, &legacy);
    queued(&r, "old", SIDE_LEGACY);
    queue_open(r.worker);
    RIG_UNTIL(&r, r.stubs[SIDE_LEGACY].requests == 1);
    assert_non_null(strstr(r.stubs[SIDE_LEGACY].seen.data, "POST /old/w "));
    reload(&r, "other");
    stub_says(&r.stubs[SIDE_LEGACY], FAILED_ANSWER);
    rig_until_row(&r, "old", ROW_QUEUED);
    RIG_UNTIL_OVER(&r);
    rig_stop(&r);
}

static void a_row_that_can_not_be_marked_sending_is_not_sent_and_comes_again(void **state) {
    (void)state;
    struct rig r;
    rig_start(&r, &legacy);
    r.stubs[SIDE_LEGACY].answer = OK_ANSWER;
    queued(&r, "again", SIDE_LEGACY);
    sqlite3 *holder = rig_hold_journal(&r);
    queue_open(r.worker);
    RIG_UNTIL(&r, r.proxy->deliveries == 1 && rig_delivery(&r)->state == DELIVERY_OVER);
    assert_int_equal(r.stubs[SIDE_LEGACY].accepted, 0);
    rig_let_journal_go(holder);
    rig_advance(&r, 6 * RIG_SECOND_US);
    RIG_UNTIL_OVER(&r);
    assert_int_equal(rig_leg(&r, "again", SIDE_LEGACY), LEG_UNSENT);
    rig_advance(&r, 16 * RIG_SECOND_US);
    journal_nudge(r.worker->journal);
    rig_until_row(&r, "again", ROW_DONE);
    assert_int_equal(r.stubs[SIDE_LEGACY].requests, 1);
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
        cmocka_unit_test(behind_an_open_breaker_events_wait_without_tries),
        cmocka_unit_test(a_probe_that_was_not_sent_gives_its_place_back),
        cmocka_unit_test(retries_wait_for_their_budget_and_new_ones_do_not),
        cmocka_unit_test(what_the_queue_did_not_use_of_the_budget_it_gives_back),
        cmocka_unit_test(nothing_is_taken_while_the_store_is_away),
        cmocka_unit_test(events_of_a_source_that_is_gone_wait_for_its_return),
        cmocka_unit_test(what_goes_back_goes_back_also_after_the_disk_failed),
        cmocka_unit_test(a_reload_leaves_what_is_under_way_alone),
        cmocka_unit_test(a_row_that_can_not_be_marked_sending_is_not_sent_and_comes_again),
    };
    return cmocka_run_group_tests(tests, rig_clock_on, rig_clock_off);
}

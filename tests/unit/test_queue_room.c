/* How many events the queue takes at a time, and that what it can do nothing with goes back. */
#include "rig_rows.h"

static const struct rig_conf legacy = {
    .mode = MODE_LEGACY_ONLY, .source = ", on_failure: queue", .journal = true};

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
        rig_queued(&r, id, SIDE_LEGACY);
    }
    queue_open(r.worker);
    rig_turns(&r, 200);
    rig_advance(&r, 30 * RIG_SECOND_US);
    rig_turns(&r, 200);
    assert_int_equal(r.stubs[SIDE_LEGACY].accepted, 0);
    assert_int_equal(rig_row(&r, "row-0").mark.tries, 0);
    rig_advance(&r, 31 * RIG_SECOND_US);
    RIG_UNTIL(&r, r.stubs[SIDE_LEGACY].requests == 3); /* the probes */
    rig_turns(&r, 200);
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
    rig_queued(&r, "probe", SIDE_LEGACY);
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
        rig_retried(&r, id, SIDE_LEGACY, 1);
    }
    rig_queued(&r, "new", SIDE_LEGACY);
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
    rig_turns(&r, 100);
    rig_drain(&r);
    rig_turns(&r, 100);
    RIG_UNTIL(&r, budget_take(r.proxy, r.proxy->rules->conf, 1000) == RETRY_FLOOR);
    rig_stop(&r);
}

static void nothing_is_taken_while_the_store_is_away(void **state) {
    (void)state;
    struct rig r;
    struct rig_conf conf = legacy;
    conf.store = ", kind: redis, redis: {url: \"redis://127.0.0.1:1\"}, when_down: hold";
    rig_start(&r, &conf);
    rig_queued(&r, "waits", SIDE_LEGACY);
    queue_open(r.worker);
    for (int i = 0; i < 10; i++) {
        rig_advance(&r, 300000);
        rig_turns(&r, 20);
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
    rig_queued(&r, "lost", SIDE_LEGACY);
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
    rig_queued(&r, "lost", SIDE_LEGACY);
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
    rig_queued(&r, "old", SIDE_LEGACY);
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
    rig_queued(&r, "again", SIDE_LEGACY);
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

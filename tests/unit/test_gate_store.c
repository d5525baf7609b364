/* A store that has more than it can do: requests wait at the gate, and not for ever. */
#include "gate_crowd.h"

/* As if others had asked so much that only so many more may. */
static void leave_room(struct rig *r, unsigned claims) {
    r->worker->gate.asked = ADMISSION_ASKS - claims;
}

/* Without time that passes: what comes of itself after a while would do it too. */
static void expect_soon(struct rig *r, struct sender *s, unsigned status, const char *body) {
    const uint64_t before_us = loop_now_us(r->worker->loop);
    rig_expect(r, s, status, body);
    assert_true(loop_now_us(r->worker->loop) - before_us < 500000);
}

static void who_would_wait_for_the_store_waits_at_the_gate(void **state) {
    (void)state;
    struct rig r;
    static struct crowd all;
    start(&r, &plain);
    rig_hold_store(&r);
    leave_room(&r, 10);
    gather(&r, &all);
    look_at_all(&r);
    int64_t waiting = metric(&r, METRIC_WAITING);
    assert_in_range(waiting, CROWD - 10 - ADMISSION_TAKES, CROWD - 10);
    rig_turn(&r);
    assert_int_equal(metric(&r, METRIC_WAITING), waiting);
    assert_false(r.worker->gate.let_in.queued); /* it sleeps until there is an answer */
    rig_let_store_go(&r);
    assert_int_equal(hear(&r, &all), 0);
    assert_int_equal(metric(&r, METRIC_WAITING), 0);
    assert_int_equal(r.worker->gate.asked, ADMISSION_ASKS - 10);
    leave(&all);
    rig_stop(&r);
}

static void nobody_waits_for_a_store_that_is_away(void **state) {
    (void)state;
    struct rig r;
    char path[128];
    sqlite3 *db;
    start(&r, &plain);
    snprintf(path, sizeof path, "%s/store.db", r.directory);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "DROP TABLE record", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    struct sender *s = rig_sender(&r);
    sender_says(&r, s, rig_event("e1", 1));
    rig_expect(&r, s, 503, "urn:pointsman:problem:store");
    assert_false(store_is_up(r.proxy->store));
    leave_room(&r, 0);
    sender_says(&r, s, rig_event("e2", 1));
    expect_soon(&r, s, 503, "urn:pointsman:problem:store");
    rig_hang_up(&r);
    rig_end(&r); /* the claims can not be given back */
}

static void nobody_waits_for_long_for_a_store_that_hangs(void **state) {
    (void)state;
    struct rig r;
    start(&r, &plain);
    struct sender *s = rig_sender(&r);
    leave_room(&r, 0);
    sender_says(&r, s, rig_event("e1", 1));
    RIG_UNTIL(&r, metric(&r, METRIC_WAITING) == 1);
    rig_advance(&r, 800000);
    assert_int_equal(metric(&r, METRIC_WAITING), 1);
    rig_advance(&r, 250000);
    expect_soon(&r, s, 200, "ok");
    rig_stop(&r);
}

/* An event of which `len` bytes are there waits for 1.2 of the two seconds its sender gives it. */
static struct sender *begin_late(struct rig *r, const char *text, size_t len) {
    start(r, &(struct rig_conf){
                 .mode = MODE_LEGACY_ONLY, .source = ", deadline: 2s", .journal = true});
    r->stubs[SIDE_LEGACY].answer = NULL;
    struct sender *s = rig_sender(r);
    leave_room(r, 0);
    sender_send(r, s, text, len);
    RIG_UNTIL(r, metric(r, METRIC_WAITING) == 1);
    rig_advance(r, 1200000);
    return s;
}

/* A fifth of the two seconds before they are over. */
static void expect_in_time(struct rig *r, struct sender *s) {
    RIG_UNTIL(r, r->stubs[SIDE_LEGACY].requests == 1);
    rig_advance(r, 500000);
    expect_soon(r, s, 202, "accepted");
    rig_stop(r);
}

static void waiting_at_the_gate_counts_for_the_sender(void **state) {
    (void)state;
    struct rig r;
    const char *text = rig_event("e1", 1);
    expect_in_time(&r, begin_late(&r, text, strlen(text)));
}

static void so_it_does_where_the_body_comes_late(void **state) {
    (void)state;
    struct rig r;
    const char *text = rig_event("e1", 1);
    size_t most = strlen(text) - 1;
    struct sender *s = begin_late(&r, text, most);
    RIG_UNTIL(&r, metric(&r, METRIC_IN_FLIGHT) == 1);
    rig_advance(&r, 500000);
    sender_send(&r, s, text + most, 1);
    expect_in_time(&r, s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_would_wait_for_the_store_waits_at_the_gate),
        cmocka_unit_test(nobody_waits_for_a_store_that_is_away),
        cmocka_unit_test(nobody_waits_for_long_for_a_store_that_hangs),
        cmocka_unit_test(waiting_at_the_gate_counts_for_the_sender),
        cmocka_unit_test(so_it_does_where_the_body_comes_late),
    };
    return cmocka_run_group_tests_name("gate_store", tests, rig_clock_on, rig_clock_off);
}

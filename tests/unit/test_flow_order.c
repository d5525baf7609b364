/* Ordered events in line, and answers that stream while their row is on disk. */
#include "rig_rows.h"

static const struct rig_conf queues = {
    .mode = MODE_LEGACY_ONLY, .source = ", on_failure: queue", .journal = true};
static const struct rig_conf in_order = {
    .mode = MODE_LEGACY_ONLY, .source = ", order: entity, on_failure: queue", .journal = true};
static const struct rig_conf new_only = {
    .mode = MODE_NEW_ONLY, .source = ", on_failure: queue", .journal = true};

/* ---- answers that stream ---- */

static char long_answer[200000];

static size_t make_long(const char *status) {
    int len = snprintf(long_answer, sizeof long_answer,
                       "HTTP/1.1 %s\r\nContent-Length: 150000\r\n\r\n", status);
    memset(long_answer + len, 'x', 150000);
    return (size_t)len + 150000;
}

static void a_long_rejection_of_an_ordered_event_streams_and_is_dead(void **state) {
    (void)state;
    struct rig r;
    rig_start(&r, &in_order);
    size_t len = make_long("422 Unprocessable Content");
    struct sender *s = rig_open_at(&r, SIDE_LEGACY, "long", 1);
    stub_say(&r.stubs[SIDE_LEGACY], long_answer, len - 10);
    RIG_UNTIL(&r, buf_len(&s->got) > 100000);
    stub_say(&r.stubs[SIDE_LEGACY], long_answer + len - 10, 10);
    rig_expect(&r, s, 422, "xxxx");
    struct rig_row row = rig_until_row(&r, "long", ROW_DEAD);
    assert_int_equal(row.answer_len, ROW_ANSWER_MAX);
    RIG_UNTIL_OVER(&r);
    rig_stop(&r);
}

static void a_sender_gone_from_a_long_rejection_leaves_it_dead(void **state) {
    (void)state;
    struct rig r;
    rig_start(&r, &in_order);
    size_t len = make_long("422 Unprocessable Content");
    struct sender *s = rig_open_at(&r, SIDE_LEGACY, "long", 1);
    stub_say(&r.stubs[SIDE_LEGACY], long_answer, len - 10);
    RIG_UNTIL(&r, buf_len(&s->got) > 100000);
    sender_leaves(&r, s);
    rig_until_row(&r, "long", ROW_DEAD);
    RIG_UNTIL_OVER(&r);
    rig_stop(&r);
}

/* The deadline passes on what is there of a failure; the row goes its way when the rest has come.
 */
static void a_failure_told_at_the_deadline_is_queued_still(void **state) {
    (void)state;
    struct rig r;
    rig_start(&r, &in_order);
    struct sender *s = rig_open_at(&r, SIDE_LEGACY, "half", 1);
    stub_says(&r.stubs[SIDE_LEGACY], "HTTP/1.1 500 Oops\r\nContent-Length: 8\r\n\r\nhalf");
    RIG_UNTIL(&r, rig_delivery(&r)->legs[SIDE_LEGACY].phase == PHASE_RECORDED);
    rig_near(&r);
    flow_deadline(rig_delivery(&r));
    RIG_UNTIL(&r, strstr(sender_got(s), "half"));
    stub_says(&r.stubs[SIDE_LEGACY], "more");
    rig_expect(&r, s, 500, "halfmore");
    assert_string_equal(rig_until_row(&r, "half", ROW_QUEUED).answer, "half");
    RIG_UNTIL_OVER(&r);
    assert_true(rig_is_free(&r, "half"));
    rig_stop(&r);
}

/* The journal still reads the answer's beginning while the deadline streams what is there of it. */
static void the_deadline_leaves_the_journal_what_it_reads(void **state) {
    (void)state;
    struct rig r;
    rig_start(&r, &queues);
    struct sender *s = rig_open_at(&r, SIDE_LEGACY, "cut", 1);
    sqlite3 *holder = rig_hold_journal(&r);
    stub_says(&r.stubs[SIDE_LEGACY], "HTTP/1.1 500 Oops\r\nContent-Length: 8\r\n\r\nhalf");
    RIG_UNTIL(&r, rig_delivery(&r)->legs[SIDE_LEGACY].phase == PHASE_RECORDED);
    stub_hang_up(r.stubs[SIDE_LEGACY].now);
    RIG_UNTIL(&r, row_is_being_put(rig_delivery(&r)));
    rig_near(&r);
    flow_deadline(rig_delivery(&r));
    RIG_UNTIL(&r, strstr(sender_got(s), "half"));
    rig_let_journal_go(holder);
    assert_string_equal(rig_until_row(&r, "cut", ROW_QUEUED).answer, "half");
    RIG_UNTIL_OVER(&r);
    rig_stop(&r);
}

static void a_long_refusal_of_new_is_not_passed_on_while_legacy_works(void **state) {
    (void)state;
    struct rig r;
    struct rig_conf conf = new_only;
    conf.source = NULL;
    rig_start(&r, &conf);
    size_t len = make_long("503 Service Unavailable");
    struct sender *s = rig_open_at(&r, SIDE_NEW, "long", 1);
    stub_say(&r.stubs[SIDE_NEW], long_answer, 1000);
    RIG_UNTIL(&r, r.stubs[SIDE_LEGACY].requests == 1);
    stub_say(&r.stubs[SIDE_NEW], long_answer + 1000, len - 1000);
    RIG_UNTIL(&r, rig_delivery(&r)->legs[SIDE_NEW].body_over);
    stub_says(&r.stubs[SIDE_LEGACY], OK_ANSWER);
    rig_expect(&r, s, 200, "ok");
    rig_stop(&r);
}

/* ---- order: entity ---- */

static void an_ordered_event_waits_for_the_one_before_it(void **state) {
    (void)state;
    struct rig r;
    rig_start(&r, &in_order);
    struct sender *first = rig_open_at(&r, SIDE_LEGACY, "one", 1);
    rig_expect(&r, rig_post(&r, "two", 1), 202, "{\"status\":\"queued\",\"event\":\"two\"}");
    RIG_UNTIL(&r, r.proxy->deliveries == 1);
    assert_false(rig_is_due(&r, "two"));
    stub_says(&r.stubs[SIDE_LEGACY], OK_ANSWER);
    rig_expect(&r, first, 200, "ok");
    rig_until_row(&r, "one", ROW_DONE);
    RIG_UNTIL_OVER(&r);
    assert_true(rig_is_due(&r, "two"));
    rig_stop(&r);
}

static void an_ordered_event_on_disk_already_is_told_so(void **state) {
    (void)state;
    struct rig r;
    rig_start(&r, &in_order);
    struct sender *first = rig_open_at(&r, SIDE_LEGACY, "one", 1);
    rig_expect(&r, rig_post(&r, "one", 1), 202, "in_progress");
    stub_says(&r.stubs[SIDE_LEGACY], REFUSAL("400 Bad Request", "nope"));
    rig_expect(&r, first, 400, "nope");
    rig_until_row(&r, "one", ROW_DEAD); /* the second sender was told 202 */
    rig_stop(&r);
}

static void an_ordered_event_the_journal_does_not_take_is_503(void **state) {
    (void)state;
    struct rig r;
    rig_start(&r, &in_order);
    rig_fill_journal(&r);
    rig_expect(&r, rig_post(&r, "one", 1), 503, "urn:pointsman:problem:journal");
    assert_false(rig_look(&r, "one", "").ret_has_event);
    rig_stop(&r);
}

/* Another instance runs it. */
static void claimed_elsewhere(struct rig *r, const char *id, enum side side) {
    bool done = false;
    struct store_claim c = {.source = slice_of("github"),
                            .id = slice_of(id),
                            .entity = slice_of("o/r#1"),
                            .side = side,
                            .absolute = true,
                            .token = token_new(),
                            .lease_ms = 600000,
                            .call = {.done = rig_looked, .arg = &done, .timeout_ms = 60000}};
    store_claim(r->worker->store, &c);
    RIG_UNTIL(r, done);
    assert_int_equal(c.call.result, STORE_GRANTED);
}

static void the_deadline_of_an_ordered_event_in_flight_elsewhere_queues_it(void **state) {
    (void)state;
    struct rig r;
    rig_start(&r, &in_order);
    claimed_elsewhere(&r, "one", SIDE_LEGACY);
    struct sender *s = rig_post(&r, "one", 1);
    RIG_UNTIL(&r, rig_delivery(&r)->state == DELIVERY_WAITING);
    rig_near(&r);
    rig_expect(&r, s, 202, "queued");
    RIG_UNTIL_OVER(&r);
    assert_int_equal(rig_row(&r, "one").mark.state, ROW_QUEUED);
    assert_true(rig_is_free(&r, "one"));
    rig_stop(&r);
}

static void the_deadline_while_an_ordered_event_is_put_before_the_attempt_is_202(void **state) {
    (void)state;
    struct rig r;
    rig_start(&r, &in_order);
    claimed_elsewhere(&r, "one", SIDE_LEGACY);
    struct sender *s = rig_post(&r, "two", 1);
    RIG_UNTIL(&r, r.stubs[SIDE_LEGACY].requests == 1);
    rig_near(&r);
    rig_expect(&r, s, 202, "accepted");
    stub_says(&r.stubs[SIDE_LEGACY], OK_ANSWER);
    rig_until_row(&r, "two", ROW_DONE);
    rig_stop(&r);
}

static void a_full_attempt_log_leaves_an_ordered_event_queued(void **state) {
    (void)state;
    struct rig r;
    static struct attempt *slots[100000];
    unsigned count = 0;
    struct token token = token_new();
    rig_start(&r, &in_order);
    while (count < ARRAY_LEN(slots) &&
           (slots[count] = attempts_claim(r.worker->attempts, slice_of("s"), slice_of("i"),
                                          slice_of("e"), SIDE_LEGACY, ROLE_OWNER, &token)) != NULL)
        count++;
    rig_expect(&r, rig_post(&r, "full", 1), 202, "queued");
    RIG_UNTIL_OVER(&r);
    assert_true(rig_is_free(&r, "full"));
    while (count)
        attempts_free(r.worker->attempts, slots[--count]);
    rig_stop(&r);
}

static void an_ordered_event_whose_row_can_not_be_moved_is_released(void **state) {
    (void)state;
    struct rig r;
    rig_start(&r, &in_order);
    rig_hold_store(&r);
    struct sender *s = rig_post(&r, "one", 1);
    RIG_UNTIL(&r, rig_delivery(&r)->state == DELIVERY_CLAIMING);
    sqlite3 *holder = rig_hold_journal(&r);
    rig_let_store_go(&r);
    rig_expect(&r, s, 503, "urn:pointsman:problem:journal");
    rig_let_journal_go(holder);
    rig_advance(&r, 6 * RIG_SECOND_US);
    RIG_UNTIL_OVER(&r);
    assert_int_equal(rig_leg(&r, "one", SIDE_LEGACY), LEG_UNSENT);
    assert_int_equal(r.stubs[SIDE_LEGACY].accepted, 0);
    assert_true(rig_is_free(&r, "one"));
    rig_stop(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_long_rejection_of_an_ordered_event_streams_and_is_dead),
        cmocka_unit_test(a_sender_gone_from_a_long_rejection_leaves_it_dead),
        cmocka_unit_test(a_failure_told_at_the_deadline_is_queued_still),
        cmocka_unit_test(the_deadline_leaves_the_journal_what_it_reads),
        cmocka_unit_test(a_long_refusal_of_new_is_not_passed_on_while_legacy_works),
        cmocka_unit_test(an_ordered_event_waits_for_the_one_before_it),
        cmocka_unit_test(an_ordered_event_on_disk_already_is_told_so),
        cmocka_unit_test(an_ordered_event_the_journal_does_not_take_is_503),
        cmocka_unit_test(the_deadline_of_an_ordered_event_in_flight_elsewhere_queues_it),
        cmocka_unit_test(the_deadline_while_an_ordered_event_is_put_before_the_attempt_is_202),
        cmocka_unit_test(a_full_attempt_log_leaves_an_ordered_event_queued),
        cmocka_unit_test(an_ordered_event_whose_row_can_not_be_moved_is_released),
    };
    return cmocka_run_group_tests(tests, rig_clock_on, rig_clock_off);
}

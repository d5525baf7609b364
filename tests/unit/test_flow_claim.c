/* The step "claim": what a sender is told, and what the store is told, for each answer of the store
 * and at each moment the sender's deadline can come. */
#include "rig.h"

static const struct rig_conf legacy = {.mode = MODE_LEGACY_ONLY, .source = ", deadline: 1s"};
static const struct rig_conf patient = {.mode = MODE_LEGACY_ONLY};

/* An event that lies at legacy, unanswered. */
static struct sender *open_at_legacy(struct rig *r, const char *id, unsigned number) {
    unsigned before = r->stubs[SIDE_LEGACY].requests;
    struct sender *s = rig_post(r, id, number);
    RIG_UNTIL(r, r->stubs[SIDE_LEGACY].requests == before + 1);
    return s;
}

static void until_waiting(struct rig *r) {
    RIG_UNTIL(r, rig_delivery(r)->state == DELIVERY_WAITING);
}

static void a_claim_granted_after_the_deadline_is_given_back(void **state) {
    (void)state;
    struct rig r;
    rig_start(&r, &legacy);
    rig_hold_store(&r);
    struct sender *s = rig_post(&r, "late", 1);
    RIG_UNTIL(&r, rig_delivery(&r)->state == DELIVERY_CLAIMING);
    rig_advance(&r, 1100000);
    struct http_head head = rig_expect(&r, s, 503, "\"detail\":\"the store did not answer in time");
    assert_header(&head, "retry-after", "1");
    rig_let_store_go(&r);
    RIG_UNTIL(&r, r.proxy->deliveries == 0);
    assert_int_equal(rig_leg(&r, "late", SIDE_LEGACY), LEG_UNSENT);
    assert_int_equal(rig_look(&r, "late", "o/r#1").ret_open, 0);
    assert_int_equal(r.stubs[SIDE_LEGACY].requests, 0);
    r.stubs[SIDE_LEGACY].answer = OK_ANSWER;
    rig_expect(&r, rig_post(&r, "late", 1), 200, "ok");
    assert_int_equal(rig_leg(&r, "late", SIDE_LEGACY), LEG_DONE);
    rig_stop(&r);
}

static void a_claim_nobody_answered_forwards_nothing(void **state) {
    (void)state;
    struct rig r;
    rig_start(&r, &patient);
    rig_hold_store(&r);
    struct sender *s = rig_post(&r, "away", 1);
    RIG_UNTIL(&r, rig_delivery(&r)->state == DELIVERY_CLAIMING);
    rig_advance(&r, 2500000);
    rig_let_store_go(&r);
    rig_expect(&r, s, 503, "urn:pointsman:problem:store");
    assert_int_equal(r.stubs[SIDE_LEGACY].requests, 0);
    assert_int_equal(rig_look(&r, "away", "o/r#1").ret_open, 0);
    rig_stop(&r);
}

static void a_sender_gone_while_claiming_still_gets_its_event_delivered(void **state) {
    (void)state;
    struct rig r;
    rig_start(&r, &patient);
    r.stubs[SIDE_LEGACY].answer = OK_ANSWER;
    rig_hold_store(&r);
    struct sender *s = rig_post(&r, "gone", 1);
    RIG_UNTIL(&r, rig_delivery(&r)->state == DELIVERY_CLAIMING);
    sender_leaves(&r, s);
    rig_let_store_go(&r);
    RIG_UNTIL(&r, rig_is_idle(&r));
    assert_int_equal(rig_leg(&r, "gone", SIDE_LEGACY), LEG_DONE);
    rig_stop(&r);
}

static void a_duplicate_in_flight_waits_for_the_outcome(void **state) {
    (void)state;
    struct rig r;
    rig_start(&r, &patient);
    struct sender *first = open_at_legacy(&r, "twice", 1);
    struct sender *second = rig_post(&r, "twice", 1);
    until_waiting(&r);
    stub_says(&r.stubs[SIDE_LEGACY], "HTTP/1.1 201 Created\r\nContent-Length: 4\r\n\r\ndone");
    rig_expect(&r, first, 201, "done");
    rig_advance(&r, 300000);
    rig_expect(&r, second, 200,
               "{\"status\":\"duplicate\",\"event\":\"twice\",\"backend\":\"legacy\","
               "\"backend_status\":201}");
    assert_int_equal(r.stubs[SIDE_LEGACY].requests, 1);
    rig_stop(&r);
}

static void a_duplicate_in_flight_is_answered_after_two_seconds(void **state) {
    (void)state;
    struct rig r;
    rig_start(&r, &patient);
    open_at_legacy(&r, "twice", 1);
    struct sender *second = rig_post(&r, "twice", 1);
    until_waiting(&r);
    rig_advance(&r, 1500000);
    RIG_UNTIL(&r, rig_delivery(&r)->waits > 1);
    until_waiting(&r);
    assert_int_equal(buf_len(&second->got), 0);
    rig_advance(&r, 600000);
    struct http_head head = rig_expect(&r, second, 503, "\"status\":\"in_progress\"");
    assert_header(&head, "retry-after", "1");
    assert_int_equal(rig_leg(&r, "twice", SIDE_LEGACY), LEG_IN_FLIGHT);
    stub_says(&r.stubs[SIDE_LEGACY], OK_ANSWER);
    rig_stop(&r);
}

static void the_deadline_of_a_waiting_duplicate_says_in_progress(void **state) {
    (void)state;
    struct rig r;
    rig_start(&r, &legacy);
    struct sender *first = open_at_legacy(&r, "twice", 1);
    struct sender *second = rig_post(&r, "twice", 1);
    until_waiting(&r);
    flow_deadline(rig_delivery(&r)); /* near, but nothing may be put on disk */
    flow_deadline(rig_delivery(&r));
    rig_expect(&r, second, 503, "in_progress");
    stub_says(&r.stubs[SIDE_LEGACY], OK_ANSWER);
    rig_expect(&r, first, 200, "ok");
    rig_stop(&r);
}

/* The entity is open at legacy and the mode gives legacy nothing: the event at new must wait. */
static struct sender *busy(struct rig *r) {
    open_at_legacy(r, "one", 7);
    r->worker->control = (struct control){MODE_NEW_ONLY, 0, 2};
    struct sender *s = rig_post(r, "two", 7);
    until_waiting(r);
    return s;
}

static void an_entity_open_at_the_other_side_is_waited_for(void **state) {
    (void)state;
    struct rig r;
    rig_start(&r, &patient);
    r.stubs[SIDE_NEW].answer = OK_ANSWER;
    struct sender *s = busy(&r);
    assert_int_equal(r.stubs[SIDE_NEW].requests, 0);
    stub_says(&r.stubs[SIDE_LEGACY], OK_ANSWER);
    RIG_UNTIL(&r, r.proxy->deliveries == 1);
    rig_advance(&r, 300000);
    struct http_head head = rig_expect(&r, s, 200, "ok");
    assert_header(&head, "x-pointsman-backend", "new");
    rig_stop(&r);
}

static void the_deadline_of_a_busy_entity_is_answered_503(void **state) {
    (void)state;
    struct rig r;
    rig_start(&r, &patient);
    struct sender *s = busy(&r);
    flow_deadline(rig_delivery(&r));
    rig_expect(&r, s, 503, "urn:pointsman:problem:busy");
    stub_says(&r.stubs[SIDE_LEGACY], OK_ANSWER);
    RIG_UNTIL(&r, r.proxy->deliveries == 0);
    assert_int_equal(r.stubs[SIDE_NEW].requests, 0);
    assert_false(rig_look(&r, "two", "").ret_has_event);
    rig_stop(&r);
}

static void a_sender_gone_while_waiting_ends_the_event(void **state) {
    (void)state;
    struct rig r;
    rig_start(&r, &patient);
    struct sender *s = busy(&r);
    sender_leaves(&r, s);
    rig_advance(&r, 300000);
    RIG_UNTIL(&r, r.proxy->deliveries == 1);
    stub_says(&r.stubs[SIDE_LEGACY], OK_ANSWER);
    RIG_UNTIL(&r, r.proxy->deliveries == 0);
    assert_int_equal(r.stubs[SIDE_NEW].requests, 0);
    rig_stop(&r);
}

static void a_full_attempt_log_refuses(void **state) {
    (void)state;
    struct rig r;
    rig_start(&r, &patient);
    static struct attempt *slots[100000];
    unsigned count = 0;
    struct token token = token_new();
    while (count < ARRAY_LEN(slots) &&
           (slots[count] = attempts_claim(r.worker->attempts, slice_of("s"), slice_of("i"),
                                          slice_of("e"), SIDE_LEGACY, ROLE_OWNER, &token)) != NULL)
        count++;
    assert_true(count > 0 && count < ARRAY_LEN(slots));
    struct sender *s = rig_post(&r, "full", 1);
    rig_expect(&r, s, 503, "the attempt log is full");
    attempts_free(r.worker->attempts, slots[--count]);
    r.stubs[SIDE_LEGACY].answer = OK_ANSWER;
    sender_says(&r, s, rig_event("full", 1));
    rig_expect(&r, s, 200, "ok");
    while (count)
        attempts_free(r.worker->attempts, slots[--count]);
    rig_stop(&r);
}

static void what_new_refused_goes_to_legacy(void **state) {
    (void)state;
    struct rig r;
    struct rig_conf conf = {.mode = MODE_NEW_ONLY};
    rig_start(&r, &conf);
    stub_refuse(&r.stubs[SIDE_NEW]);
    r.stubs[SIDE_LEGACY].answer = OK_ANSWER;
    struct http_head head = rig_expect(&r, rig_post(&r, "fall", 1), 200, "ok");
    assert_header(&head, "x-pointsman-backend", "legacy");
    struct store_look l = rig_look(&r, "fall", "o/r#1");
    assert_int_equal(l.ret_legs[SIDE_LEGACY].state, LEG_DONE);
    assert_int_not_equal(l.ret_legs[SIDE_NEW].state, LEG_IN_FLIGHT);
    assert_non_null(strstr(l.ret_why, "why=fallback"));
    assert_int_equal(metrics_value(r.proxy->metrics, METRIC_FALLBACKS, 0, 0, 0), 1);
    rig_stop(&r);
}

static void without_fallback_what_new_refused_is_502(void **state) {
    (void)state;
    struct rig r;
    struct rig_conf conf = {.mode = MODE_NEW_ONLY, .new = ", fallback: false"};
    rig_start(&r, &conf);
    stub_refuse(&r.stubs[SIDE_NEW]);
    rig_expect(&r, rig_post(&r, "fall", 1), 502, "urn:pointsman:problem:unreached");
    assert_int_equal(rig_leg(&r, "fall", SIDE_NEW), LEG_UNSENT);
    assert_int_equal(r.stubs[SIDE_LEGACY].accepted, 0);
    rig_stop(&r);
}

static void an_attempt_in_doubt_is_not_repeated(void **state) {
    (void)state;
    struct rig r;
    rig_start(&r, &patient);
    struct sender *s = open_at_legacy(&r, "doubt", 1);
    stub_hang_up(r.stubs[SIDE_LEGACY].now);
    rig_expect(&r, s, 504, "{\"status\":\"in_doubt\",\"event\":\"doubt\",\"backend\":\"legacy\"}");
    sender_says(&r, s, rig_event("doubt", 1));
    rig_expect(&r, s, 504, "\"status\":\"in_doubt\"");
    assert_int_equal(r.stubs[SIDE_LEGACY].requests, 1);
    rig_stop(&r);
}

static void an_attempt_in_doubt_at_an_idempotent_backend_is_repeated(void **state) {
    (void)state;
    struct rig r;
    struct rig_conf conf = {.mode = MODE_LEGACY_ONLY, .legacy = ", idempotent: true"};
    rig_start(&r, &conf);
    struct sender *s = open_at_legacy(&r, "doubt", 1);
    stub_hang_up(r.stubs[SIDE_LEGACY].now);
    rig_expect(&r, s, 504, "in_doubt");
    r.stubs[SIDE_LEGACY].answer = OK_ANSWER;
    sender_says(&r, s, rig_event("doubt", 1));
    rig_expect(&r, s, 200, "ok");
    assert_non_null(strstr(r.stubs[SIDE_LEGACY].seen.data, "X-Pointsman-Attempt: 2\r\n"));
    rig_stop(&r);
}

static void without_claims_the_store_is_not_asked(void **state) {
    (void)state;
    struct rig r;
    struct rig_conf conf = {.mode = MODE_LEGACY_ONLY, .store = ", claims: off"};
    rig_start(&r, &conf);
    r.stubs[SIDE_LEGACY].answer = OK_ANSWER;
    rig_expect(&r, rig_post(&r, "free", 1), 200, "ok");
    rig_expect(&r, rig_post(&r, "free", 1), 200, "ok");
    assert_int_equal(r.stubs[SIDE_LEGACY].requests, 2);
    assert_false(rig_look(&r, "free", "o/r#1").ret_has_event);
    rig_stop(&r);
}

/* What `explain` shows to tell bodies under one id apart where nobody signs them. */
static void the_record_has_a_hash_of_the_body(void **state) {
    (void)state;
    struct rig r;
    char expected[32];
    rig_start(&r, &patient);
    r.stubs[SIDE_LEGACY].answer = OK_ANSWER;
    const char *body = strstr(rig_event("e", 1), "\r\n\r\n") + 4;
    snprintf(expected, sizeof expected, "xxh3:%016llx",
             (unsigned long long)digest_xxh3(body, strlen(body), 0));
    rig_expect(&r, rig_post(&r, "e", 1), 200, "ok");
    assert_string_equal(rig_look(&r, "e", "o/r#1").ret_digest, expected);
    rig_stop(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_record_has_a_hash_of_the_body),
        cmocka_unit_test(a_claim_granted_after_the_deadline_is_given_back),
        cmocka_unit_test(a_claim_nobody_answered_forwards_nothing),
        cmocka_unit_test(a_sender_gone_while_claiming_still_gets_its_event_delivered),
        cmocka_unit_test(a_duplicate_in_flight_waits_for_the_outcome),
        cmocka_unit_test(a_duplicate_in_flight_is_answered_after_two_seconds),
        cmocka_unit_test(the_deadline_of_a_waiting_duplicate_says_in_progress),
        cmocka_unit_test(an_entity_open_at_the_other_side_is_waited_for),
        cmocka_unit_test(the_deadline_of_a_busy_entity_is_answered_503),
        cmocka_unit_test(a_sender_gone_while_waiting_ends_the_event),
        cmocka_unit_test(a_full_attempt_log_refuses),
        cmocka_unit_test(what_new_refused_goes_to_legacy),
        cmocka_unit_test(without_fallback_what_new_refused_is_502),
        cmocka_unit_test(an_attempt_in_doubt_is_not_repeated),
        cmocka_unit_test(an_attempt_in_doubt_at_an_idempotent_backend_is_repeated),
        cmocka_unit_test(without_claims_the_store_is_not_asked),
    };
    return cmocka_run_group_tests(tests, rig_clock_on, rig_clock_off);
}

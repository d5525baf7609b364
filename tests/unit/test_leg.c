/* One attempt: its time-outs, its lease, what limits it, and the record of its outcome. */
#include "rig.h"

static const struct rig_conf plain = {.mode = MODE_LEGACY_ONLY};

static struct leg *leg_of(const struct rig *r, enum side side) {
    return &rig_delivery(r)->legs[side];
}

static struct sender *start(struct rig *r, const struct rig_conf *conf) {
    rig_start(r, conf);
    struct sender *s = rig_post(r, "e", 1);
    RIG_UNTIL(r, r->stubs[SIDE_LEGACY].requests == 1);
    return s;
}

static bool hung_up_on(const struct rig *r, enum side side) {
    return r->stubs[side].now->fd < 0;
}

static void a_backend_that_takes_too_long_leaves_it_in_doubt(void **state) {
    (void)state;
    struct rig r;
    struct rig_conf conf = {.mode = MODE_LEGACY_ONLY, .legacy = ", timeout: 5s"};
    struct sender *s = start(&r, &conf);
    rig_advance(&r, 4900000);
    assert_int_equal(leg_of(&r, SIDE_LEGACY)->phase, PHASE_RUNNING);
    rig_advance(&r, 200000);
    rig_expect(&r, s, 504, "in_doubt");
    RIG_UNTIL(&r, hung_up_on(&r, SIDE_LEGACY));
    assert_int_equal(rig_leg(&r, "e", SIDE_LEGACY), LEG_IN_DOUBT);
    rig_stop(&r);
}

static void the_senders_deadline_does_not_end_the_attempt(void **state) {
    (void)state;
    struct rig r;
    struct sender *s = start(&r, &plain);
    rig_advance(&r, 9100000);
    rig_expect(&r, s, 504, "urn:pointsman:problem:deadline");
    assert_int_equal(leg_of(&r, SIDE_LEGACY)->phase, PHASE_RUNNING);
    stub_says(&r.stubs[SIDE_LEGACY], "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n");
    RIG_UNTIL(&r, r.proxy->deliveries == 0);
    struct store_look l = rig_look(&r, "e", "o/r#1");
    assert_int_equal(l.ret_legs[SIDE_LEGACY].state, LEG_DONE);
    assert_int_equal(l.ret_legs[SIDE_LEGACY].status, 201);
    sender_says(&r, s, rig_event("e", 1));
    rig_expect(&r, s, 200, "\"backend_status\":201");
    rig_stop(&r);
}

static void a_sender_gone_while_the_attempt_runs_changes_nothing(void **state) {
    (void)state;
    struct rig r;
    struct sender *s = start(&r, &plain);
    sender_leaves(&r, s);
    assert_int_equal(r.proxy->deliveries, 1);
    stub_says(&r.stubs[SIDE_LEGACY], OK_ANSWER);
    RIG_UNTIL(&r, r.proxy->deliveries == 0);
    assert_int_equal(rig_leg(&r, "e", SIDE_LEGACY), LEG_DONE);
    rig_stop(&r);
}

/* ---- the lease ---- */

static void a_lease_is_renewed_at_a_third(void **state) {
    (void)state;
    struct rig r;
    struct rig_conf conf = {.mode = MODE_LEGACY_ONLY, .legacy = ", timeout: 60s"};
    struct sender *s = start(&r, &conf);
    struct leg *leg = leg_of(&r, SIDE_LEGACY);
    uint64_t until = leg->until_us;
    rig_advance(&r, 20 * RIG_SECOND_US);
    assert_false(leg->renewing);
    rig_advance(&r, 2 * RIG_SECOND_US);
    RIG_UNTIL(&r, leg->until_us > until + 20 * RIG_SECOND_US);
    assert_false(leg->renewing);
    stub_says(&r.stubs[SIDE_LEGACY], OK_ANSWER);
    rig_expect(&r, s, 504, "deadline");
    RIG_UNTIL(&r, r.proxy->deliveries == 0);
    assert_int_equal(rig_leg(&r, "e", SIDE_LEGACY), LEG_DONE);
    rig_stop(&r);
}

static void a_lease_that_cannot_be_renewed_closes_the_connection_before_it_ends(void **state) {
    (void)state;
    struct rig r;
    struct rig_conf conf = {.mode = MODE_LEGACY_ONLY, .source = ", deadline: 10m"};
    struct sender *s = start(&r, &conf);
    struct leg *leg = leg_of(&r, SIDE_LEGACY);
    uint64_t until = leg->until_us;
    timer_stop(&leg->timeout); /* comes earlier otherwise: the lease outlives it by design */
    rig_hold_store(&r);
    rig_advance(&r, 22 * RIG_SECOND_US);
    assert_true(leg->renewing);
    rig_advance(&r, 22 * RIG_SECOND_US);
    assert_int_equal(leg->phase, PHASE_RUNNING);
    rig_advance(&r, until - clock_mono_us() - 600000);
    assert_int_equal(leg->phase, PHASE_RUNNING);
    rig_advance(&r, 150000);
    assert_true(clock_mono_us() < until);
    assert_int_equal(leg->phase, PHASE_RECORDING);
    assert_int_equal(leg->outcome, OUTCOME_IN_DOUBT);
    rig_let_store_go(&r);
    RIG_UNTIL(&r, hung_up_on(&r, SIDE_LEGACY));
    rig_expect(&r, s, 504, "in_doubt");
    assert_int_equal(metrics_value(r.proxy->metrics, METRIC_PAUSED, 0, 0, 0), 0);
    rig_stop(&r);
}

static void a_process_that_stood_still_longer_than_its_lease_is_counted(void **state) {
    (void)state;
    struct rig r;
    struct sender *s = start(&r, &plain);
    timer_stop(&leg_of(&r, SIDE_LEGACY)->timeout);
    rig_advance(&r, 70 * RIG_SECOND_US);
    RIG_UNTIL(&r, hung_up_on(&r, SIDE_LEGACY));
    rig_expect(&r, s, 504, "");
    assert_int_equal(metrics_value(r.proxy->metrics, METRIC_PAUSED, 0, 0, 0), 1);
    RIG_UNTIL(&r, r.proxy->deliveries == 0);
    assert_int_equal(rig_leg(&r, "e", SIDE_LEGACY), LEG_IN_DOUBT);
    rig_stop(&r);
}

static void done(struct store_call *call) {
    *(bool *)call->arg = true;
}

static void a_lease_taken_over_by_another_closes_the_connection(void **state) {
    (void)state;
    struct rig r;
    struct rig_conf conf = {.mode = MODE_LEGACY_ONLY, .source = ", deadline: 10m"};
    struct sender *s = start(&r, &conf);
    struct leg *leg = leg_of(&r, SIDE_LEGACY);
    bool ended = false;
    struct store_finish f = {.source = slice_of("github"),
                             .id = slice_of("e"),
                             .entity = slice_of("o/r#1"),
                             .token = leg->token,
                             .fence = leg->fence,
                             .attempt = 1,
                             .outcome = OUTCOME_NOT_DONE,
                             .call = {.done = done, .arg = &ended, .timeout_ms = 5000}};
    store_finish(r.worker->store, &f);
    RIG_UNTIL(&r, ended);
    bool claimed = false;
    struct store_claim c = {.source = slice_of("github"),
                            .id = slice_of("e"),
                            .entity = slice_of("o/r#1"),
                            .token = token_new(),
                            .lease_ms = 60000,
                            .call = {.done = done, .arg = &claimed, .timeout_ms = 5000}};
    store_claim(r.worker->store, &c);
    RIG_UNTIL(&r, claimed);
    assert_int_equal(c.call.result, STORE_GRANTED);
    rig_advance(&r, 22 * RIG_SECOND_US);
    RIG_UNTIL(&r, hung_up_on(&r, SIDE_LEGACY));
    rig_expect(&r, s, 504, "in_doubt");
    RIG_UNTIL(&r, r.proxy->deliveries == 0);
    assert_string_equal(rig_look(&r, "e", "").ret_legs[SIDE_LEGACY].token, c.token.text);
    rig_stop(&r);
}

/* ---- the record ---- */

static void an_outcome_the_store_did_not_take_is_repeated_behind_the_answer(void **state) {
    (void)state;
    struct rig r;
    struct rig_conf conf = {.mode = MODE_LEGACY_ONLY,
                            .legacy = ", timeout: 1h",
                            .new = ", timeout: 1h",
                            .source = ", deadline: 10m"};
    struct sender *s = start(&r, &conf);
    atomic_store(&rig_hurry_us, 1500000); /* more than one finish may take */
    stub_says(&r.stubs[SIDE_LEGACY], OK_ANSWER);
    RIG_UNTIL(&r, buf_len(&s->got) > 0);
    assert_int_equal(r.proxy->recording, 1);
    assert_false(rig_is_idle(&r));
    atomic_store(&rig_hurry_us, 0);
    rig_expect(&r, s, 200, "ok");
    rig_advance(&r, 600000);
    RIG_UNTIL(&r, r.proxy->recording == 0);
    assert_int_equal(r.proxy->deliveries, 0);
    assert_int_equal(rig_leg(&r, "e", SIDE_LEGACY), LEG_DONE);
    rig_stop(&r);
}

static void an_answer_is_held_back_until_it_is_recorded(void **state) {
    (void)state;
    struct rig r;
    struct sender *s = start(&r, &plain);
    rig_hold_store(&r);
    stub_says(&r.stubs[SIDE_LEGACY], OK_ANSWER);
    RIG_UNTIL(&r, leg_of(&r, SIDE_LEGACY)->phase == PHASE_RECORDING &&
                      leg_of(&r, SIDE_LEGACY)->body_over);
    rig_turn(&r);
    assert_int_equal(buf_len(&s->got), 0);
    rig_let_store_go(&r);
    rig_expect(&r, s, 200, "ok");
    rig_stop(&r);
}

static void the_deadline_while_recording_passes_on_what_is_there(void **state) {
    (void)state;
    struct rig r;
    struct sender *s = start(&r, &plain);
    rig_hold_store(&r);
    stub_says(&r.stubs[SIDE_LEGACY], OK_ANSWER);
    RIG_UNTIL(&r, leg_of(&r, SIDE_LEGACY)->phase == PHASE_RECORDING &&
                      leg_of(&r, SIDE_LEGACY)->body_over);
    flow_deadline(rig_delivery(&r));
    rig_expect(&r, s, 200, "ok");
    rig_let_store_go(&r);
    RIG_UNTIL(&r, r.proxy->deliveries == 0);
    assert_int_equal(rig_leg(&r, "e", SIDE_LEGACY), LEG_DONE);
    rig_stop(&r);
}

static void the_attempt_log_is_empty_once_the_store_has_the_outcome(void **state) {
    (void)state;
    struct rig r;
    start(&r, &plain);
    struct attempt *slot = leg_of(&r, SIDE_LEGACY)->slot;
    assert_int_equal(slot->state, ATTEMPT_SENT);
    rig_hold_store(&r);
    stub_says(&r.stubs[SIDE_LEGACY], OK_ANSWER);
    RIG_UNTIL(&r, leg_of(&r, SIDE_LEGACY)->phase == PHASE_RECORDING);
    assert_int_equal(slot->state, ATTEMPT_ANSWERED);
    assert_int_equal(slot->status, 200);
    rig_let_store_go(&r);
    RIG_UNTIL(&r, r.proxy->deliveries == 0);
    assert_int_equal(slot->state, ATTEMPT_FREE);
    rig_stop(&r);
}

/* ---- outcomes and limits ---- */

static void every_end_of_an_attempt_has_its_outcome(void **state) {
    (void)state;
    static const struct {
        const char *answer; /* NULL: the backend closes without a word */
        enum leg_state leg;
        unsigned status;
        const char *body;
    } cases[] = {
        {"HTTP/1.1 204 No Content\r\n\r\n", LEG_DONE, 204, ""},
        {"HTTP/1.1 422 No\r\nContent-Length: 4\r\n\r\nwhat", LEG_REJECTED, 422, "what"},
        {"HTTP/1.1 429 Slow\r\nContent-Length: 4\r\n\r\nslow", LEG_NOT_DONE, 429, "slow"},
        {"HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\noops", LEG_NOT_DONE, 500, "oops"},
        {"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n", LEG_REJECTED, 502,
         "urn:pointsman:problem:redirect"},
        {"HTTP/1.1 502 Gateway\r\nContent-Length: 4\r\n\r\ngate", LEG_IN_DOUBT, 504, "in_doubt"},
        {"garbage\r\n\r\n", LEG_IN_DOUBT, 504, "in_doubt"},
        {NULL, LEG_IN_DOUBT, 504, "in_doubt"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct rig r;
        struct sender *s = start(&r, &plain);
        if (cases[i].answer)
            stub_says(&r.stubs[SIDE_LEGACY], cases[i].answer);
        else
            stub_hang_up(r.stubs[SIDE_LEGACY].now);
        rig_expect(&r, s, cases[i].status, cases[i].body);
        RIG_UNTIL(&r, r.proxy->deliveries == 0);
        assert_int_equal(rig_leg(&r, "e", SIDE_LEGACY), cases[i].leg);
        rig_stop(&r);
    }
}

static void over_max_in_flight_nothing_is_sent(void **state) {
    (void)state;
    struct rig r;
    struct rig_conf conf = {.mode = MODE_LEGACY_ONLY, .legacy = ", max_in_flight: 1"};
    struct sender *s = start(&r, &conf);
    struct sender *second = rig_post(&r, "second", 2);
    rig_expect(&r, second, 503, "max_in_flight");
    assert_int_equal(rig_leg(&r, "second", SIDE_LEGACY), LEG_UNSENT);
    /* that we hold back says nothing about the backend */
    assert_int_equal(r.proxy->health[SIDE_LEGACY].attempt_at_us, 0);
    stub_says(&r.stubs[SIDE_LEGACY], OK_ANSWER);
    rig_expect(&r, s, 200, "ok");
    r.stubs[SIDE_LEGACY].answer = OK_ANSWER;
    sender_says(&r, second, rig_event("second", 2));
    rig_expect(&r, second, 200, "ok");
    rig_stop(&r);
}

/* ---- the shadow ---- */

static void a_slow_shadow_does_not_hold_up_the_owner(void **state) {
    (void)state;
    struct rig r;
    struct rig_conf conf = {.mode = MODE_PARALLEL};
    struct sender *s = start(&r, &conf);
    RIG_UNTIL(&r, r.stubs[SIDE_NEW].requests == 1);
    stub_says(&r.stubs[SIDE_LEGACY], OK_ANSWER);
    struct http_head head = rig_expect(&r, s, 200, "ok");
    assert_header(&head, "x-pointsman-backend", "legacy");
    struct store_look l = rig_look(&r, "e", "");
    assert_int_equal(l.ret_legs[SIDE_LEGACY].state, LEG_DONE);
    assert_int_equal(l.ret_legs[SIDE_NEW].state, LEG_IN_FLIGHT);
    assert_int_equal(l.ret_legs[SIDE_NEW].role, ROLE_SHADOW);
    stub_says(&r.stubs[SIDE_NEW], "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n");
    RIG_UNTIL(&r, r.proxy->deliveries == 0);
    assert_int_equal(rig_leg(&r, "e", SIDE_NEW), LEG_NOT_DONE);
    rig_stop(&r);
}

static void a_shadow_that_is_not_reached_fails_nobody(void **state) {
    (void)state;
    struct rig r;
    struct rig_conf conf = {.mode = MODE_PARALLEL};
    rig_start(&r, &conf);
    stub_refuse(&r.stubs[SIDE_NEW]);
    r.stubs[SIDE_LEGACY].answer = OK_ANSWER;
    rig_expect(&r, rig_post(&r, "e", 1), 200, "ok");
    RIG_UNTIL(&r, r.proxy->deliveries == 0);
    assert_int_equal(r.stubs[SIDE_LEGACY].requests, 1);
    assert_int_equal(metrics_value(r.proxy->metrics, METRIC_FALLBACKS, 0, 0, 0), 0);
    rig_stop(&r);
}

static void a_huge_answer_of_a_shadow_is_cut_off(void **state) {
    (void)state;
    struct rig r;
    struct rig_conf conf = {.mode = MODE_PARALLEL};
    struct sender *s = start(&r, &conf);
    RIG_UNTIL(&r, r.stubs[SIDE_NEW].requests == 1);
    stub_says(&r.stubs[SIDE_NEW], "HTTP/1.1 200 OK\r\nContent-Length: 8000000\r\n\r\n");
    static char block[2000000];
    stub_say(&r.stubs[SIDE_NEW], block, sizeof block);
    RIG_UNTIL(&r, hung_up_on(&r, SIDE_NEW));
    stub_says(&r.stubs[SIDE_LEGACY], OK_ANSWER);
    rig_expect(&r, s, 200, "ok");
    RIG_UNTIL(&r, r.proxy->deliveries == 0);
    assert_int_equal(rig_leg(&r, "e", SIDE_NEW), LEG_DONE);
    rig_stop(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_backend_that_takes_too_long_leaves_it_in_doubt),
        cmocka_unit_test(the_senders_deadline_does_not_end_the_attempt),
        cmocka_unit_test(a_sender_gone_while_the_attempt_runs_changes_nothing),
        cmocka_unit_test(a_lease_is_renewed_at_a_third),
        cmocka_unit_test(a_lease_that_cannot_be_renewed_closes_the_connection_before_it_ends),
        cmocka_unit_test(a_process_that_stood_still_longer_than_its_lease_is_counted),
        cmocka_unit_test(a_lease_taken_over_by_another_closes_the_connection),
        cmocka_unit_test(an_outcome_the_store_did_not_take_is_repeated_behind_the_answer),
        cmocka_unit_test(an_answer_is_held_back_until_it_is_recorded),
        cmocka_unit_test(the_deadline_while_recording_passes_on_what_is_there),
        cmocka_unit_test(the_attempt_log_is_empty_once_the_store_has_the_outcome),
        cmocka_unit_test(every_end_of_an_attempt_has_its_outcome),
        cmocka_unit_test(over_max_in_flight_nothing_is_sent),
        cmocka_unit_test(a_slow_shadow_does_not_hold_up_the_owner),
        cmocka_unit_test(a_shadow_that_is_not_reached_fails_nobody),
        cmocka_unit_test(a_huge_answer_of_a_shadow_is_cut_off),
    };
    return cmocka_run_group_tests(tests, rig_clock_on, rig_clock_off);
}

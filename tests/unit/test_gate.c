/* The gate of a worker: who is let in, who waits, who is refused and how that is said. */
#include "gate_crowd.h"

static const struct rig_conf touchy = {.mode = MODE_LEGACY_ONLY,
                                       .rest = "limits: {queue_delay: 2ms}\n"};

/* The next request on the sender's connection finds the worker overloaded. */
static void is_too_much(struct rig *r) {
    LIST_FIRST(&r->worker->conns)->refuse = true;
}

static struct slice header(const struct http_head *head, const char *name) {
    return http_header(head, name);
}

/* ---- many at once ---- */

static void a_crowd_waits_and_everybody_is_served(void **state) {
    (void)state;
    struct rig r;
    static struct crowd all;
    start(&r, &plain);
    gather(&r, &all);
    assert_true(look_at_all(&r) > 0);
    assert_int_equal(hear(&r, &all), 0);
    assert_int_equal(r.stubs[SIDE_LEGACY].requests, CROWD);
    assert_int_equal(metric(&r, METRIC_WAITING), 0);
    assert_int_equal(metric(&r, METRIC_SHED), 0);
    leave(&all);
    rig_stop(&r);
}

static void what_is_more_than_a_queue_that_stands_can_take_is_refused(void **state) {
    (void)state;
    struct rig r;
    static struct crowd all;
    start(&r, &touchy);
    gather(&r, &all);
    r.worker->gate.admission.standing_us = RIG_SECOND_US;
    assert_int_equal(look_at_all(&r), 10); /* 2 ms of five a millisecond */
    assert_true(metric(&r, METRIC_SHED) > 0);
    assert_int_equal(metric(&r, METRIC_SHEDDING), 1);
    unsigned refused = hear(&r, &all);
    assert_int_equal(metric(&r, METRIC_SHED), refused);
    assert_int_equal(r.stubs[SIDE_LEGACY].requests, CROWD - refused);
    rig_advance(&r, RIG_SECOND_US + 20000);
    rig_advance(&r, RIG_SECOND_US + 20000);
    assert_int_equal(metric(&r, METRIC_SHEDDING), 0);
    leave(&all);
    rig_stop(&r);
}

/* Kept connections that were about to be closed as idle when their requests came in. */
static void who_waits_at_the_gate_is_not_idle(void **state) {
    (void)state;
    struct rig r;
    static struct crowd all;
    start(&r, &plain);
    gather(&r, &all);
    atomic_fetch_add(&rig_offset_us, 74900000);
    RIG_UNTIL(&r, metric(&r, METRIC_WAITING) > 0);
    rig_advance(&r, 200000);
    assert_int_equal(hear(&r, &all), 0);
    leave(&all);
    rig_stop(&r);
}

static void who_leaves_while_waiting_is_forgotten(void **state) {
    (void)state;
    struct rig r;
    static struct crowd all;
    start(&r, &plain);
    gather(&r, &all);
    do
        rig_turn(&r);
    while (!gate_is_busy(&r.worker->gate));
    while (!LIST_EMPTY(&r.worker->conns))
        conn_close(LIST_FIRST(&r.worker->conns), CONN_END_STOP);
    assert_int_equal(metric(&r, METRIC_WAITING), 0);
    assert_false(gate_is_busy(&r.worker->gate));
    leave(&all);
    rig_stop(&r);
}

/* One that hangs up while others wait is closed at once: it asks for nothing. */
static void who_hangs_up_does_not_queue(void **state) {
    (void)state;
    struct rig r;
    start(&r, &plain);
    struct sender *s = rig_sender(&r);
    r.worker->gate.waiting = 1; /* as if somebody did, for ever */
    assert_int_equal(shutdown(s->fd, SHUT_WR), 0);
    RIG_UNTIL(&r, s->eof);
    assert_int_equal(r.worker->gate.waiting, 1);
    r.worker->gate.waiting = 0;
    rig_stop(&r);
}

static void pipelined_requests_queue_behind_the_others(void **state) {
    (void)state;
    struct rig r;
    static struct crowd all;
    start(&r, &plain);
    struct sender *s = rig_sender(&r);
    struct buf text;
    buf_init(&text, 4096);
    assert_true(buf_puts(&text, rig_event("p1", 1)) && buf_puts(&text, rig_event("p2", 2)));
    sender_send(&r, s, buf_at(&text), buf_len(&text));
    buf_free(&text);
    gather(&r, &all);
    rig_expect(&r, s, 200, "ok");
    rig_expect(&r, s, 200, "ok");
    assert_int_equal(hear(&r, &all), 0);
    leave(&all);
    rig_stop(&r);
}

/* ---- how it is said ---- */

/* More than a connection keeps for later, all of it there before the first answer. */
static void deep_pipelines_are_answered_to_the_end(void **state) {
    (void)state;
    enum { REQUESTS = 14000 };
    static const char request[] = "GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n";
    const size_t len = sizeof request - 1, all = REQUESTS * len;
    struct rig r;
    start(&r, &(struct rig_conf){.mode = MODE_LEGACY_ONLY, .rest = "limits: {headers: 8KiB}\n"});
    struct sender *s = rig_sender(&r);
    const int room = 4 * 1024 * 1024;
    (void)setsockopt(LIST_FIRST(&r.worker->conns)->io.fd, SOL_SOCKET, SO_RCVBUF, &room,
                     sizeof room);
    (void)setsockopt(s->fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    char *text = malloc(all);
    assert_non_null(text);
    for (size_t i = 0; i < REQUESTS; i++)
        memcpy(text + i * len, request, len);
    size_t sent = 0;
    for (ssize_t n; (n = send(s->fd, text + sent, all - sent, MSG_NOSIGNAL | MSG_DONTWAIT)) > 0;)
        sent += (size_t)n;
    sender_send(&r, s, text + sent, all - sent);
    free(text);
    size_t told = 0, seen = 0;
    RIG_UNTIL(&r, ({
        for (const char *at; (at = strstr(sender_got(s) + seen, "HTTP/1.1 404")); told++)
            seen = (size_t)(at - sender_got(s)) + 12;
        told == REQUESTS || s->eof;
    }));
    assert_int_equal(told, REQUESTS);
    rig_stop(&r);
}

static void a_refusal_is_a_whole_answer_and_keeps_the_connection(void **state) {
    (void)state;
    struct rig r;
    start(&r, &plain);
    struct sender *s = rig_sender(&r);
    is_too_much(&r);
    sender_says(&r, s, rig_event("much", 1));
    struct http_head head = rig_expect(&r, s, 503, "\"urn:pointsman:problem:overload\"");
    assert_true(head.keep_alive);
    sender_says(&r, s, rig_event("less", 1));
    rig_expect(&r, s, 200, "ok");
    assert_int_equal(r.stubs[SIDE_LEGACY].requests, 1);
    rig_stop(&r);
}

static void a_refusal_says_when_to_come_back_and_which_event_it_is_about(void **state) {
    (void)state;
    struct rig r;
    start(&r, &plain);
    struct sender *s = rig_sender(&r);
    is_too_much(&r);
    sender_says(&r, s, rig_event("much", 1));
    RIG_UNTIL(&r, strstr(sender_got(s), "\"}"));
    struct http_head head;
    struct slice body;
    assert_non_null(strstr(sender_got(s), "\"title\":\"Too much is in flight\",\"status\":503,"));
    assert_true(sender_answer(s, &head, &body));
    assert_true(slice_is(header(&head, "retry-after"), "1"));
    assert_true(slice_is(header(&head, "x-pointsman-event"), "much"));
    assert_true(slice_is(header(&head, "content-type"), "application/problem+json"));
    assert_true(header(&head, "date").len > 20);
    rig_stop(&r);
}

static void a_refusal_does_not_wait_for_the_body_and_throws_it_away(void **state) {
    (void)state;
    struct rig r;
    static char body[100000];
    start(&r, &plain);
    struct sender *s = rig_sender(&r);
    is_too_much(&r);
    sender_says(&r, s, "POST /w HTTP/1.1\r\nHost: h\r\nContent-Length: 200000\r\n\r\n");
    rig_expect(&r, s, 503, "overload");
    memset(body, '\n', sizeof body); /* would be refused as a request */
    sender_send(&r, s, body, sizeof body);
    sender_send(&r, s, body, sizeof body);
    sender_says(&r, s, rig_event("next", 1));
    rig_expect(&r, s, 200, "ok");
    assert_int_equal(r.proxy->body_bytes, 0);
    rig_stop(&r);
}

static void a_refused_body_that_stops_coming_ends_the_connection(void **state) {
    (void)state;
    struct rig r;
    start(&r, &plain);
    struct sender *s = rig_sender(&r);
    is_too_much(&r);
    sender_says(&r, s, "POST /w HTTP/1.1\r\nHost: h\r\nContent-Length: 200000\r\n\r\n{");
    rig_expect(&r, s, 503, "overload");
    rig_advance(&r, 11 * RIG_SECOND_US);
    RIG_UNTIL(&r, s->eof);
    assert_int_equal(buf_len(&s->got), 0); /* one answer, not two */
    rig_stop(&r);
}

/* Two requests and the end of what the sender says were there before the first answer. */
static void a_refused_body_that_cannot_come_any_more_is_not_waited_for(void **state) {
    (void)state;
    struct rig r;
    start(&r, &plain);
    r.stubs[SIDE_LEGACY].answer = NULL;
    struct sender *s = rig_sender(&r);
    sender_says(&r, s, rig_event("one", 1));
    sender_says(&r, s, "POST /w HTTP/1.1\r\nHost: h\r\nContent-Length: 200000\r\n\r\n{");
    assert_int_equal(shutdown(s->fd, SHUT_WR), 0);
    struct conn *c = LIST_FIRST(&r.worker->conns);
    RIG_UNTIL(&r, c->eof && r.stubs[SIDE_LEGACY].requests == 1);
    is_too_much(&r);
    stub_says(&r.stubs[SIDE_LEGACY], OK_ANSWER);
    rig_expect(&r, s, 200, "ok");
    rig_expect(&r, s, 503, "overload");
    const uint64_t before_us = loop_now_us(r.worker->loop);
    RIG_UNTIL(&r, s->eof);
    assert_true(loop_now_us(r.worker->loop) - before_us < RIG_SECOND_US);
    rig_stop(&r);
}

/* The readiness that the refusal was judged for brought nothing. */
static void a_request_is_judged_when_it_comes(void **state) {
    (void)state;
    struct rig r;
    start(&r, &plain);
    struct sender *s = rig_sender(&r);
    rig_turn(&r);
    struct conn *c = LIST_FIRST(&r.worker->conns);
    struct gate *g = &r.worker->gate;
    g->admission.standing_us = RIG_SECOND_US;
    g->waiting = 1000;
    c->watch.ready(c, WATCH_READ);
    g->waiting = 0;
    g->admission.standing_us = 0;
    sender_says(&r, s, rig_event("calm", 1));
    rig_expect(&r, s, 200, "ok");
    assert_int_equal(metric(&r, METRIC_SHED), 0);
    rig_stop(&r);
}

static void requests_behind_a_refused_one_are_answered_in_order(void **state) {
    (void)state;
    struct rig r;
    struct buf text;
    start(&r, &plain);
    struct sender *s = rig_sender(&r);
    is_too_much(&r);
    buf_init(&text, 4096);
    assert_true(buf_puts(&text, rig_event("one", 1)) && buf_puts(&text, rig_event("two", 2)) &&
                buf_puts(&text, rig_event("three", 3)));
    sender_send(&r, s, buf_at(&text), buf_len(&text));
    buf_free(&text);
    rig_expect(&r, s, 503, "overload");
    rig_expect(&r, s, 200, "ok");
    rig_expect(&r, s, 200, "ok");
    rig_stop(&r);
}

/* Where it is not known whether a body follows, or a long one does. */
static void a_refusal_closes_where_the_rest_costs_more_than_a_connection(void **state) {
    (void)state;
    static const char *const heads[] = {
        "Transfer-Encoding: chunked\r\n\r\n5\r\n",
        "Content-Length: 10\r\nExpect: 100-continue\r\n\r\n",
        "Content-Length: 30000000\r\n\r\n",
    };
    for (size_t i = 0; i < 3; i++) {
        struct rig r;
        start(&r, &plain);
        struct sender *s = rig_sender(&r);
        is_too_much(&r);
        sender_says(&r, s, "POST /w HTTP/1.1\r\nHost: h\r\n");
        sender_says(&r, s, heads[i]);
        struct http_head head = rig_expect(&r, s, 503, "overload");
        assert_false(head.keep_alive);
        RIG_UNTIL(&r, s->eof);
        rig_stop(&r);
    }
}

static void a_malformed_request_is_malformed_also_where_it_is_too_much(void **state) {
    (void)state;
    struct rig r;
    start(&r, &plain);
    struct sender *s = rig_sender(&r);
    is_too_much(&r);
    sender_says(&r, s, "POST /w HTTP/1.1\r\nHost : h\r\n\r\n");
    rig_expect(&r, s, 400, "http");
    rig_stop(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_crowd_waits_and_everybody_is_served),
        cmocka_unit_test(what_is_more_than_a_queue_that_stands_can_take_is_refused),
        cmocka_unit_test(who_waits_at_the_gate_is_not_idle),
        cmocka_unit_test(deep_pipelines_are_answered_to_the_end),
        cmocka_unit_test(who_leaves_while_waiting_is_forgotten),
        cmocka_unit_test(who_hangs_up_does_not_queue),
        cmocka_unit_test(pipelined_requests_queue_behind_the_others),
        cmocka_unit_test(a_refusal_is_a_whole_answer_and_keeps_the_connection),
        cmocka_unit_test(a_refusal_says_when_to_come_back_and_which_event_it_is_about),
        cmocka_unit_test(a_refusal_does_not_wait_for_the_body_and_throws_it_away),
        cmocka_unit_test(a_refused_body_that_stops_coming_ends_the_connection),
        cmocka_unit_test(a_refused_body_that_cannot_come_any_more_is_not_waited_for),
        cmocka_unit_test(a_request_is_judged_when_it_comes),
        cmocka_unit_test(requests_behind_a_refused_one_are_answered_in_order),
        cmocka_unit_test(a_refusal_closes_where_the_rest_costs_more_than_a_connection),
        cmocka_unit_test(a_malformed_request_is_malformed_also_where_it_is_too_much),
    };
    return cmocka_run_group_tests_name("gate", tests, rig_clock_on, rig_clock_off);
}

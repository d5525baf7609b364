/* A sender's connection: how requests may come in, what is refused while they do, what follows an
 * answer. */
#include "rig.h"

static const struct rig_conf plain = {.mode = MODE_LEGACY_ONLY};
static const struct rig_conf small = {
    .mode = MODE_LEGACY_ONLY,
    .rest = "limits: {body: 100KiB, in_flight: 300KiB, headers: 2KiB, header_count: 10}\n"};

static void start(struct rig *r, const struct rig_conf *conf) {
    rig_start(r, conf);
    r->stubs[SIDE_LEGACY].answer = OK_ANSWER;
}

static struct conn *only_conn(const struct rig *r) {
    struct conn *c = LIST_FIRST(&r->worker->conns);
    assert_non_null(c);
    return c;
}

static bool backend_got(const struct rig *r, const char *text) {
    const struct buf *seen = &r->stubs[SIDE_LEGACY].seen;
    return memmem(buf_at(seen), buf_len(seen), text, strlen(text)) != NULL;
}

static void a_request_may_come_byte_by_byte(void **state) {
    (void)state;
    struct rig r;
    start(&r, &plain);
    struct sender *s = rig_sender(&r);
    const char *text = rig_event("bytes", 1);
    for (size_t i = 0; text[i]; i++)
        sender_send(&r, s, text + i, 1);
    rig_expect(&r, s, 200, "ok");
    assert_true(backend_got(&r, strstr(rig_event("bytes", 1), "{\"action\"")));
    rig_stop(&r);
}

static void a_chunked_request_byte_by_byte_reaches_the_backend_with_a_length(void **state) {
    (void)state;
    struct rig r;
    start(&r, &plain);
    struct sender *s = rig_sender(&r);
    const char *text = "POST /w HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"
                       "X-GitHub-Event: ping\r\nX-GitHub-Delivery: chunks\r\n"
                       "Transfer-Encoding: chunked\r\n\r\n3;a=b\r\n{\"z\r\n5\r\nen\":1\r\n1\r\n}"
                       "\r\n0\r\nTrailer: dropped\r\n\r\n";
    for (size_t i = 0; text[i]; i++)
        sender_send(&r, s, text + i, 1);
    rig_expect(&r, s, 200, "ok");
    assert_true(backend_got(&r, "Content-Length: 9\r\n\r\n{\"zen\":1}"));
    assert_false(backend_got(&r, "Transfer-Encoding"));
    sender_says(&r, s, rig_event("next", 1));
    rig_expect(&r, s, 200, "ok");
    rig_stop(&r);
}

static void pipelined_requests_are_answered_in_order(void **state) {
    (void)state;
    struct rig r;
    rig_start(&r, &plain);
    struct stub *b = &r.stubs[SIDE_LEGACY];
    struct sender *s = rig_sender(&r);
    char text[4096] = "";
    int len = 0;
    for (unsigned i = 0; i < 3; i++) {
        char id[8];
        snprintf(id, sizeof id, "e%u", i);
        len += snprintf(text + len, sizeof text - (size_t)len, "%s", rig_event(id, i));
    }
    sender_send(&r, s, text, (size_t)len);
    for (unsigned i = 0; i < 3; i++) {
        char id[32], answer[96];
        RIG_UNTIL(&r, b->requests == i + 1);
        rig_turn(&r);
        assert_int_equal(b->requests, i + 1); /* the next waits for this one's answer */
        snprintf(id, sizeof id, "X-Pointsman-Event: e%u\r\n", i);
        assert_true(backend_got(&r, id));
        snprintf(answer, sizeof answer, "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nanswer %u", i);
        stub_says(b, answer);
        rig_expect(&r, s, 200, answer + strlen(answer) - 8);
    }
    rig_stop(&r);
}

static void more_than_what_may_wait_behind_a_request_is_left_in_the_kernel(void **state) {
    (void)state;
    struct rig r;
    rig_start(&r, &plain);
    struct sender *s = rig_post(&r, "first", 1);
    RIG_UNTIL(&r, r.stubs[SIDE_LEGACY].requests == 1);
    static char flood[1024 * 1024];
    for (size_t at = 0, len = strlen(rig_event("flood", 2)); at + len < sizeof flood; at += len)
        memcpy(flood + at, rig_event("flood", 2), len);
    ssize_t n = send(s->fd, flood, sizeof flood, MSG_DONTWAIT | MSG_NOSIGNAL);
    assert_true(n > 256 * 1024);
    RIG_UNTIL(&r, buf_len(&only_conn(&r)->in) >= 64 * 1024);
    for (int i = 0; i < 10; i++)
        rig_turn(&r);
    assert_true(buf_len(&only_conn(&r)->in) <= (64 + 128) * 1024);
    stub_says(&r.stubs[SIDE_LEGACY], OK_ANSWER);
    rig_expect(&r, s, 200, "ok");
    r.stubs[SIDE_LEGACY].answer = OK_ANSWER;
    RIG_UNTIL(&r, r.stubs[SIDE_LEGACY].requests >= 2);
    rig_stop(&r);
}

static void a_half_closed_sender_still_gets_its_answers(void **state) {
    (void)state;
    struct rig r;
    rig_start(&r, &plain);
    struct sender *s = rig_post(&r, "half", 1);
    sender_says(&r, s, rig_event("half2", 2));
    assert_int_equal(shutdown(s->fd, SHUT_WR), 0);
    for (unsigned i = 1; i <= 2; i++) {
        RIG_UNTIL(&r, r.stubs[SIDE_LEGACY].requests == i);
        assert_false(s->eof);
        stub_says(&r.stubs[SIDE_LEGACY], OK_ANSWER);
        rig_expect(&r, s, 200, "ok");
    }
    RIG_UNTIL(&r, s->eof && r.proxy->connections == 0);
    rig_stop(&r);
}

static void a_sender_that_ends_in_the_middle_of_a_request_is_forgotten(void **state) {
    (void)state;
    static const size_t cuts[] = {0, 10, 400};
    for (size_t i = 0; i < ARRAY_LEN(cuts); i++) {
        struct rig r;
        start(&r, &plain);
        struct sender *s = rig_sender(&r);
        size_t len = strlen(rig_event("cut", 1));
        size_t cut = cuts[i] < len ? cuts[i] : len - 1;
        sender_send(&r, s, rig_event("cut", 1), cut);
        assert_int_equal(shutdown(s->fd, SHUT_WR), 0);
        RIG_UNTIL(&r, s->eof && r.proxy->connections == 0 && r.proxy->deliveries == 0);
        assert_int_equal(buf_len(&s->got), 0);
        assert_int_equal(r.stubs[SIDE_LEGACY].accepted, 0);
        rig_stop(&r);
    }
}

static void a_large_body_arrives_whole(void **state) {
    (void)state;
    struct rig r;
    start(&r, &plain);
    static char body[3 * 1024 * 1024];
    size_t len = sizeof body - 3;
    memset(body, 'x', len);
    memcpy(body, "{\"a\":\"", 6);
    memcpy(body + len - 2, "\"}", 2);
    struct sender *s = rig_sender(&r);
    char head[256];
    snprintf(head, sizeof head,
             "POST /w HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nX-GitHub-Event: ping"
             "\r\nX-GitHub-Delivery: big\r\nExpect: 100-continue\r\nContent-Length: %zu\r\n\r\n",
             len);
    sender_says(&r, s, head);
    RIG_UNTIL(&r, strstr(sender_got(s), "100 Continue\r\n\r\n"));
    buf_reset(&s->got);
    sender_send(&r, s, body, len);
    rig_expect(&r, s, 200, "ok");
    struct stub *b = &r.stubs[SIDE_LEGACY];
    assert_memory_equal(buf_at(&b->seen) + buf_len(&b->seen) - 1 - len, body, len);
    assert_false(backend_got(&r, "Expect"));
    rig_stop(&r);
}

static void an_answer_closes_or_keeps_as_the_request_asked(void **state) {
    (void)state;
    static const struct {
        const char *version, *line;
        bool kept;
        const char *connection; /* in the answer */
    } cases[] = {
        {"1.1", "", true, NULL},
        {"1.1", "Connection: close\r\n", false, "close"},
        {"1.0", "", false, "close"},
        {"1.0", "Connection: keep-alive\r\n", true, "keep-alive"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct rig r;
        char text[1024];
        start(&r, &plain);
        const char *event = strstr(rig_event("keep", 1), "Host:");
        snprintf(text, sizeof text, "POST /w HTTP/%s\r\n%s%s", cases[i].version, cases[i].line,
                 event);
        struct sender *s = rig_sender(&r);
        sender_says(&r, s, text);
        struct http_head head = rig_expect(&r, s, 200, "ok");
        assert_header(&head, "connection", cases[i].connection);
        if (cases[i].kept)
            sender_says(&r, s, rig_event("keep", 1));
        else
            RIG_UNTIL(&r, s->eof);
        if (cases[i].kept)
            rig_expect(&r, s, 200, "duplicate");
        rig_stop(&r);
    }
}

/* ---- what is refused ---- */

static void what_a_head_shows_is_refused_at_once(void **state) {
    (void)state;
    static char many[1200], huge[9000];
    for (size_t at = 0; at < 11 * 6; at += 6)
        memcpy(many + at, "A: b\r\n", 6);
    memset(huge, 'a', sizeof huge - 1);
    static const struct {
        const char *start, *lines;
        unsigned status;
        const char *type;
    } cases[] = {
        {"POST /x HTTP/1.1", "Content-Length: 5\r\n", 404, "path"},
        {"POST /w/ HTTP/1.1", "Content-Length: 5\r\n", 404, "path"},
        {"GET /w HTTP/1.1", "", 405, "method"},
        {"POST /w HTTP/1.1", "Content-Length: 102401\r\n", 413, "body"},
        {"POST /w HTTP/1.1", "Content-Length: 1\r\nContent-Length: 2\r\n", 400, "http"},
        {"POST /w HTTP/1.1", "Transfer-Encoding: chunked\r\nContent-Length: 2\r\n", 400, "http"},
        {"POST /w HTTP/2.0", "", 505, "http"},
        {"POST /w HTTP/1.1", many, 431, "http"},
        {"POST /w HTTP/1.1", huge, 431, "http"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct rig r;
        char type[64];
        static char text[16000];
        start(&r, &small);
        struct sender *s = rig_sender(&r);
        snprintf(text, sizeof text, "%s\r\nHost: h\r\n%s\r\n", cases[i].start, cases[i].lines);
        sender_says(&r, s, text);
        snprintf(type, sizeof type, "urn:pointsman:problem:%s\"", cases[i].type);
        struct http_head head = rig_expect(&r, s, cases[i].status, type);
        assert_header(&head, "content-type", "application/problem+json");
        assert_header(&head, "x-pointsman-event", "-");
        assert_header(&head, "allow", cases[i].status == 405 ? "POST" : NULL);
        if (cases[i].status != 405) /* which had no body that would have to be skipped */
            RIG_UNTIL(&r, s->eof);
        assert_int_equal(r.proxy->deliveries, 0);
        rig_stop(&r);
    }
}

static void an_answer_to_head_has_no_body(void **state) {
    (void)state;
    struct rig r;
    start(&r, &plain);
    struct sender *s = rig_sender(&r);
    sender_says(&r, s, "HEAD /w HTTP/1.1\r\nHost: h\r\n\r\n");
    RIG_UNTIL(&r, strstr(sender_got(s), "\r\n\r\n"));
    assert_non_null(strstr(sender_got(s), "HTTP/1.1 405 "));
    buf_reset(&s->got);
    sender_says(&r, s, rig_event("after", 1));
    RIG_UNTIL(&r, buf_len(&s->got) > 0);
    assert_memory_equal(sender_got(s), "HTTP/1.1 200 ", 13);
    rig_stop(&r);
}

static void a_chunked_body_that_grows_too_large_is_refused_and_read_away(void **state) {
    (void)state;
    struct rig r;
    start(&r, &small);
    struct sender *s = rig_sender(&r);
    static char zeros[200000];
    sender_says(&r, s,
                "POST /w HTTP/1.1\r\nHost: h\r\nX-GitHub-Delivery: grows\r\n"
                "Transfer-Encoding: chunked\r\n\r\n30d40\r\n");
    sender_send(&r, s, zeros, sizeof zeros);
    struct http_head head = rig_expect(&r, s, 413, "urn:pointsman:problem:body");
    assert_header(&head, "x-pointsman-event", "grows");
    RIG_UNTIL(&r, s->eof);
    assert_int_equal(r.proxy->connections, 1); /* lingers: closing now would destroy the answer */
    rig_advance(&r, 3 * RIG_SECOND_US);
    RIG_UNTIL(&r, r.proxy->connections == 0);
    rig_stop(&r);
}

static void bodies_of_all_events_together_are_limited(void **state) {
    (void)state;
    struct rig r;
    start(&r, &small);
    struct sender *held[3];
    static char zeros[90000];
    for (int i = 0; i < 3; i++) {
        held[i] = rig_sender(&r);
        sender_says(&r, held[i], "POST /w HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n");
        sender_send(&r, held[i], zeros, i < 2 ? sizeof zeros : 1);
    }
    struct http_head head = rig_expect(&r, held[2], 503, "limits.in_flight");
    assert_header(&head, "retry-after", "1");
    sender_leaves(&r, held[0]);
    RIG_UNTIL(&r, r.proxy->deliveries == 1);
    rig_expect(&r, rig_post(&r, "room", 1), 200, "ok");
    rig_stop(&r);
}

/* ---- time ---- */

static void a_sender_that_does_not_take_a_whole_answer_is_let_go(void **state) {
    (void)state;
    static char answer[60 * 1024];
    const int least = 1;
    struct rig r;
    start(&r, &plain);
    int head = snprintf(answer, sizeof answer, "HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n");
    memset(answer + head, 'x', 60000);
    answer[head + 60000] = '\0';
    r.stubs[SIDE_LEGACY].answer = answer;
    struct sender *s = rig_sender(&r);
    struct conn *c = only_conn(&r);
    assert_int_equal(setsockopt(c->io.fd, SOL_SOCKET, SO_SNDBUF, &least, sizeof least), 0);
    s->deaf = true;
    for (unsigned i = 0; buf_len(&c->out) == 0; i++) {
        char id[16];
        snprintf(id, sizeof id, "e%u", i);
        sender_says(&r, s, rig_event(id, i));
        RIG_UNTIL(&r, r.proxy->deliveries == 0 && c->state != CONN_WAIT);
    }
    rig_advance(&r, 9 * RIG_SECOND_US);
    assert_int_equal(r.proxy->connections, 1);
    rig_advance(&r, 2 * RIG_SECOND_US);
    RIG_UNTIL(&r, r.proxy->connections == 0);
    rig_stop(&r);
}

static void an_idle_connection_is_closed_without_a_word(void **state) {
    (void)state;
    struct rig r;
    start(&r, &plain);
    struct sender *s = rig_post(&r, "idle", 1);
    rig_expect(&r, s, 200, "ok");
    RIG_UNTIL(&r, only_conn(&r)->state == CONN_HEAD);
    rig_advance(&r, 74 * RIG_SECOND_US);
    assert_int_equal(r.proxy->connections, 1);
    rig_advance(&r, 2 * RIG_SECOND_US);
    RIG_UNTIL(&r, s->eof);
    assert_int_equal(buf_len(&s->got), 0);
    rig_stop(&r);
}

static void a_slow_head_is_408(void **state) {
    (void)state;
    struct rig r;
    start(&r, &plain);
    struct sender *s = rig_sender(&r);
    sender_says(&r, s, "POST /w HT");
    RIG_UNTIL(&r, only_conn(&r)->seen > 0);
    rig_advance(&r, 9 * RIG_SECOND_US);
    sender_says(&r, s, "TP/1.1\r\n"); /* more bytes buy no more time */
    rig_advance(&r, 1100000);
    rig_expect(&r, s, 408, "urn:pointsman:problem:slow");
    rig_stop(&r);
}

static void a_body_must_bring_64_kib_in_ten_seconds(void **state) {
    (void)state;
    struct rig r;
    start(&r, &plain);
    static char zeros[70000];
    struct sender *s = rig_sender(&r);
    sender_says(&r, s, "POST /w HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n");
    sender_send(&r, s, zeros, sizeof zeros);
    RIG_UNTIL(&r, only_conn(&r)->period_bytes == sizeof zeros);
    rig_advance(&r, 10100000);
    assert_int_equal(buf_len(&s->got), 0);
    sender_send(&r, s, zeros, 60000);
    RIG_UNTIL(&r, only_conn(&r)->period_bytes == 60000);
    rig_advance(&r, 10100000);
    rig_expect(&r, s, 408, "64 KiB");
    RIG_UNTIL(&r, r.proxy->deliveries == 0);
    rig_stop(&r);
}

static void a_body_slower_than_the_deadline_is_taken_all_the_same(void **state) {
    (void)state;
    struct rig r;
    start(&r, &plain);
    struct sender *s = rig_sender(&r);
    const char *event = rig_event("slow", 1);
    sender_send(&r, s, event, strlen(event) - 5);
    RIG_UNTIL(&r, r.proxy->deliveries == 1);
    rig_advance(&r, 9100000);
    assert_int_equal(buf_len(&s->got), 0);
    sender_says(&r, s, event + strlen(event) - 5);
    rig_expect(&r, s, 200, "ok");
    rig_stop(&r);
}

static void drain(struct rig *r) {
    worker_tell_drain(r->worker);
    RIG_UNTIL(r, r->worker->draining);
}

static void draining_ends_idle_connections_and_finishes_the_others(void **state) {
    (void)state;
    struct rig r;
    rig_start(&r, &plain);
    struct sender *busy = rig_post(&r, "drain", 1), *idle = rig_sender(&r);
    RIG_UNTIL(&r, r.stubs[SIDE_LEGACY].requests == 1);
    drain(&r);
    rig_advance(&r, CONN_GRACE_US + 100000);
    RIG_UNTIL(&r, idle->eof);
    assert_false(busy->eof);
    stub_says(&r.stubs[SIDE_LEGACY], OK_ANSWER);
    struct http_head head = rig_expect(&r, busy, 200, "ok");
    assert_header(&head, "connection", "close");
    RIG_UNTIL(&r, busy->eof);
    rig_stop(&r);
}

static void a_request_that_is_on_its_way_when_draining_begins_is_served(void **state) {
    (void)state;
    struct rig r;
    rig_start(&r, &plain);
    r.stubs[SIDE_LEGACY].answer = OK_ANSWER;
    struct sender *kept = rig_post(&r, "before", 1), *half = rig_sender(&r);
    const char *event = rig_event("half", 2);
    struct http_head head = rig_expect(&r, kept, 200, "ok");
    assert_header(&head, "connection", NULL);
    sender_send(&r, half, event, 20);
    drain(&r);
    rig_advance(&r, CONN_GRACE_US - 200000);
    sender_says(&r, half, rig_event("half", 2) + 20);
    head = rig_expect(&r, half, 200, "ok");
    assert_header(&head, "connection", "close");
    sender_says(&r, kept, rig_event("after", 3));
    head = rig_expect(&r, kept, 200, "ok");
    assert_header(&head, "connection", "close");
    RIG_UNTIL(&r, kept->eof && half->eof);
    rig_stop(&r);
}

static void draining_does_not_wait_for_the_rest_of_a_head(void **state) {
    (void)state;
    struct rig r;
    rig_start(&r, &plain);
    struct sender *half = rig_sender(&r);
    drain(&r);
    rig_advance(&r, CONN_GRACE_US - 200000);
    sender_send(&r, half, rig_event("half", 1), 20);
    rig_advance(&r, CONN_GRACE_US - 200000);
    assert_false(half->eof);
    rig_advance(&r, 400000);
    RIG_UNTIL(&r, half->eof);
    assert_int_equal(buf_len(&half->got), 0);
    rig_stop(&r);
}

/* Begun before, so its head could not say "close". */
static void a_streamed_answer_that_ends_while_draining_leaves_no_connection(void **state) {
    (void)state;
    struct rig r;
    rig_start(&r, &plain);
    struct sender *s = rig_post(&r, "stream", 1);
    RIG_UNTIL(&r, r.stubs[SIDE_LEGACY].requests == 1);
    stub_says(&r.stubs[SIDE_LEGACY], "HTTP/1.1 200 OK\r\nContent-Length: 100002\r\n\r\n");
    char *piece = calloc(1, 100001);
    assert_non_null(piece);
    memset(piece, 'x', 100000);
    stub_says(&r.stubs[SIDE_LEGACY], piece);
    free(piece);
    RIG_UNTIL(&r, buf_len(&s->got) > 90000);
    drain(&r);
    stub_says(&r.stubs[SIDE_LEGACY], "ok");
    rig_expect(&r, s, 200, "xok");
    rig_advance(&r, CONN_GRACE_US + 100000);
    RIG_UNTIL(&r, s->eof);
    rig_stop(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_may_come_byte_by_byte),
        cmocka_unit_test(a_chunked_request_byte_by_byte_reaches_the_backend_with_a_length),
        cmocka_unit_test(pipelined_requests_are_answered_in_order),
        cmocka_unit_test(more_than_what_may_wait_behind_a_request_is_left_in_the_kernel),
        cmocka_unit_test(a_half_closed_sender_still_gets_its_answers),
        cmocka_unit_test(a_sender_that_ends_in_the_middle_of_a_request_is_forgotten),
        cmocka_unit_test(a_large_body_arrives_whole),
        cmocka_unit_test(an_answer_closes_or_keeps_as_the_request_asked),
        cmocka_unit_test(what_a_head_shows_is_refused_at_once),
        cmocka_unit_test(an_answer_to_head_has_no_body),
        cmocka_unit_test(a_chunked_body_that_grows_too_large_is_refused_and_read_away),
        cmocka_unit_test(bodies_of_all_events_together_are_limited),
        cmocka_unit_test(a_sender_that_does_not_take_a_whole_answer_is_let_go),
        cmocka_unit_test(an_idle_connection_is_closed_without_a_word),
        cmocka_unit_test(a_slow_head_is_408),
        cmocka_unit_test(a_body_must_bring_64_kib_in_ten_seconds),
        cmocka_unit_test(a_body_slower_than_the_deadline_is_taken_all_the_same),
        cmocka_unit_test(draining_ends_idle_connections_and_finishes_the_others),
        cmocka_unit_test(a_request_that_is_on_its_way_when_draining_begins_is_served),
        cmocka_unit_test(draining_does_not_wait_for_the_rest_of_a_head),
        cmocka_unit_test(a_streamed_answer_that_ends_while_draining_leaves_no_connection),
    };
    return cmocka_run_group_tests(tests, rig_clock_on, rig_clock_off);
}

/* A sender's connection is told once of what came: nothing may be left unread for that. */
#include "rig.h"

static const struct rig_conf plain = {.mode = MODE_LEGACY_ONLY, .store = ", claims: off"};

static void start(struct rig *r) {
    rig_start(r, &plain);
    r->stubs[SIDE_LEGACY].answer = OK_ANSWER;
}

static struct conn *only_conn(const struct rig *r) {
    struct conn *c = LIST_FIRST(&r->worker->conns);
    assert_non_null(c);
    return c;
}

/* At once, without a turn in between. */
static void send_all(const struct sender *s, const char *text, size_t len) {
    assert_int_equal(send(s->fd, text, len, MSG_NOSIGNAL | MSG_DONTWAIT), (ssize_t)len);
}

/* A request whose backend is yet to answer. */
static struct sender *start_one(struct rig *r) {
    start(r);
    r->stubs[SIDE_LEGACY].answer = NULL;
    struct sender *s = rig_post(r, "first", 1);
    RIG_UNTIL(r, r->stubs[SIDE_LEGACY].requests == 1);
    return s;
}

/* In a few turns, not by a time-out. */
static void expect_closed(struct rig *r) {
    for (int i = 0; i < 20 && r->proxy->connections > 0; i++)
        rig_turn(r);
    assert_int_equal(r->proxy->connections, 0);
    assert_int_equal(r->proxy->deliveries, 0);
}

static void an_end_that_comes_with_the_request_is_seen_after_the_answer(void **state) {
    (void)state;
    struct rig r;
    start(&r);
    struct sender *s = rig_post(&r, "kept", 1);
    rig_expect(&r, s, 200, "ok");
    send_all(s, rig_event("last", 2), strlen(rig_event("last", 2)));
    assert_int_equal(shutdown(s->fd, SHUT_WR), 0);
    rig_expect(&r, s, 200, "ok");
    expect_closed(&r);
    rig_stop(&r);
}

static void an_end_that_comes_with_half_a_request_is_seen_at_once(void **state) {
    (void)state;
    struct rig r;
    start(&r);
    struct sender *s = rig_post(&r, "kept", 1);
    rig_expect(&r, s, 200, "ok");
    send_all(s, rig_event("half", 2), strlen(rig_event("half", 2)) - 1);
    assert_int_equal(shutdown(s->fd, SHUT_WR), 0);
    expect_closed(&r);
    rig_stop(&r);
}

/* Nobody tells of it: epoll shows an error, libevent only that there is something to be read. */
static void a_reset_that_comes_with_half_a_request_is_seen_at_once(void **state) {
    (void)state;
    static char large[256 * 1024];
    int head =
        snprintf(large, sizeof large, "%.*s",
                 (int)(strstr(rig_event("large", 1), "Content-Length") - rig_event("large", 1)),
                 rig_event("large", 1));
    head += snprintf(large + head, sizeof large - (size_t)head, "Content-Length: 1000000\r\n\r\n");
    const size_t cuts[] = {20, strlen(rig_event("half", 2)) - 1, (size_t)head + 60000};
    for (size_t i = 0; i < ARRAY_LEN(cuts); i++) {
        struct rig r;
        start(&r);
        struct sender *s = rig_post(&r, "kept", 1);
        rig_expect(&r, s, 200, "ok");
        send_all(s, i == 2 ? large : rig_event("half", 2), cuts[i]);
        sender_reset(s);
        expect_closed(&r);
        rig_stop(&r);
    }
}

static void a_reset_that_comes_with_what_is_thrown_away_is_seen_at_once(void **state) {
    (void)state;
    struct rig r;
    start(&r);
    struct sender *s = rig_sender(&r);
    sender_says(&r, s, "POST /w HTTP/1.1\r\nContent-Length: 100\r\n\r\n"); /* without a Host */
    rig_expect(&r, s, 400, "");
    send_all(s, "rest", 4);
    sender_reset(s);
    expect_closed(&r);
    rig_stop(&r);
}

static void an_end_behind_a_part_of_the_next_body_is_seen_at_once(void **state) {
    (void)state;
    struct rig r;
    struct sender *s = start_one(&r);
    send_all(s, rig_event("half", 2), strlen(rig_event("half", 2)) - 1);
    assert_int_equal(shutdown(s->fd, SHUT_WR), 0);
    RIG_UNTIL(&r, only_conn(&r)->eof);
    stub_says(&r.stubs[SIDE_LEGACY], OK_ANSWER);
    rig_expect(&r, s, 200, "ok");
    expect_closed(&r);
    rig_stop(&r);
}

/* The answer and the next request are told in one turn, and in this order. */
static void a_request_told_while_the_one_before_ends_is_read(void **state) {
    (void)state;
    struct rig r;
    struct sender *s = start_one(&r);
    stub_says(&r.stubs[SIDE_LEGACY], OK_ANSWER);
    send_all(s, rig_event("second", 2), strlen(rig_event("second", 2)));
    rig_expect(&r, s, 200, "ok");
    RIG_UNTIL(&r, r.stubs[SIDE_LEGACY].requests == 2);
    stub_says(&r.stubs[SIDE_LEGACY], OK_ANSWER);
    rig_expect(&r, s, 200, "ok");
    rig_stop(&r);
}

/* Over a socket whose buffer holds more than is read in one turn, so that nothing comes later. */
static void what_one_turn_does_not_read_the_next_does(void **state) {
    (void)state;
    static char text[1024 * 1024];
    const int room = 4 * 1024 * 1024;
    const struct sockaddr_storage from = {.ss_family = AF_INET};
    struct rig r;
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    if (setsockopt(fds[0], SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room) != 0) {
        close(fds[0]);
        close(fds[1]);
        skip(); /* only root may have so much */
    }
    start(&r);
    struct sender *s = &r.senders[0];
    s->fd = fds[0];
    atomic_fetch_add(&r.proxy->connections, 1);
    conn_accept(r.worker, fds[1], &from, false);
    int head = snprintf(text, sizeof text,
                        "POST /w HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"
                        "X-GitHub-Event: ping\r\nX-GitHub-Delivery: big\r\n"
                        "Content-Length: 1000000\r\n\r\n{\"a\":\"");
    memset(text + head, 'x', 1000000 - 8);
    memcpy(text + head + 1000000 - 8, "\"}", 2);
    send_all(s, text, (size_t)head + 1000000 - 6);
    rig_expect(&r, s, 200, "ok");
    rig_stop(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_end_that_comes_with_the_request_is_seen_after_the_answer),
        cmocka_unit_test(an_end_that_comes_with_half_a_request_is_seen_at_once),
        cmocka_unit_test(a_reset_that_comes_with_half_a_request_is_seen_at_once),
        cmocka_unit_test(a_reset_that_comes_with_what_is_thrown_away_is_seen_at_once),
        cmocka_unit_test(an_end_behind_a_part_of_the_next_body_is_seen_at_once),
        cmocka_unit_test(a_request_told_while_the_one_before_ends_is_read),
        cmocka_unit_test(what_one_turn_does_not_read_the_next_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

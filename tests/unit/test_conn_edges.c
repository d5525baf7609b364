/* A sender's connection is told once of what came: nothing may be left unread for that. */
#include "rig.h"

static const struct rig_conf plain = {.mode = MODE_LEGACY_ONLY, .store = ", claims: off"};

static void start(struct rig *r) {
    rig_start(r, &plain);
    r->stubs[SIDE_LEGACY].answer = OK_ANSWER;
}

/* At once, without a turn in between. */
static void send_all(const struct sender *s, const char *text, size_t len) {
    assert_int_equal(send(s->fd, text, len, MSG_NOSIGNAL | MSG_DONTWAIT), (ssize_t)len);
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
    RIG_UNTIL(&r, s->eof && r.proxy->connections == 0);
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
    RIG_UNTIL(&r, s->eof && r.proxy->connections == 0 && r.proxy->deliveries == 0);
    rig_stop(&r);
}

/* The answer and the next request are told in one turn, and in this order. */
static void a_request_told_while_the_one_before_ends_is_read(void **state) {
    (void)state;
    struct rig r;
    start(&r);
    r.stubs[SIDE_LEGACY].answer = NULL;
    struct sender *s = rig_post(&r, "first", 1);
    RIG_UNTIL(&r, r.stubs[SIDE_LEGACY].requests == 1);
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
        cmocka_unit_test(a_request_told_while_the_one_before_ends_is_read),
        cmocka_unit_test(what_one_turn_does_not_read_the_next_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

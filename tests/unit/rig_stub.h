/* A backend on the loop of the tests: takes whole requests, answers when and what the test says.
 * Layer: tests. */
#ifndef POINTSMAN_TESTS_RIG_STUB_H
#define POINTSMAN_TESTS_RIG_STUB_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <pointsman/buf.h>
#include <pointsman/http.h>
#include <pointsman/loop.h>

#define STUB_CONNS 256
#define STUB_MAX   (64 * 1024 * 1024)

struct stub;

struct stub_conn {
    struct stub *stub;
    int fd; /* -1: free */
    struct watch watch;
    struct buf in, out;
};

struct stub {
    struct loop *loop;
    int listener;
    uint16_t port;
    struct watch accepts;
    struct stub_conn conns[STUB_CONNS];
    struct stub_conn *now; /* the latest that brought a request */
    unsigned accepted, requests;
    struct buf seen;    /* the latest request, whole, with a NUL behind it */
    const char *answer; /* played to every request; NULL: the test does it */
    bool deaf;          /* accepts, but never reads */
};

static inline void stub_hang_up(struct stub_conn *c) {
    if (c->fd < 0)
        return;
    watch_stop(&c->watch);
    close(c->fd);
    c->fd = -1;
    buf_free(&c->in);
    buf_free(&c->out);
}

static inline void stub_flush(struct stub_conn *c) {
    while (buf_len(&c->out)) {
        ssize_t n = send(c->fd, buf_at(&c->out), buf_len(&c->out), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0)
            break;
        buf_consume(&c->out, (size_t)n);
    }
    assert_true(watch_set(&c->watch, WATCH_READ | (buf_len(&c->out) ? WATCH_WRITE : 0)));
}

/* On the connection of the latest request. */
static inline void stub_say(struct stub *s, const char *text, size_t len) {
    assert_non_null(s->now);
    assert_true(s->now->fd >= 0);
    assert_true(buf_append(&s->now->out, text, len));
    stub_flush(s->now);
}

static inline void stub_says(struct stub *s, const char *text) {
    stub_say(s, text, strlen(text));
}

/* Bytes of the whole request at the front of what came in; 0: it is not whole. */
static inline size_t stub_request_len(const struct stub_conn *c) {
    struct http_limits limits = {256 * 1024, 64 * 1024, HTTP_HEADERS_MAX};
    struct http_head head;
    struct http_problem problem;
    if (buf_len(&c->in) == 0)
        return 0;
    enum http_parse r =
        http_parse_request(buf_at(&c->in), buf_len(&c->in), 0, &limits, &head, &problem);
    assert_int_not_equal(r, HTTP_BAD);
    size_t whole = head.size + (head.framing == HTTP_LENGTH ? (size_t)head.length : 0);
    return r == HTTP_OK && whole <= buf_len(&c->in) ? whole : 0;
}

static inline void stub_ready(void *arg, int what) {
    struct stub_conn *c = arg;
    struct stub *s = c->stub;
    static char piece[256 * 1024];
    if (what & WATCH_WRITE)
        stub_flush(c);
    if (!(what & WATCH_READ))
        return;
    ssize_t n = recv(c->fd, piece, sizeof piece, MSG_DONTWAIT);
    if (n <= 0) {
        stub_hang_up(c);
        return;
    }
    assert_true(buf_append(&c->in, piece, (size_t)n));
    size_t len = stub_request_len(c);
    if (len == 0)
        return;
    buf_reset(&s->seen);
    assert_true(buf_append(&s->seen, buf_at(&c->in), len) && buf_append(&s->seen, "", 1));
    buf_consume(&c->in, len);
    s->requests++;
    s->now = c;
    if (s->answer)
        stub_says(s, s->answer);
}

static inline void stub_accepts(void *arg, int what) {
    struct stub *s = arg;
    (void)what;
    struct stub_conn *c = s->conns;
    while (c->fd >= 0)
        assert_true(++c < s->conns + STUB_CONNS);
    c->fd = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    assert_true(c->fd >= 0);
    int on = 1;
    (void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    c->stub = s;
    buf_init(&c->in, STUB_MAX);
    buf_init(&c->out, STUB_MAX);
    s->accepted++;
    watch_init(&c->watch, s->loop, c->fd, stub_ready, c);
    assert_true(watch_set(&c->watch, s->deaf ? 0 : WATCH_READ));
}

/* Its port is known; nothing is accepted yet. */
static inline void stub_bind(struct stub *s) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(s->listener, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(getsockname(s->listener, (struct sockaddr *)&at, &len), 0);
    s->port = ntohs(at.sin_port);
    for (int i = 0; i < STUB_CONNS; i++)
        s->conns[i].fd = -1;
    buf_init(&s->seen, STUB_MAX);
}

static inline void stub_open(struct stub *s, struct loop *loop) {
    s->loop = loop;
    assert_int_equal(listen(s->listener, 64), 0);
    watch_init(&s->accepts, loop, s->listener, stub_accepts, s);
    assert_true(watch_set(&s->accepts, WATCH_READ));
}

/* From now on connections are refused; open ones stay. */
static inline void stub_refuse(struct stub *s) {
    if (s->listener < 0)
        return;
    watch_stop(&s->accepts);
    close(s->listener);
    s->listener = -1;
}

static inline void stub_close(struct stub *s) {
    stub_refuse(s);
    for (int i = 0; i < STUB_CONNS; i++)
        stub_hang_up(&s->conns[i]);
    buf_free(&s->seen);
}

#endif

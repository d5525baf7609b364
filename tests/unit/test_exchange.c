/* One request and its answer over real sockets: every way an answer can come, whole and byte by
 * byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "../../proxy/exchange.h"

#define DEADLINE_US (10 * 1000000ull)

/* A backend on the same loop: reads one request, plays its script, maybe closes. */
struct backend {
    struct loop *loop;
    int listener, fd;
    uint16_t port;
    struct watch accepts, reads;
    struct timer next;
    const char *script;
    size_t len, at, step;
    bool closes, resets;
    unsigned accepted, requests;
    char got[4096];
    size_t got_len;
};

struct fixture {
    struct loop *loop;
    struct resolver *resolver;
    struct pool pool;
    struct exchange x;
    struct backend backend;
    struct timer deadline;
    char scratch[4096];
    bool forbids; /* what sending answers */
    unsigned sending, heads, ends, status;
    enum exchange_end end;
    char body[4096];
    size_t body_len;
    bool late;
};

static void backend_play(void *arg) {
    struct backend *b = arg;
    size_t n = b->len - b->at < b->step ? b->len - b->at : b->step;
    if (n)
        assert_int_equal(send(b->fd, b->script + b->at, n, MSG_NOSIGNAL), (ssize_t)n);
    b->at += n;
    if (b->at < b->len) {
        timer_set(b->loop, &b->next, 1);
    } else if (b->closes) {
        struct linger now = {1, 0};
        watch_stop(&b->reads);
        if (b->resets)
            setsockopt(b->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        close(b->fd);
        b->fd = -1;
    }
}

static void backend_reads(void *arg, int what) {
    struct backend *b = arg;
    (void)what;
    ssize_t n = recv(b->fd, b->got + b->got_len, sizeof b->got - b->got_len - 1, 0);
    if (n <= 0) {
        watch_stop(&b->reads);
        close(b->fd);
        b->fd = -1;
        return;
    }
    b->got_len += (size_t)n;
    b->got[b->got_len] = '\0';
    if (!strstr(b->got, "the body"))
        return;
    b->requests++;
    b->got_len = 0;
    b->at = 0;
    timer_set(b->loop, &b->next, 1);
}

static void backend_accepts(void *arg, int what) {
    struct backend *b = arg;
    (void)what;
    b->fd = accept4(b->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    assert_true(b->fd >= 0);
    int on = 1;
    setsockopt(b->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    b->accepted++;
    b->got_len = 0;
    watch_init(&b->reads, b->loop, b->fd, backend_reads, b);
    assert_true(watch_set(&b->reads, WATCH_READ));
}

static void backend_start(struct backend *b, struct loop *loop) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    b->loop = loop;
    b->fd = -1;
    b->step = SIZE_MAX;
    b->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(b->listener, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(b->listener, 8), 0);
    assert_int_equal(getsockname(b->listener, (struct sockaddr *)&at, &len), 0);
    b->port = ntohs(at.sin_port);
    timer_init(&b->next, backend_play, b);
    watch_init(&b->accepts, loop, b->listener, backend_accepts, b);
    assert_true(watch_set(&b->accepts, WATCH_READ));
}

static void backend_stop(struct backend *b) {
    timer_stop(&b->next);
    watch_stop(&b->accepts);
    close(b->listener);
    if (b->fd >= 0) {
        watch_stop(&b->reads);
        close(b->fd);
    }
}

static bool on_sending(struct exchange *x) {
    struct fixture *f = CONTAINER_OF(x, struct fixture, x);
    f->sending++;
    return !f->forbids;
}
static void on_head(struct exchange *x, const struct http_head *head) {
    struct fixture *f = CONTAINER_OF(x, struct fixture, x);
    f->heads++;
    f->status = head->status;
}
static void on_body(struct exchange *x, struct slice piece) {
    struct fixture *f = CONTAINER_OF(x, struct fixture, x);
    assert_true(f->body_len + piece.len < sizeof f->body);
    memcpy(f->body + f->body_len, piece.ptr, piece.len);
    f->body_len += piece.len;
}
static void on_end(struct exchange *x, enum exchange_end end) {
    struct fixture *f = CONTAINER_OF(x, struct fixture, x);
    f->ends++;
    f->end = end;
    loop_stop(f->loop);
}
static const struct exchange_ops ops = {on_sending, on_head, on_body, on_end};

static void too_late(void *arg) {
    struct fixture *f = arg;
    f->late = true;
    loop_stop(f->loop);
}

static void start(struct fixture *f) {
    struct http_limits limits = {1024, 0, 20};
    memset(f, 0, sizeof *f);
    f->loop = loop_new();
    f->resolver = resolver_new();
    assert_non_null(f->loop);
    assert_non_null(f->resolver);
    backend_start(&f->backend, f->loop);
    pool_init(&f->pool, f->loop, target_new(f->resolver, "127.0.0.1", f->backend.port), 5000000,
              limits, f->scratch, sizeof f->scratch);
    exchange_init(&f->x, &f->pool, &ops, 4096);
    assert_true(
        buf_puts(&f->x.request, "POST / HTTP/1.1\r\nHost: b\r\nContent-Length: 8\r\n\r\nthe body"));
    timer_init(&f->deadline, too_late, f);
}

static void stop(struct fixture *f) {
    timer_stop(&f->deadline);
    exchange_free(&f->x);
    pool_clear(&f->pool);
    backend_stop(&f->backend);
    resolver_free(f->resolver);
    loop_free(f->loop);
}

static void run(struct fixture *f) {
    f->ends = f->heads = f->status = 0;
    f->body_len = 0;
    timer_set(f->loop, &f->deadline, DEADLINE_US);
    exchange_start(&f->x);
    assert_int_equal(f->ends, 0);
    loop_run(f->loop);
    timer_stop(&f->deadline);
    assert_false(f->late);
    assert_int_equal(f->ends, 1);
}

struct answer_case {
    const char *name, *script;
    bool closes;
    enum exchange_end end;
    unsigned status;
    const char *body;
    bool kept; /* the connection is fit for another exchange */
};

#define OK_HEAD "HTTP/1.1 200 OK\r\n"
static const struct answer_case cases[] = {
    {"length", OK_HEAD "Content-Length: 5\r\n\r\nhello", false, EXCHANGE_COMPLETE, 200, "hello",
     true},
    {"length, then closed", OK_HEAD "Content-Length: 5\r\n\r\nhello", true, EXCHANGE_COMPLETE, 200,
     "hello", false},
    {"chunked",
     OK_HEAD "Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nT: v\r\n\r\n",
     false, EXCHANGE_COMPLETE, 200, "hello", true},
    {"until close", OK_HEAD "\r\nhello", true, EXCHANGE_COMPLETE, 200, "hello", false},
    {"no body", "HTTP/1.1 204 No Content\r\n\r\n", false, EXCHANGE_COMPLETE, 204, "", true},
    {"interim",
     "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nA: b\r\n\r\n" OK_HEAD
     "Content-Length: 2\r\n\r\nok",
     false, EXCHANGE_COMPLETE, 200, "ok", true},
    {"close asked", OK_HEAD "Connection: close\r\nContent-Length: 2\r\n\r\nok", false,
     EXCHANGE_COMPLETE, 200, "ok", false},
    {"more than said", OK_HEAD "Content-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n\r\n", false,
     EXCHANGE_COMPLETE, 200, "ok", false},
    {"redirect", "HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n", false,
     EXCHANGE_COMPLETE, 302, "", true},
    {"closed early", OK_HEAD "Content-Length: 9\r\n\r\nhello", true, EXCHANGE_TRUNCATED, 200,
     "hello", false},
    {"cut chunk", OK_HEAD "Transfer-Encoding: chunked\r\n\r\n9\r\nhello", true, EXCHANGE_TRUNCATED,
     200, "hello", false},
    {"bad chunk", OK_HEAD "Transfer-Encoding: chunked\r\n\r\nzz\r\n", false, EXCHANGE_TRUNCATED,
     200, "", false},
    {"closed without a word", "", true, EXCHANGE_BROKEN, 0, "", false},
    {"closed in the head", "HTTP/1.1 200 OK\r\nContent-", true, EXCHANGE_BROKEN, 0, "", false},
    {"garbage", "SSH-2.0-OpenSSH_9.2\r\n\r\n", false, EXCHANGE_GARBAGE, 0, "", false},
    {"two lengths", OK_HEAD "Content-Length: 2\r\nContent-Length: 3\r\n\r\nok", false,
     EXCHANGE_GARBAGE, 0, "", false},
};

static void play(const struct answer_case *c, size_t step) {
    struct fixture f;
    start(&f);
    f.backend.script = c->script;
    f.backend.len = strlen(c->script);
    f.backend.closes = c->closes;
    f.backend.step = step;
    run(&f);
    f.body[f.body_len] = '\0';
    /* Byte by byte what comes too much may come after the connection was kept; the look before
     * reuse finds it. */
    bool kept_right = step != SIZE_MAX || f.pool.idle_count == (c->kept ? 1 : 0);
    if (f.end != c->end || f.status != c->status || strcmp(f.body, c->body) != 0 || !kept_right)
        fail_msg("%s (step %zd): %s, status %u, body \"%s\", %u kept", c->name, (ssize_t)step,
                 exchange_end_names[f.end], f.status, f.body, f.pool.idle_count);
    assert_int_equal(f.sending, 1);
    assert_int_equal(f.heads, c->status ? 1 : 0);
    stop(&f);
}

static void every_answer_ends_as_it_must_whole_and_byte_by_byte(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        play(&cases[i], SIZE_MAX);
        play(&cases[i], 1);
    }
}

static void a_head_over_the_limit_is_garbage(void **state) {
    (void)state;
    static char script[8192] = "HTTP/1.1 200 OK\r\nA: ";
    memset(script + strlen(script), 'a', 4000);
    struct answer_case c = {"endless head", script, false, EXCHANGE_GARBAGE, 0, "", false};
    play(&c, SIZE_MAX);
    play(&c, 100);
}

/* More than is read in one turn; nothing comes after it that would wake anybody. */
static void an_answer_of_many_reads_arrives_whole(void **state) {
    (void)state;
    static char script[4096] = OK_HEAD "Content-Length: 3000\r\n\r\n";
    size_t head = strlen(script);
    struct fixture f;
    memset(script + head, 'a', 3000);
    start(&f);
    f.pool.scratch_len = 64;
    f.backend.script = script;
    f.backend.len = head + 3000;
    f.backend.step = SIZE_MAX;
    run(&f);
    assert_int_equal(f.end, EXCHANGE_COMPLETE);
    assert_int_equal(f.body_len, 3000);
    stop(&f);
}

static void new_limits_count_from_the_next_exchange(void **state) {
    (void)state;
    static char script[1024] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nA: ";
    struct fixture f;
    size_t at = strlen(script);
    memset(script + at, 'a', 600);
    memcpy(script + at + 600, "\r\n\r\n", 5);
    start(&f);
    f.backend.script = script;
    f.backend.len = strlen(script);
    run(&f);
    assert_int_equal(f.end, EXCHANGE_COMPLETE);
    pool_retarget(&f.pool, target_ref(f.pool.target), 5000000, (struct http_limits){512, 0, 20});
    run(&f);
    assert_int_equal(f.end, EXCHANGE_GARBAGE);
    stop(&f);
}

static void a_kept_connection_is_used_again(void **state) {
    (void)state;
    struct fixture f;
    start(&f);
    f.backend.script = cases[0].script;
    f.backend.len = strlen(cases[0].script);
    run(&f);
    run(&f);
    assert_int_equal(f.end, EXCHANGE_COMPLETE);
    assert_int_equal(f.backend.accepted, 1);
    assert_int_equal(f.backend.requests, 2);
    stop(&f);
}

static void a_connection_closed_while_idle_is_not_used(void **state) {
    (void)state;
    struct fixture f;
    start(&f);
    f.backend.script = cases[0].script;
    f.backend.len = strlen(cases[0].script);
    run(&f);
    watch_stop(&f.backend.reads);
    close(f.backend.fd);
    f.backend.fd = -1;
    run(&f);
    assert_int_equal(f.end, EXCHANGE_COMPLETE);
    assert_int_equal(f.backend.accepted, 2);
    stop(&f);
}

static void what_may_not_be_sent_is_unsent(void **state) {
    (void)state;
    for (int kept = 0; kept < 2; kept++) {
        struct fixture f;
        start(&f);
        f.backend.script = cases[0].script;
        f.backend.len = strlen(cases[0].script);
        if (kept)
            run(&f);
        f.forbids = true;
        run(&f);
        assert_int_equal(f.end, EXCHANGE_UNSENT);
        assert_int_equal(f.backend.requests, kept);
        stop(&f);
    }
}

static void a_refused_connection_is_unsent(void **state) {
    (void)state;
    struct fixture f;
    start(&f);
    watch_stop(&f.backend.accepts);
    close(f.backend.listener);
    f.backend.listener = -1;
    run(&f);
    assert_int_equal(f.end, EXCHANGE_UNSENT);
    assert_int_equal(f.sending, 0);
    stop(&f);
}

static void an_abort_tells_nothing(void **state) {
    (void)state;
    struct fixture f;
    start(&f);
    timer_set(f.loop, &f.deadline, 50000);
    exchange_start(&f.x);
    exchange_abort(&f.x);
    exchange_abort(&f.x);
    loop_run(f.loop);
    assert_true(f.late);
    assert_int_equal(f.ends, 0);
    stop(&f);
}

static void a_paused_answer_waits(void **state) {
    (void)state;
    struct fixture f;
    start(&f);
    f.backend.script = cases[0].script;
    f.backend.len = strlen(cases[0].script);
    timer_set(f.loop, &f.deadline, 50000);
    exchange_start(&f.x);
    exchange_pause(&f.x);
    loop_run(f.loop);
    assert_true(f.late);
    assert_int_equal(f.heads, 0);
    f.late = false;
    exchange_resume(&f.x);
    timer_set(f.loop, &f.deadline, DEADLINE_US);
    loop_run(f.loop);
    assert_false(f.late);
    assert_int_equal(f.end, EXCHANGE_COMPLETE);
    stop(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_answer_ends_as_it_must_whole_and_byte_by_byte),
        cmocka_unit_test(a_head_over_the_limit_is_garbage),
        cmocka_unit_test(an_answer_of_many_reads_arrives_whole),
        cmocka_unit_test(new_limits_count_from_the_next_exchange),
        cmocka_unit_test(a_kept_connection_is_used_again),
        cmocka_unit_test(a_connection_closed_while_idle_is_not_used),
        cmocka_unit_test(what_may_not_be_sent_is_unsent),
        cmocka_unit_test(a_refused_connection_is_unsent),
        cmocka_unit_test(an_abort_tells_nothing),
        cmocka_unit_test(a_paused_answer_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

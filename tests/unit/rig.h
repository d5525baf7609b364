/* One real worker whose loop the test turns, over an embedded store and two scripted backends, with
 * senders on loopback connections. Layer: tests. */
#ifndef POINTSMAN_TESTS_RIG_H
#define POINTSMAN_TESTS_RIG_H

#include <ftw.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include <sqlite3.h>

#include <pointsman/store.h>

#include "../../proxy/conn.h"
#include "../../proxy/delivery.h"
#include "../../proxy/shared.h"
#include "../../proxy/worker.h"
#include "rig_clock.h"
#include "rig_stub.h"

#define RIG_SENDERS 20
#define RIG_REAL_US (20 * RIG_SECOND_US) /* then a test that waits has failed */

/* What differs from the least configuration: pieces of YAML. */
struct rig_conf {
    enum mode mode;
    uint32_t ppm;
    const char *legacy, *new; /* ", timeout: 5s" … */
    const char *secrets;      /* NULL: none */
    const char *source;       /* ", reply: summary" … */
    const char *store;        /* ", claims: off" … */
    const char *rest;         /* whole lines */
    bool journal;             /* there is one */
};

struct sender {
    int fd; /* -1: none */
    struct buf got;
    bool eof;
    bool deaf; /* reads nothing for now */
};

struct rig {
    char directory[64];
    struct proxy *proxy;
    struct worker *worker;
    struct stub stubs[SIDES];
    struct sender senders[RIG_SENDERS];
    sqlite3 *holder; /* has the store's write lock */
};

/* ---- turning ---- */

static inline void rig_read(struct sender *s) {
    static char piece[256 * 1024];
    ssize_t n;
    while (s->fd >= 0 && !s->eof && !s->deaf &&
           (n = recv(s->fd, piece, sizeof piece, MSG_DONTWAIT)) >= 0) {
        if (n == 0)
            s->eof = true;
        else
            assert_true(buf_append(&s->got, piece, (size_t)n));
    }
}

static inline void rig_stop_turn(void *loop) {
    loop_stop(loop);
}

/* One turn of the loop that does not wait. */
static inline void rig_turn_loop(struct loop *loop) {
    struct task stop;
    task_init(&stop, rig_stop_turn, loop);
    task_later(loop, &stop);
    loop_run(loop);
}

static inline void rig_turn(struct rig *r) {
    rig_turn_loop(r->worker->loop);
    for (int i = 0; i < RIG_SENDERS; i++)
        rig_read(&r->senders[i]);
    sched_yield(); /* the store's thread */
}

/* Turns until it holds; the condition is looked at after every turn. */
#define RIG_UNTIL(r, condition)                                                                    \
    do {                                                                                           \
        uint64_t rig_end_us = rig_real_us(CLOCK_MONOTONIC) + RIG_REAL_US;                          \
        while (!(condition)) {                                                                     \
            if (rig_real_us(CLOCK_MONOTONIC) > rig_end_us)                                         \
                fail_msg("waited in vain for: %s", #condition);                                    \
            rig_turn(r);                                                                           \
        }                                                                                          \
    } while (0)

/* Time passes at once; what is due happens in this turn. */
static inline void rig_advance(struct rig *r, uint64_t us) {
    atomic_fetch_add(&rig_offset_us, us);
    rig_turn(r);
}

/* ---- the store ---- */

/* From here on the store answers nothing, until it is let go. At most for two real seconds. */
static inline void rig_hold_store(struct rig *r) {
    char path[128];
    snprintf(path, sizeof path, "%s/store.db", r->directory);
    assert_int_equal(sqlite3_open(path, &r->holder), SQLITE_OK);
    sqlite3_busy_timeout(r->holder, 10000);
    assert_int_equal(sqlite3_exec(r->holder, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
}

static inline void rig_let_store_go(struct rig *r) {
    if (r->holder)
        sqlite3_close(r->holder);
    r->holder = NULL;
}

static inline void rig_looked(struct store_call *call) {
    *(bool *)call->arg = true;
}

/* Asked on the worker's own client. */
static inline struct store_look rig_look(struct rig *r, const char *id, const char *entity) {
    bool done = false;
    struct store_look l = {.source = slice_of("github"),
                           .id = slice_of(id),
                           .entity = slice_of(entity),
                           .call = {.done = rig_looked, .arg = &done, .timeout_ms = 60000}};
    store_look(r->worker->store, &l);
    RIG_UNTIL(r, done);
    assert_true(l.call.result == STORE_OK || l.call.result == STORE_ABSENT);
    return l;
}

static inline enum leg_state rig_leg(struct rig *r, const char *id, enum side side) {
    return rig_look(r, id, "").ret_legs[side].state;
}

/* ---- senders ---- */

/* Both ends of a loopback connection; the accepted one is returned. */
static inline int rig_connect(int *ret_fd) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int on = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &len), 0);
    *ret_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(*ret_fd, (struct sockaddr *)&at, sizeof at), 0);
    (void)setsockopt(*ret_fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    int accepted = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    assert_true(accepted >= 0);
    close(listener);
    return accepted;
}

static inline struct sender *rig_sender(struct rig *r) {
    struct sockaddr_storage from = {0};
    struct sockaddr_in *at = (struct sockaddr_in *)(void *)&from;
    *at = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(0xc6336407)};
    struct sender *s = r->senders;
    while (s->fd >= 0)
        assert_true(++s < r->senders + RIG_SENDERS);
    int accepted = rig_connect(&s->fd);
    s->eof = s->deaf = false;
    buf_reset(&s->got);
    atomic_fetch_add(&r->proxy->connections, 1);
    conn_accept(r->worker, accepted, &from, false);
    return s;
}

static inline void sender_send(struct rig *r, struct sender *s, const char *text, size_t len) {
    while (len) {
        ssize_t n = send(s->fd, text, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n > 0) {
            text += n;
            len -= (size_t)n;
        }
        rig_turn(r);
    }
}

static inline void sender_says(struct rig *r, struct sender *s, const char *text) {
    sender_send(r, s, text, strlen(text));
}

/* Resets the connection: a mere close looks like a sender that has finished writing. */
static inline void sender_reset(struct sender *s) {
    const struct linger now = {1, 0};
    (void)setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(s->fd);
    s->fd = -1;
}

/* Its connection is still open; afterwards the worker has seen that it is not. */
static inline void sender_leaves(struct rig *r, struct sender *s) {
    unsigned before = r->proxy->connections;
    sender_reset(s);
    RIG_UNTIL(r, r->proxy->connections == before - 1);
}

/* A GitHub event about issue `number` of o/r. */
static inline const char *rig_event(const char *id, unsigned number) {
    static char text[1024];
    char body[256];
    int len = snprintf(
        body, sizeof body,
        "{\"action\":\"opened\",\"repository\":{\"full_name\":\"o/r\"},\"issue\":{\"number\":%u}}",
        number);
    snprintf(text, sizeof text,
             "POST /w HTTP/1.1\r\nHost: hooks\r\nContent-Type: application/json\r\n"
             "X-GitHub-Event: issues\r\nX-GitHub-Delivery: %s\r\nContent-Length: %d\r\n\r\n%s",
             id, len, body);
    return text;
}

static inline struct sender *rig_post(struct rig *r, const char *id, unsigned number) {
    struct sender *s = rig_sender(r);
    sender_says(r, s, rig_event(id, number));
    return s;
}

static inline const char *sender_got(struct sender *s) {
    assert_true(buf_reserve(&s->got, 1));
    *buf_room(&s->got) = '\0';
    return buf_at(&s->got);
}

/* Takes one whole answer from what came; *ret_body is valid until the next turn. False: not whole.
 */
static inline bool sender_answer(struct sender *s, struct http_head *ret, struct slice *ret_body) {
    struct http_limits limits = {256 * 1024, 0, HTTP_HEADERS_MAX};
    struct http_problem problem;
    if (buf_len(&s->got) == 0 || http_parse_response(buf_at(&s->got), buf_len(&s->got), 0, false,
                                                     &limits, ret, &problem) != HTTP_OK)
        return false;
    *ret_body = slice(buf_at(&s->got) + ret->size, buf_len(&s->got) - ret->size);
    if (ret->framing == HTTP_NO_BODY)
        ret_body->len = 0;
    if (ret->framing == HTTP_LENGTH && ret_body->len >= ret->length)
        ret_body->len = (size_t)ret->length;
    else if (ret->framing != HTTP_NO_BODY)
        return false;
    buf_consume(&s->got, ret->size + ret_body->len);
    return true;
}

/* Waits for an answer of that status whose body contains the text. */
static inline struct http_head rig_expect(struct rig *r, struct sender *s, unsigned status,
                                          const char *text) {
    struct http_head head;
    struct slice body = {0};
    RIG_UNTIL(r, sender_answer(s, &head, &body));
    if (head.status != status || !memmem(body.ptr, body.len, text, strlen(text)))
        fail_msg("expected %u with \"%s\", got %u: %.*s", status, text, head.status,
                 SLICE_ARG(body));
    return head;
}

/* ---- start and stop ---- */

static inline struct conf *rig_load(const char *text) {
    struct conf *conf = NULL;
    struct conf_problem *problems = NULL;
    if (!conf_load_text("rig", text, strlen(text), &conf, &problems)) {
        conf_problems_print(problems, "rig", stderr);
        fail_msg("the configuration was refused:\n%s", text);
    }
    conf_problems_free(problems);
    return conf;
}

static inline bool rig_names(const char *yaml, const char *key) {
    return yaml && strstr(yaml, key);
}

/* Where a piece does not say so itself, nothing is kept on disk for later. */
static inline struct conf *rig_configure(const struct rig *r, const struct rig_conf *c) {
    char text[4096];
    int len = snprintf(
        text, sizeof text,
        "listeners: [{address: \"127.0.0.1:0\"}]\nworkers: 1\nstore: {directory: %s%s%s}\n"
        "backends:\n  legacy: {url: \"http://127.0.0.1:%u/old\"%s}\n"
        "  new: {url: \"http://127.0.0.1:%u\"%s}\nsources: [{path: /w, secrets: %s%s%s}]\n%s",
        r->directory, rig_names(c->store, "when_down") ? "" : ", when_down: refuse",
        c->store ? c->store : "", r->stubs[SIDE_LEGACY].port, c->legacy ? c->legacy : "",
        r->stubs[SIDE_NEW].port, c->new ? c->new : "", c->secrets ? c->secrets : "none",
        rig_names(c->source, "on_failure") ? "" : ", on_failure: answer",
        c->source ? c->source : "", c->rest ? c->rest : "");
    assert_true(len > 0 && len < (int)sizeof text);
    return rig_load(text);
}

/* The process-wide part: everything of a proxy but workers, steering and probes. */
static inline struct proxy *rig_proxy_new(struct conf *conf) {
    struct proxy *p = calloc(1, sizeof *p);
    struct err err;
    assert_non_null(p);
    breakers_init(&p->breakers);
    p->store = store_open(conf, &err);
    if (!p->store)
        fail_msg("%s", err.text);
    p->metrics = metrics_new(metric_defs, METRICS_COUNT);
    p->slab = metrics_slab(p->metrics);
    p->resolver = resolver_new();
    p->rules = rules_new(conf, p->resolver);
    assert_non_null(p->rules);
    return p;
}

static inline void rig_open_journal(struct proxy *p, const struct conf *conf) {
    struct err err;
    p->journal = journal_open(conf, &err);
    if (!p->journal)
        fail_msg("%s", err.text);
}

static inline void rig_proxy_free(struct proxy *p) {
    store_close(p->store);
    journal_close(p->journal);
    rules_unref(p->rules);
    resolver_free(p->resolver);
    metrics_free(p->metrics);
    breakers_free(&p->breakers);
    free(p);
}

static inline int rig_remove_one(const char *path, const struct stat *st, int type,
                                 struct FTW *ftw) {
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static inline void rig_remove(const char *directory) {
    nftw(directory, rig_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static inline void rig_directory(char directory[64]) {
    snprintf(directory, 64, "/tmp/pointsman-rig-XXXXXX");
    assert_non_null(mkdtemp(directory));
}

static inline void rig_start(struct rig *r, const struct rig_conf *c) {
    struct err err;
    memset(r, 0, sizeof *r);
    rig_directory(r->directory);
    for (int side = 0; side < SIDES; side++)
        stub_bind(&r->stubs[side]);
    struct conf *conf = rig_configure(r, c);
    r->proxy = rig_proxy_new(conf);
    if (c->journal)
        rig_open_journal(r->proxy, conf);
    conf_unref(conf);
    r->worker = worker_new(r->proxy, 0, r->proxy->rules, &err);
    if (!r->worker)
        fail_msg("%s", err.text);
    r->worker->control = (struct control){c->mode, c->ppm, 1};
    for (int side = 0; side < SIDES; side++)
        stub_open(&r->stubs[side], r->worker->loop);
    for (int i = 0; i < RIG_SENDERS; i++) {
        r->senders[i].fd = -1;
        buf_init(&r->senders[i].got, STUB_MAX);
    }
}

static inline bool rig_is_idle(const struct rig *r) {
    return r->proxy->deliveries == 0 && r->proxy->recording == 0 && r->proxy->connections == 0;
}

/* Senders and backends go. */
static inline void rig_hang_up(struct rig *r) {
    rig_let_store_go(r);
    for (int i = 0; i < RIG_SENDERS; i++) {
        if (r->senders[i].fd >= 0)
            sender_reset(&r->senders[i]);
        buf_free(&r->senders[i].got);
    }
    for (int side = 0; side < SIDES; side++)
        stub_close(&r->stubs[side]);
}

/* Whatever is under way. */
static inline void rig_end(struct rig *r) {
    worker_free(r->worker);
    rig_proxy_free(r->proxy);
    rig_remove(r->directory);
}

/* What is under way ends; nothing may be left open or counted. */
static inline void rig_stop(struct rig *r) {
    rig_hang_up(r);
    RIG_UNTIL(r, rig_is_idle(r));
    assert_int_equal(r->proxy->body_bytes, 0);
    for (int side = 0; side < SIDES; side++)
        for (int role = 0; role < ROLES; role++)
            assert_int_equal(r->proxy->in_flight[side][role], 0);
    rig_end(r);
}

/* The event under way that was begun last. */
static inline struct delivery *rig_delivery(const struct rig *r) {
    struct delivery *d = LIST_FIRST(&r->worker->under_way);
    assert_non_null(d);
    return d;
}

static inline void assert_header(const struct http_head *head, const char *name,
                                 const char *value) {
    struct slice found = http_header(head, name);
    if (value ? !slice_is(found, value) : found.ptr != NULL)
        fail_msg("%s is \"%.*s\", not \"%s\"", name, SLICE_ARG(found), value ? value : "absent");
}

#define OK_ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

#endif

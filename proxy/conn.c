/* A sender's connection: reads requests one after the other, hands them on, writes what is
 * answered. */
#include "conn.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

#include "conn_write.h"
#include "delivery.h"
#include "gate.h"
#include "shared.h"
#include "worker.h"

#define SECOND_US      1000000ull
#define IDLE_US        (75 * SECOND_US) /* between requests */
#define HEAD_US        (10 * SECOND_US) /* from the first byte to the end of the head */
#define PERIOD_US      (10 * SECOND_US) /* a body must bring PERIOD_BYTES in each */
#define PERIOD_BYTES   (64 * 1024)
#define LINGER_US      (2 * SECOND_US)
#define LAST_LINGER_US (SECOND_US / 2) /* while draining: the next process waits */
#define LINGER_BYTES   (64 * 1024 * 1024ull)
#define PIPELINE_MAX   (64 * 1024) /* bytes behind the request in work that are taken in */
#define TARGET_MAX     (8 * 1024)
#define READS_PER_TURN 4
#define DIRECT_MIN     (32 * 1024) /* from this much left on a body is read to where it stays */

static uint64_t time_out_of(const struct conn *c, enum conn_state state) {
    static const uint64_t usual[] = {
        [CONN_HEAD] = IDLE_US, [CONN_BODY] = PERIOD_US,   [CONN_WAIT] = 0,
        [CONN_REPLY] = 0,      [CONN_LINGER] = LINGER_US, [CONN_CLOSED] = 0};
    if ((c->worker->draining || c->surplus) && state == CONN_HEAD)
        return CONN_GRACE_US;
    if (c->worker->draining && state == CONN_LINGER)
        return LAST_LINGER_US;
    return usual[state];
}

void conn_enter(struct conn *c, enum conn_state state) {
    uint64_t time_out = time_out_of(c, state);
    c->state = state;
    c->period_bytes = 0;
    if (time_out)
        timer_set(c->worker->loop, &c->timer, time_out);
    else
        timer_stop(&c->timer);
}

static void reap(void *arg) {
    struct conn *c = arg;
    buf_free(&c->in);
    buf_free(&c->out);
    free(c);
}

void conn_close(struct conn *c, enum conn_end why) {
    if (c->state == CONN_CLOSED)
        return;
    conn_enter(c, CONN_CLOSED);
    watch_stop(&c->watch);
    c->io.ops->close(&c->io);
    gate_leave(&c->worker->gate, c);
    LIST_REMOVE(c, entry);
    atomic_fetch_sub(&c->worker->proxy->connections, 1);
    metrics_add(c->worker->metrics, METRIC_CONNECTIONS, 0, 0, 0, -1);
    metrics_add(c->worker->metrics, METRIC_CLOSED, why, 0, 0, 1);
    struct delivery *d = c->delivery;
    c->delivery = NULL;
    task_cancel(c->worker->loop, &c->resume);
    task_later(c->worker->loop, &c->reap);
    if (d)
        delivery_detach(d);
    worker_conn_closed(c->worker);
}

void conn_drain(struct conn *c) {
    if (c->state == CONN_HEAD && !c->waits)
        timer_set(c->worker->loop, &c->timer, CONN_GRACE_US);
}

/* What is read now is for later, and there is enough of it. */
static bool is_full(const struct conn *c) {
    bool later = c->state == CONN_WAIT || c->state == CONN_REPLY ||
                 (c->state == CONN_HEAD && c->resume.queued);
    return later && buf_len(&c->in) >= PIPELINE_MAX;
}

/* The wish to read follows from the state alone. */
bool conn_watch(struct conn *c) {
    int what =
        (c->eof || c->waits || is_full(c) ? 0 : WATCH_READ) | (buf_len(&c->out) ? WATCH_WRITE : 0);
    if (watch_set(&c->watch, what))
        return true;
    conn_close(c, CONN_END_MEMORY);
    return false;
}

/* ---- requests ---- */

static void refuse(struct conn *c, const struct http_problem *problem) {
    c->minor = 1;
    c->keep_alive = false;
    answer_early(c, ANSWER_HTTP, problem->status, problem->detail, true);
}

/* A head, what may be pipelined behind it, and one read; by the limits of now. */
static size_t in_max(const struct worker *w) {
    return w->rules->conf->limit_headers + PIPELINE_MAX + SCRATCH_LEN;
}

/* Bytes used of the head; 0: it is not complete or was refused. */
static size_t take_head(struct conn *c, const char *data, size_t len) {
    const struct conf *conf = c->worker->rules->conf;
    struct http_limits limits = {conf->limit_headers, TARGET_MAX, conf->limit_header_count};
    struct http_head head;
    struct http_problem problem;
    if (c->seen == 0) {
        if (!c->waited)
            c->started_us = loop_now_us(c->worker->loop);
        c->waited = false;
        c->in.max = in_max(c->worker);
    }
    switch (http_parse_request(data, len, c->seen, &limits, &head, &problem)) {
    case HTTP_MORE:
        if (c->seen == 0)
            timer_set(c->worker->loop, &c->timer,
                      c->worker->draining || c->surplus ? CONN_GRACE_US : HEAD_US);
        c->seen = len;
        return 0;
    case HTTP_BAD:
        refuse(c, &problem);
        return 0;
    case HTTP_OK:
        break;
    }
    c->seen = 0;
    c->minor = head.minor;
    c->to_head = slice_is(head.method, "HEAD");
    c->keep_alive = head.keep_alive && !c->worker->draining;
    c->framing = head.framing;
    c->left = head.framing == HTTP_LENGTH ? head.length : 0;
    http_chunks_init(&c->chunks);
    if (c->refuse) {
        gate_refuse(c, &head);
        return head.size;
    }
    struct delivery *d = delivery_new(c, &head);
    if (!d)
        return head.size;
    c->delivery = d;
    conn_enter(c, CONN_BODY);
    if (head.expect_continue && head.framing != HTTP_NO_BODY && len == head.size)
        conn_continue(c);
    return head.size;
}

static void body_complete(struct conn *c) {
    conn_enter(c, CONN_WAIT);
    delivery_complete(c->delivery);
}

/* Room for `more` bytes; memory is taken and counted as the bytes come, not as the head announces
 * them. False: the connection was answered. */
static bool grow_body(struct conn *c, size_t more) {
    struct delivery *d = c->delivery;
    if (d->body->len + more > c->worker->rules->conf->limit_body) {
        answer_early(c, ANSWER_BODY, 0, "a chunked body grew beyond limits.body", true);
        return false;
    }
    if (d->body->len + more <= d->body->cap)
        return true;
    struct blob *grown = blob_grow(d->body, d->body->len + more);
    if (grown)
        d->body = grown;
    if (grown && delivery_charge(d, grown->cap))
        return true;
    answer_early(c, ANSWER_OVERLOAD, 0, "limits.in_flight is reached", true);
    return false;
}

static void keep(struct conn *c, struct slice piece) {
    struct blob *body = c->delivery->body;
    memcpy(body->data + body->len, piece.ptr, piece.len);
    body->len += piece.len;
    c->period_bytes += piece.len;
}

static size_t take_chunks(struct conn *c, const char *data, size_t len) {
    size_t at = 0;
    while (at < len && c->state == CONN_BODY) {
        size_t used = 0;
        struct slice piece = {0};
        struct http_problem problem;
        enum http_parse r =
            http_chunks_feed(&c->chunks, data + at, len - at, &used, &piece, &problem);
        if (r == HTTP_BAD) {
            refuse(c, &problem);
            return len;
        }
        at += used;
        if (piece.len) {
            if (!grow_body(c, piece.len))
                return len;
            keep(c, piece);
        }
        if (r == HTTP_OK)
            body_complete(c);
    }
    return at;
}

static size_t take_body(struct conn *c, const char *data, size_t len) {
    if (c->framing == HTTP_CHUNKED)
        return take_chunks(c, data, len);
    size_t take = c->left < len ? (size_t)c->left : len;
    if (c->unread) {
        c->left -= take;
        c->period_bytes += take;
        if (c->left == 0)
            conn_next(c);
        return take;
    }
    if (!grow_body(c, take))
        return len;
    keep(c, slice(data, take));
    c->left -= take;
    if (c->left == 0)
        body_complete(c);
    return take;
}

/* The next request begins in a turn of its own, at the gate. */
static bool wants_bytes(const struct conn *c) {
    return (c->state == CONN_HEAD && !c->resume.queued) || c->state == CONN_BODY;
}

/* Uses what it can of the bytes: *ret_rest may wait in c->in. */
static void consume(struct conn *c, const char *data, size_t len, struct slice *ret_rest) {
    size_t at = 0;
    while (at < len && wants_bytes(c)) {
        if (c->state == CONN_BODY) {
            at += take_body(c, data + at, len - at);
            continue;
        }
        size_t used = take_head(c, data + at, len - at);
        at += used;
        if (used == 0)
            break;
        if (c->state == CONN_BODY &&
            (c->framing == HTTP_NO_BODY || (c->framing == HTTP_LENGTH && c->left == 0)))
            body_complete(c);
    }
    bool over = c->state == CONN_CLOSED || c->state == CONN_LINGER;
    *ret_rest = over ? (struct slice){0} : slice(data + at, len - at);
}

/* Goes on with bytes that waited. They are moved out for the time, as what follows may close the
 * connection. */
static void consume_waiting(struct conn *c) {
    struct buf held = c->in;
    struct slice rest;
    buf_init(&c->in, held.max);
    consume(c, buf_at(&held), buf_len(&held), &rest);
    if (rest.len) {
        buf_consume(&held, buf_len(&held) - rest.len);
        held.max = c->in.max;
        c->in = held;
    } else {
        buf_free(&held);
    }
}

static void go_on(struct conn *c) {
    if (buf_len(&c->in))
        consume_waiting(c);
    bool incomplete = c->state == CONN_HEAD || c->state == CONN_BODY;
    if (incomplete && c->eof && !c->resume.queued)
        conn_close(c, CONN_END_SENDER);
    else if (c->state != CONN_CLOSED)
        (void)conn_watch(c);
}

static void resume(void *arg) {
    struct conn *c = arg;
    if (c->state == CONN_HEAD && buf_len(&c->in) && !gate_lets_in(&c->worker->gate, c))
        (void)conn_watch(c);
    else
        go_on(c);
}

void conn_next(struct conn *c) {
    c->delivery = NULL;
    if (c->unread && c->left) {
        conn_enter(c, CONN_BODY);
    } else {
        c->unread = false;
        conn_enter(c, CONN_HEAD);
    }
    task_later(c->worker->loop, &c->resume);
}

/* ---- readiness: told once for what came, so none is passed over ---- */

static void tell_again(struct conn *c) {
    if (c->watch.set & WATCH_READ && !watch_tell_again(&c->watch))
        conn_close(c, CONN_END_MEMORY);
}

static void end_of_input(struct conn *c) {
    if (c->state == CONN_WAIT || c->state == CONN_REPLY ||
        (c->state == CONN_HEAD && (buf_len(&c->out) || c->resume.queued))) {
        c->eof = true; /* a half-closed sender still gets its answer */
        (void)conn_watch(c);
        return;
    }
    conn_close(c, CONN_END_SENDER);
}

/* A large body is read to where it stays. */
static bool reads_direct(const struct conn *c) {
    return c->state == CONN_BODY && c->framing == HTTP_LENGTH && !c->unread &&
           c->left >= DIRECT_MIN;
}

/* False: there was no room and the connection was answered. */
static bool make_room(struct conn *c) {
    struct blob *body = c->delivery->body;
    return body->len < body->cap ||
           grow_body(c, c->left < DIRECT_MIN ? (size_t)c->left : DIRECT_MIN);
}

static ssize_t read_direct(struct conn *c, size_t *ret_wanted) {
    struct blob *body = c->delivery->body;
    size_t room = body->cap - body->len;
    *ret_wanted = c->left < room ? (size_t)c->left : room;
    ssize_t n = c->io.ops->read(&c->io, body->data + body->len, *ret_wanted);
    if (n <= 0)
        return n;
    body->len += (size_t)n;
    c->left -= (size_t)n;
    c->period_bytes += (size_t)n;
    if (c->left == 0)
        body_complete(c);
    return n;
}

static ssize_t read_scratch(struct conn *c) {
    ssize_t n = c->io.ops->read(&c->io, c->worker->conn_scratch, SCRATCH_LEN);
    if (n <= 0)
        return n;
    if (c->state == CONN_LINGER) {
        c->lingered += (size_t)n;
        if (c->lingered > LINGER_BYTES)
            conn_close(c, CONN_END_REPLIED);
    } else if (buf_len(&c->in) == 0) {
        struct slice rest;
        consume(c, c->worker->conn_scratch, (size_t)n, &rest);
        if (rest.len && !buf_append_slice(&c->in, rest))
            conn_close(c, CONN_END_MEMORY);
    } else if (!buf_append(&c->in, c->worker->conn_scratch, (size_t)n)) {
        conn_close(c, CONN_END_MEMORY);
    } else if (c->state == CONN_HEAD) {
        consume_waiting(c);
    }
    return n;
}

static bool awaits_more(const struct conn *c) {
    return c->state == CONN_BODY || c->state == CONN_LINGER ||
           (c->state == CONN_HEAD && c->seen > 0);
}

/* A request that came whole with less than there was room for: that was all, what follows is told.
 * Else only the next read says so, as nobody tells of a reset that came along. */
static bool is_drained(const struct conn *c, ssize_t n, size_t wanted) {
    return n == IO_AGAIN || (n > 0 && (size_t)n < wanted && !c->fin && !awaits_more(c));
}

static void read_some(struct conn *c) {
    bool drained = false;
    for (int turn = 0; turn < READS_PER_TURN && c->state != CONN_CLOSED && !is_full(c) && !drained;
         turn++) {
        bool direct = reads_direct(c);
        if (direct && !make_room(c))
            continue; /* what is left of it is read and thrown away */
        size_t wanted = SCRATCH_LEN;
        ssize_t n = direct ? read_direct(c, &wanted) : read_scratch(c);
        if (n == IO_FAILED) {
            conn_close(c, CONN_END_SENDER);
        } else if (n == 0) {
            end_of_input(c);
            return;
        }
        drained = is_drained(c, n, wanted);
    }
    if (c->state != CONN_CLOSED && conn_watch(c) && !drained)
        tell_again(c);
}

/* Where a new request begins it is the gate that lets it in. */
static void ready(void *arg, int what) {
    struct conn *c = arg;
    if (what & WATCH_WRITE)
        conn_flush(c);
    if (!(what & WATCH_READ) || c->state == CONN_CLOSED)
        return;
    c->fin = c->fin || (what & WATCH_END);
    if (c->resume.queued) {
        tell_again(c);
        return;
    }
    bool begins = c->state == CONN_HEAD && c->seen == 0 && !c->refuse;
    if (begins && !gate_lets_in(&c->worker->gate, c)) {
        (void)conn_watch(c);
        return;
    }
    read_some(c);
    if (begins && c->state == CONN_HEAD && c->seen == 0)
        c->refuse = c->surplus; /* nothing came: the next request is judged anew */
}

void conn_let_in(struct conn *c) {
    conn_enter(c, CONN_HEAD);
    if (buf_len(&c->in) || c->eof)
        go_on(c);
    else
        read_some(c);
}

static void timed_out(void *arg) {
    struct conn *c = arg;
    switch (c->state) {
    case CONN_HEAD:
        if (c->seen == 0 || c->worker->draining) { /* of half a head nothing was taken on */
            conn_close(c, c->worker->draining ? CONN_END_STOP : CONN_END_IDLE);
            return;
        }
        c->minor = 1;
        answer_early(c, ANSWER_SLOW, 0, "the head was not complete within 10 s", true);
        return;
    case CONN_BODY:
        if (c->unread) {
            conn_close(c, CONN_END_REPLIED);
            return;
        }
        if (c->period_bytes < PERIOD_BYTES) {
            answer_early(c, ANSWER_SLOW, 0, "less than 64 KiB of the body arrived within 10 s",
                         true);
            return;
        }
        c->period_bytes = 0;
        timer_set(c->worker->loop, &c->timer, PERIOD_US);
        return;
    case CONN_REPLY:
        conn_close(c, CONN_END_BROKEN);
        return;
    case CONN_LINGER:
        conn_close(c, CONN_END_REPLIED);
        return;
    case CONN_WAIT:
    case CONN_CLOSED:
        return;
    }
}

void conn_accept(struct worker *w, int fd, const struct sockaddr_storage *from, bool surplus) {
    struct conn *c = calloc(1, sizeof *c);
    struct io io = io_plain(fd);
    if (!c) {
        atomic_fetch_sub(&w->proxy->connections, 1);
        io.ops->close(&io);
        return;
    }
    int on = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    c->worker = w;
    c->io = io;
    c->surplus = c->refuse = surplus;
    if (getnameinfo((const struct sockaddr *)from, sizeof *from, c->peer, sizeof c->peer, NULL, 0,
                    NI_NUMERICHOST) != 0)
        memcpy(c->peer, "unknown", sizeof "unknown");
    buf_init(&c->in, in_max(w));
    buf_init(&c->out, CONN_OUT_MAX);
    watch_init_edge(&c->watch, w->loop, fd, ready, c);
    timer_init(&c->timer, timed_out, c);
    task_init(&c->resume, resume, c);
    task_init(&c->reap, reap, c);
    LIST_INSERT_HEAD(&w->conns, c, entry);
    metrics_add(w->metrics, METRIC_CONNECTIONS, 0, 0, 0, 1);
    conn_enter(c, CONN_HEAD);
    (void)conn_watch(c);
}

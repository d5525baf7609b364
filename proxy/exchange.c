/* One request and its answer: connect or reuse, write, read head and body, say how it ended. */
#include "exchange.h"

#include <string.h>

#include "backend_conn.h"

#define KEEP_ALIVE_MOST_S 300 /* a longer promise is not used up */
#define INTERIM_MAX       16  /* 1xx heads before the final one */
#define READS_PER_TURN    8   /* then others get their turn */

const char *const exchange_end_names[EXCHANGE_ENDS] = {"complete", "unsent", "broken", "garbage",
                                                       "truncated"};

static void enter(struct exchange *x, enum exchange_state state) {
    x->state = state;
}

/* Leaves the connection, fit for reuse or not, and whatever the exchange holds. */
static void detach(struct exchange *x, bool reuse) {
    struct backend_conn *bc = x->conn;
    x->conn = NULL;
    if (bc && reuse)
        backend_conn_put(bc);
    else if (bc)
        backend_conn_close(bc);
    addresses_unref(x->addresses);
    x->addresses = NULL;
    buf_free(&x->in);
    task_cancel(x->pool->loop, &x->later);
    enter(x, EXCHANGE_OVER);
}

static void end(struct exchange *x, enum exchange_end how, bool reuse) {
    detach(x, reuse);
    x->ops->end(x, how);
}

static void fail_later(void *arg) {
    end(arg, EXCHANGE_UNSENT, false);
}

/* What a failure means depends on how far the exchange came. */
static void broken(struct exchange *x) {
    if (!x->sent || x->written == 0)
        end(x, EXCHANGE_UNSENT, false);
    else
        end(x, x->state == EXCHANGE_BODY ? EXCHANGE_TRUNCATED : EXCHANGE_BROKEN, false);
}

static bool watch_now(struct exchange *x, bool write) {
    int what = (x->paused ? 0 : WATCH_READ) | (write ? WATCH_WRITE : 0);
    return watch_set(&x->conn->watch, what);
}

/* ---- connecting ---- */

static bool open_next(struct exchange *x) {
    while (x->addresses && x->next_address < x->addresses->count) {
        unsigned i = x->next_address++;
        x->conn = backend_conn_open(x->pool, x, (const struct sockaddr *)&x->addresses->at[i],
                                    x->addresses->len[i]);
        if (x->conn)
            return true;
    }
    target_doubtful(x->pool->target);
    return false;
}

static bool open_fresh(struct exchange *x) {
    enter(x, EXCHANGE_OPENING);
    addresses_unref(x->addresses);
    x->addresses = target_addresses(x->pool->target);
    x->next_address = 0;
    return open_next(x);
}

/* ---- writing ---- */

static size_t request_len(const struct exchange *x) {
    return buf_len(&x->request) + (x->body ? x->body->len : 0);
}

/* True: go on. False: the exchange ended or moved to another connection. */
static bool write_some(struct exchange *x) {
    if (x->written == 0 && !x->ops->sending(x)) {
        end(x, EXCHANGE_UNSENT, false);
        return false;
    }
    x->sent = true;
    size_t head = buf_len(&x->request);
    while (x->written < request_len(x) && !x->write_failed) {
        struct iovec from[2];
        int count = 0;
        if (x->written < head)
            from[count++] = (struct iovec){buf_at(&x->request) + x->written, head - x->written};
        size_t skip = x->written > head ? x->written - head : 0;
        if (x->body && x->body->len > skip)
            from[count++] = (struct iovec){x->body->data + skip, x->body->len - skip};
        ssize_t n = x->conn->io.ops->write(&x->conn->io, from, count);
        if (n == IO_AGAIN)
            break;
        if (n < 0 &&
            x->written ==
                0) { /* nothing left this machine: a kept connection had gone, a new one may do */
            bool reused = x->conn->reused;
            backend_conn_close(x->conn);
            x->conn = NULL;
            if (!reused || !open_fresh(x))
                end(x, EXCHANGE_UNSENT, false);
            return false;
        }
        if (n < 0)
            x->write_failed = true; /* the answer may be there already: read on */
        else
            x->written += (size_t)n;
    }
    if (x->written == request_len(x) && x->state == EXCHANGE_SENDING)
        enter(x, EXCHANGE_HEAD);
    if (!watch_now(x, x->written < request_len(x) && !x->write_failed)) {
        broken(x);
        return false;
    }
    return true;
}

static void write_later(void *arg) {
    (void)write_some(arg);
}

void exchange_connected(struct exchange *x, bool ok) {
    if (!ok) {
        backend_conn_close(x->conn);
        x->conn = NULL;
        if (!open_next(x))
            end(x, EXCHANGE_UNSENT, false);
        return;
    }
    enter(x, EXCHANGE_SENDING);
    (void)write_some(x);
}

/* ---- reading ---- */

static void body_complete(struct exchange *x, bool leftover) {
    bool reuse = x->keep_alive && !leftover && !x->conn->ended && x->written == request_len(x) &&
                 !x->write_failed && x->framing != HTTP_UNTIL_CLOSE;
    end(x, EXCHANGE_COMPLETE, reuse);
}

static void feed_chunks(struct exchange *x, const char *data, size_t len) {
    while (x->state == EXCHANGE_BODY) {
        size_t used = 0;
        struct slice piece = {0};
        struct http_problem problem;
        enum http_parse r = http_chunks_feed(&x->chunks, data, len, &used, &piece, &problem);
        if (r == HTTP_BAD) {
            end(x, EXCHANGE_TRUNCATED, false);
            return;
        }
        data += used;
        len -= used;
        if (piece.len)
            x->ops->body(x, piece);
        if (x->state != EXCHANGE_BODY)
            return;
        if (r == HTTP_OK)
            body_complete(x, len > 0);
        else if (len == 0 || used == 0)
            return;
    }
}

static void feed_body(struct exchange *x, const char *data, size_t len) {
    if (x->framing == HTTP_CHUNKED) {
        feed_chunks(x, data, len);
        return;
    }
    size_t take = x->framing == HTTP_LENGTH && x->left < len ? (size_t)x->left : len;
    x->left -= x->framing == HTTP_LENGTH ? take : 0;
    if (take)
        x->ops->body(x, slice(data, take));
    if (x->state == EXCHANGE_BODY && x->framing == HTTP_LENGTH && x->left == 0)
        body_complete(x, len > take);
}

/* "Keep-Alive: timeout=5" (RFC 2068 §19.7.1.1): we let go a second earlier than the backend does.
 */
static void heed_keep_alive(struct exchange *x, struct slice value) {
    uint64_t seconds;
    for (size_t i = 0; i + 8 < value.len; i++) {
        if (!slice_iis(slice(value.ptr + i, 8), "timeout="))
            continue;
        struct slice rest = slice(value.ptr + i + 8, value.len - i - 8);
        const char *comma = memchr(rest.ptr, ',', rest.len);
        rest.len = comma ? (size_t)(comma - rest.ptr) : rest.len;
        if (slice_to_u64(slice_trim_ows(rest), &seconds) && seconds <= KEEP_ALIVE_MOST_S)
            x->conn->idle_us = seconds > 1 ? (seconds - 1) * 1000000 : 0;
        return;
    }
}

static void take_head(struct exchange *x, const struct http_head *head) {
    heed_keep_alive(x, http_known_header(head, HTTP_NAME_KEEP_ALIVE));
    x->framing = head->framing;
    x->keep_alive = head->keep_alive;
    x->left = head->length;
    http_chunks_init(&x->chunks);
    enter(x, EXCHANGE_BODY);
    x->ops->head(x, head);
}

/* Reads heads up to and with the final one. True: more bytes are needed behind the *ret_used ones.
 */
static bool feed_head(struct exchange *x, const char *data, size_t len, size_t *ret_used) {
    size_t at = 0;
    while (at < len) {
        struct http_head head;
        struct http_problem problem;
        enum http_parse r = http_parse_response(data + at, len - at, x->seen, x->to_head,
                                                &x->pool->limits, &head, &problem);
        if (r == HTTP_MORE) {
            x->seen = len - at;
            break;
        }
        if (r == HTTP_BAD || (head.status < 200 && ++x->interim > INTERIM_MAX)) {
            end(x, EXCHANGE_GARBAGE, false);
            return false;
        }
        x->seen = 0;
        at += head.size;
        if (head.status < 200)
            continue;
        take_head(x, &head);
        if (x->state == EXCHANGE_BODY && x->framing == HTTP_NO_BODY)
            body_complete(x, len > at);
        else if (x->state == EXCHANGE_BODY && len > at)
            feed_body(x, data + at, len - at);
        return false;
    }
    *ret_used = at;
    return true;
}

static void feed(struct exchange *x, const char *data, size_t len) {
    if (x->state == EXCHANGE_BODY) {
        feed_body(x, data, len);
        return;
    }
    size_t used = 0;
    if (buf_len(&x->in) == 0) {
        if (feed_head(x, data, len, &used) && !buf_append(&x->in, data + used, len - used))
            end(x, EXCHANGE_GARBAGE, false);
        return;
    }
    if (!buf_append(&x->in, data, len)) {
        end(x, EXCHANGE_GARBAGE, false);
        return;
    }
    /* Moved out, so that an end inside a callback does not free what is being read. */
    struct buf held = x->in;
    buf_init(&x->in, held.max);
    if (feed_head(x, buf_at(&held), buf_len(&held), &used)) {
        buf_consume(&held, used);
        x->in = held;
    } else {
        buf_free(&held);
    }
}

/* Until there is no more, as the connection is watched by edges; what breaks off in the middle is
 * found by the read that follows. */
static void read_some(struct exchange *x) {
    const struct backend_conn *from = x->conn;
    for (int turn = 0; turn < READS_PER_TURN && x->conn == from && !x->paused; turn++) {
        ssize_t n = x->conn->io.ops->read(&x->conn->io, x->pool->scratch, x->pool->scratch_len);
        if (n == IO_AGAIN)
            return;
        if (n == 0 && x->state == EXCHANGE_BODY && x->framing == HTTP_UNTIL_CLOSE) {
            body_complete(x, false);
            return;
        }
        if (n <= 0) {
            broken(x);
            return;
        }
        feed(x, x->pool->scratch, (size_t)n);
    }
    if (x->conn == from && !x->paused && !watch_tell_again(&x->conn->watch))
        broken(x);
}

void exchange_ready(struct exchange *x, int what) {
    x->conn->ended = x->conn->ended || (what & WATCH_END);
    if ((what & WATCH_WRITE) && !write_some(x))
        return;
    if (what & WATCH_READ)
        read_some(x);
}

/* ---- from outside ---- */

void exchange_init(struct exchange *x, struct pool *pool, const struct exchange_ops *ops,
                   size_t request_max) {
    memset(x, 0, sizeof *x);
    x->pool = pool;
    x->ops = ops;
    buf_init(&x->request, request_max);
    buf_init(&x->in, pool->limits.head +
                         pool->scratch_len); /* a head cut in two, and what one read brings */
    task_init(&x->later, fail_later, x);
}

void exchange_start(struct exchange *x) {
    x->written = 0;
    x->sent = x->write_failed = x->paused = false;
    x->seen = 0;
    x->interim = 0;
    enter(x, EXCHANGE_OPENING);
    x->conn = backend_conn_take(x->pool, x);
    if (x->conn) {
        enter(x, EXCHANGE_SENDING);
        task_init(&x->later, write_later, x);
        task_later(x->pool->loop, &x->later);
    } else if (!open_fresh(x)) {
        task_init(&x->later, fail_later, x);
        task_later(x->pool->loop, &x->later);
    }
}

void exchange_abort(struct exchange *x) {
    if (x->state != EXCHANGE_OVER)
        detach(x, false);
}

void exchange_pause(struct exchange *x) {
    x->paused = true;
    if (x->conn && !watch_set(&x->conn->watch, x->conn->watch.set & WATCH_WRITE))
        exchange_abort(x); /* its owner's time-out ends it */
}

void exchange_resume(struct exchange *x) {
    x->paused = false;
    if (x->conn && !watch_set(&x->conn->watch, x->conn->watch.set | WATCH_READ))
        exchange_abort(x);
}

void exchange_free(struct exchange *x) {
    exchange_abort(x);
    buf_free(&x->request);
    buf_free(&x->in);
}

/* Replies to senders: heads, whole bodies, streams, and what follows the last byte. */
#include "conn_write.h"

#include <pointsman/jsonw.h>

#include "delivery.h"
#include "worker.h"

#define STALL_US   10000000ull /* a sender that takes nothing for so long gets no more */
#define JOINED_MAX 512 /* so short a body costs less to copy than to pass as a piece of its own */

/* The reply is complete and out. */
static void replied(struct conn *c) {
    if (c->keep_alive && !c->until_close) {
        conn_next(c);
        return;
    }
    if (c->eof) {
        conn_close(c, CONN_END_REPLIED);
        return;
    }
    /* Closing with unread bytes would reset the connection and may destroy the answer (RFC 9112
     * §9.6). */
    c->io.ops->finish(&c->io);
    buf_reset(&c->in);
    conn_enter(c, CONN_LINGER);
    (void)conn_watch(c);
}

/* Idle connections hold no buffers; the next reply finds one ready with the worker. */
static void give_back(struct conn *c) {
    buf_hand_over(&c->out, &c->worker->spare_out);
    buf_free(&c->out);
}

static void borrow(struct conn *c) {
    if (!c->out.data)
        buf_hand_over(&c->worker->spare_out, &c->out);
}

/* Writes out and body; keeps what the kernel does not take. False: the connection was closed. */
static bool write_out(struct conn *c, struct slice body) {
    if (body.len <= JOINED_MAX && buf_append_slice(&c->out, body))
        body.len = 0;
    while (buf_len(&c->out) || body.len) {
        struct iovec from[2];
        int count = 0;
        if (buf_len(&c->out))
            from[count++] = (struct iovec){buf_at(&c->out), buf_len(&c->out)};
        if (body.len)
            from[count++] = (struct iovec){(void *)body.ptr, body.len};
        ssize_t n = c->io.ops->write(&c->io, from, count);
        if (n == IO_AGAIN)
            break;
        if (n < 0) {
            conn_close(c, CONN_END_SENDER);
            return false;
        }
        size_t head = (size_t)n < buf_len(&c->out) ? (size_t)n : buf_len(&c->out);
        buf_consume(&c->out, head);
        body = slice(body.ptr + ((size_t)n - head), body.len - ((size_t)n - head));
    }
    if (body.len && !buf_append_slice(&c->out, body)) {
        conn_close(c, CONN_END_BROKEN);
        return false;
    }
    if (buf_len(&c->out) == 0)
        give_back(c);
    return true;
}

void conn_flush(struct conn *c) {
    if (!write_out(c, (struct slice){0}) || !conn_watch(c))
        return;
    if (buf_len(&c->out)) {
        if (c->state == CONN_REPLY)
            timer_set(c->worker->loop, &c->timer, STALL_US);
        return;
    }
    if (c->state != CONN_REPLY)
        return;
    if (c->ended) {
        replied(c);
        return;
    }
    timer_stop(&c->timer); /* it is the backend that is waited for */
    if (c->delivery)
        delivery_drained(c->delivery);
}

void conn_continue(struct conn *c) {
    static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
    if (buf_puts(&c->out, text) && write_out(c, (struct slice){0}))
        (void)conn_watch(c);
}

/* Status line, the caller's lines, connection and framing. */
static bool put_head(struct conn *c, unsigned status, struct slice lines, uint64_t length) {
    borrow(c);
    bool ok = buf_reserve(&c->out, lines.len + 256) && buf_puts(&c->out, "HTTP/1.1 ") &&
              buf_put_u64(&c->out, status) && buf_puts(&c->out, " ") &&
              buf_puts(&c->out, http_reason(status)) && buf_puts(&c->out, "\r\n") &&
              buf_append_slice(&c->out, lines);
    bool bodiless = status == 204 || status == 304;
    if (c->chunked)
        ok = ok && buf_puts(&c->out, "Transfer-Encoding: chunked\r\n");
    else if (!c->until_close && !bodiless)
        ok = ok && buf_puts(&c->out, "Content-Length: ") && buf_put_u64(&c->out, length) &&
             buf_puts(&c->out, "\r\n");
    if (!c->keep_alive || c->until_close)
        ok = ok && buf_puts(&c->out, "Connection: close\r\n");
    else if (c->minor == 0)
        ok = ok && buf_puts(&c->out, "Connection: keep-alive\r\n");
    return ok && buf_puts(&c->out, "\r\n");
}

void conn_reply(struct conn *c, unsigned status, struct slice lines, struct slice body,
                bool close) {
    c->keep_alive = c->keep_alive && !close && !c->worker->draining;
    c->chunked = c->until_close = false;
    c->ended = true;
    conn_enter(c, CONN_REPLY);
    bool bodiless = status == 204 || status == 304 || c->to_head;
    if (!put_head(c, status, lines, body.len)) {
        conn_close(c, CONN_END_BROKEN);
        return;
    }
    if (!write_out(c, bodiless ? (struct slice){0} : body))
        return;
    if (buf_len(&c->out) == 0) {
        replied(c);
        return;
    }
    timer_set(c->worker->loop, &c->timer, STALL_US);
    (void)conn_watch(c);
}

void conn_stream_begin(struct conn *c, unsigned status, struct slice lines, uint64_t length) {
    c->keep_alive = c->keep_alive && !c->worker->draining;
    c->chunked = length == UINT64_MAX && c->minor >= 1;
    c->until_close = length == UINT64_MAX && c->minor == 0;
    c->ended = false;
    conn_enter(c, CONN_REPLY);
    if (!put_head(c, status, lines, length))
        conn_close(c, CONN_END_BROKEN);
}

bool conn_stream(struct conn *c, struct slice piece) {
    if (piece.len == 0)
        return true;
    bool ok = true;
    if (c->chunked)
        ok = buf_printf(&c->out, "%zx\r\n", piece.len) && buf_append_slice(&c->out, piece) &&
             buf_puts(&c->out, "\r\n");
    else
        ok = buf_append_slice(&c->out, piece);
    if (!ok) {
        conn_close(c, CONN_END_BROKEN);
        return true;
    }
    if (!write_out(c, (struct slice){0}) || !conn_watch(c))
        return true;
    if (buf_len(&c->out) == 0)
        timer_stop(&c->timer); /* it is the backend that is waited for */
    else if (!timer_is_set(&c->timer))
        timer_set(c->worker->loop, &c->timer, STALL_US);
    return buf_len(&c->out) == 0;
}

void conn_stream_end(struct conn *c, bool complete) {
    bool ok = !complete || !c->chunked || buf_puts(&c->out, "0\r\n\r\n");
    if (!complete || !ok) {
        /* Cut off visibly, never passed on as complete (RFC 9112 §8); what is there goes out first.
         */
        if (write_out(c, (struct slice){0}))
            conn_close(c, CONN_END_BROKEN);
        return;
    }
    c->ended = true;
    c->delivery = NULL;
    conn_flush(c);
}

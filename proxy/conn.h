/* A sender's connection. Layer: proxy.
 *
 *   HEAD ──▶ BODY ──▶ WAIT ──▶ REPLY ─┬─▶ HEAD (keep-alive; pipelined requests one after the other)
 *     └──────── refused ────────▲     ├─▶ LINGER ──▶ CLOSED
 *                                     └─▶ CLOSED
 */
#ifndef POINTSMAN_CONN_H
#define POINTSMAN_CONN_H

#include <stdbool.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include <pointsman/blob.h>
#include <pointsman/buf.h>
#include <pointsman/http.h>
#include <pointsman/loop.h>

#include "io.h"

#define CONN_GRACE_US                                                                              \
    1000000ull /* while draining: for the next request to begin, and its head to end */

struct delivery;
struct worker;

enum conn_state { CONN_HEAD = 0, CONN_BODY, CONN_WAIT, CONN_REPLY, CONN_LINGER, CONN_CLOSED };

enum conn_end {
    CONN_END_SENDER = 0, /* closed or reset by the sender */
    CONN_END_REPLIED,    /* the last reply asked for it */
    CONN_END_IDLE,
    CONN_END_BROKEN, /* a reply could not be completed */
    CONN_END_MEMORY,
    CONN_END_STOP,
    CONN_ENDS
};
extern const char *const conn_end_names[CONN_ENDS];

struct conn {
    enum conn_state state;
    struct worker *worker;
    struct io io;
    struct watch watch;
    struct timer timer;
    struct task resume; /* goes on with pipelined bytes from the loop, not from inside a reply */
    struct task reap;
    char peer[48]; /* address without port */
    struct buf in; /* bytes not used yet: an incomplete head, or the next request */
    size_t seen;
    struct buf out;
    struct delivery *delivery; /* BODY, WAIT, and REPLY while it streams */
    /* of the request being read */
    enum http_framing framing;
    uint64_t left;
    struct http_chunks chunks;
    uint64_t started_us; /* first byte of the request, or since when it waited */
    size_t period_bytes; /* of the body in this period */
    size_t lingered;
    bool waits;   /* in the queue of its worker's gate */
    bool waited;  /* so did the request that comes in now */
    bool refuse;  /* the request that is coming in is to be answered 503 */
    bool unread;  /* it was answered from its head: the rest of it is thrown away */
    bool surplus; /* over limits.connections: it gets this one answer */
    bool keep_alive;
    bool fin; /* told that the sender finished writing; what it wrote may still be there */
    bool eof; /* it was read to its end */
    /* of the reply being written */
    unsigned minor;
    bool to_head; /* the request was HEAD: its answer has no body */
    bool chunked;
    bool until_close;
    bool ended; /* nothing more will be added */
    LIST_ENTRY(conn) entry;
    TAILQ_ENTRY(conn) waiting; /* while it waits */
};

/* Takes over the descriptor. Called on the worker's thread. `surplus`: there are too many; its
 * first request is answered 503 and the connection closed. */
void conn_accept(struct worker *w, int fd, const struct sockaddr_storage *from, bool surplus);
/* It has waited at the gate long enough. */
void conn_let_in(struct conn *c);
/* Its worker drains: no more than one request that comes soon. */
void conn_drain(struct conn *c);
/* Idempotent; the memory goes at the end of the turn. An event under way goes on without it. */
void conn_close(struct conn *c, enum conn_end why);

/* A whole answer; `lines` are complete header lines ("Name: value\r\n" …) without framing and
 * connection ones. `close`: the connection can not be used further (the request was not read to its
 * end). */
void conn_reply(struct conn *c, unsigned status, struct slice lines, struct slice body, bool close);
/* An answer whose body comes in pieces; length UINT64_MAX: not known. */
void conn_stream_begin(struct conn *c, unsigned status, struct slice lines, uint64_t length);
/* False: the sender does not read as fast; delivery_drained is called when it did. */
bool conn_stream(struct conn *c, struct slice piece);
void conn_stream_end(struct conn *c, bool complete);

#endif

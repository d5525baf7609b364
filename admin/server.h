/* The admin server's own structs. Layer: admin, private. */
#ifndef ADMIN_SERVER_H
#define ADMIN_SERVER_H

#include <stddef.h>
#include <stdint.h>

#include <pointsman/buf.h>
#include <pointsman/http.h>
#include <pointsman/loop.h>

#include "guard.h"
#include "request.h"

#define SERVER_CONNECTIONS_MAX 256
#define SERVER_HEAD_MAX        (16 * 1024)

/*   HEAD ──▶ BODY ──▶ WAITING ──▶ WRITING ──▶ HEAD (keep-alive)
 *     └───────┴────(refused)─────────▲ └──▶ LINGER ──▶ CLOSED
 *   WAITING ──(server stops)──▶ ORPHAN ──(handler answers)──▶ CLOSED */
enum session_state {
    SESSION_HEAD = 0, /* waits for a request head */
    SESSION_BODY,     /* reads the request's body */
    SESSION_WAITING,  /* a handler has the request */
    SESSION_WRITING,  /* the answer is on its way */
    SESSION_LINGER, /* answered, drops what still comes: closing at once could take the answer away
                     * (RFC 9112 §9.6) */
    SESSION_ORPHAN, /* closed, but a handler still has the request */
    SESSION_CLOSED, /* freed at the end of this turn */
    SESSION_STATES
};

struct session {
    struct admin *admin; /* not to be used in ORPHAN and CLOSED */
    struct loop *loop;
    struct session *next;
    struct session **prev;
    enum session_state state;
    int fd;
    struct watch watch;
    struct timer limit;
    struct task turn; /* goes on with a new answer, outside of the handler */
    struct task reap;
    struct buf in;
    size_t seen; /* bytes of `in` the head parser knows */
    struct buf out;
    struct http_head head; /* its slices are valid only while the head is read */
    struct http_chunks chunks;
    enum http_framing framing;
    uint64_t body_left;
    bool keep_alive;
    struct request x;
};

struct admin {
    struct proxy *proxy;
    struct loop *loop;
    struct guard guard;
    char *host;  /* guard.host */
    char *token; /* guard.token */
    int fd;
    struct watch watch;
    struct timer again; /* accepts again after descriptors ran out */
    struct session *sessions;
    unsigned session_count;
};

/* Takes over fd, closes it on failure too. */
void session_open(struct admin *admin, int fd);
void session_close(struct session *c, const char *reason);

#endif

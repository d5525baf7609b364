/* One request and its answer on a pooled connection to a backend. Layer: proxy.
 *
 *   pool ──take──▶ backend_conn: CONNECTING → BUSY ⇄ IDLE → CLOSED
 *                      │ carries
 *   exchange: OPENING → SENDING → HEAD → BODY → OVER
 *
 * All of one thread. An exchange is embedded in whatever it works for; it holds the connection,
 * never the reverse. */
#ifndef POINTSMAN_EXCHANGE_H
#define POINTSMAN_EXCHANGE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include <pointsman/blob.h>
#include <pointsman/buf.h>
#include <pointsman/http.h>
#include <pointsman/loop.h>

#include "resolver.h"

struct backend_conn;
struct exchange;

/* Connections of one thread to one backend for one role. */
struct pool {
    struct loop *loop;
    struct target *target; /* owned reference */
    uint64_t idle_us;
    struct http_limits limits;
    LIST_HEAD(, backend_conn) idle; /* the latest used first */
    LIST_HEAD(, backend_conn) busy;
    unsigned idle_count;
    unsigned generation; /* of the target: connections to an older one are not kept */
    char *scratch;       /* the thread's read buffer */
    size_t scratch_len;
};
void pool_init(struct pool *pool, struct loop *loop, struct target *target, uint64_t idle_us,
               struct http_limits limits, char *scratch, size_t scratch_len);
/* Other address, idle time and limits from now on; idle connections are closed. Takes the
 * reference. */
void pool_retarget(struct pool *pool, struct target *target, uint64_t idle_us,
                   struct http_limits limits);
/* No exchange may be under way. */
void pool_clear(struct pool *pool);

enum exchange_end {
    EXCHANGE_COMPLETE = 0, /* the whole answer was read */
    EXCHANGE_UNSENT,       /* not a byte left: refused, unresolved, no descriptor */
    EXCHANGE_BROKEN,       /* sent, then closed or reset before a complete head */
    EXCHANGE_GARBAGE,      /* sent, and what came back is no HTTP answer */
    EXCHANGE_TRUNCATED,    /* the head was complete, its body was not */
    EXCHANGE_ENDS
};
extern const char *const exchange_end_names[EXCHANGE_ENDS];

struct exchange_ops {
    /* Asked until the first byte has left: may it? False: it ends as unsent. */
    bool (*sending)(struct exchange *x);
    void (*head)(struct exchange *x, const struct http_head *head); /* the final head; once */
    void (*body)(struct exchange *x, struct slice piece);
    /* Once, last, unless aborted. The exchange may be started again from here. */
    void (*end)(struct exchange *x, enum exchange_end end);
};

enum exchange_state {
    EXCHANGE_OVER = 0,
    EXCHANGE_OPENING,
    EXCHANGE_SENDING,
    EXCHANGE_HEAD,
    EXCHANGE_BODY
};

struct exchange {
    enum exchange_state state;
    const struct exchange_ops *ops;
    struct pool *pool;
    struct backend_conn *conn;
    struct task later;  /* what exchange_start leaves to the end of the turn: no callback runs from
                           inside it */
    struct buf request; /* head of the request */
    struct blob *body;  /* may be NULL; reference of whoever embeds this */
    size_t written;     /* bytes of head and body the kernel took */
    bool to_head;       /* HEAD request */
    bool sent;          /* sending() allowed it */
    bool write_failed;
    bool paused;
    struct buf in; /* an incomplete head */
    size_t seen;
    unsigned interim;
    enum http_framing framing;
    bool keep_alive;
    uint64_t left;
    struct http_chunks chunks;
    struct addresses *addresses;
    unsigned next_address;
};

void exchange_init(struct exchange *x, struct pool *pool, const struct exchange_ops *ops,
                   size_t request_max);
/* x->request and x->body are filled in. `end` never runs from inside. */
void exchange_start(struct exchange *x);
/* Closes the connection; no callback runs any more. Idempotent. */
void exchange_abort(struct exchange *x);
void exchange_pause(struct exchange *x); /* stops reading the answer */
void exchange_resume(struct exchange *x);
void exchange_free(struct exchange *x); /* aborts and gives memory back */

#endif

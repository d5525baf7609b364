/* One connection to a backend, as exchange and pool share it. Layer: proxy. */
#ifndef POINTSMAN_BACKEND_CONN_H
#define POINTSMAN_BACKEND_CONN_H

#include "exchange.h"
#include "io.h"

enum backend_conn_state { BC_CONNECTING = 0, BC_BUSY, BC_IDLE, BC_CLOSED };

struct backend_conn {
    enum backend_conn_state state;
    struct pool *pool;
    struct exchange *x; /* CONNECTING and BUSY */
    struct io io;
    struct watch watch;
    struct timer timer; /* connect time-out, then idle time-out */
    struct task reap;
    unsigned generation;
    uint64_t idle_us; /* less than the backend keeps it */
    bool reused;      /* carried an exchange before */
    bool ended;       /* told that the backend finished writing: fit for no other */
    LIST_ENTRY(backend_conn) entry;
};

/* A quiet idle connection, now BUSY for x, or NULL. */
struct backend_conn *backend_conn_take(struct pool *pool, struct exchange *x);
/* Begins to connect to the address; NULL: it failed at once. */
struct backend_conn *backend_conn_open(struct pool *pool, struct exchange *x,
                                       const struct sockaddr *to, socklen_t len);
/* The exchange is done with it and it is fit for another. */
void backend_conn_put(struct backend_conn *bc);
/* Idempotent; freed at the end of the turn. */
void backend_conn_close(struct backend_conn *bc);

/* What the exchange does with readiness. */
void exchange_connected(struct exchange *x, bool ok);
void exchange_ready(struct exchange *x, int what);

#endif

/* Connections to backends: opening, keeping idle, looking before reuse, closing. */
#include "backend_conn.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <unistd.h>

#define IDLE_MAX   1024 /* per pool; what is over is closed instead of kept */
#define CONNECT_US (5 * 1000000ull)

static void become(struct backend_conn *bc, enum backend_conn_state state) {
    if (bc->state == BC_IDLE)
        bc->pool->idle_count--;
    if (bc->state != BC_CLOSED)
        LIST_REMOVE(bc, entry);
    bc->state = state;
    if (state == BC_IDLE) {
        bc->pool->idle_count++;
        LIST_INSERT_HEAD(&bc->pool->idle, bc, entry);
    } else if (state != BC_CLOSED) {
        LIST_INSERT_HEAD(&bc->pool->busy, bc, entry);
    }
}

static void reap(void *arg) {
    free(arg);
}

void backend_conn_close(struct backend_conn *bc) {
    if (bc->state == BC_CLOSED)
        return;
    become(bc, BC_CLOSED);
    bc->x = NULL;
    timer_stop(&bc->timer);
    watch_stop(&bc->watch);
    bc->io.ops->close(&bc->io);
    task_later(bc->pool->loop, &bc->reap);
}

static bool connect_succeeded(struct backend_conn *bc) {
    int error = 0;
    socklen_t len = sizeof error;
    return getsockopt(bc->io.fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 && error == 0;
}

static void ready(void *arg, int what) {
    struct backend_conn *bc = arg;
    switch (bc->state) {
    case BC_CONNECTING: {
        struct exchange *x = bc->x;
        bool ok = connect_succeeded(bc);
        timer_stop(&bc->timer);
        if (ok)
            become(bc, BC_BUSY);
        exchange_connected(x, ok);
        return;
    }
    case BC_BUSY:
        exchange_ready(bc->x, what);
        return;
    case BC_IDLE: /* closed by the backend, or bytes nobody asked for */
        backend_conn_close(bc);
        return;
    case BC_CLOSED:
        return;
    }
}

static void timed_out(void *arg) {
    struct backend_conn *bc = arg;
    if (bc->state == BC_CONNECTING)
        exchange_connected(bc->x, false);
    else
        backend_conn_close(bc);
}

struct backend_conn *backend_conn_open(struct pool *pool, struct exchange *x,
                                       const struct sockaddr *to, socklen_t len) {
    int fd = socket(to->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return NULL;
    int on = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct backend_conn *bc = calloc(1, sizeof *bc);
    if (!bc || (connect(fd, to, len) != 0 && errno != EINPROGRESS)) {
        free(bc);
        close(fd);
        return NULL;
    }
    bc->pool = pool;
    bc->generation = pool->generation;
    bc->idle_us = pool->idle_us;
    bc->x = x;
    bc->io = io_plain(fd);
    bc->state = BC_CONNECTING;
    LIST_INSERT_HEAD(&pool->busy, bc, entry);
    watch_init_edge(&bc->watch, pool->loop, fd, ready, bc);
    timer_init(&bc->timer, timed_out, bc);
    task_init(&bc->reap, reap, bc);
    if (!watch_set(&bc->watch, WATCH_WRITE)) {
        backend_conn_close(bc);
        return NULL;
    }
    timer_set(pool->loop, &bc->timer, CONNECT_US);
    return bc;
}

struct backend_conn *backend_conn_take(struct pool *pool, struct exchange *x) {
    struct backend_conn *bc;
    while ((bc = LIST_FIRST(&pool->idle)) != NULL) {
        if (!bc->io.ops->is_quiet(&bc->io)) {
            backend_conn_close(bc);
            continue;
        }
        timer_stop(&bc->timer);
        become(bc, BC_BUSY);
        bc->x = x;
        bc->reused = true;
        return bc;
    }
    return NULL;
}

void backend_conn_put(struct backend_conn *bc) {
    bc->x = NULL;
    struct pool *pool = bc->pool;
    if (pool->idle_count >= IDLE_MAX || bc->generation != pool->generation || bc->idle_us == 0 ||
        !watch_set(&bc->watch, WATCH_READ)) {
        backend_conn_close(bc);
        return;
    }
    become(bc, BC_IDLE);
    timer_set(pool->loop, &bc->timer, bc->idle_us);
}

void pool_init(struct pool *pool, struct loop *loop, struct target *target, uint64_t idle_us,
               struct http_limits limits, char *scratch, size_t scratch_len) {
    *pool = (struct pool){.loop = loop,
                          .target = target,
                          .idle_us = idle_us,
                          .limits = limits,
                          .scratch = scratch,
                          .scratch_len = scratch_len};
    LIST_INIT(&pool->idle);
    LIST_INIT(&pool->busy);
}

static void close_idle(struct pool *pool) {
    while (!LIST_EMPTY(&pool->idle))
        backend_conn_close(LIST_FIRST(&pool->idle));
}

void pool_retarget(struct pool *pool, struct target *target, uint64_t idle_us,
                   struct http_limits limits) {
    close_idle(pool);
    target_unref(pool->target);
    pool->target = target;
    pool->idle_us = idle_us;
    pool->limits = limits;
    pool->generation++;
}

void pool_clear(struct pool *pool) {
    close_idle(pool);
    target_unref(pool->target);
    pool->target = NULL;
}

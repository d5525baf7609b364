/* Health probes: a GET at an interval; any 2xx in time is good. */
#include "probe.h"

#include <stdlib.h>
#include <string.h>

#include <pointsman/loop.h>

#include "exchange.h"

#define TIMEOUT_US   (5 * 1000000ull)
#define HEAD_MAX     (16 * 1024)
#define SCRATCH_SIZE (16 * 1024)
#define BODY_MAX     (64 * 1024) /* more than that and the connection is not worth keeping */

struct probe {
    struct loop *loop;
    struct health_state *health;
    struct pool pool;
    struct exchange x;
    struct timer next;
    struct timer timeout;
    uint64_t interval_us;
    size_t body;
    bool judged;
    char scratch[SCRATCH_SIZE];
};

static void judge(struct probe *p, bool good) {
    if (!p->judged)
        health_probe(p->health, good);
    p->judged = true;
}

static bool sending(struct exchange *x) {
    (void)x;
    return true;
}

static void head(struct exchange *x, const struct http_head *head) {
    judge(CONTAINER_OF(x, struct probe, x), head->status / 100 == 2);
}

static void body(struct exchange *x, struct slice piece) {
    struct probe *p = CONTAINER_OF(x, struct probe, x);
    p->body += piece.len;
    if (p->body > BODY_MAX)
        exchange_abort(x);
}

static void end(struct exchange *x, enum exchange_end how) {
    struct probe *p = CONTAINER_OF(x, struct probe, x);
    (void)how;
    timer_stop(&p->timeout);
    judge(p, false);
}

static const struct exchange_ops probe_ops = {sending, head, body, end};

static void timed_out(void *arg) {
    struct probe *p = arg;
    exchange_abort(&p->x);
    judge(p, false);
}

static void ask(void *arg) {
    struct probe *p = arg;
    timer_set(p->loop, &p->next, p->interval_us);
    if (p->x.state != EXCHANGE_OVER)
        return;
    p->judged = false;
    p->body = 0;
    timer_set(p->loop, &p->timeout, p->interval_us < TIMEOUT_US ? p->interval_us : TIMEOUT_US);
    exchange_start(&p->x);
}

struct probe *probe_new(struct loop *loop, const struct conf_backend *backend,
                        struct target *target, struct health_state *health) {
    struct probe *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->loop = loop;
    p->health = health;
    p->interval_us = (uint64_t)backend->health_interval_ms * 1000;
    pool_init(&p->pool, loop, target_ref(target), (uint64_t)backend->idle_ms * 1000,
              (struct http_limits){HEAD_MAX, 0, HTTP_HEADERS_MAX}, p->scratch, SCRATCH_SIZE);
    exchange_init(&p->x, &p->pool, &probe_ops, HEAD_MAX);
    timer_init(&p->next, ask, p);
    timer_init(&p->timeout, timed_out, p);
    bool v6 = strchr(backend->url.host, ':') != NULL;
    if (!buf_printf(&p->x.request,
                    "GET %s%s HTTP/1.1\r\nHost: %s%s%s:%u\r\nUser-Agent: pointsman-probe\r\n\r\n",
                    backend->url.path, backend->health_path, v6 ? "[" : "", backend->url.host,
                    v6 ? "]" : "", backend->url.port)) {
        probe_free(p);
        return NULL;
    }
    timer_set(loop, &p->next, 1);
    return p;
}

void probe_free(struct probe *p) {
    if (!p)
        return;
    timer_stop(&p->next);
    timer_stop(&p->timeout);
    exchange_free(&p->x);
    pool_clear(&p->pool);
    free(p);
}

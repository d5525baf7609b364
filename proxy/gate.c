/* Lets requests in at the pace of the worker: what was begun is finished before more is begun. */
#include "gate.h"

#include <pointsman/jsonw.h>
#include <pointsman/log.h>

#include "conn.h"
#include "delivery.h"
#include "shared.h"
#include "table.h"
#include "worker.h"

#define CALM_US     1000000 /* without a refusal: it is over */
#define PATIENCE_US 1000000 /* for a store that is full */
#define UNREAD_MAX  (256 * 1024)

static uint64_t delay_us(const struct gate *g) {
    return (uint64_t)g->worker->rules->conf->limit_queue_delay_ms * 1000;
}

/* ---- what operators are told ---- */

static void log_change(struct gate *g, const char *text) {
    struct jsonw *w = log_begin(LOG_WARN, "overload");
    if (!w)
        return;
    jsonw_strz(w, "detail", text);
    jsonw_u64(w, "worker", g->worker->index);
    jsonw_u64(w, "waiting", g->waiting);
    jsonw_u64(w, "refused", g->shed - g->shed_from);
    log_end(w);
}

static void look(void *arg) {
    struct gate *g = arg;
    if (g->shed != g->shed_before) {
        g->shed_before = g->shed;
        timer_set(g->worker->loop, &g->calm, CALM_US);
        return;
    }
    metrics_add(g->worker->metrics, METRIC_SHEDDING, 0, 0, 0, -1);
    log_change(g, "no request was refused for a second: the overload is over");
}

static void count_refused(struct gate *g) {
    g->shed++;
    metrics_add(g->worker->metrics, METRIC_SHED, 0, 0, 0, 1);
    if (timer_is_set(&g->calm))
        return;
    g->shed_before = g->shed;
    g->shed_from = g->shed - 1;
    timer_set(g->worker->loop, &g->calm, CALM_US);
    metrics_add(g->worker->metrics, METRIC_SHEDDING, 0, 0, 0, 1);
    log_change(g, "more requests than this worker can do: the excess is refused with 503");
}

/* ---- the queue ---- */

static void count_waiting(struct gate *g, int by) {
    g->waiting += (unsigned)by;
    metrics_add(g->worker->metrics, METRIC_WAITING, 0, 0, 0, by);
}

/* Once a turn, whoever asks for it: what a turn lets in is counted as its pace. */
static void wake(void *arg) {
    struct gate *g = arg;
    task_next_turn(g->worker->loop, &g->let_in);
}

static void enqueue(struct gate *g, struct conn *c) {
    c->waits = c->waited = true;
    timer_stop(&c->timer); /* it is the worker that is waited for */
    c->started_us = loop_now_us(g->worker->loop);
    TAILQ_INSERT_TAIL(&g->queue, c, waiting);
    count_waiting(g, 1);
    wake(g);
}

static void take_off(struct gate *g, struct conn *c) {
    c->waits = false;
    TAILQ_REMOVE(&g->queue, c, waiting);
    count_waiting(g, -1);
}

static uint64_t patience_us(const struct gate *g) {
    const struct conn *first = TAILQ_FIRST(&g->queue);
    uint64_t waited_us = first ? loop_now_us(g->worker->loop) - first->started_us : 0;
    return waited_us < PATIENCE_US ? PATIENCE_US - waited_us : 0;
}

/* One that is away is not waited for, nor one that hangs: what is let in has a deadline, is kept on
 * disk, or told so. */
static bool store_is_full(const struct gate *g) {
    return g->asked >= ADMISSION_ASKS && patience_us(g) > 0 && store_is_up(g->worker->proxy->store);
}

static bool is_open(const struct gate *g) {
    return g->taken < ADMISSION_TAKES && !store_is_full(g);
}

static void begin_turn(struct gate *g) {
    uint64_t now_us = loop_now_us(g->worker->loop);
    if (g->turn_us == now_us)
        return;
    g->turn_us = now_us;
    g->taken = g->refused = 0;
}

static void let_in(void *arg) {
    struct gate *g = arg;
    begin_turn(g);
    while (is_open(g) && !TAILQ_EMPTY(&g->queue)) {
        struct conn *c = TAILQ_FIRST(&g->queue);
        take_off(g, c);
        g->taken++;
        conn_let_in(c);
    }
    admission_turn(&g->admission, delay_us(g), loop_now_us(g->worker->loop), g->taken, g->waiting);
    if (g->waiting && !store_is_full(g))
        wake(g);
    else if (g->waiting)
        timer_set(g->worker->loop, &g->patience, patience_us(g));
}

void gate_claim_asked(struct gate *g) {
    g->asked++;
}

void gate_claim_answered(struct gate *g) {
    g->asked--;
    if (g->waiting)
        wake(g);
}

void gate_init(struct gate *g, struct worker *w) {
    *g = (struct gate){.worker = w};
    TAILQ_INIT(&g->queue);
    task_init(&g->let_in, let_in, g);
    timer_init(&g->patience, wake, g);
    timer_init(&g->calm, look, g);
}

void gate_clear(struct gate *g) {
    timer_stop(&g->patience);
    timer_stop(&g->calm);
    if (g->worker && g->worker->loop)
        task_cancel(g->worker->loop, &g->let_in);
}

bool gate_lets_in(struct gate *g, struct conn *c) {
    begin_turn(g);
    if (g->waiting == 0 && is_open(g)) {
        g->taken++;
        return true;
    }
    if (g->refused < ADMISSION_REFUSES &&
        !admission_admits(&g->admission, delay_us(g), g->waiting)) {
        g->refused++;
        c->refuse = true;
        return true;
    }
    if (buf_len(&c->in) == 0 && io_has_ended(&c->io)) /* it is no request that would have to wait */
        return true;
    enqueue(g, c);
    return false;
}

/* The answer goes out at once. What is left of the request is thrown away as it comes, where that
 * costs less than a new connection. */
void gate_refuse(struct conn *c, const struct http_head *head) {
    bool close = c->surplus || head->expect_continue || head->framing == HTTP_CHUNKED ||
                 c->left > UNREAD_MAX;
    if (!c->surplus)
        count_refused(&c->worker->gate);
    c->refuse = false;
    c->unread = !close && c->left > 0;
    answer_unread(c, http_known_header(head, HTTP_NAME_DELIVERY),
                  c->surplus ? "limits.connections is reached"
                             : "requests come in faster than they can be worked on",
                  close);
}

void gate_leave(struct gate *g, struct conn *c) {
    if (c->waits)
        take_off(g, c);
}

bool gate_is_busy(const struct gate *g) {
    return g->waiting > 0;
}

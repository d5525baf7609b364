/* Takes due events from the journal and sends them on their way. */
#include "queue.h"

#include <stdlib.h>
#include <string.h>

#include <pointsman/clock.h>
#include <pointsman/log.h>

#include "breakers.h"
#include "delivery.h"
#include "shared.h"
#include "worker.h"

#define MOST_IDLE  64 /* events under way from the queue … */
#define MOST_LIVE  32 /* … and while senders' events come in */
#define MOST_BUSY  4  /* … and while senders have to wait */
#define LIVE_US    200000
#define LOOK_US    200000 /* what holds events back is looked at again */
#define UNKNOWN_US (60 * 1000000ull)
#define AGAIN_US   1000000

struct queue {
    struct worker *worker;
    bool open;
    bool taking;
    unsigned running;
    uint32_t budget; /* retries taken from the budget for the open take */
    struct timer look;
    struct task more;
    struct journal_take take;
    LIST_HEAD(, put_back) backs;
};

/* A row that goes back untouched. */
struct put_back {
    struct queue *queue;
    struct journal_move move;
    struct timer again;
    LIST_ENTRY(put_back) entry;
};

static void take(void *queue);

static void look_again(void *arg) {
    struct queue *q = arg;
    if (q->taking)
        journal_nudge(q->worker->journal);
    else
        take(q);
}

struct queue *queue_new(struct worker *w) {
    struct queue *q = calloc(1, sizeof *q);
    if (!q)
        return NULL;
    q->worker = w;
    LIST_INIT(&q->backs);
    timer_init(&q->look, look_again, q);
    task_init(&q->more, take, q);
    return q;
}

void queue_free(struct queue *q) {
    if (!q)
        return;
    timer_stop(&q->look);
    task_cancel(q->worker->loop, &q->more);
    while (!LIST_EMPTY(&q->backs)) {
        struct put_back *p = LIST_FIRST(&q->backs);
        LIST_REMOVE(p, entry);
        timer_stop(&p->again);
        free(p);
    }
    free(q);
}

/* ---- one event ---- */

static const struct conf_source *source_of(const struct rules *rules, struct slice name) {
    for (size_t i = 0; i < rules->conf->source_count; i++)
        if (slice_is(name, rules->conf->sources[i].name))
            return &rules->conf->sources[i];
    return NULL;
}

static void put_back_done(struct journal_call *call) {
    struct put_back *p = CONTAINER_OF(call, struct put_back, move.call);
    struct worker *w = p->queue->worker;
    if (call->result == JOURNAL_FAILED && !w->ended && !w->draining) {
        timer_set(w->loop, &p->again, AGAIN_US);
        return;
    }
    LIST_REMOVE(p, entry);
    free(p);
}

static void put_back_submit(void *arg) {
    struct put_back *p = arg;
    journal_move(p->queue->worker->journal, &p->move);
}

/* Nothing can be done with it here and now. Without memory it stays in hand until the next start.
 */
static void put_back(struct queue *q, const struct journal_row *row, enum row_reason reason) {
    struct put_back *p = calloc(1, sizeof *p);
    if (!p)
        return;
    p->queue = q;
    timer_init(&p->again, put_back_submit, p);
    LIST_INSERT_HEAD(&q->backs, p, entry);
    p->move.seq = row->seq;
    p->move.ver = row->ver;
    p->move.mark = row->mark;
    p->move.mark.state = ROW_QUEUED;
    p->move.mark.reason = reason;
    p->move.mark.due_wall_us = clock_wall_us() + UNKNOWN_US;
    p->move.call.done = put_back_done;
    put_back_submit(p);
}

static void start(struct queue *q, const struct journal_row *row) {
    struct worker *w = q->worker;
    const struct conf_source *source = source_of(w->rules, row->event.source);
    if (!source) {
        log_say(LOG_ERROR, "queue", "source %.*s is not configured: its events wait",
                SLICE_ARG(row->event.source));
        put_back(q, row, REASON_SOURCE);
        return;
    }
    struct delivery *d = delivery_resume(w, source, row);
    if (!d) {
        put_back(q, row, row->mark.reason);
        return;
    }
    q->running++;
    flow_decide(d);
    claim_start(d);
    delivery_drop(d);
}

static void taken(struct journal_call *call) {
    struct queue *q = call->arg;
    struct worker *w = q->worker;
    struct journal_row *next;
    uint32_t retries = 0;
    q->taking = false;
    for (struct journal_row *row = q->take.ret_rows; row; row = next) {
        next = row->next;
        retries += row->mark.retry;
        if (!w->ended && q->open)
            start(q, row);
        journal_row_free(row);
    }
    budget_give_back(w->proxy, q->budget - (retries < q->budget ? retries : q->budget));
    q->budget = 0;
    if (!w->ended)
        task_later(w->loop, &q->more);
}

/* ---- taking ---- */

static bool admits(const struct worker *w, enum side side) {
    const struct conf *conf = w->rules->conf;
    return atomic_load_explicit(&w->proxy->in_flight[side][ROLE_OWNER], memory_order_relaxed) <
               conf->backends[side].max_in_flight &&
           breakers_admit(w->proxy, side, conf);
}

bool queue_side_is_open(const struct worker *w, enum side side) {
    const struct conf *conf = w->rules->conf;
    const struct control *now = &w->control;
    bool gradual = now->mode == MODE_GRADUAL;
    if (now->mode == MODE_NEW_ONLY || (gradual && now->ppm == PPM_ALL))
        side = SIDE_NEW;
    else if (!gradual || now->ppm == 0)
        side = SIDE_LEGACY;
    return admits(w, side) ||
           (side == SIDE_NEW && conf->backends[SIDE_NEW].fallback && admits(w, SIDE_LEGACY));
}

static unsigned room(const struct queue *q) {
    const struct worker *w = q->worker;
    const struct conf *conf = w->rules->conf;
    bool live = clock_mono_us() - w->live_at_us < LIVE_US;
    unsigned most = gate_is_busy(&w->gate) ? MOST_BUSY : live ? MOST_LIVE : MOST_IDLE;
    for (int side = 0; side < SIDES; side++)
        if (most > conf->breaker_probes &&
            breakers_state(w->proxy, (enum side)side) != BREAKER_CLOSED &&
            breakers_admit(w->proxy, (enum side)side, conf))
            most = conf->breaker_probes;
    return q->running < most ? most - q->running : 0;
}

static void take(void *arg) {
    struct queue *q = arg;
    struct worker *w = q->worker;
    unsigned limit = room(q);
    if (!q->open || q->taking)
        return;
    if (limit == 0 || (w->rules->conf->claims && !store_is_up(w->proxy->store))) {
        timer_set(w->loop, &q->look, LOOK_US);
        return;
    }
    struct journal_take *t = &q->take;
    memset(t, 0, sizeof *t);
    for (int side = 0; side < SIDES; side++)
        t->sides[side] = queue_side_is_open(w, (enum side)side);
    q->budget = budget_take(w->proxy, w->rules->conf, limit);
    t->limit = limit;
    t->retries = q->budget;
    t->call.done = taken;
    t->call.arg = q;
    q->taking = true;
    journal_take(w->journal, t);
    if (!t->sides[SIDE_LEGACY] || !t->sides[SIDE_NEW] || q->budget < limit)
        timer_set(w->loop, &q->look, LOOK_US);
}

void queue_open(struct worker *w) {
    if (!w->queue || w->queue->open || w->draining)
        return;
    w->queue->open = true;
    take(w->queue);
}

void queue_close(struct worker *w) {
    if (!w->queue)
        return;
    w->queue->open = false;
    timer_stop(&w->queue->look);
    journal_nudge(w->journal);
}

void queue_changed(struct worker *w) {
    if (w->queue && w->queue->taking)
        journal_nudge(w->journal);
}

void queue_ended(struct worker *w) {
    if (!w->queue)
        return;
    w->queue->running--;
    if (!w->ended)
        task_later(w->loop, &w->queue->more);
}

/* The life of an event's object: made from a head, held by who works on it, freed by the last. */
#include "delivery.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sanitizer/asan_interface.h>

#include <pointsman/clock.h>

#include "conn.h"
#include "queue.h"
#include "shared.h"
#include "worker.h"

#define BODY_FIRST    (64 * 1024) /* bytes of room made at the head; more comes as the body does */
#define SPARE_BUF_MAX (4 * 1024)  /* of a buffer's memory that is kept for the next event */

static const struct conf_source *find_source(const struct conf *conf, struct slice path,
                                             unsigned *ret_index) {
    for (unsigned i = 0; i < conf->source_count; i++)
        if (slice_is(path, conf->sources[i].path)) {
            *ret_index = i;
            return &conf->sources[i];
        }
    return NULL;
}

bool delivery_charge(struct delivery *d, uint64_t bytes) {
    struct proxy *p = d->worker->proxy;
    uint64_t limit = d->rules->conf->limit_in_flight;
    uint64_t before = atomic_fetch_add(&p->body_bytes, bytes - d->charged);
    uint64_t after = before + bytes - d->charged;
    d->charged = bytes;
    return after <= limit;
}

/* ---- memory ---- */

/* All zero but for the memory of its buffers. */
static struct delivery *take_memory(struct worker *w) {
    if (w->spare_count > 0) {
        struct delivery *d = w->spares[--w->spare_count];
        ASAN_UNPOISON_MEMORY_REGION(d, sizeof *d);
        struct spare_bufs kept = d->spare;
        memset(d, 0, sizeof *d);
        d->spare = kept;
        return d;
    }
    struct delivery *d = calloc(1, sizeof *d);
    if (!d)
        return NULL;
    buf_init(&d->spare.head, SPARE_BUF_MAX);
    buf_init(&d->spare.target, SPARE_BUF_MAX);
    buf_init(&d->spare.request, SPARE_BUF_MAX);
    buf_init(&d->spare.lines, SPARE_BUF_MAX);
    buf_init(&d->spare.answer, SPARE_BUF_MAX);
    return d;
}

static void free_memory(struct delivery *d) {
    buf_free(&d->spare.head);
    buf_free(&d->spare.target);
    buf_free(&d->spare.request);
    buf_free(&d->spare.lines);
    buf_free(&d->spare.answer);
    free(d);
}

/* Nobody may look at it any more, and the sanitizer still tells who does. */
static void give_memory_back(struct worker *w, struct delivery *d) {
    if (w->ended || w->spare_count == SPARES) {
        free_memory(d);
        return;
    }
    w->spares[w->spare_count++] = d;
    ASAN_POISON_MEMORY_REGION(d, sizeof *d);
}

static void free_spares(struct worker *w) {
    while (w->spare_count > 0)
        free_memory(take_memory(w));
}

/* ---- life ---- */

static void free_delivery(void *arg) {
    struct delivery *d = arg;
    struct worker *w = d->worker;
    for (int side = 0; side < SIDES; side++)
        leg_free(&d->legs[side]);
    if ((d->at_us[STEP_PARSE] || d->resumed) && !d->logged)
        log_decision(d);
    if (!w->ended) /* what the store may hold is settled by the next boot */
        for (int role = 0; role < ROLES; role++)
            attempts_free(w->attempts, d->slots[role]);
    atomic_fetch_sub(&w->proxy->body_bytes, d->charged);
    atomic_fetch_sub(&w->proxy->deliveries, 1);
    metrics_add(w->metrics, METRIC_IN_FLIGHT, 0, 0, 0, -1);
    timer_stop(&d->deadline);
    timer_stop(&d->wait);
    LIST_REMOVE(d, entry);
    buf_hand_over(&d->head, &d->spare.head);
    buf_free(&d->head);
    buf_hand_over(&d->target, &d->spare.target);
    buf_free(&d->target);
    row_free(d);
    if (d->resumed)
        queue_ended(w);
    blob_unref(d->body);
    rules_unref(d->rules);
    give_memory_back(w, d);
}

struct delivery *delivery_hold(struct delivery *d) {
    d->refs++;
    return d;
}

void delivery_drop(struct delivery *d) {
    if (--d->refs > 0)
        return;
    timer_stop(&d->wait); /* it would ask the store for what is about to be freed */
    timer_stop(&d->deadline);
    task_later(d->worker->loop, &d->reap); /* callbacks of its legs may still be running */
}

static void deadline_came(void *arg) {
    flow_deadline(arg);
}

#define NEAR_US                                                                                    \
    500000 /* room for the journal before a sender's deadline, at most a fifth of it               \
            */

uint64_t delivery_near_us(const struct delivery *d) {
    uint64_t fifth = (uint64_t)d->source->deadline_ms * 1000 / 5;
    return fifth < NEAR_US ? fifth : NEAR_US;
}

void delivery_set_deadline(struct delivery *d, uint64_t since_us) {
    uint64_t us = (uint64_t)d->source->deadline_ms * 1000 - delivery_near_us(d);
    uint64_t waited_us = loop_now_us(d->worker->loop) - since_us;
    timer_set(d->worker->loop, &d->deadline, us > waited_us ? us - waited_us : 0);
}

/* c NULL: from the journal. */
static struct delivery *make(struct worker *w, struct conn *c) {
    struct delivery *d = take_memory(w);
    if (!d)
        return NULL;
    d->worker = w;
    d->refs = 1;
    d->conn = c;
    d->rules = rules_ref(w->rules);
    d->began_us = c ? c->started_us : clock_mono_us();
    d->verdict = VERIFY_MISSING; /* until it is judged */
    d->owner = SIDE_NONE;
    d->answer = ANSWER_COUNT;
    buf_init(&d->head, (size_t)d->rules->conf->limit_headers * 2 + 4096);
    buf_init(&d->target, 16 * 1024);
    buf_hand_over(&d->spare.head, &d->head);
    buf_hand_over(&d->spare.target, &d->target);
    timer_init(&d->deadline, deadline_came, d);
    timer_init(&d->wait, claim_again, d);
    task_init(&d->reap, free_delivery, d);
    LIST_INSERT_HEAD(&w->under_way, d, entry);
    atomic_fetch_add(&w->proxy->deliveries, 1);
    metrics_add(w->metrics, METRIC_IN_FLIGHT, 0, 0, 0, 1);
    d->at_us[STEP_ACCEPT] = clock_mono_us();
    return d;
}

/* What the head alone decides; ANSWER_COUNT: nothing against it. */
static enum answer judge_head(const struct worker *w, const struct http_head *head,
                              const struct conf_source *source, char *detail, size_t len) {
    uint64_t limit = w->rules->conf->limit_body;
    if (!source) {
        snprintf(detail, len, "found %.*s; a source's path must match exactly",
                 SLICE_ARG(head->path));
        return ANSWER_PATH;
    }
    if (!slice_is(head->method, "POST")) {
        snprintf(detail, len, "found %.*s", SLICE_ARG(head->method));
        return ANSWER_METHOD;
    }
    if (head->framing == HTTP_LENGTH && head->length > limit) {
        snprintf(detail, len, "Content-Length is %llu, limits.body is %llu bytes",
                 (unsigned long long)head->length, (unsigned long long)limit);
        return ANSWER_BODY;
    }
    return ANSWER_COUNT;
}

struct delivery *delivery_new(struct conn *c, const struct http_head *head) {
    struct worker *w = c->worker;
    unsigned index = 0;
    const struct conf_source *source = find_source(w->rules->conf, head->path, &index);
    char detail[256];
    enum answer against = judge_head(w, head, source, detail, sizeof detail);
    if (against != ANSWER_COUNT) {
        answer_early(c, against, 0, detail, head->framing != HTTP_NO_BODY);
        return NULL;
    }
    struct delivery *d = make(w, c);
    if (d && buf_reserve(&d->head, head->size + 512)) {
        d->source = &d->rules->conf->sources[index];
        d->source_index = index;
        bool small = head->framing == HTTP_LENGTH && head->length < BODY_FIRST;
        size_t room = small ? (size_t)head->length : BODY_FIRST;
        if (delivery_charge(d, room) && forward_keep(d, head, c->peer))
            d->body = blob_new(room);
    }
    if (!d || !d->body) {
        if (d) {
            d->conn = NULL;
            delivery_drop(d);
        }
        answer_early(c, ANSWER_OVERLOAD, 0, "limits.in_flight is reached", true);
        return NULL;
    }
    delivery_set_deadline(d, d->began_us); /* waiting at the gate counts */
    return d;
}

static void copy_text(char *to, size_t room, struct slice text) {
    size_t len = text.len < room ? text.len : room - 1;
    memcpy(to, text.ptr ? text.ptr : "", len);
    to[len] = '\0';
}

static void recall(struct delivery *d, const struct journal_event *e) {
    copy_text(d->id.id, sizeof d->id.id, e->id);
    copy_text(d->id.type, sizeof d->id.type, e->type);
    copy_text(d->id.action, sizeof d->id.action, e->action);
    copy_text(d->id.entity, sizeof d->id.entity, e->entity);
    copy_text(d->id.repository, sizeof d->id.repository, e->repository);
    copy_text(d->id.owner, sizeof d->id.owner, e->owner);
    copy_text(d->digest, sizeof d->digest, e->digest);
    d->id.number = e->number;
    d->id.has_number = e->has_number;
    d->id.closes = e->closes;
}

struct delivery *delivery_resume(struct worker *w, const struct conf_source *source,
                                 const struct journal_row *row) {
    struct delivery *d = make(w, NULL);
    if (!d)
        return NULL;
    d->source = source;
    d->answered = true;
    d->resumed = true;
    d->logged = true; /* until it is on its way: then its end is told */
    d->body = blob_ref(row->event.body);
    (void)!delivery_charge(d, row->event.body->len);
    recall(d, &row->event);
    if (buf_append_slice(&d->head, row->event.head) &&
        buf_append_slice(&d->target, row->event.target) && row_adopt(d, row)) {
        d->logged = false;
        return d;
    }
    d->resumed = false;
    delivery_drop(d);
    return NULL;
}

struct conn *delivery_take_conn(struct delivery *d) {
    struct conn *c = d->conn;
    d->conn = NULL;
    d->answered = true;
    timer_stop(&d->deadline);
    if (c)
        c->delivery = NULL;
    return c;
}

void delivery_detach(struct delivery *d) {
    d->conn = NULL;
    if (d->state == DELIVERY_READING || d->answered)
        timer_stop(&d->deadline);
    if (d->streaming && d->owner != SIDE_NONE) {
        d->streaming = false;
        leg_cut(&d->legs[d->owner]); /* nobody is left to read the rest */
    }
    delivery_drop(d);
}

void delivery_step(struct delivery *d, enum step step) {
    d->at_us[step] = clock_mono_us();
}

void delivery_discard_all(struct worker *w) {
    while (!LIST_EMPTY(&w->under_way)) {
        struct delivery *d = LIST_FIRST(&w->under_way);
        d->logged = true; /* its end is not known here; the next boot settles it */
        task_cancel(w->loop, &d->reap);
        free_delivery(d);
    }
    free_spares(w);
}

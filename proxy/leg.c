/* One attempt at one side: the exchange, its time-outs and lease, its outcome and the record of it.
 */
#include <stdlib.h>
#include <string.h>

#include <pointsman/attempts.h>
#include <pointsman/clock.h>

#include "breakers.h"
#include "delivery.h"
#include "health.h"
#include "shared.h"
#include "worker.h"

#define ANSWER_KEEP       (64 * 1024) /* bytes of an answer's body held back until it is recorded */
#define LEASE_END_US      500000      /* the connection is closed so long before the lease ends */
#define FINISH_TIMEOUT_MS 1000        /* then the sender is answered without the record */
#define FINISH_AGAIN_US   500000
#define ON_DISK_US        200000
#define OURS_LEN          192 /* of what is put behind the backend's header lines, mostly */

static bool has_outcome(const struct leg *leg) {
    return leg->phase == PHASE_RECORDING || leg->phase == PHASE_RECORDED;
}

static void release(struct leg *leg) {
    if (leg->holds && leg->phase == PHASE_RECORDED && leg->body_over && !leg->slot) {
        leg->holds = false;
        delivery_drop(leg->delivery);
    }
}

static void body_over(struct leg *leg, bool whole) {
    if (leg->body_over)
        return;
    leg->body_over = true;
    leg->body_whole = whole;
    timer_stop(&leg->timeout);
    flow_leg_body_over(leg);
}

/* ---- the record ---- */

static void recorded(struct leg *leg) {
    if (leg->phase == PHASE_RECORDED)
        return;
    leg->phase = PHASE_RECORDED;
    flow_leg_recorded(leg);
}

static void finished(struct store_call *call) {
    struct leg *leg = call->arg;
    struct delivery *d = leg->delivery;
    struct worker *w = d->worker;
    if (w->ended) {
        delivery_drop(d);
        return;
    }
    bool left_to_the_boot = leg->given_back && w->draining;
    if (call->result == STORE_AWAY && !left_to_the_boot) {
        timer_set(w->loop, &leg->again, FINISH_AGAIN_US);
    } else {
        if (call->result != STORE_AWAY)
            attempts_free(w->attempts, leg->slot);
        leg->slot = NULL;
        atomic_fetch_sub(&w->proxy->recording, 1);
    }
    recorded(leg);
    release(leg);
    delivery_drop(d);
}

static void record(struct leg *leg) {
    struct delivery *d = leg->delivery;
    struct store_finish *f = &leg->finish;
    memset(f, 0, sizeof *f);
    f->source = slice_of(d->source->name);
    f->id = slice_of(d->id.id);
    f->entity = slice_of(d->id.entity);
    f->side = leg->side;
    f->role = leg->role;
    f->token = leg->token;
    f->fence = leg->fence;
    f->attempt = leg->attempt;
    f->outcome = leg->outcome;
    f->status = leg->status;
    f->sticky_ms = flow_sticky_ms(d);
    f->call.done = finished;
    f->call.arg = leg;
    f->call.timeout_ms = FINISH_TIMEOUT_MS;
    delivery_hold(d);
    store_finish(d->worker->store, f);
}

static void record_again(void *arg) {
    record(arg);
}

static void have_outcome(struct leg *leg, enum outcome outcome, uint16_t status) {
    struct delivery *d = leg->delivery;
    struct worker *w = d->worker;
    uint64_t now = clock_mono_us();
    leg->outcome = outcome;
    leg->status = status;
    leg->phase = PHASE_RECORDING;
    timer_stop(&leg->lease);
    atomic_fetch_sub(&w->proxy->in_flight[leg->side][leg->role], 1);
    metrics_add(w->metrics, METRIC_ATTEMPTS_OPEN, leg->side, leg->role, 0, -1);
    metrics_add(w->metrics, METRIC_ATTEMPTS, leg->side, leg->role, outcome, 1);
    metrics_observe_us(w->metrics, METRIC_ATTEMPT_SECONDS, leg->side, leg->role, 0,
                       now - leg->started_us);
    if (leg->slot && now >= leg->until_us) /* whichever timer or answer came first */
        metrics_add(w->metrics, METRIC_PAUSED, 0, 0, 0, 1);
    if (outcome == OUTCOME_IN_DOUBT && leg->role == ROLE_OWNER)
        metrics_add(w->metrics, METRIC_IN_DOUBT, leg->side, 0, 0, 1);
    if (!leg->refused)
        health_attempt(&w->proxy->health[leg->side], outcome, now);
    if (leg->lapsed)
        breakers_void(w->proxy, leg->side, leg->pass);
    else if (leg->role == ROLE_OWNER && leg->pass != PASS_REFUSED)
        breakers_left(w->proxy, leg->side, d->rules->conf, leg->pass, leg->started_us, outcome);
    if (leg->role == ROLE_OWNER)
        d->at_us[STEP_FORWARD] = now;
    if (!leg->slot) {
        recorded(leg);
        return;
    }
    attempts_answered(leg->slot, outcome, status);
    atomic_fetch_add(&w->proxy->recording, 1);
    record(leg);
}

/* ---- the exchange ---- */

/* The process may have stood still since the claim was granted, and who is ready to write comes
 * before the timers do: without a lease nothing leaves. */
static bool sending(struct exchange *x) {
    struct leg *leg = CONTAINER_OF(x, struct leg, x);
    if (!leg->slot)
        return true;
    if (clock_mono_us() + LEASE_END_US >= leg->until_us) {
        leg->lapsed = true;
        return false;
    }
    attempts_sent(leg->slot);
    return true;
}

static bool keep_lines(struct leg *leg, const struct http_head *head) {
    if (!buf_reserve(&leg->lines, head->size + OURS_LEN))
        return false;
    for (unsigned i = 0; i < head->header_count; i++) {
        const struct http_header *field = &head->headers[i];
        bool passed =
            !(field->traits & (HTTP_HOP | HTTP_OURS)) && field->id != HTTP_NAME_CONTENT_LENGTH;
        if (passed && !http_field_put(field, &leg->lines))
            return false;
    }
    return true;
}

static void on_head(struct exchange *x, const struct http_head *head) {
    struct leg *leg = CONTAINER_OF(x, struct leg, x);
    const struct conf_backend *backend = &leg->delivery->rules->conf->backends[leg->side];
    leg->length = head->framing == HTTP_LENGTH    ? head->length
                  : head->framing == HTTP_NO_BODY ? 0
                                                  : UINT64_MAX;
    if (!keep_lines(leg, head))
        buf_reset(&leg->lines);
    struct slice pause = http_known_header(head, HTTP_NAME_RETRY_AFTER);
    uint64_t ms;
    if (pause.ptr && retry_after_parse(pause, clock_wall_us(), &ms))
        leg->retry_after_ms = ms;
    timer_set(leg->delivery->worker->loop, &leg->timeout, (uint64_t)backend->timeout_ms * 1000);
    have_outcome(leg, outcome_of_status(backend, head->status), (uint16_t)head->status);
}

static void on_body(struct exchange *x, struct slice piece) {
    flow_leg_body(CONTAINER_OF(x, struct leg, x), piece);
}

static void on_end(struct exchange *x, enum exchange_end how) {
    struct leg *leg = CONTAINER_OF(x, struct leg, x);
    struct delivery *d = delivery_hold(leg->delivery);
    leg->ended = how;
    timer_stop(&leg->timeout);
    if (!has_outcome(leg)) {
        body_over(leg, false);
        have_outcome(leg, how == EXCHANGE_UNSENT ? OUTCOME_UNSENT : OUTCOME_IN_DOUBT, 0);
    } else {
        body_over(leg, how == EXCHANGE_COMPLETE);
    }
    release(leg);
    delivery_drop(d);
}

static const struct exchange_ops leg_ops = {sending, on_head, on_body, on_end};

void leg_cut(struct leg *leg) {
    struct delivery *d = delivery_hold(leg->delivery);
    bool sent = leg->x.sent && leg->x.written > 0;
    exchange_abort(&leg->x);
    leg->ended = sent ? EXCHANGE_BROKEN : EXCHANGE_UNSENT;
    body_over(leg, false);
    if (!has_outcome(leg))
        have_outcome(leg, sent ? OUTCOME_IN_DOUBT : OUTCOME_UNSENT, 0);
    release(leg);
    delivery_drop(d);
}

static void timed_out(void *arg) {
    leg_cut(arg);
}

static void lapse(struct leg *leg) {
    leg->lapsed = true;
    leg_cut(leg);
}

/* ---- the lease ---- */

static void renewed(struct store_call *call) {
    struct leg *leg = call->arg;
    struct delivery *d = leg->delivery;
    leg->renewing = false;
    if (leg->phase == PHASE_RUNNING && !d->worker->ended) {
        if (call->result == STORE_OK)
            leg->until_us = leg->renew.ret_until_us;
        else if (call->result == STORE_STALE || call->result == STORE_ABSENT)
            lapse(leg); /* somebody else holds it now */
    }
    delivery_drop(d);
}

static void renew_lease(struct leg *leg) {
    struct delivery *d = leg->delivery;
    uint64_t now = clock_mono_us();
    if (now + LEASE_END_US >= leg->until_us) {
        lapse(leg);
        return;
    }
    uint64_t left = leg->until_us - now - LEASE_END_US, third = d->claim.lease_ms * 1000 / 3;
    timer_set(d->worker->loop, &leg->lease, left < third ? left : third);
    if (leg->renewing)
        return;
    struct store_renew *r = &leg->renew;
    memset(r, 0, sizeof *r);
    r->source = slice_of(d->source->name);
    r->id = slice_of(d->id.id);
    r->entity = slice_of(d->id.entity);
    r->side = leg->side;
    r->token = leg->token;
    r->fence = leg->fence;
    r->lease_ms = d->claim.lease_ms;
    r->on_disk = row_is_held(d);
    r->call.done = renewed;
    r->call.arg = leg;
    r->call.timeout_ms = (uint32_t)(left / 1000) + 1;
    leg->renewing = true;
    delivery_hold(d);
    store_renew(d->worker->store, r);
}

static void lease_fired(void *arg) {
    renew_lease(arg);
}

void leg_on_disk(struct leg *leg) {
    if (leg->slot && leg->phase == PHASE_RUNNING)
        renew_lease(leg);
}

/* ---- start and end ---- */

static struct leg *prepare(struct delivery *d, enum side side, enum role role,
                           struct attempt *slot) {
    struct leg *leg = &d->legs[side];
    leg_free(leg);
    memset(leg, 0, sizeof *leg);
    leg->delivery = d;
    leg->side = side;
    leg->role = role;
    leg->slot = slot;
    leg->token = d->token;
    leg->attempt = d->claim.ret_attempt;
    leg->fence = d->claim.ret_fence;
    leg->until_us = d->claim.ret_until_us;
    leg->length = UINT64_MAX;
    timer_init(&leg->timeout, timed_out, leg);
    timer_init(&leg->lease, lease_fired, leg);
    timer_init(&leg->again, record_again, leg);
    buf_init(&leg->lines, d->rules->conf->limit_headers + 1024 + EVENT_ID_MAX);
    buf_init(&leg->answer, ANSWER_KEEP);
    buf_init(&leg->overflow, SCRATCH_LEN);
    exchange_init(&leg->x, &d->worker->pools[side][role], &leg_ops,
                  (size_t)d->rules->conf->limit_headers * 2 + 32 * 1024);
    buf_hand_over(&d->spare.request, &leg->x.request);
    buf_hand_over(&d->spare.lines, &leg->lines);
    buf_hand_over(&d->spare.answer, &leg->answer);
    leg->holds = true;
    delivery_hold(d);
    return leg;
}

/* False: the attempt is not made. */
static bool is_let_through(struct leg *leg) {
    struct delivery *d = leg->delivery;
    struct proxy *p = d->worker->proxy;
    const struct conf *conf = d->rules->conf;
    uint32_t most = conf->backends[leg->side].max_in_flight;
    if (atomic_fetch_add(&p->in_flight[leg->side][leg->role], 1) >= most)
        leg->refused = REFUSED_LIMIT;
    else if (leg->role == ROLE_OWNER &&
             (leg->pass = breakers_enter(p, leg->side, conf)) == PASS_REFUSED)
        leg->refused = REFUSED_BREAKER;
    return leg->refused == REFUSED_NOT;
}

void leg_start(struct delivery *d, enum side side, enum role role, struct attempt *slot) {
    struct leg *leg = prepare(d, side, role, slot);
    struct worker *w = d->worker;
    const struct conf_backend *backend = &d->rules->conf->backends[side];
    uint64_t third_us = d->claim.lease_ms * 1000 / 3;
    leg->phase = PHASE_RUNNING;
    leg->started_us = clock_mono_us();
    if (slot)
        attempts_granted(slot, side, leg->attempt, leg->fence, flow_sticky_ms(d));
    metrics_add(w->metrics, METRIC_ATTEMPTS_OPEN, side, role, 0, 1);
    if (!is_let_through(leg) || !forward_head(leg)) {
        lapse(leg);
        return;
    }
    leg->x.body = d->body;
    timer_set(w->loop, &leg->timeout, (uint64_t)backend->timeout_ms * 1000);
    if (slot) /* a long attempt: who asks meanwhile is to know that the event is on disk */
        timer_set(w->loop, &leg->lease,
                  row_is_held(d) && third_us > ON_DISK_US ? ON_DISK_US : third_us);
    exchange_start(&leg->x);
}

void leg_give_back(struct delivery *d, enum side side, enum role role, struct attempt *slot) {
    struct leg *leg = prepare(d, side, role, slot);
    leg->outcome = OUTCOME_UNSENT;
    leg->phase = PHASE_RECORDED; /* nobody waits for it */
    leg->given_back = true;
    leg->body_over = true;
    if (!slot) {
        release(leg);
        return;
    }
    attempts_answered(slot, OUTCOME_UNSENT, 0);
    atomic_fetch_add(&d->worker->proxy->recording, 1);
    record(leg);
}

void leg_free(struct leg *leg) {
    if (!leg->delivery)
        return;
    timer_stop(&leg->timeout);
    timer_stop(&leg->lease);
    timer_stop(&leg->again);
    exchange_abort(&leg->x);
    struct spare_bufs *spare = &leg->delivery->spare;
    buf_hand_over(&leg->x.request, &spare->request);
    buf_hand_over(&leg->lines, &spare->lines);
    buf_hand_over(&leg->answer, &spare->answer);
    exchange_free(&leg->x);
    buf_free(&leg->lines);
    buf_free(&leg->answer);
    buf_free(&leg->overflow);
}

/* The way of an event: verify, identify, filter, decide here; claim, forward, record and reply as
 * they come.
 *
 *  conn ──head──▶ delivery_new ──body──▶ delivery_complete (turn.c: verified together)
 *                                          └▶ delivery_run: verify → identify → filter → decide
 *                                                                          │
 *        flow_claim.c   claim ◀── fallback: new did not do it   ◀──┐       │
 *                         │ ◀──────────────────────────────────────┼───────┘
 *                         ▼ granted                                │
 *        leg.c          owner leg ──outcome──▶ record ──▶ flow_leg_recorded ──▶ reply (answer.c)
 *                       shadow leg ─outcome──▶ record     (never holds up the owner's)
 *
 * The reply is an exit that can come early: when the sender's deadline is near the event is put on
 * disk, answered 202, and the legs go on without it. flow_row.c has the way through the journal. */
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include <pointsman/digest.h>
#include <pointsman/text.h>

#include "breakers.h"
#include "conn.h"
#include "delivery.h"
#include "queue.h"
#include "shared.h"
#include "worker.h"

#define CLOSED_MS   (90ull * 24 * 3600 * 1000) /* sticky: closed, at most (DESIGN §3) */
#define DISCARD_MAX (1024 * 1024) /* of an answer nobody wants; then the connection goes */

/* ---- verify, identify, filter, decide ---- */

static bool is_authentic(struct delivery *d) {
    enum verify v = d->two_signatures ? VERIFY_MALFORMED : d->verdict;
    delivery_step(d, STEP_VERIFY);
    if (v == VERIFY_OK)
        return true;
    metrics_add(d->worker->metrics, METRIC_SIGNATURES, v, 0, 0, 1);
    answer_problem(d, ANSWER_SIGNATURE, verify_names[v]);
    return false;
}

static bool is_identified(struct delivery *d) {
    struct err err;
    if (d->ambiguous) {
        answer_problem(d, ANSWER_EVENT, "a header that identifies the event stands twice");
        return false;
    }
    enum identify r =
        identify_github(d->worker->json, d->source, &d->headers, blob_slice(d->body), &d->id, &err);
    delivery_step(d, STEP_IDENTIFY);
    switch (r) {
    case IDENTIFY_OK:
        return true;
    case IDENTIFY_MEDIA_TYPE:
        answer_problem(d, ANSWER_MEDIA_TYPE, err.text);
        return false;
    case IDENTIFY_MEMORY:
        answer_problem(d, ANSWER_OVERLOAD, err.text);
        return false;
    case IDENTIFY_HEADER:
    case IDENTIFY_BODY:
        break;
    }
    answer_problem(d, ANSWER_EVENT, err.text);
    return false;
}

struct release {
    struct store_release call;
    struct delivery *delivery;
};

static void released(struct store_call *call) {
    struct release *r = CONTAINER_OF(call, struct release, call.call);
    delivery_drop(r->delivery);
    free(r);
}

/* A closing action frees its entity also where no backend wants to hear of it. */
static void release_entity(struct delivery *d) {
    struct release *r = calloc(1, sizeof *r);
    if (!r)
        return; /* its stickiness ends by itself */
    r->delivery = delivery_hold(d);
    r->call.source = slice_of(d->source->name);
    r->call.entity = slice_of(d->id.entity);
    r->call.call.done = released;
    r->call.call.timeout_ms = 2000;
    store_release(d->worker->store, &r->call);
}

static bool is_wanted(struct delivery *d) {
    bool wanted = filter_wants(d->source, &d->id);
    delivery_step(d, STEP_FILTER);
    if (wanted)
        return true;
    if (d->id.closes && d->rules->conf->claims)
        release_entity(d);
    answer_status(d, ANSWER_IGNORED);
    return false;
}

static void explain(struct delivery *d) {
    struct text t;
    text_begin(&t, d->why, sizeof d->why);
    text_put(&t, d->worker->control_text);
    text_put(&t, " why=");
    text_put(&t, why_names[d->decision.why]);
    if (d->decision.bucket == BUCKET_NONE)
        return;
    text_put(&t, " bucket=");
    text_put_u64(&t, d->decision.bucket);
}

struct slice flow_digest(struct delivery *d) {
    struct text t;
    char hash[16];
    if (d->digest[0])
        return slice_of(d->digest);
    text_begin(&t, d->digest, sizeof d->digest);
    if (d->source->secret_count > 0 && d->signature.ptr) {
        text_put(&t, "hmac:");
        text_put_slice(&t, slice(d->signature.ptr + strlen("sha256="), sizeof hash));
    } else {
        uint64_t digest = htobe64(digest_xxh3(d->body->data, d->body->len, 0));
        hex_encode(&digest, sizeof digest, hash);
        text_put(&t, "xxh3:");
        text_put_slice(&t, slice(hash, sizeof hash));
    }
    return slice_of(d->digest);
}

/* Its sender is answered from the disk, and its backend takes nothing now: a claim would only have
 * to be given back. */
static bool waits_on_disk(const struct delivery *d) {
    return d->source->reply == REPLY_ACCEPTED && d->worker->journal &&
           !queue_side_is_open(d->worker, d->decision.side);
}

void delivery_run(struct delivery *d) {
    delivery_hold(d);
    if (!timer_is_set(&d->deadline)) { /* it passed while the body came in: but for that then */
        uint64_t before_us = d->at_us[STEP_ACCEPT] - d->began_us;
        delivery_set_deadline(d, loop_now_us(d->worker->loop) - before_us);
    }
    d->state = DELIVERY_OVER;
    if (is_authentic(d) && is_identified(d) && is_wanted(d)) {
        d->worker->live_at_us = d->at_us[STEP_PARSE];
        budget_live(d->worker->proxy, d->rules->conf);
        flow_decide(d);
        if (d->source->ordered)
            row_get_in_line(d);
        else if (waits_on_disk(d))
            row_queue(d, REASON_BREAKER, ANSWER_OVERLOAD);
        else
            claim_start(d);
    }
    delivery_drop(d);
}

void flow_decide(struct delivery *d) {
    d->control = d->worker->control;
    d->decision = decide(d->rules->conf, &d->control, &d->id);
    bool placed = row_is_held(d) && d->row->side != SIDE_NONE;
    bool asked_for = placed && d->row->reason == REASON_OPERATOR;
    if (placed && (asked_for || !d->decision.absolute)) {
        d->decision.side = d->row->side;
        d->decision.absolute = asked_for;
        d->decision.why = WHY_PIN;
    }
    if (row_is_held(d) && d->row->tries > 0)
        d->decision.shadow = false; /* a shadow is never retried */
    explain(d);
    delivery_step(d, STEP_DECIDE);
}

uint64_t flow_sticky_ms(const struct delivery *d) {
    const struct conf *conf = d->rules->conf;
    if (d->id.closes || conf->sticky == STICKY_IN_FLIGHT)
        return 0;
    return conf->sticky == STICKY_CLOSED ? CLOSED_MS : conf->sticky_ms;
}

/* ---- forward ---- */

void flow_granted(struct delivery *d) {
    struct worker *w = d->worker;
    bool shadow = d->claim.ret_shadow;
    struct attempt *owner_slot = d->slots[ROLE_OWNER], *shadow_slot = d->slots[ROLE_SHADOW];
    d->slots[ROLE_OWNER] = d->slots[ROLE_SHADOW] = NULL;
    metrics_add(w->metrics, METRIC_EVENTS, d->control.mode, d->owner, 0, 1);
    if (!shadow && shadow_slot)
        attempts_free(w->attempts, shadow_slot);
    leg_start(d, d->owner, ROLE_OWNER, owner_slot);
    if (shadow)
        leg_start(d, side_other(d->owner), ROLE_SHADOW, shadow_slot);
}

/* ---- record and reply ---- */

static struct leg *owner_leg(struct delivery *d) {
    return d->owner == SIDE_NONE ? NULL : &d->legs[d->owner];
}

static bool answer_is_there(const struct leg *leg) {
    return leg->phase == PHASE_RECORDED && leg->body_over;
}

static bool passes_through(const struct leg *leg) {
    return leg->outcome != OUTCOME_IN_DOUBT && leg->outcome != OUTCOME_UNSENT &&
           leg->status / 100 != 3;
}

static void stream_end(struct delivery *d, bool whole) {
    struct conn *c = delivery_take_conn(d);
    d->streaming = false;
    if (c) {
        conn_stream_end(c, whole);
        delivery_drop(d); /* the connection's */
    }
}

/* The answer is larger or later than what is held back: the sender gets it as it comes. */
static void stream(struct delivery *d, struct leg *leg) {
    d->streaming = true;
    answer_stream(d, leg);
    if (d->streaming &&
        leg->body_over) /* what broke off is never passed on as whole (RFC 9112 §8) */
        stream_end(d, leg->body_whole);
}

static void reply(struct delivery *d, struct leg *owner) {
    delivery_step(d, STEP_REPLY);
    if (d->source->reply == REPLY_SUMMARY && owner->outcome == OUTCOME_DONE)
        answer_summary(d);
    else if (d->conn && passes_through(owner) && (!owner->body_whole || buf_len(&owner->overflow)))
        stream(d, owner);
    else
        answer_backend(d, owner);
}

/* True: the journal's answer is the sender's. A rejection is told as it came. */
static bool settle(struct delivery *d, struct leg *owner) {
    bool takes = row_takes(d, owner);
    if (takes && !d->settled) {
        d->settled = true;
        row_end(d, owner);
    }
    return takes && owner->outcome != OUTCOME_REJECTED;
}

/* Answers as soon as everything the answer needs is there. */
static void try_reply(struct delivery *d) {
    struct leg *owner = owner_leg(d);
    if (!owner || !answer_is_there(owner) || settle(d, owner) || d->answered)
        return;
    struct leg *other = &d->legs[side_other(d->owner)];
    bool waits = d->source->reply == REPLY_SUMMARY && owner->outcome == OUTCOME_DONE &&
                 other->phase != PHASE_NONE && other->role == ROLE_SHADOW &&
                 !answer_is_there(other);
    if (!waits)
        reply(d, owner);
}

void flow_reply(struct delivery *d) {
    reply(d, owner_leg(d));
}

/* Somebody still counts on the event, and new has said that it did not do it. */
static bool falls_back(struct delivery *d, const struct leg *leg) {
    bool not_done = leg->outcome == OUTCOME_UNSENT || leg->outcome == OUTCOME_NOT_DONE;
    return not_done && leg->side == SIDE_NEW && (!d->answered || row_is_ours(d)) &&
           d->rules->conf->backends[SIDE_NEW].fallback;
}

static void fall_back(struct delivery *d) {
    metrics_add(d->worker->metrics, METRIC_FALLBACKS, 0, 0, 0, 1);
    d->owner = SIDE_NONE;
    d->decision.side = SIDE_LEGACY;
    d->decision.absolute = true;
    d->decision.shadow = false;
    d->decision.why = WHY_FALLBACK;
    explain(d);
    if (!row_is_being_put(d)) /* else once it is */
        claim_start(d);
}

static bool wants_stream(const struct delivery *d, const struct leg *leg) {
    return d->conn && !d->answered && leg->side == d->owner &&
           (leg->outcome == OUTCOME_REJECTED || !row_takes(d, leg)) &&
           (d->source->reply == REPLY_BACKEND || leg->outcome != OUTCOME_DONE) &&
           leg->outcome != OUTCOME_IN_DOUBT && leg->status / 100 != 3;
}

void flow_leg_recorded(struct leg *leg) {
    struct delivery *d = leg->delivery;
    if (leg->role == ROLE_OWNER) {
        delivery_step(d, STEP_RECORD);
        if (falls_back(d, leg)) {
            fall_back(d);
            if (leg->x.paused)
                leg_cut(leg);
            return;
        }
        if (leg->outcome == OUTCOME_DONE)
            row_done(d, leg);
        if (leg->x.paused && wants_stream(d, leg)) {
            reply(d, leg);
            return;
        }
        if (leg->x.paused && !d->streaming)
            leg_cut(leg); /* nobody waits for the rest */
    } else {
        log_leg(leg);
    }
    try_reply(d);
    if (leg->role == ROLE_OWNER && d->answered && !d->logged && !row_is_ours(d))
        log_decision(d);
}

/* What there is room for; returns the rest. */
static struct slice keep(struct leg *leg, struct slice piece) {
    size_t room = leg->answer.max - buf_len(&leg->answer);
    struct slice first = slice(piece.ptr, piece.len < room ? piece.len : room);
    bool in_order = buf_len(&leg->overflow) == 0 && leg->discarded == 0;
    if (!in_order || !buf_append_slice(&leg->answer, first))
        return piece;
    return slice(piece.ptr + first.len, piece.len - first.len);
}

void flow_leg_body(struct leg *leg, struct slice piece) {
    struct delivery *d = leg->delivery;
    if (d->streaming && leg == owner_leg(d)) {
        if (!conn_stream(d->conn, piece) && d->streaming)
            exchange_pause(&leg->x);
        return;
    }
    piece = keep(leg, piece);
    if (piece.len == 0)
        return;
    if (wants_stream(d, leg)) {
        if (!buf_append_slice(&leg->overflow, piece))
            leg_cut(leg);
        else if (leg->phase == PHASE_RECORDED)
            reply(d, leg);
        else
            exchange_pause(&leg->x);
        return;
    }
    leg->discarded += piece.len;
    if (leg->discarded > DISCARD_MAX)
        leg_cut(leg);
}

void flow_leg_body_over(struct leg *leg) {
    struct delivery *d = leg->delivery;
    if (d->streaming && leg == owner_leg(d))
        stream_end(d, leg->body_whole);
    try_reply(d);
}

void delivery_drained(struct delivery *d) {
    struct leg *owner = owner_leg(d);
    if (owner && d->streaming)
        exchange_resume(&owner->x);
}

/* What can be put on disk is, and answered 202. */
static void deadline_near(struct delivery *d) {
    struct leg *owner = owner_leg(d);
    timer_set(d->worker->loop, &d->deadline, delivery_near_us(d));
    if (d->state == DELIVERY_CLAIMING || d->state == DELIVERY_WAITING)
        claim_near(d);
    else if (d->state == DELIVERY_WRITING || (owner && owner->phase == PHASE_RUNNING))
        row_at_deadline(d);
}

static void deadline_came(struct delivery *d) {
    struct leg *owner = owner_leg(d);
    if (d->state == DELIVERY_CLAIMING || d->state == DELIVERY_WAITING)
        claim_deadline(d);
    else if (owner && (owner->phase == PHASE_RECORDED || owner->phase == PHASE_RECORDING))
        reply(d, owner); /* with what is there of it */
    else if (owner)
        answer_problem(d, ANSWER_DEADLINE, "the attempt goes on; a redelivery tells its outcome");
    else if (d->row && d->row->writing)
        answer_problem(d, ANSWER_JOURNAL, "the disk did not answer in time");
}

void flow_deadline(struct delivery *d) {
    bool near = !d->near && d->state != DELIVERY_READING;
    delivery_hold(d);
    if (!d->answered && near) {
        d->near = true;
        deadline_near(d);
    } else if (!d->answered) {
        deadline_came(d);
    }
    delivery_drop(d);
}

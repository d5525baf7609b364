/* Writes the journal's row of an event under way. */
#include "row.h"

#include <stdlib.h>
#include <string.h>

#include "delivery.h"
#include "shared.h"
#include "worker.h"

#define AGAIN_US 300000

bool row_is_held(const struct delivery *d) {
    return d->row && d->row->hold == HOLD_HELD;
}

bool row_is_being_put(const struct delivery *d) {
    return d->row && d->row->hold == HOLD_PUTTING;
}

bool row_is_ours(const struct delivery *d) {
    return row_is_held(d) || row_is_being_put(d);
}

static void submit(struct row *r);

static void submit_again(void *arg) {
    submit(arg);
}

static struct row *row_of(struct delivery *d) {
    if (d->row)
        return d->row;
    struct row *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->delivery = d;
    r->side = SIDE_NONE;
    timer_init(&r->again, submit_again, r);
    d->row = r;
    return r;
}

/* A row that is ours holds the event, also while it waits for nothing but a timer. */
static void enter(struct row *r, enum row_hold hold) {
    bool was = r->hold == HOLD_HELD;
    r->hold = hold;
    if (hold == HOLD_HELD && !was)
        delivery_hold(r->delivery);
    else if (hold != HOLD_HELD && was)
        delivery_drop(r->delivery);
}

/* ---- changes ---- */

static void next(struct row *r) {
    if (r->writing || !r->wish.is_set || r->hold == HOLD_PUTTING)
        return;
    struct delivery *d = r->delivery;
    if (r->hold != HOLD_HELD) { /* the write before it failed: there is nothing to change */
        row_then *then = r->wish.then;
        r->wish.is_set = false;
        if (then)
            then(d, JOURNAL_ABSENT);
        return;
    }
    r->writing = true;
    memset(&r->move, 0, sizeof r->move);
    r->move.seq = r->seq;
    r->move.mark = r->wish.mark;
    r->move.keep_hand = r->wish.keep;
    r->then = r->wish.then;
    r->wish.is_set = false;
    delivery_hold(d);
    submit(r);
}

static void moved(struct journal_call *call) {
    struct row *r = call->arg;
    struct delivery *d = r->delivery;
    struct worker *w = d->worker;
    bool keeps = r->move.keep_hand;
    if (w->ended) {
        delivery_drop(d);
        return;
    }
    if (call->result == JOURNAL_FAILED && !keeps && !w->draining) {
        timer_set(w->loop, &r->again, AGAIN_US);
        return;
    }
    r->writing = false;
    if (call->result == JOURNAL_OK)
        r->ver = r->move.ret_ver;
    if (!keeps || call->result == JOURNAL_STALE || call->result == JOURNAL_ABSENT)
        enter(r, HOLD_LEFT);
    if (r->then)
        r->then(d, call->result);
    next(r);
    delivery_drop(d);
}

static void submit(struct row *r) {
    r->move.ver = r->ver;
    r->move.call.done = moved;
    r->move.call.arg = r;
    journal_move(r->delivery->worker->journal, &r->move);
}

void row_move(struct delivery *d, const struct journal_mark *mark, bool keep, row_then *then) {
    struct row *r = d->row;
    r->wish = (struct row_wish){true, *mark, keep, then};
    next(r);
}

void row_let_go(struct delivery *d) {
    if (d->row && d->row->hold == HOLD_HELD)
        enter(d->row, HOLD_LEFT);
}

/* ---- the first write ---- */

static void put_done(struct journal_call *call) {
    struct row *r = call->arg;
    struct delivery *d = r->delivery;
    if (d->worker->ended) {
        delivery_drop(d);
        return;
    }
    r->writing = false;
    enum row_hold hold =
        call->result == JOURNAL_OK || call->result == JOURNAL_EXISTS ? HOLD_LEFT : HOLD_NONE;
    if (call->result == JOURNAL_OK) {
        r->seq = r->put.ret_seq;
        r->ver = r->put.ret_ver;
        metrics_add(d->worker->metrics, METRIC_JOURNALED, r->put.mark.reason, 0, 0, 1);
        bool runs = r->put.mark.state == ROW_SENDING; /* whatever stands before it */
        if (r->put.in_hand && (runs || !r->put.ordered || r->put.ret_first))
            hold = HOLD_HELD;
    }
    enter(r, hold);
    r->then(d, call->result);
    next(r);
    delivery_drop(d);
}

static void describe(struct delivery *d, struct journal_event *e) {
    e->source = slice_of(d->source->name);
    e->id = slice_of(d->id.id);
    e->type = slice_of(d->id.type);
    e->action = slice_of(d->id.action);
    e->entity = slice_of(d->id.entity);
    e->repository = slice_of(d->id.repository);
    e->owner = slice_of(d->id.owner);
    e->digest = flow_digest(d);
    e->number = d->id.number;
    e->has_number = d->id.has_number;
    e->closes = d->id.closes;
    e->head = buf_slice(&d->head);
    e->target = buf_slice(&d->target);
    e->body = d->body;
}

void row_put(struct delivery *d, const struct journal_mark *mark, bool mine, bool in_hand,
             row_then *then) {
    struct row *r = d->worker->journal ? row_of(d) : NULL;
    if (!r) {
        then(d, JOURNAL_FAILED);
        return;
    }
    memset(&r->put, 0, sizeof r->put);
    describe(d, &r->put.event);
    r->put.mark = *mark;
    r->put.mine = mine;
    r->put.in_hand = in_hand;
    r->put.ordered = d->source->ordered;
    r->put.call.done = put_done;
    r->put.call.arg = r;
    r->ordered = d->source->ordered;
    r->side = mark->side;
    r->tries = mark->tries;
    r->reason = mark->reason;
    enter(r, HOLD_PUTTING);
    r->writing = true;
    r->then = then;
    delivery_hold(d);
    journal_put(d->worker->journal, &r->put);
}

bool row_adopt(struct delivery *d, const struct journal_row *from) {
    struct row *r = row_of(d);
    if (!r)
        return false;
    enter(r, HOLD_HELD);
    r->ordered = from->ordered;
    r->seq = from->seq;
    r->ver = from->ver;
    r->tries = from->mark.tries;
    r->side = from->mark.side;
    r->reason = from->mark.reason;
    return true;
}

void row_free(struct delivery *d) {
    if (!d->row)
        return;
    timer_stop(&d->row->again);
    free(d->row);
    d->row = NULL;
}

/* The step "claim": ask the store, wait where another has it, go on where it is granted. */
#include <string.h>

#include <pointsman/attempts.h>
#include <pointsman/clock.h>

#include "delivery.h"
#include "shared.h"
#include "worker.h"

#define LEASE_MARGIN_MS  5000 /* over the backend's time-out (DESIGN §4) */
#define CLAIM_TIMEOUT_MS 2000
_Static_assert(CLAIM_TIMEOUT_MS < LEASE_MARGIN_MS, "a repeated claim must find its lease alive");
#define DUPLICATE_WAIT_US (2 * 1000000ull)
#define WAIT_FIRST_US     20000
#define WAIT_MOST_US      250000
#define ROW_PATIENCE_US   1000000 /* then a row of the journal makes room for the next */

static void free_slots(struct delivery *d) {
    for (int role = 0; role < ROLES; role++) {
        attempts_free(d->worker->attempts, d->slots[role]);
        d->slots[role] = NULL;
    }
}

static struct attempt *take_slot(struct delivery *d, enum side side, enum role role) {
    return attempts_claim(d->worker->attempts, slice_of(d->source->name), slice_of(d->id.id),
                          slice_of(d->id.entity), side, role, &d->token);
}

static bool take_slots(struct delivery *d) {
    enum side side = d->decision.side;
    d->slots[ROLE_OWNER] = take_slot(d, side, ROLE_OWNER);
    if (!d->slots[ROLE_OWNER])
        return false;
    if (d->decision.shadow)
        d->slots[ROLE_SHADOW] = take_slot(d, side_other(side), ROLE_SHADOW);
    d->decision.shadow = d->slots[ROLE_SHADOW] != NULL; /* a shadow never fails the owner's leg */
    return true;
}

/* Nothing was granted and nothing will be: the event ends here for us. */
static void give_up(struct delivery *d) {
    free_slots(d);
    d->state = DELIVERY_OVER;
}

/* Also where there was no answer: the store may have granted it, so it is told that nothing was
 * sent. */
void claim_give_back(struct delivery *d) {
    bool granted = d->claimed == STORE_GRANTED || d->claimed == STORE_MINE;
    enum side side = granted ? d->claim.ret_side : d->claim.side;
    d->state = DELIVERY_OVER;
    if (!d->slots[ROLE_OWNER])
        return; /* claims are off */
    leg_give_back(d, side, ROLE_OWNER, d->slots[ROLE_OWNER]);
    if (d->slots[ROLE_SHADOW])
        leg_give_back(d, side_other(side), ROLE_SHADOW, d->slots[ROLE_SHADOW]);
    memset(d->slots, 0, sizeof d->slots);
}

static void wait_for(struct delivery *d, uint64_t us) {
    d->state = DELIVERY_WAITING;
    timer_set(d->worker->loop, &d->wait, us);
}

static uint64_t pause_us(struct delivery *d, uint64_t at_most_ms) {
    uint64_t us = WAIT_FIRST_US << (d->waits < 4 ? d->waits : 4);
    d->waits++;
    if (us > WAIT_MOST_US)
        us = WAIT_MOST_US;
    return us < at_most_ms * 1000 ? us : at_most_ms * 1000 + 1000;
}

/* A row of the journal waits a little, then in the queue. */
static void row_waits(struct delivery *d) {
    if (clock_mono_us() - d->waiting_since_us < ROW_PATIENCE_US) {
        wait_for(d, pause_us(d, d->claim.ret_ms_left));
        return;
    }
    give_up(d);
    if (d->answered)
        row_wait(d, d->claim.ret_ms_left / 2, REASON_BUSY);
    else
        row_queue(d, REASON_BUSY, ANSWER_BUSY);
}

static void in_flight(struct delivery *d) {
    uint64_t waited = clock_mono_us() - d->waiting_since_us;
    if (row_is_held(d)) {
        row_waits(d);
    } else if (d->claim.ret_on_disk) {
        give_up(d);
        answer_accepted(d, ANSWER_IN_PROGRESS);
    } else if (d->conn && waited < DUPLICATE_WAIT_US) {
        wait_for(d, pause_us(d, d->claim.ret_ms_left));
    } else {
        give_up(d);
        answer_status(d, ANSWER_IN_PROGRESS);
    }
}

/* Busy at the other side, or the store holds claims. */
static void not_now(struct delivery *d) {
    if (row_is_held(d)) {
        row_waits(d);
    } else if (d->conn && d->source->reply != REPLY_ACCEPTED) {
        wait_for(d, pause_us(d, d->claim.ret_ms_left));
    } else {
        give_up(d);
        if (!d->answered && row_may_queue(d, d->claimed))
            row_queue(d, d->claimed == STORE_HOLD ? REASON_STORE : REASON_BUSY, ANSWER_BUSY);
        else
            answer_problem(d, ANSWER_BUSY, "nothing can be kept on disk until it is not");
    }
}

/* The store gave no answer, so nobody knows whether the claim was granted. */
static void away(struct delivery *d) {
    claim_give_back(d);
    if (row_may_queue(d, STORE_AWAY))
        row_queue(d, REASON_STORE, ANSWER_STORE);
    else
        answer_problem(d, ANSWER_STORE, "the store did not answer; nothing was forwarded");
}

static void granted(struct delivery *d) {
    bool wanted = !d->answered || row_is_ours(d);
    bool ends = d->worker->draining && d->answered;
    if (!wanted ||
        ends) { /* the sender counts on nothing; or the next start goes on with the row */
        claim_give_back(d);
        row_let_go(d);
        return;
    }
    d->owner = d->claim.ret_side;
    if (d->claim.ret_pinned || d->claim.ret_owned)
        d->decision.why = d->claim.ret_pinned ? WHY_PIN : WHY_OWNER;
    d->decision.side = d->owner;
    if (row_before_sending(d))
        return;
    d->state = DELIVERY_RUNNING;
    flow_granted(d);
}

/* The event has its side from an earlier attempt, whatever mode and bucket say now. */
static void settled_at(struct delivery *d, enum side side) {
    d->owner = d->decision.side = side;
    d->decision.why = WHY_PIN;
}

/* The event went to disk meanwhile, and its sender was told so. */
static void too_late(struct delivery *d) {
    bool maybe_ours =
        d->claimed == STORE_GRANTED || d->claimed == STORE_MINE || d->claimed == STORE_AWAY;
    if (maybe_ours)
        claim_give_back(d);
    else
        free_slots(d);
}

static void done_before(struct delivery *d) {
    struct journal_mark mark = {.state = ROW_DONE, .side = d->claim.ret_side};
    settled_at(d, d->claim.ret_side);
    give_up(d);
    if (row_is_held(d)) {
        mark.tries = d->row->tries;
        mark.status = d->claim.ret_status;
        row_move(d, &mark, false, NULL);
    }
    answer_status(d, ANSWER_DUPLICATE);
}

static void claimed(struct store_call *call) {
    struct delivery *d = call->arg;
    struct worker *w = d->worker;
    if (w->ended) {
        delivery_drop(d);
        return;
    }
    gate_claim_answered(&w->gate);
    d->claimed = call->result;
    delivery_step(d, STEP_CLAIM);
    metrics_add(w->metrics, METRIC_CLAIMS, call->result, 0, 0, 1);
    switch (d->state == DELIVERY_OVER ? STORE_RESULTS : call->result) {
    case STORE_GRANTED:
    case STORE_MINE:
        granted(d);
        break;
    case STORE_DONE:
        done_before(d);
        break;
    case STORE_DOUBT:
        settled_at(d, d->claim.ret_side);
        give_up(d);
        row_doubt(d);
        break;
    case STORE_IN_FLIGHT:
        in_flight(d);
        break;
    case STORE_BUSY:
    case STORE_HOLD:
        not_now(d);
        break;
    case STORE_RESULTS:
        too_late(d);
        break;
    default:
        away(d);
        break;
    }
    delivery_drop(d);
}

static void submit(struct delivery *d) {
    d->state = DELIVERY_CLAIMING;
    d->claim.call.done = claimed;
    d->claim.call.arg = delivery_hold(d);
    d->claim.call.timeout_ms = CLAIM_TIMEOUT_MS;
    gate_claim_asked(&d->worker->gate);
    store_claim(d->worker->store, &d->claim);
}

void claim_start(struct delivery *d) {
    const struct conf *conf = d->rules->conf;
    struct store_claim *c = &d->claim;
    memset(c, 0, sizeof *c);
    d->token = token_new();
    d->waiting_since_us = clock_mono_us();
    d->waits = 0;
    bool away = conf->claims && conf->when_down == WHEN_DOWN_HOLD && d->worker->journal &&
                !store_is_up(d->worker->proxy->store);
    if (away) { /* not even asked: it would keep the event for the whole of the claim's time-out */
        row_queue(d, REASON_STORE, ANSWER_STORE);
        return;
    }
    if (!conf->claims) {
        c->ret_side = d->decision.side;
        c->ret_attempt = 1;
        c->ret_shadow = d->decision.shadow;
        c->ret_until_us = UINT64_MAX;
        granted(d);
        return;
    }
    if (!take_slots(d)) {
        d->state = DELIVERY_OVER;
        if (row_is_held(d))
            row_queue(d, REASON_BUSY, ANSWER_OVERLOAD);
        else
            answer_problem(d, ANSWER_OVERLOAD, "the attempt log is full");
        return;
    }
    uint32_t legacy = conf->backends[SIDE_LEGACY].timeout_ms,
             new = conf->backends[SIDE_NEW].timeout_ms;
    c->source = slice_of(d->source->name);
    c->id = slice_of(d->id.id);
    c->entity = slice_of(d->id.entity);
    c->side = d->decision.side;
    c->absolute = d->decision.absolute;
    c->shadow = d->decision.shadow;
    c->on_disk = row_is_held(d);
    c->idempotent[SIDE_LEGACY] = conf->backends[SIDE_LEGACY].idempotent;
    c->idempotent[SIDE_NEW] = conf->backends[SIDE_NEW].idempotent;
    c->token = d->token;
    c->lease_ms = (uint64_t)(legacy > new ? legacy : new) + LEASE_MARGIN_MS;
    c->why = slice_of(d->why);
    c->digest = flow_digest(d);
    submit(d);
}

void claim_again(void *arg) {
    struct delivery *d = arg;
    if (d->worker->draining && d->answered && row_is_held(d)) {
        give_up(d);
        row_let_go(d); /* the next start goes on with it */
        return;
    }
    submit(d);
}

/* What the store last said; it may be asked again just now. */
static enum store_result last_said(const struct delivery *d) {
    return d->waits > 0 ? d->claimed : STORE_AWAY;
}

void claim_near(struct delivery *d) {
    enum store_result last = last_said(d);
    if (!row_may_queue(d, last) || (last == STORE_IN_FLIGHT && !row_is_held(d)))
        return;
    bool store = last == STORE_AWAY || last == STORE_HOLD;
    if (d->state == DELIVERY_WAITING) {
        timer_stop(&d->wait);
        give_up(d);
    }
    row_queue(d, store ? REASON_STORE : REASON_BUSY, store ? ANSWER_STORE : ANSWER_BUSY);
}

void claim_deadline(struct delivery *d) {
    enum store_result last = last_said(d);
    if (row_is_held(d)) {
        claim_near(d);
        return;
    }
    if (d->state == DELIVERY_WAITING) {
        timer_stop(&d->wait);
        give_up(d);
    }
    if (last == STORE_BUSY)
        answer_problem(d, ANSWER_BUSY, "attempts for the same entity are still open there");
    else if (last == STORE_IN_FLIGHT)
        answer_status(d, ANSWER_IN_PROGRESS);
    else
        answer_problem(d, ANSWER_STORE, "the store did not answer in time; nothing was forwarded");
}

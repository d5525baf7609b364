/* The step "claim": ask the store, wait where another has it, go on where it is granted. */
#include <string.h>

#include <pointsman/attempts.h>
#include <pointsman/clock.h>

#include "delivery.h"
#include "shared.h"
#include "worker.h"

#define LEASE_MARGIN_MS   5000 /* over the backend's time-out (DESIGN §4) */
#define CLAIM_TIMEOUT_MS  2000
#define DUPLICATE_WAIT_US (2 * 1000000ull)
#define WAIT_FIRST_US     20000
#define WAIT_MOST_US      250000

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

/* No answer: the store may have granted it all the same, so it is told that nothing was sent. */
static void give_back(struct delivery *d, enum side side) {
    d->state = DELIVERY_OVER;
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

static void in_flight(struct delivery *d) {
    uint64_t waited = clock_mono_us() - d->waiting_since_us;
    if (d->conn && waited < DUPLICATE_WAIT_US) {
        wait_for(d, pause_us(d, d->claim.ret_ms_left));
        return;
    }
    give_up(d);
    answer_status(d, ANSWER_IN_PROGRESS);
}

static void not_now(struct delivery *d) {
    if (d->conn)
        wait_for(d, pause_us(d, d->claim.ret_ms_left));
    else
        give_up(d);
}

static void granted(struct delivery *d) {
    if (d->answered) { /* the deadline was told already: the sender counts on nothing */
        give_back(d, d->claim.ret_side);
        return;
    }
    d->owner = d->claim.ret_side;
    if (d->claim.ret_pinned || d->claim.ret_owned)
        d->decision.why = d->claim.ret_pinned ? WHY_PIN : WHY_OWNER;
    d->decision.side = d->owner;
    d->state = DELIVERY_RUNNING;
    flow_granted(d);
}

/* The event has its side from an earlier attempt, whatever mode and bucket say now. */
static void settled_at(struct delivery *d, enum side side) {
    d->owner = d->decision.side = side;
    d->decision.why = WHY_PIN;
}

static void claimed(struct store_call *call) {
    struct delivery *d = call->arg;
    struct worker *w = d->worker;
    if (w->ended) {
        delivery_drop(d);
        return;
    }
    d->claimed = call->result;
    delivery_step(d, STEP_CLAIM);
    metrics_add(w->metrics, METRIC_CLAIMS, call->result, 0, 0, 1);
    switch (call->result) {
    case STORE_GRANTED:
    case STORE_MINE:
        granted(d);
        break;
    case STORE_DONE:
        settled_at(d, d->claim.ret_side);
        give_up(d);
        answer_status(d, ANSWER_DUPLICATE);
        break;
    case STORE_DOUBT:
        settled_at(d, d->claim.ret_side);
        give_up(d);
        answer_status(d, ANSWER_IN_DOUBT);
        break;
    case STORE_IN_FLIGHT:
        in_flight(d);
        break;
    case STORE_BUSY:
    case STORE_HOLD:
        not_now(d);
        break;
    default:
        give_back(d, d->claim.side);
        answer_problem(d, ANSWER_STORE, "the store did not answer; nothing was forwarded");
        break;
    }
    delivery_drop(d);
}

static void submit(struct delivery *d) {
    d->state = DELIVERY_CLAIMING;
    d->claim.call.done = claimed;
    d->claim.call.arg = delivery_hold(d);
    d->claim.call.timeout_ms = CLAIM_TIMEOUT_MS;
    store_claim(d->worker->store, &d->claim);
}

void claim_start(struct delivery *d) {
    const struct conf *conf = d->rules->conf;
    struct store_claim *c = &d->claim;
    memset(c, 0, sizeof *c);
    d->token = token_new();
    d->waiting_since_us = clock_mono_us();
    d->waits = 0;
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
    c->idempotent[SIDE_LEGACY] = conf->backends[SIDE_LEGACY].idempotent;
    c->idempotent[SIDE_NEW] = conf->backends[SIDE_NEW].idempotent;
    c->token = d->token;
    c->lease_ms = (uint64_t)(legacy > new ? legacy : new) + LEASE_MARGIN_MS;
    c->why = slice_of(d->why);
    c->digest = slice_of(d->digest);
    submit(d);
}

void claim_again(void *arg) {
    submit(arg);
}

void claim_deadline(struct delivery *d) {
    bool waiting = d->state == DELIVERY_WAITING;
    enum store_result last = d->claimed;
    if (waiting) {
        timer_stop(&d->wait);
        give_up(d);
    }
    if (waiting && last == STORE_BUSY)
        answer_problem(d, ANSWER_BUSY, "attempts for the same entity are still open there");
    else if (waiting && last == STORE_IN_FLIGHT)
        answer_status(d, ANSWER_IN_PROGRESS);
    else
        answer_problem(d, ANSWER_STORE, "the store did not answer in time; nothing was forwarded");
}

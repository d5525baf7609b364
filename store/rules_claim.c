/* Decides a claim: DESIGN §3 (precedence) and §4 (table of a leg's states). */
#include "rules.h"

#include <string.h>

uint64_t rules_span_us(uint64_t ms) {
    return (ms > RECORD_SPAN_MAX_MS ? RECORD_SPAN_MAX_MS : ms) * 1000;
}

void rules_lower_open(struct records *r, struct leg_record *leg) {
    if (leg->holding && leg->role == ROLE_OWNER && r->has_entity && r->entity.gen == leg->fence &&
        r->entity.open > 0) {
        r->entity.open--;
        r->entity_changed = true;
    }
    leg->holding = false;
}

/* Rounded up: who waits this long finds it passed. */
static uint64_t ms_left(uint64_t until_us, uint64_t now_us) {
    return until_us > now_us ? (until_us - now_us + 999) / 1000 : 0;
}

static bool runs(const struct leg_record *leg, uint64_t now_us) {
    return leg->state == LEG_IN_FLIGHT && leg->until_us > now_us;
}

static void answer(struct store_claim *c, enum store_result result, enum side side,
                   uint64_t left_ms) {
    c->call.result = result;
    c->ret_side = side;
    c->ret_ms_left = left_ms;
}

static void answer_leg(struct store_claim *c, enum store_result result, enum side side,
                       const struct event_record *e) {
    const struct leg_record *leg = &e->legs[side];
    const struct leg_record *other = &e->legs[side_other(side)];
    answer(c, result, side, 0);
    c->ret_pinned = leg->from == FROM_PIN;
    c->ret_owned = leg->from == FROM_OWNER;
    c->ret_shadow = other->role == ROLE_SHADOW && other->state != LEG_ABSENT &&
                    memcmp(other->token, leg->token, TOKEN_LEN) == 0;
    c->ret_attempt = leg->attempt;
    c->ret_fence = leg->fence;
}

/* The pin, then the owner of the entity, unless the mode is absolute. */
static enum side choose(const struct records *r, uint64_t now_us, const struct store_claim *c,
                        enum record_from *ret_from) {
    *ret_from = FROM_WANT;
    if (c->absolute)
        return c->side;
    if (r->has_event && r->event.pin != SIDE_NONE) {
        *ret_from = FROM_PIN;
        return r->event.pin;
    }
    if (r->has_entity && (r->entity.open > 0 || r->entity.stick_us > now_us)) {
        *ret_from = FROM_OWNER;
        return r->entity.side;
    }
    return c->side;
}

/* What the legs of the event say by themselves. True: the claim is answered. */
static bool legs_answer(struct records *r, uint64_t now_us, struct store_claim *c,
                        enum side chosen) {
    struct leg_record *legs = r->event.legs;
    for (int s = 0; s < SIDES; s++) {
        if (legs[s].role == ROLE_OWNER && legs[s].state == LEG_IN_FLIGHT &&
            memcmp(legs[s].token, c->token.text, TOKEN_LEN) == 0) {
            answer_leg(c, STORE_MINE, (enum side)s, &r->event);
            return true;
        }
    }
    for (int s = 0; s < SIDES; s++) {
        if (legs[s].role == ROLE_OWNER && legs[s].state == LEG_DONE) {
            answer(c, STORE_DONE, (enum side)s, 0);
            c->ret_status = legs[s].status;
            return true;
        }
    }
    for (int s = 0; s < SIDES; s++) {
        bool blocks = legs[s].role == ROLE_OWNER || s == (int)chosen;
        if (blocks && runs(&legs[s], now_us)) {
            answer(c, STORE_IN_FLIGHT, (enum side)s, ms_left(legs[s].until_us, now_us));
            c->ret_on_disk = legs[s].on_disk;
            return true;
        }
    }
    for (int s = 0; s < SIDES; s++) {
        bool doubt = legs[s].state == LEG_IN_DOUBT || legs[s].state == LEG_IN_FLIGHT;
        if (legs[s].role == ROLE_OWNER && doubt && !(c->idempotent[s] && s == (int)chosen)) {
            r->event_changed = legs[s].state == LEG_IN_FLIGHT;
            legs[s].state = LEG_IN_DOUBT;
            answer(c, STORE_DOUBT, (enum side)s, 0);
            return true;
        }
    }
    return false;
}

/* One more open attempt at side. The fence rises when nothing was open, on a change of side and on
 * take-over only: others that are open at the same side must stay able to renew. False: open at the
 * other side. */
static bool take_entity(struct records *r, uint64_t now_us, uint64_t until_us, enum side side) {
    struct entity_record *e = &r->entity;
    bool live = r->has_entity && e->open > 0 && e->lease_us > now_us;
    if (live && e->side != side)
        return false;
    if (!live) {
        uint64_t stick_us = r->has_entity && e->side == side ? e->stick_us : 0;
        uint64_t gen = r->has_entity && e->gen >= now_us ? e->gen + 1 : now_us;
        *e = (struct entity_record){.side = side, .gen = gen, .stick_us = stick_us};
    }
    e->open++;
    e->lease_us = e->lease_us > until_us ? e->lease_us : until_us;
    r->has_entity = true;
    r->entity_changed = true;
    return true;
}

/* What is claimed out of doubt stays in doubt until it is done: the first attempt may have worked.
 */
static void put_leg(struct leg_record *leg, const struct store_claim *c, enum role role,
                    enum record_from from, uint64_t fence, uint64_t until_us) {
    bool doubt =
        leg->role == ROLE_OWNER && (leg->state == LEG_IN_DOUBT || leg->state == LEG_IN_FLIGHT);
    uint32_t attempt = leg->attempt < RECORD_ATTEMPT_MAX ? leg->attempt + 1 : RECORD_ATTEMPT_MAX;
    *leg = (struct leg_record){.state = LEG_IN_FLIGHT,
                               .role = role,
                               .holding = role == ROLE_OWNER,
                               .from = from,
                               .on_disk = role == ROLE_OWNER && c->on_disk,
                               .attempt = attempt,
                               .fence = fence,
                               .until_us = until_us,
                               .status = doubt ? RECORD_REPEATS : 0};
    memcpy(leg->token, c->token.text, TOKEN_LEN);
}

static void grant(struct records *r, uint64_t now_us, uint64_t until_us, struct store_claim *c,
                  enum side side, enum record_from from) {
    struct event_record *e = &r->event;
    if (!r->has_event)
        *e = (struct event_record){.at_us = now_us};
    struct leg_record *other = &e->legs[side_other(side)];
    e->pin = side;
    e->entity = c->entity;
    e->why = c->why;
    e->digest = c->digest;
    put_leg(&e->legs[side], c, ROLE_OWNER, from, r->entity.gen, until_us);
    bool shadow = c->shadow && other->state == LEG_ABSENT;
    if (shadow)
        put_leg(other, c, ROLE_SHADOW, FROM_WANT, r->entity.gen, until_us);
    r->has_event = true;
    r->event_changed = true;
    answer_leg(c, STORE_GRANTED, side, e);
    c->ret_shadow = shadow;
}

void rules_claim(struct records *r, uint64_t now_us, struct store_claim *call) {
    enum record_from from;
    enum side side = choose(r, now_us, call, &from);
    uint64_t until_us = now_us + rules_span_us(call->lease_ms);
    if (r->has_event && legs_answer(r, now_us, call, side))
        return;
    struct records before = *r;
    /* An attempt in doubt that is tried again is over: what it holds of the entity goes first. */
    if (r->has_event && slice_eq(r->event.entity, call->entity))
        rules_lower_open(r, &r->event.legs[side]);
    if (!take_entity(r, now_us, until_us, side)) {
        *r = before;
        answer(call, STORE_BUSY, r->entity.side, ms_left(r->entity.lease_us, now_us));
        return;
    }
    grant(r, now_us, until_us, call, side, from);
}

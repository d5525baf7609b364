/* Decides everything that follows a claim: renew, finish, release, settle, and putting back. */
#include "rules.h"

#include <string.h>

static bool same_token(const struct leg_record *leg, const char *token) {
    return memcmp(leg->token, token, TOKEN_LEN) == 0;
}

static uint64_t later(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

void rules_renew(struct records *r, uint64_t now_us, struct store_renew *call) {
    struct leg_record *leg = &r->event.legs[call->side];
    if (!r->has_event || leg->state == LEG_ABSENT) {
        call->call.result = STORE_ABSENT;
        return;
    }
    bool owner = leg->role == ROLE_OWNER;
    if (leg->state != LEG_IN_FLIGHT || !same_token(leg, call->token.text) ||
        (owner && (!r->has_entity || r->entity.gen != leg->fence))) {
        call->call.result = STORE_STALE;
        return;
    }
    uint64_t until_us = now_us + rules_span_us(call->lease_ms);
    leg->until_us = later(leg->until_us, until_us);
    leg->on_disk = leg->on_disk || call->on_disk;
    r->event_changed = true;
    if (owner) {
        r->entity.lease_us = later(r->entity.lease_us, until_us);
        r->entity_changed = true;
    }
    call->call.result = STORE_OK;
}

/* The record is gone: what the caller knows is written anew. */
static void finish_anew(struct records *r, uint64_t now_us, const struct store_finish *c) {
    uint64_t stick_us = c->sticky_ms ? now_us + rules_span_us(c->sticky_ms) : 0;
    if (!r->has_event)
        r->event = (struct event_record){.at_us = now_us, .pin = c->side, .entity = c->entity};
    struct leg_record *leg = &r->event.legs[c->side];
    *leg = (struct leg_record){
        .state = record_state_of(c->outcome),
        .role = c->role,
        .attempt = c->attempt > RECORD_ATTEMPT_MAX ? RECORD_ATTEMPT_MAX : c->attempt,
        .fence = c->fence,
        .until_us = now_us,
        .status = c->status > RECORD_STATUS_MAX ? RECORD_STATUS_MAX : c->status};
    memcpy(leg->token, c->token.text, TOKEN_LEN);
    r->has_event = true;
    r->event_changed = true;
    if (c->role != ROLE_OWNER || (r->has_entity && r->entity.gen > c->fence))
        return;
    if (!r->has_entity || r->entity.gen < c->fence)
        r->entity = (struct entity_record){.side = c->side, .gen = c->fence};
    r->entity.stick_us = stick_us;
    r->has_entity = true;
    r->entity_changed = true;
}

static bool is_leg_of(const struct leg_record *leg, const struct store_finish *c) {
    return leg->state != LEG_ABSENT && leg->role == c->role && same_token(leg, c->token.text);
}

/* A caller whose claim got no answer does not know the side: its token does. */
static struct leg_record *finish_leg(struct records *r, const struct store_finish *c) {
    struct leg_record *leg = &r->event.legs[c->side];
    struct leg_record *other = &r->event.legs[side_other(c->side)];
    return r->has_event && !is_leg_of(leg, c) && is_leg_of(other, c) ? other : leg;
}

void rules_finish(struct records *r, uint64_t now_us, struct store_finish *call) {
    struct leg_record *leg = finish_leg(r, call);
    call->call.result = STORE_OK;
    if (!r->has_event || leg->state == LEG_ABSENT) {
        if (call->outcome != OUTCOME_UNSENT)
            finish_anew(r, now_us, call);
        return;
    }
    if (!same_token(leg, call->token.text)) {
        call->call.result = STORE_STALE;
        return;
    }
    bool late = leg->settled && leg->state == LEG_NOT_DONE && call->outcome == OUTCOME_DONE;
    if (leg->state != LEG_IN_FLIGHT && leg->state != LEG_IN_DOUBT && !late)
        return; /* final: the first outcome stays */
    bool repeats = !late && leg->status == RECORD_REPEATS && call->outcome != OUTCOME_DONE;
    leg->settled = false;
    leg->state = repeats ? LEG_IN_DOUBT : record_state_of(call->outcome);
    if (!repeats)
        leg->status = call->status > RECORD_STATUS_MAX ? RECORD_STATUS_MAX : call->status;
    rules_lower_open(r, leg);
    r->event_changed = true;
    if (call->outcome != OUTCOME_UNSENT && leg->role == ROLE_OWNER && r->has_entity &&
        r->entity.gen == leg->fence) {
        r->entity.stick_us = call->sticky_ms ? now_us + rules_span_us(call->sticky_ms) : 0;
        r->entity_changed = true;
    }
}

void rules_release(struct records *r, struct store_release *call) {
    call->call.result = STORE_OK;
    if (r->has_entity && r->entity.stick_us) {
        r->entity.stick_us = 0;
        r->entity_changed = true;
    }
}

/* Both legs can be in doubt only where the store forgot: the word is about the event. */
static enum store_result settle_doubt(struct records *r, enum settle how) {
    struct leg_record *legs = r->event.legs;
    bool done = false, changed = false;
    for (int s = 0; s < SIDES; s++)
        done = done || (legs[s].role == ROLE_OWNER && legs[s].state == LEG_DONE);
    if (done)
        return how == SETTLE_DONE ? STORE_OK : STORE_STALE;
    for (int s = 0; s < SIDES; s++) {
        struct leg_record *leg = &legs[s];
        bool doubt = leg->state == LEG_IN_FLIGHT || leg->state == LEG_IN_DOUBT ||
                     (leg->settled && how == SETTLE_DONE);
        if (leg->role != ROLE_OWNER || !doubt)
            continue;
        rules_lower_open(r, leg);
        leg->state = how == SETTLE_DONE ? LEG_DONE : LEG_NOT_DONE;
        leg->status = 0;
        leg->settled = true;
        changed = true;
    }
    r->event_changed = changed;
    return changed || how == SETTLE_RETRY ? STORE_OK : STORE_STALE;
}

void rules_settle(struct records *r, uint64_t now_us, struct store_settle *call) {
    struct leg_record *legs = r->event.legs;
    if (!r->has_event) {
        call->call.result = STORE_ABSENT;
        return;
    }
    for (int s = 0; s < SIDES; s++) {
        if (legs[s].state == LEG_IN_FLIGHT && legs[s].until_us > now_us) {
            call->call.result = STORE_STALE;
            return;
        }
    }
    if (call->how != SETTLE_FORGET) {
        call->call.result = settle_doubt(r, call->how);
        return;
    }
    rules_lower_open(r, &legs[SIDE_LEGACY]);
    rules_lower_open(r, &legs[SIDE_NEW]);
    r->event_gone = true;
    call->call.result = STORE_OK;
}

/* Whether the leg that is asserted may be written over the stored one. */
static bool newer(const struct leg_record *stored, const struct leg_record *known) {
    bool owner = stored->role == ROLE_OWNER;
    if (stored->state == LEG_ABSENT)
        return true;
    if (same_token(stored, known->token)) {
        bool ended = known->state != LEG_IN_FLIGHT;
        if (stored->status == RECORD_REPEATS && known->state != LEG_DONE)
            return false; /* the attempt before it is still in doubt */
        return ended && (stored->state == LEG_IN_FLIGHT ||
                         (stored->state == LEG_IN_DOUBT && known->state != LEG_IN_DOUBT));
    }
    if (owner && (known->role == ROLE_SHADOW || stored->state == LEG_IN_DOUBT))
        return known->role == ROLE_OWNER && known->state == LEG_DONE; /* a doubt does not just go */
    return stored->state != LEG_IN_FLIGHT && stored->state != LEG_DONE &&
           (stored->fence < known->fence ||
            (stored->fence == known->fence && stored->attempt < known->attempt));
}

/* The entity as the leg's holder knows it. */
static void assert_entity(struct records *r, uint64_t now_us, const struct store_assert *c,
                          struct leg_record *leg) {
    struct entity_record *e = &r->entity;
    if (r->has_entity && e->gen > leg->fence)
        return;
    if (!r->has_entity || e->gen < leg->fence)
        *e = (struct entity_record){.side = c->side, .gen = leg->fence};
    if (c->stick_left_ms)
        e->stick_us = later(e->stick_us, now_us + rules_span_us(c->stick_left_ms));
    if (leg->state == LEG_IN_FLIGHT) {
        e->open++;
        e->lease_us = later(e->lease_us, leg->until_us);
        leg->holding = true;
    }
    r->has_entity = true;
    r->entity_changed = true;
}

void rules_assert(struct records *r, uint64_t now_us, struct store_assert *call) {
    struct event_record *e = &r->event;
    if (!r->has_event)
        *e = (struct event_record){.at_us = call->at_wall_us,
                                   .pin = call->pin,
                                   .entity = call->entity,
                                   .why = slice_of(RECORD_PUT_BACK)};
    struct leg_record *leg = &e->legs[call->side];
    bool same = leg->state != LEG_ABSENT && same_token(leg, call->leg.token);
    bool write = newer(leg, &call->leg);
    call->call.result = same || write ? STORE_OK : STORE_STALE;
    call->ret_written = write;
    if (!write)
        return;
    rules_lower_open(r, leg);
    *leg = call->leg;
    leg->holding = false;
    leg->until_us = now_us + (leg->state == LEG_IN_FLIGHT ? rules_span_us(call->lease_left_ms) : 0);
    r->has_event = true;
    r->event_changed = true;
    if (leg->role == ROLE_OWNER)
        assert_entity(r, now_us, call, leg);
}

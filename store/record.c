/* Writes and reads the texts of events and entities, and their keys. */
#include "record.h"

#include <stdio.h>
#include <string.h>

#include "control_text.h"

const char *const leg_state_names[LEG_STATES] = {"absent", "in_flight", "done",    "not_done",
                                                 "unsent", "rejected",  "in_doubt"};
const char *const store_result_names[STORE_RESULTS] = {"ok",        "granted", "mine", "done",
                                                       "in_flight", "doubt",   "busy", "stale",
                                                       "absent",    "hold",    "away"};

#define EVENT_LEGS_AT 21

static bool digits(const char *at, size_t len, uint64_t *ret) {
    return slice_to_u64(slice(at, len), ret);
}

static bool digit(char c, unsigned below, unsigned *ret) {
    if (c < '0' || (unsigned)(c - '0') >= below)
        return false;
    *ret = (unsigned)(c - '0');
    return true;
}

/* "srhf token32 attempt5 fence16 until16 status3" */
static bool parse_leg(const char *p, struct leg_record *ret) {
    unsigned state, role, holding, from;
    uint64_t attempt, fence, until, status;
    if (!digit(p[0], LEG_STATES, &state) || !digit(p[1], ROLES, &role) ||
        !digit(p[2], 3, &holding) || !digit(p[3], 2 * FROMS, &from) ||
        !digits(p + 38, 5, &attempt) || !digits(p + 44, 16, &fence) ||
        !digits(p + 61, 16, &until) || !digits(p + 78, 3, &status))
        return false;
    *ret = (struct leg_record){.state = (enum leg_state)state,
                               .role = (enum role)role,
                               .holding = holding == 1,
                               .settled = holding == 2,
                               .from = (enum record_from)(from % FROMS),
                               .on_disk = from >= FROMS,
                               .attempt = (uint32_t)attempt,
                               .fence = fence,
                               .until_us = until,
                               .status = (uint16_t)status};
    memcpy(ret->token, p + 5, TOKEN_LEN);
    return true;
}

static struct slice cut_at_nul(struct slice *rest) {
    const char *nul = memchr(rest->ptr, '\0', rest->len);
    struct slice head = nul ? slice(rest->ptr, (size_t)(nul - rest->ptr)) : *rest;
    size_t used = nul ? head.len + 1 : head.len;
    *rest = slice(rest->ptr + used, rest->len - used);
    return head;
}

bool record_parse_event(struct slice text, struct event_record *ret) {
    struct event_record e = {.pin = SIDE_NONE};
    unsigned pin;
    if (text.len < EVENT_LEGS_AT || text.ptr[0] != '1' || !digits(text.ptr + 2, 16, &e.at_us) ||
        !digit(text.ptr[19], 4, &pin))
        return false;
    e.pin = (enum side)pin;
    struct slice rest = slice(text.ptr + EVENT_LEGS_AT, text.len - EVENT_LEGS_AT);
    for (int side = 0; side < SIDES; side++) {
        size_t len = rest.len && rest.ptr[0] == '-' ? 1 : RECORD_LEG_LEN;
        if (rest.len < len + 1 || (len > 1 && !parse_leg(rest.ptr, &e.legs[side])))
            return false;
        rest = slice(rest.ptr + len + 1, rest.len - len - 1);
    }
    e.entity = cut_at_nul(&rest);
    e.why = cut_at_nul(&rest);
    e.digest = rest;
    *ret = e;
    return true;
}

bool record_parse_entity(struct slice text, struct entity_record *ret) {
    unsigned side;
    uint64_t open;
    struct entity_record e;
    if (text.len != RECORD_ENTITY_LEN || !digit(text.ptr[0], SIDES, &side) ||
        !digits(text.ptr + 2, 16, &e.gen) || !digits(text.ptr + 19, 10, &open) ||
        !digits(text.ptr + 30, 16, &e.lease_us) || !digits(text.ptr + 47, 16, &e.stick_us))
        return false;
    e.side = (enum side)side;
    e.open = (uint32_t)open;
    *ret = e;
    return true;
}

static bool print_leg(const struct leg_record *leg, struct buf *out) {
    if (leg->state == LEG_ABSENT)
        return buf_puts(out, "- ");
    return buf_printf(out, "%d%d%d%d %s %05u %016llu %016llu %03u ", (int)leg->state,
                      (int)leg->role, leg->settled ? 2 : leg->holding,
                      (int)leg->from + (leg->on_disk ? FROMS : 0), leg->token, leg->attempt,
                      (unsigned long long)leg->fence, (unsigned long long)leg->until_us,
                      leg->status);
}

bool record_print_event(const struct event_record *e, struct buf *out) {
    return buf_printf(out, "1 %016llu %d ", (unsigned long long)e->at_us, (int)e->pin) &&
           print_leg(&e->legs[SIDE_LEGACY], out) && print_leg(&e->legs[SIDE_NEW], out) &&
           record_print_tail(e->entity, e->why, e->digest, out);
}

bool record_print_entity(const struct entity_record *e, struct buf *out) {
    return buf_printf(out, "%d %016llu %010u %016llu %016llu", (int)e->side,
                      (unsigned long long)e->gen, e->open, (unsigned long long)e->lease_us,
                      (unsigned long long)e->stick_us);
}

static struct slice cut(struct slice s, size_t max) {
    return s.len > max ? slice(s.ptr, max) : s;
}

bool record_print_tail(struct slice entity, struct slice why, struct slice digest,
                       struct buf *out) {
    return buf_append_slice(out, entity) && buf_append(out, "", 1) &&
           buf_append_slice(out, cut(why, RECORD_WHY_MAX)) && buf_append(out, "", 1) &&
           buf_append_slice(out, cut(digest, RECORD_DIGEST_MAX));
}

bool record_leg_open(const struct leg_record *leg) {
    return leg->state == LEG_IN_FLIGHT || (leg->state == LEG_IN_DOUBT && leg->role == ROLE_OWNER);
}

uint64_t record_event_keep(const struct event_record *e, uint64_t now_us, uint64_t remember_ms) {
    if (record_leg_open(&e->legs[SIDE_LEGACY]) || record_leg_open(&e->legs[SIDE_NEW]))
        return now_us + RECORD_OPEN_US;
    return now_us + remember_ms * 1000;
}

uint64_t record_entity_keep(const struct entity_record *e, uint64_t now_us) {
    uint64_t until = e->stick_us > now_us ? e->stick_us : now_us;
    if (e->open && e->lease_us > until)
        until = e->lease_us;
    return until + RECORD_ENTITY_US;
}

static bool put_source(struct slice source, struct buf *out) {
    for (size_t i = 0; i < source.len; i++) {
        char c = source.ptr[i];
        if (!(c == ':'   ? buf_puts(out, "%3A")
              : c == '%' ? buf_puts(out, "%25")
                         : buf_append(out, &c, 1)))
            return false;
    }
    return buf_puts(out, ":");
}

bool record_event_key(struct slice prefix, struct slice source, struct slice id, struct buf *out) {
    return buf_append_slice(out, prefix) && buf_puts(out, "ev:") && put_source(source, out) &&
           buf_append_slice(out, id);
}

bool record_entity_key(struct slice prefix, struct slice source, struct slice entity,
                       struct buf *out) {
    return buf_append_slice(out, prefix) && buf_puts(out, "own:") && put_source(source, out) &&
           buf_append_slice(out, entity);
}

enum leg_state record_state_of(enum outcome outcome) {
    switch (outcome) {
    case OUTCOME_DONE:
        return LEG_DONE;
    case OUTCOME_NOT_DONE:
        return LEG_NOT_DONE;
    case OUTCOME_UNSENT:
        return LEG_UNSENT;
    case OUTCOME_REJECTED:
        return LEG_REJECTED;
    default:
        return LEG_IN_DOUBT;
    }
}

void record_percentage(uint32_t ppm, char out[16]) {
    unsigned whole = ppm / 10000, rest = ppm % 10000;
    int len = snprintf(out, 16, rest ? "%u.%04u" : "%u", whole, rest);
    while (rest && len > 1 && out[len - 1] == '0')
        out[--len] = '\0';
}

void record_show_event(struct store_look *look, const struct event_record *e, uint64_t now_us) {
    look->ret_has_event = true;
    look->ret_pin = e->pin;
    look->ret_at_wall_us = e->at_us;
    control_copy(e->entity, look->ret_entity, sizeof(look->ret_entity));
    control_copy(e->why, look->ret_why, sizeof(look->ret_why));
    control_copy(e->digest, look->ret_digest, sizeof(look->ret_digest));
    for (int side = 0; side < SIDES; side++) {
        const struct leg_record *leg = &e->legs[side];
        bool over = leg->state == LEG_IN_FLIGHT && leg->until_us <= now_us;
        bool mark = leg->status == RECORD_REPEATS; /* never a backend's */
        struct store_leg *ret = &look->ret_legs[side];
        *ret = (struct store_leg){.state = over ? LEG_IN_DOUBT : leg->state,
                                  .role = leg->role,
                                  .attempt = leg->attempt,
                                  .fence = leg->fence,
                                  .until_wall_us = leg->until_us,
                                  .status = mark ? 0 : leg->status};
        memcpy(ret->token, leg->token, sizeof(ret->token));
    }
}

void record_show_entity(struct store_look *look, const struct entity_record *e) {
    look->ret_has_entity = true;
    look->ret_owner = e->side;
    look->ret_fence = e->gen;
    look->ret_open = e->open;
    look->ret_lease_wall_us = e->lease_us;
    look->ret_stick_wall_us = e->stick_us;
}

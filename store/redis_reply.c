/* Reads Redis' replies into calls. */
#include "redis_cmd.h"

#include <hiredis/hiredis.h>
#include <string.h>

#include <pointsman/clock.h>

#include "control_text.h"
#include "record.h"
#include "store_ops.h"

enum redis_said redis_error_kind(const struct redisReply *reply) {
    static const struct {
        const char *begins;
        enum redis_said said;
    } kinds[] = {
        {"OOM ", SAID_LATER},
        {"MISCONF ", SAID_LATER},
        {"NOREPLICAS ", SAID_LATER},
        {"BUSY ", SAID_LATER},
        {"TRYAGAIN ", SAID_LATER},
        {"LOADING ", SAID_ELSEWHERE},
        {"READONLY ", SAID_ELSEWHERE},
        {"MASTERDOWN ", SAID_ELSEWHERE},
        {"CLUSTERDOWN ", SAID_ELSEWHERE},
        {"NOAUTH ", SAID_ELSEWHERE},
        {"WRONGPASS ", SAID_ELSEWHERE},
        {"NOPERM ", SAID_ELSEWHERE},
        {"NOSCRIPT ", SAID_UNLOADED},
        {"ERR Function not found", SAID_UNLOADED},
        {"ERR max number of clients", SAID_ELSEWHERE},
    };
    if (reply->type != REDIS_REPLY_ERROR)
        return SAID_NONSENSE;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (strncmp(reply->str, kinds[i].begins, strlen(kinds[i].begins)) == 0)
            return kinds[i].said;
    }
    return SAID_NONSENSE;
}

/* Answers of the functions are words: a letter, then numbers. */
#define WORDS 6
struct answer {
    char letter;
    uint64_t numbers[WORDS];
    unsigned count;
};

static bool read_answer(const struct redisReply *reply, struct answer *ret) {
    if (reply->type != REDIS_REPLY_STRING || reply->len == 0)
        return false;
    *ret = (struct answer){.letter = reply->str[0]};
    for (size_t at = 1; at < reply->len;) {
        if (reply->str[at++] != ' ' || ret->count == WORDS)
            return false;
        size_t from = at;
        while (at < reply->len && reply->str[at] != ' ')
            at++;
        if (!slice_to_u64(slice(reply->str + from, at - from), &ret->numbers[ret->count++]))
            return false;
    }
    return true;
}

static enum redis_said set(struct store_call *call, enum store_result result) {
    call->result = result;
    return SAID_ANSWER;
}

/* "G|M <side> <from> <shadow> <attempt> <fence> <until>" · "D <side> <status>" · "I <side> <ms>
 * <disk>" · "B <side> <ms>" · "U <side>" · "H <ms>" · "F" */
static enum redis_said claim(struct store_claim *c, const struct answer *a,
                             uint64_t *ret_until_us) {
    const uint64_t *n = a->numbers;
    bool sided = a->count > 0 && n[0] < SIDES;
    if (a->letter == 'F')
        return SAID_FORGOT;
    if (a->letter == 'H' && a->count == 1) {
        c->ret_ms_left = n[0];
        return set(&c->call, STORE_HOLD);
    }
    if (!sided)
        return SAID_NONSENSE;
    c->ret_side = (enum side)n[0];
    c->ret_ms_left = 0;
    if ((a->letter == 'G' || a->letter == 'M') && a->count == 6) {
        c->ret_pinned = n[1] % FROMS == FROM_PIN;
        c->ret_owned = n[1] % FROMS == FROM_OWNER;
        c->ret_shadow = n[2];
        c->ret_attempt = (uint32_t)n[3];
        c->ret_fence = n[4];
        *ret_until_us = a->letter == 'G' ? n[5] : 0;
        return set(&c->call, a->letter == 'G' ? STORE_GRANTED : STORE_MINE);
    }
    if (a->letter == 'D' && a->count == 2) {
        c->ret_status = (uint16_t)n[1];
        return set(&c->call, STORE_DONE);
    }
    if (a->letter == 'U')
        return set(&c->call, STORE_DOUBT);
    bool flight = a->letter == 'I' && a->count == 3;
    if (!flight && !(a->letter == 'B' && a->count == 2))
        return SAID_NONSENSE;
    c->ret_ms_left = n[1];
    c->ret_on_disk = flight && n[2];
    return set(&c->call, flight ? STORE_IN_FLIGHT : STORE_BUSY);
}

static enum redis_said simple(struct store_call *call, const struct answer *a) {
    switch (a->letter) {
    case 'K':
        if (call->kind == CALL_ASSERT)
            ((struct store_assert *)(void *)call)->ret_written = a->count && a->numbers[0];
        return set(call, STORE_OK);
    case 'S':
        return set(call, STORE_STALE);
    case 'A':
        return set(call, STORE_ABSENT);
    case 'F':
        return SAID_FORGOT;
    default:
        return SAID_NONSENSE;
    }
}

static struct slice text_of(const struct redisReply *r) {
    return r->type == REDIS_REPLY_STRING || r->type == REDIS_REPLY_STATUS ? slice(r->str, r->len)
                                                                          : slice(NULL, 0);
}

static enum redis_said look(struct store_look *c, const struct redisReply *reply) {
    uint64_t now_us;
    struct event_record event;
    struct entity_record entity;
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements < 1 ||
        !slice_to_u64(text_of(reply->element[0]), &now_us))
        return SAID_NONSENSE;
    struct slice event_text = reply->elements > 1 ? text_of(reply->element[1]) : slice(NULL, 0);
    struct slice entity_text = reply->elements > 2 ? text_of(reply->element[2]) : slice(NULL, 0);
    if ((event_text.ptr && !record_parse_event(event_text, &event)) ||
        (entity_text.ptr && !record_parse_entity(entity_text, &entity)))
        return SAID_NONSENSE;
    if (event_text.ptr)
        record_show_event(c, &event, now_us);
    if (entity_text.ptr)
        record_show_entity(c, &entity);
    return set(&c->call, event_text.ptr || entity_text.ptr ? STORE_OK : STORE_ABSENT);
}

static enum redis_said control_get(struct store_control_get *c, const struct redisReply *reply) {
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 3)
        return SAID_NONSENSE;
    struct slice mode = text_of(reply->element[0]), percentage = text_of(reply->element[1]);
    c->ret_has_mode = mode.ptr != NULL;
    c->ret_has_percentage = percentage.ptr != NULL;
    control_copy(mode, c->ret_mode, sizeof(c->ret_mode));
    control_copy(percentage, c->ret_percentage, sizeof(c->ret_percentage));
    c->ret_has_good = control_read_good(text_of(reply->element[2]), &c->ret_epoch,
                                        &c->ret_good_mode, &c->ret_good_ppm);
    return set(&c->call, STORE_OK);
}

static enum redis_said control_set(struct store_control_set *c, const struct redisReply *reply) {
    struct slice text = text_of(reply);
    if (slice_is(text, "S"))
        return set(&c->call, STORE_STALE);
    if (!slice_to_u64(text, &c->ret_epoch))
        return SAID_NONSENSE;
    return set(&c->call, STORE_OK);
}

static void read_field(struct audit_entry *e, struct slice name, struct slice value) {
    uint64_t number = 0;
    bool numeric = slice_to_u64(value, &number);
    if (slice_is(name, "at") && numeric)
        e->at_wall_us = number;
    else if (slice_is(name, "from_ppm") && numeric)
        e->from_ppm = (uint32_t)number;
    else if (slice_is(name, "ppm") && numeric)
        e->ppm = (uint32_t)number;
    else if (slice_is(name, "from"))
        e->from_mode = control_mode_of(value);
    else if (slice_is(name, "to"))
        e->mode = control_mode_of(value);
    else if (slice_is(name, "actor"))
        control_copy(value, e->actor, sizeof(e->actor));
    else if (slice_is(name, "action"))
        control_copy(value, e->action, sizeof(e->action));
    else if (slice_is(name, "reason"))
        control_copy(value, e->reason, sizeof(e->reason));
    else if (slice_is(name, "evidence"))
        control_copy(value, e->evidence, sizeof(e->evidence));
}

/* [["<epoch>-<nth>", [name, value, …]], …] */
static enum redis_said audit(struct store_audit *c, const struct redisReply *reply) {
    if (reply->type != REDIS_REPLY_ARRAY)
        return SAID_NONSENSE;
    c->ret_count = 0;
    for (size_t i = 0; i < reply->elements && c->ret_count < c->limit; i++) {
        const struct redisReply *row = reply->element[i];
        if (row->type != REDIS_REPLY_ARRAY || row->elements != 2 ||
            row->element[1]->type != REDIS_REPLY_ARRAY)
            return SAID_NONSENSE;
        struct slice id = text_of(row->element[0]);
        const char *dash = id.len ? memchr(id.ptr, '-', id.len) : NULL;
        struct audit_entry *e = &c->ret_entries[c->ret_count];
        *e = (struct audit_entry){.epoch = 0};
        if (!dash || !slice_to_u64(slice(id.ptr, (size_t)(dash - id.ptr)), &e->epoch) ||
            !slice_to_u64(slice(dash + 1, (size_t)(id.ptr + id.len - dash) - 1), &e->nth))
            return SAID_NONSENSE;
        const struct redisReply *fields = row->element[1];
        for (size_t f = 0; f + 1 < fields->elements; f += 2)
            read_field(e, text_of(fields->element[f]), text_of(fields->element[f + 1]));
        c->ret_count++;
    }
    return set(&c->call, STORE_OK);
}

enum redis_said redis_reply(struct store_call *call, const struct redisReply *reply,
                            uint64_t *ret_until_us) {
    struct answer a;
    void *c = call;
    *ret_until_us = 0;
    if (reply->type == REDIS_REPLY_ERROR)
        return redis_error_kind(reply);
    switch ((enum call_kind)call->kind) {
    case CALL_CLAIM:
        return read_answer(reply, &a) ? claim(c, &a, ret_until_us) : SAID_NONSENSE;
    case CALL_RENEW:
    case CALL_FINISH:
    case CALL_RELEASE:
    case CALL_SETTLE:
    case CALL_NOTE:
    case CALL_ASSERT:
        return read_answer(reply, &a) ? simple(call, &a) : SAID_NONSENSE;
    case CALL_LOOK:
        return look(c, reply);
    case CALL_CONTROL_GET:
        return control_get(c, reply);
    case CALL_CONTROL_SET:
        return control_set(c, reply);
    case CALL_AUDIT:
        return audit(c, reply);
    case CALL_EXPORT:
    case CALL_CLEAR:
    case CALL_KINDS:
        break;
    }
    return SAID_NONSENSE;
}

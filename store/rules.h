/* What claim, renew, finish … do to an event's and an entity's record: pure functions over
 * (records, now). The embedded store runs them; store/redis_lua.c says the same in Lua, and one
 * contract test holds both to it. Layer: store. */
#ifndef POINTSMAN_STORE_RULES_H
#define POINTSMAN_STORE_RULES_H

#include <stdbool.h>
#include <stdint.h>

#include <pointsman/store.h>

#include "record.h"
#include "store_ops.h"

/* The caller loads both records, and keeps what changed. */
struct records {
    bool has_event;
    bool has_entity;
    bool event_changed;
    bool event_gone; /* to be deleted */
    bool entity_changed;
    struct event_record event;
    struct entity_record entity;
};

/* Each sets call.result and, where the result says so, the ret_ fields. */
void rules_claim(struct records *r, uint64_t now_us, struct store_claim *call);
void rules_renew(struct records *r, uint64_t now_us, struct store_renew *call);
void rules_finish(struct records *r, uint64_t now_us, struct store_finish *call);
void rules_release(struct records *r, struct store_release *call);
void rules_settle(struct records *r, uint64_t now_us, struct store_settle *call);
void rules_assert(struct records *r, uint64_t now_us, struct store_assert *call);

/* Shared by the files of the rules. */
uint64_t rules_span_us(uint64_t ms);
void rules_lower_open(struct records *r, struct leg_record *leg);

#endif

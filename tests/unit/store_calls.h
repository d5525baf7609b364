/* Calls of the contract tests in short, and the two stores they run on. Layer: tests. */
#ifndef POINTSMAN_TESTS_STORE_CALLS_H
#define POINTSMAN_TESTS_STORE_CALLS_H

#include "store_finish_of.h"
#include "store_kit.h"

#define LEASE_MS 60000

static inline struct store_claim claim_of(const char *id, const char *entity, enum side side) {
    return (struct store_claim){.source = slice_of("github"),
                                .id = slice_of(id),
                                .entity = slice_of(entity),
                                .side = side,
                                .token = token_new(),
                                .lease_ms = LEASE_MS,
                                .why = slice_of("because"),
                                .digest = slice_of("abcd")};
}

static inline enum store_result claim(struct kit *kit, struct store_claim *c) {
    kit_claim(kit, c);
    return c->call.result;
}

static inline struct store_claim granted(struct kit *kit, const char *id, const char *entity,
                                         enum side side, uint64_t lease_ms) {
    struct store_claim c = claim_of(id, entity, side);
    c.lease_ms = lease_ms;
    assert_int_equal(claim(kit, &c), STORE_GRANTED);
    assert_int_equal(c.ret_side, side);
    return c;
}

static inline enum store_result finish_leg(struct kit *kit, const struct store_claim *c,
                                           enum side side, enum role role, enum outcome outcome,
                                           uint16_t status, uint64_t sticky_ms) {
    struct store_finish f = finish_of(c);
    f.side = side;
    f.role = role;
    f.outcome = outcome;
    f.status = status;
    f.sticky_ms = sticky_ms;
    KIT_CALL(kit, store_finish, &f);
    return f.call.result;
}

static inline enum store_result finish(struct kit *kit, const struct store_claim *c,
                                       enum outcome outcome, uint16_t status) {
    return finish_leg(kit, c, c->ret_side, ROLE_OWNER, outcome, status, 0);
}

static inline enum store_result renew_as(struct kit *kit, const struct store_claim *c,
                                         uint64_t lease_ms, bool on_disk) {
    struct store_renew r = {.source = c->source,
                            .id = c->id,
                            .entity = c->entity,
                            .side = c->ret_side,
                            .token = c->token,
                            .fence = c->ret_fence,
                            .lease_ms = lease_ms,
                            .on_disk = on_disk};
    KIT_CALL(kit, store_renew, &r);
    return r.call.result;
}

static inline enum store_result renew(struct kit *kit, const struct store_claim *c,
                                      uint64_t lease_ms) {
    return renew_as(kit, c, lease_ms, false);
}

static inline struct store_look look(struct kit *kit, const char *id, const char *entity) {
    struct store_look l = {
        .source = slice_of("github"), .id = slice_of(id), .entity = slice_of(entity)};
    KIT_CALL(kit, store_look, &l);
    return l;
}

static inline void assert_entity(struct kit *kit, const char *entity, enum side side,
                                 uint32_t open) {
    struct store_look l = look(kit, NULL, entity);
    assert_int_equal(l.call.result, STORE_OK);
    assert_int_equal(l.ret_owner, side);
    assert_int_equal(l.ret_open, open);
}

static inline enum store_result settle_as(struct kit *kit, const char *id, enum settle how) {
    struct store_settle s = {.source = slice_of("github"), .id = slice_of(id), .how = how};
    KIT_CALL(kit, store_settle, &s);
    return s.call.result;
}

static inline enum store_result settle(struct kit *kit, const char *id) {
    return settle_as(kit, id, SETTLE_FORGET);
}

static inline int open_embedded(void **state) {
    static struct kit kit;
    kit = (struct kit){.kind = STORE_EMBEDDED};
    kit_directory(&kit);
    kit_open(&kit);
    *state = &kit;
    return 0;
}

static inline int open_redis(void **state) {
    static struct kit kit;
    kit = (struct kit){.kind = STORE_REDIS, .when_down = WHEN_DOWN_REFUSE};
    kit_directory(&kit);
    kit_redis_start(&kit);
    kit_open(&kit);
    kit_wait_hold(&kit);
    *state = &kit;
    return 0;
}

static inline int close_store(void **state) {
    kit_close(*state);
    kit_redis_stop(*state);
    kit_remove(*state);
    return 0;
}

#endif

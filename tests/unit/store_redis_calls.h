/* Calls on a Redis of the test's own in short, for the files that break it. Layer: tests. */
#ifndef POINTSMAN_TESTS_STORE_REDIS_CALLS_H
#define POINTSMAN_TESTS_STORE_REDIS_CALLS_H

#include "store_finish_of.h"
#include "store_kit.h"

#define LEASE_MS 60000

static struct kit kit;

static inline struct store_claim claim_of(const char *id) {
    return (struct store_claim){.source = slice_of("github"),
                                .id = slice_of(id),
                                .entity = slice_of(id),
                                .side = SIDE_NEW,
                                .on_disk = true,
                                .token = token_new(),
                                .lease_ms = LEASE_MS};
}

static inline struct store_claim claim(struct kit *k, const char *id, uint32_t timeout_ms,
                                       enum store_result result) {
    struct store_claim c = claim_of(id);
    c.call.timeout_ms = timeout_ms;
    kit_claim(k, &c);
    if (c.call.result != result)
        fail_msg("claim of %s: %s, not %s", id, store_result_names[c.call.result],
                 store_result_names[result]);
    return c;
}

static inline enum store_result finish(struct kit *k, const struct store_claim *c,
                                       enum outcome outcome) {
    struct store_finish f = finish_of(c);
    f.outcome = outcome;
    KIT_CALL(k, store_finish, &f);
    return f.call.result;
}

static inline struct store_look look(struct kit *k, const char *id) {
    struct store_look l = {.source = slice_of("github"), .id = slice_of(id)};
    KIT_CALL(k, store_look, &l);
    return l;
}

static inline struct store_state state_of(struct kit *k) {
    struct store_state s;
    store_state(k->store, &s);
    return s;
}

static inline bool has_forgot(const struct store_state *s) {
    return s->forgot > 0;
}
static inline bool is_up(const struct store_state *s) {
    return s->up;
}

static inline void assert_down(struct kit *k) {
    struct store_state s = state_of(k);
    assert_true(!s.up && s.problem[0]);
}

static inline void wait_for(struct kit *k, bool (*is)(const struct store_state *s)) {
    uint64_t end_us = clock_mono_us() + 10000000;
    struct store_state s = state_of(k);
    while (!is(&s)) {
        if (clock_mono_us() > end_us)
            fail_msg("up %d, forgot %llu, problem \"%s\"", s.up, (unsigned long long)s.forgot,
                     s.problem);
        kit_turn(k, 5000);
        s = state_of(k);
    }
}

static inline int open_kit(void **state) {
    (void)state;
    kit = (struct kit){.kind = STORE_REDIS, .when_down = WHEN_DOWN_REFUSE};
    kit_directory(&kit);
    kit_redis_start(&kit);
    kit_open(&kit);
    wait_for(&kit, is_up);
    return 0;
}

static inline int close_kit(void **state) {
    (void)state;
    kit_close(&kit);
    kit_redis_stop(&kit);
    kit_remove(&kit);
    return 0;
}

/* A second instance at the same Redis. */
static inline void open_second(struct kit *second) {
    *second = kit;
    kit_directory(second);
    memcpy(second->socket, kit.socket, sizeof(second->socket));
    kit_open(second);
}

static inline void close_second(struct kit *second) {
    kit_close(second);
    kit_remove(second);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, open_kit, close_kit)

#endif

/* Random histories on both stores at once: every answer and every record must be alike. Prints its
 * seed; SEED=n repeats. */
#include "store_kit.h"

#define HISTORIES 60
#define STEPS     60
#define EVENTS    4
#define ENTITIES  2
#define TOKENS    6

static struct kit kits[2] = {{.kind = STORE_EMBEDDED},
                             {.kind = STORE_REDIS, .when_down = WHEN_DOWN_REFUSE}};
static uint64_t seed;

static unsigned pick(unsigned below) {
    seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    return (unsigned)(seed >> 33) % below;
}

/* Each store has its own clock: fences are compared by what they are relative to, per store. */
struct granted {
    struct token token;
    unsigned event;
    bool used;
    uint64_t fence[2];
    uint32_t attempt;
};

struct history {
    char ids[EVENTS][32];
    char entities[EVENTS][32]; /* of each event */
    struct granted tokens[TOKENS];
    uint64_t fences[ENTITIES][2]; /* the last granted */
    unsigned step;
    char did[64];
};

static void alike(const struct history *h, const char *what, uint64_t a, uint64_t b) {
    if (a != b)
        fail_msg("step %u, %s: %s is %llu embedded, %llu in Redis", h->step, h->did, what,
                 (unsigned long long)a, (unsigned long long)b);
}

static void compare_looks(struct history *h, unsigned event) {
    struct store_look l[2];
    for (int k = 0; k < 2; k++) {
        l[k] = (struct store_look){.source = slice_of("s"), .id = slice_of(h->ids[event])};
        KIT_CALL(&kits[k], store_look, &l[k]);
    }
    alike(h, "look", l[0].call.result, l[1].call.result);
    alike(h, "event", l[0].ret_has_event, l[1].ret_has_event);
    alike(h, "entity", l[0].ret_has_entity, l[1].ret_has_entity);
    if (l[0].ret_has_entity) {
        alike(h, "owner", l[0].ret_owner, l[1].ret_owner);
        alike(h, "open", l[0].ret_open, l[1].ret_open);
        alike(h, "sticky", l[0].ret_stick_wall_us > 0, l[1].ret_stick_wall_us > 0);
    }
    if (!l[0].ret_has_event)
        return;
    alike(h, "pin", l[0].ret_pin, l[1].ret_pin);
    assert_string_equal(l[0].ret_entity, l[1].ret_entity);
    for (int s = 0; s < SIDES; s++) {
        const struct store_leg *a = &l[0].ret_legs[s], *b = &l[1].ret_legs[s];
        alike(h, "state", a->state, b->state);
        if (a->state == LEG_ABSENT)
            continue;
        alike(h, "role", a->role, b->role);
        alike(h, "attempt", a->attempt, b->attempt);
        alike(h, "status", a->status, b->status);
        alike(h, "current", a->fence == l[0].ret_fence, b->fence == l[1].ret_fence);
        assert_string_equal(a->token, b->token);
    }
}

static void do_claim(struct history *h) {
    struct granted *t = &h->tokens[pick(TOKENS)];
    if (!t->used || pick(4)) {
        t->token = token_new();
        t->event = pick(EVENTS);
        t->used = true;
    }
    struct store_claim base = {.source = slice_of("s"),
                               .id = slice_of(h->ids[t->event]),
                               .entity = slice_of(h->entities[t->event]),
                               .side = (enum side)pick(2),
                               .absolute = pick(3) == 0,
                               .shadow = pick(3) == 0,
                               .idempotent = {pick(2), pick(2)},
                               .on_disk = pick(2),
                               .token = t->token,
                               .lease_ms = pick(3) ? 600000 : 0};
    struct store_claim c[2] = {base, base};
    for (int k = 0; k < 2; k++)
        kit_claim(&kits[k], &c[k]);
    snprintf(h->did, sizeof(h->did), "claim of %u", t->event);
    alike(h, "result", c[0].call.result, c[1].call.result);
    enum store_result result = c[0].call.result;
    alike(h, "side", c[0].ret_side, c[1].ret_side);
    if (result == STORE_IN_FLIGHT)
        alike(h, "on disk", c[0].ret_on_disk, c[1].ret_on_disk);
    if (result == STORE_DONE)
        alike(h, "status", c[0].ret_status, c[1].ret_status);
    if (result != STORE_GRANTED && result != STORE_MINE)
        return;
    alike(h, "pinned", c[0].ret_pinned, c[1].ret_pinned);
    alike(h, "owned", c[0].ret_owned, c[1].ret_owned);
    alike(h, "shadow", c[0].ret_shadow, c[1].ret_shadow);
    alike(h, "attempt", c[0].ret_attempt, c[1].ret_attempt);
    for (int k = 0; k < 2; k++) {
        uint64_t *last = &h->fences[t->event % ENTITIES][k];
        if (result == STORE_GRANTED && c[k].ret_fence < *last)
            fail_msg("step %u: a fence fell", h->step);
        if (result == STORE_GRANTED)
            *last = c[k].ret_fence;
        t->fence[k] = c[k].ret_fence;
    }
    t->attempt = c[0].ret_attempt;
}

static void do_finish(struct history *h) {
    const struct granted *t = &h->tokens[pick(TOKENS)];
    struct store_finish base = {.source = slice_of("s"),
                                .id = slice_of(h->ids[t->event]),
                                .entity = slice_of(h->entities[t->event]),
                                .side = (enum side)pick(2),
                                .role = (enum role)(pick(4) == 0),
                                .token = t->token,
                                .attempt = t->attempt,
                                .outcome = (enum outcome)pick(OUTCOMES),
                                .status = (uint16_t)(200 + pick(400)),
                                .sticky_ms = pick(2) ? 600000 : 0};
    if (!t->used)
        return;
    struct store_finish f[2] = {base, base};
    for (int k = 0; k < 2; k++) {
        f[k].fence = t->fence[k];
        KIT_CALL(&kits[k], store_finish, &f[k]);
    }
    snprintf(h->did, sizeof(h->did), "finish %s of %u", outcome_names[base.outcome], t->event);
    alike(h, "result", f[0].call.result, f[1].call.result);
}

static void do_renew(struct history *h) {
    const struct granted *t = &h->tokens[pick(TOKENS)];
    struct store_renew base = {.source = slice_of("s"),
                               .id = slice_of(h->ids[t->event]),
                               .entity = slice_of(h->entities[t->event]),
                               .side = (enum side)pick(2),
                               .token = t->token,
                               .lease_ms = 600000,
                               .on_disk = pick(3) == 0};
    if (!t->used)
        return;
    struct store_renew r[2] = {base, base};
    for (int k = 0; k < 2; k++) {
        r[k].fence = t->fence[k];
        KIT_CALL(&kits[k], store_renew, &r[k]);
    }
    snprintf(h->did, sizeof(h->did), "renew of %u", t->event);
    alike(h, "result", r[0].call.result, r[1].call.result);
}

static void do_assert(struct history *h) {
    const struct granted *t = &h->tokens[pick(TOKENS)];
    if (!t->used || !t->attempt)
        return;
    struct store_assert base = {.source = slice_of("s"),
                                .id = slice_of(h->ids[t->event]),
                                .entity = slice_of(h->entities[t->event]),
                                .side = (enum side)pick(2),
                                .pin = (enum side)pick(2),
                                .at_wall_us = 1700000000000000,
                                .leg = {.state = (enum leg_state)(1 + pick(LEG_STATES - 1)),
                                        .role = (enum role)(pick(4) == 0),
                                        .on_disk = pick(2),
                                        .attempt = t->attempt,
                                        .status = 200},
                                .lease_left_ms = 600000,
                                .stick_left_ms = pick(2) ? 600000 : 0};
    memcpy(base.leg.token, t->token.text, TOKEN_LEN);
    struct store_assert a[2] = {base, base};
    for (int k = 0; k < 2; k++) {
        a[k].leg.fence = t->fence[k];
        KIT_CALL(&kits[k], store_assert, &a[k]);
    }
    snprintf(h->did, sizeof(h->did), "assert %s of %u", leg_state_names[base.leg.state], t->event);
    alike(h, "result", a[0].call.result, a[1].call.result);
    alike(h, "written", a[0].ret_written, a[1].ret_written);
}

static void do_settle_or_release(struct history *h) {
    unsigned event = pick(EVENTS);
    bool settles = pick(3);
    enum settle how = (enum settle)pick(3);
    struct store_settle s[2];
    struct store_release r[2];
    for (int k = 0; k < 2; k++) {
        s[k] = (struct store_settle){
            .source = slice_of("s"), .id = slice_of(h->ids[event]), .how = how};
        r[k] =
            (struct store_release){.source = slice_of("s"), .entity = slice_of(h->entities[event])};
        if (settles)
            KIT_CALL(&kits[k], store_settle, &s[k]);
        else
            KIT_CALL(&kits[k], store_release, &r[k]);
    }
    snprintf(h->did, sizeof(h->did), "%s %d of %u", settles ? "settle" : "release", (int)how,
             event);
    if (settles)
        alike(h, "result", s[0].call.result, s[1].call.result);
}

static void both_stores_answer_alike(void **state) {
    static void (*const acts[])(struct history * h) = {do_claim,
                                                       do_claim,
                                                       do_claim,
                                                       do_claim,
                                                       do_finish,
                                                       do_finish,
                                                       do_finish,
                                                       do_renew,
                                                       do_assert,
                                                       do_settle_or_release,
                                                       do_settle_or_release};
    (void)state;
    for (unsigned n = 0; n < HISTORIES; n++) {
        struct history h = {.step = 0};
        for (unsigned e = 0; e < EVENTS; e++) {
            snprintf(h.ids[e], sizeof(h.ids[e]), "h%u-e%u", n, e);
            snprintf(h.entities[e], sizeof(h.entities[e]), "h%u-x%u", n, e % ENTITIES);
        }
        for (h.step = 0; h.step < STEPS; h.step++) {
            acts[pick(ARRAY_LEN(acts))](&h);
            compare_looks(&h, pick(EVENTS));
        }
        for (unsigned e = 0; e < EVENTS; e++)
            compare_looks(&h, e);
    }
}

static int open_both(void **state) {
    (void)state;
    const char *given = getenv("SEED");
    seed = given ? strtoull(given, NULL, 10) : clock_wall_us();
    print_message("SEED=%llu\n", (unsigned long long)seed);
    for (int k = 0; k < 2; k++) {
        kit_directory(&kits[k]);
        if (kits[k].kind == STORE_REDIS)
            kit_redis_start(&kits[k]);
        kit_open(&kits[k]);
        kit_wait_hold(&kits[k]);
    }
    return 0;
}

static int close_both(void **state) {
    (void)state;
    for (int k = 0; k < 2; k++) {
        kit_close(&kits[k]);
        kit_redis_stop(&kits[k]);
        kit_remove(&kits[k]);
    }
    return 0;
}

int main(void) {
    const struct CMUnitTest cases[] = {cmocka_unit_test(both_stores_answer_alike)};
    return cmocka_run_group_tests(cases, open_both, close_both);
}

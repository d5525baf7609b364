/* How legs end: each case runs on the embedded store and on a real Redis. */
#include "store_calls.h"

/* ---- renew, finish, settle ---- */

static void renewing_needs_the_token_and_the_fence(void **state) {
    struct kit *kit = *state;
    struct store_claim a = granted(kit, "renew", "o/r#renew", SIDE_NEW, 1000);
    uint64_t until_us = look(kit, "renew", NULL).ret_legs[SIDE_NEW].until_wall_us;
    assert_int_equal(renew(kit, &a, LEASE_MS), STORE_OK);
    struct store_look l = look(kit, "renew", NULL);
    assert_true(l.ret_legs[SIDE_NEW].until_wall_us > until_us + 1000000);
    assert_int_equal(l.ret_lease_wall_us, l.ret_legs[SIDE_NEW].until_wall_us);
    struct store_claim other = a;
    other.token = token_new();
    assert_int_equal(renew(kit, &other, LEASE_MS), STORE_STALE);
    other = a;
    other.ret_side = SIDE_LEGACY;
    assert_int_equal(renew(kit, &other, LEASE_MS), STORE_ABSENT);
    other.id = slice_of("renew-none");
    assert_int_equal(renew(kit, &other, LEASE_MS), STORE_ABSENT);
    assert_int_equal(finish(kit, &a, OUTCOME_DONE, 200), STORE_OK);
    assert_int_equal(renew(kit, &a, LEASE_MS), STORE_STALE);
}

static void finishing_twice_keeps_the_first_outcome(void **state) {
    struct kit *kit = *state;
    struct store_claim a = granted(kit, "twice", "o/r#twice", SIDE_NEW, LEASE_MS);
    struct store_claim b = granted(kit, "twice-b", "o/r#twice", SIDE_NEW, LEASE_MS);
    assert_int_equal(finish(kit, &a, OUTCOME_DONE, 200), STORE_OK);
    assert_int_equal(finish(kit, &a, OUTCOME_DONE, 200), STORE_OK);
    assert_int_equal(finish(kit, &a, OUTCOME_REJECTED, 404), STORE_OK);
    struct store_look l = look(kit, "twice", NULL);
    assert_int_equal(l.ret_legs[SIDE_NEW].state, LEG_DONE);
    assert_int_equal(l.ret_legs[SIDE_NEW].status, 200);
    assert_int_equal(l.ret_open, 1);
    assert_int_equal(finish(kit, &b, OUTCOME_DONE, 200), STORE_OK);
}

static void a_late_finish_wins_over_doubt(void **state) {
    struct kit *kit = *state;
    struct store_claim a = granted(kit, "late", "o/r#late", SIDE_NEW, 0);
    struct store_claim b = claim_of("late", "o/r#late", SIDE_NEW);
    assert_int_equal(claim(kit, &b), STORE_DOUBT);
    assert_entity(kit, "o/r#late", SIDE_NEW, 1);
    assert_int_equal(finish_leg(kit, &a, SIDE_NEW, ROLE_OWNER, OUTCOME_DONE, 200, 60000), STORE_OK);
    struct store_look l = look(kit, "late", NULL);
    assert_int_equal(l.ret_legs[SIDE_NEW].state, LEG_DONE);
    assert_int_equal(l.ret_open, 0);
    assert_true(l.ret_stick_wall_us > 0);
    struct store_claim c = granted(kit, "late-2", "o/r#late-2", SIDE_NEW, LEASE_MS);
    assert_int_equal(finish(kit, &c, OUTCOME_IN_DOUBT, 504), STORE_OK);
    assert_int_equal(finish(kit, &c, OUTCOME_DONE, 200), STORE_OK);
    assert_int_equal(look(kit, "late-2", NULL).ret_legs[SIDE_NEW].state, LEG_DONE);
}

static void finishing_what_is_gone_writes_it_anew(void **state) {
    struct kit *kit = *state;
    struct store_claim a = claim_of("gone", "o/r#gone", SIDE_NEW);
    a.ret_side = SIDE_NEW;
    a.ret_fence = 1700000000000000;
    a.ret_attempt = 3;
    assert_int_equal(finish(kit, &a, OUTCOME_UNSENT, 0), STORE_OK);
    assert_int_equal(look(kit, "gone", NULL).call.result, STORE_ABSENT);
    assert_int_equal(finish_leg(kit, &a, SIDE_NEW, ROLE_OWNER, OUTCOME_DONE, 200, 60000), STORE_OK);
    struct store_look l = look(kit, "gone", NULL);
    assert_int_equal(l.ret_legs[SIDE_NEW].state, LEG_DONE);
    assert_int_equal(l.ret_legs[SIDE_NEW].attempt, 3);
    assert_int_equal(l.ret_pin, SIDE_NEW);
    assert_int_equal(l.ret_fence, a.ret_fence);
    assert_int_equal(l.ret_open, 0);
    assert_true(l.ret_stick_wall_us > 0);
    struct store_claim b = claim_of("gone", "o/r#gone", SIDE_NEW);
    assert_int_equal(claim(kit, &b), STORE_DONE);
}

/* Whoever got no answer to a claim knows its token and not the side that pin or owner led to. */
static void a_claim_without_an_answer_is_given_back_by_its_token(void **state) {
    struct kit *kit = *state;
    struct store_claim first = granted(kit, "pin", "o/r#lost", SIDE_NEW, LEASE_MS);
    assert_int_equal(finish(kit, &first, OUTCOME_NOT_DONE, 500), STORE_OK);
    struct store_claim lost = claim_of("pin", "o/r#lost", SIDE_LEGACY);
    assert_int_equal(claim(kit, &lost), STORE_GRANTED);
    assert_int_equal(lost.ret_side, SIDE_NEW);
    lost.ret_fence = 0;
    assert_int_equal(finish_leg(kit, &lost, SIDE_LEGACY, ROLE_OWNER, OUTCOME_UNSENT, 0, 0),
                     STORE_OK);
    assert_int_equal(look(kit, "pin", NULL).ret_legs[SIDE_NEW].state, LEG_UNSENT);
    assert_int_equal(look(kit, "pin", NULL).ret_legs[SIDE_LEGACY].state, LEG_ABSENT);
    assert_entity(kit, "o/r#lost", SIDE_NEW, 0);
    struct store_claim again = claim_of("pin", "o/r#lost", SIDE_NEW);
    assert_int_equal(claim(kit, &again), STORE_GRANTED);
}

static void a_shadow_is_not_mistaken_for_the_owner_of_the_same_token(void **state) {
    struct kit *kit = *state;
    struct store_claim a = claim_of("both", "o/r#both", SIDE_LEGACY);
    a.shadow = a.absolute = true;
    assert_int_equal(claim(kit, &a), STORE_GRANTED);
    assert_true(a.ret_shadow);
    assert_int_equal(finish_leg(kit, &a, SIDE_LEGACY, ROLE_SHADOW, OUTCOME_DONE, 200, 0), STORE_OK);
    assert_int_equal(look(kit, "both", NULL).ret_legs[SIDE_NEW].state, LEG_DONE);
    assert_int_equal(look(kit, "both", NULL).ret_legs[SIDE_LEGACY].state, LEG_IN_FLIGHT);
    assert_int_equal(finish(kit, &a, OUTCOME_DONE, 200), STORE_OK);
}

static void what_was_not_sent_leaves_the_stickiness_as_it_was(void **state) {
    struct kit *kit = *state;
    struct store_claim a = granted(kit, "stick-1", "o/r#stays", SIDE_NEW, LEASE_MS);
    assert_int_equal(finish_leg(kit, &a, SIDE_NEW, ROLE_OWNER, OUTCOME_DONE, 200, 60000), STORE_OK);
    struct store_claim b = granted(kit, "stick-2", "o/r#stays", SIDE_NEW, LEASE_MS);
    assert_int_equal(finish_leg(kit, &b, SIDE_NEW, ROLE_OWNER, OUTCOME_UNSENT, 0, 0), STORE_OK);
    assert_true(look(kit, NULL, "o/r#stays").ret_stick_wall_us > 0);
    struct store_claim c = granted(kit, "stick-3", "o/r#free", SIDE_NEW, LEASE_MS);
    assert_int_equal(finish_leg(kit, &c, SIDE_NEW, ROLE_OWNER, OUTCOME_UNSENT, 0, 60000), STORE_OK);
    assert_int_equal(look(kit, NULL, "o/r#free").ret_stick_wall_us, 0);
}

static void settling_forgets_what_does_not_run(void **state) {
    struct kit *kit = *state;
    assert_int_equal(settle(kit, "settle"), STORE_ABSENT);
    struct store_claim a = granted(kit, "settle", "o/r#settle", SIDE_NEW, LEASE_MS);
    assert_int_equal(settle(kit, "settle"), STORE_STALE);
    assert_int_equal(finish(kit, &a, OUTCOME_DONE, 200), STORE_OK);
    assert_int_equal(settle(kit, "settle"), STORE_OK);
    assert_int_equal(look(kit, "settle", NULL).call.result, STORE_ABSENT);
    granted(kit, "settle", "o/r#settle", SIDE_LEGACY, 0);
    assert_entity(kit, "o/r#settle", SIDE_LEGACY, 1);
    assert_int_equal(settle(kit, "settle"), STORE_OK);
    assert_entity(kit, "o/r#settle", SIDE_LEGACY, 0);
}

static void assert_leg(struct kit *kit, const char *id, enum leg_state leg, uint16_t status) {
    struct store_look l = look(kit, id, NULL);
    assert_int_equal(l.ret_legs[SIDE_NEW].state, leg);
    assert_int_equal(l.ret_legs[SIDE_NEW].status, status);
}

/* In doubt by its own word, by a claim that found its lease over, and by its lease alone. */
static struct store_claim doubt(struct kit *kit, const char *id, int kind) {
    struct store_claim c = granted(kit, id, id, SIDE_NEW, kind == 0 ? LEASE_MS : 0);
    struct store_claim other = claim_of(id, id, SIDE_NEW);
    if (kind == 0)
        assert_int_equal(finish(kit, &c, OUTCOME_IN_DOUBT, 504), STORE_OK);
    if (kind == 1)
        assert_int_equal(claim(kit, &other), STORE_DOUBT);
    return c;
}

static void what_the_operator_says_is_done_stays_done(void **state) {
    static const char *const ids[] = {"says-0", "says-1", "says-2"};
    struct kit *kit = *state;
    assert_int_equal(settle_as(kit, "says-none", SETTLE_DONE), STORE_ABSENT);
    for (int kind = 0; kind < 3; kind++) {
        struct store_claim a = doubt(kit, ids[kind], kind);
        assert_int_equal(settle_as(kit, ids[kind], SETTLE_DONE), STORE_OK);
        assert_leg(kit, ids[kind], LEG_DONE, 0);
        assert_entity(kit, ids[kind], SIDE_NEW, 0);
        assert_int_equal(settle_as(kit, ids[kind], SETTLE_DONE), STORE_OK);
        assert_int_equal(settle_as(kit, ids[kind], SETTLE_RETRY), STORE_STALE);
        assert_int_equal(renew(kit, &a, LEASE_MS), STORE_STALE);
        assert_int_equal(finish(kit, &a, OUTCOME_REJECTED, 404), STORE_OK);
        assert_leg(kit, ids[kind], LEG_DONE, 0);
        struct store_claim b = claim_of(ids[kind], ids[kind], SIDE_NEW);
        assert_int_equal(claim(kit, &b), STORE_DONE);
    }
}

static void what_the_operator_says_is_to_be_retried_is_claimed_again_on_its_pin(void **state) {
    static const char *const ids[] = {"retry-0", "retry-1", "retry-2"};
    struct kit *kit = *state;
    assert_int_equal(settle_as(kit, "retry-none", SETTLE_RETRY), STORE_ABSENT);
    for (int kind = 0; kind < 3; kind++) {
        struct store_claim a = doubt(kit, ids[kind], kind);
        assert_int_equal(settle_as(kit, ids[kind], SETTLE_RETRY), STORE_OK);
        assert_leg(kit, ids[kind], LEG_NOT_DONE, 0);
        assert_entity(kit, ids[kind], SIDE_NEW, 0);
        assert_int_equal(settle_as(kit, ids[kind], SETTLE_RETRY), STORE_OK);
        struct store_claim b = claim_of(ids[kind], ids[kind], SIDE_LEGACY);
        assert_int_equal(claim(kit, &b), STORE_GRANTED);
        assert_true(b.ret_side == SIDE_NEW && b.ret_pinned);
        assert_int_equal(b.ret_attempt, 2);
        assert_true(b.ret_fence > a.ret_fence);
        assert_int_equal(finish(kit, &a, OUTCOME_DONE, 200), STORE_STALE);
        assert_int_equal(settle_as(kit, ids[kind], SETTLE_RETRY), STORE_STALE);
        assert_int_equal(settle_as(kit, ids[kind], SETTLE_DONE), STORE_STALE);
        assert_int_equal(finish(kit, &b, OUTCOME_DONE, 200), STORE_OK);
        assert_entity(kit, ids[kind], SIDE_NEW, 0);
    }
}

static void an_attempt_that_says_done_after_the_operators_retry_is_done(void **state) {
    struct kit *kit = *state;
    struct store_claim a = doubt(kit, "word", 2);
    assert_int_equal(settle_as(kit, "word", SETTLE_RETRY), STORE_OK);
    assert_int_equal(finish(kit, &a, OUTCOME_IN_DOUBT, 502), STORE_OK);
    assert_leg(kit, "word", LEG_NOT_DONE, 0);
    assert_int_equal(finish_leg(kit, &a, SIDE_NEW, ROLE_OWNER, OUTCOME_DONE, 201, 60000), STORE_OK);
    assert_leg(kit, "word", LEG_DONE, 201);
    assert_true(look(kit, "word", NULL).ret_stick_wall_us > 0);
    assert_entity(kit, "word", SIDE_NEW, 0);
    assert_int_equal(finish(kit, &a, OUTCOME_REJECTED, 404), STORE_OK);
    assert_leg(kit, "word", LEG_DONE, 201);
}

static void the_operators_done_is_for_doubt_and_for_what_was_retried(void **state) {
    struct kit *kit = *state;
    struct store_claim a = granted(kit, "nodoubt", "nodoubt", SIDE_NEW, LEASE_MS);
    assert_int_equal(finish(kit, &a, OUTCOME_NOT_DONE, 503), STORE_OK);
    assert_int_equal(settle_as(kit, "nodoubt", SETTLE_DONE), STORE_STALE);
    assert_int_equal(settle_as(kit, "nodoubt", SETTLE_RETRY), STORE_OK);
    assert_leg(kit, "nodoubt", LEG_NOT_DONE, 503);
    doubt(kit, "undo", 0);
    assert_int_equal(settle_as(kit, "undo", SETTLE_RETRY), STORE_OK);
    assert_int_equal(settle_as(kit, "undo", SETTLE_DONE), STORE_OK);
    assert_leg(kit, "undo", LEG_DONE, 0);
}

static void ids_may_hold_any_byte_and_sources_do_not_mix(void **state) {
    struct kit *kit = *state;
    char id[EVENT_ID_MAX + 1], entity[ENTITY_MAX + 1];
    memset(id, '\xff', sizeof(id));
    memset(entity, ' ', sizeof(entity));
    struct store_claim a = claim_of("", "", SIDE_NEW);
    a.id = slice(id, EVENT_ID_MAX);
    a.entity = slice(entity, ENTITY_MAX);
    assert_int_equal(claim(kit, &a), STORE_GRANTED);
    assert_int_equal(finish(kit, &a, OUTCOME_DONE, 200), STORE_OK);
    a.id = slice(id, EVENT_ID_MAX + 1);
    assert_int_equal(claim(kit, &a), STORE_AWAY);
    struct store_claim b = claim_of("b:c", "e", SIDE_NEW), c = claim_of("c", "f", SIDE_NEW);
    b.source = slice_of("a");
    c.source = slice_of("a:b");
    assert_int_equal(claim(kit, &b), STORE_GRANTED);
    assert_int_equal(claim(kit, &c), STORE_GRANTED);
}

static const struct CMUnitTest cases[] = {
    cmocka_unit_test(renewing_needs_the_token_and_the_fence),
    cmocka_unit_test(finishing_twice_keeps_the_first_outcome),
    cmocka_unit_test(a_late_finish_wins_over_doubt),
    cmocka_unit_test(finishing_what_is_gone_writes_it_anew),
    cmocka_unit_test(a_claim_without_an_answer_is_given_back_by_its_token),
    cmocka_unit_test(a_shadow_is_not_mistaken_for_the_owner_of_the_same_token),
    cmocka_unit_test(what_was_not_sent_leaves_the_stickiness_as_it_was),
    cmocka_unit_test(settling_forgets_what_does_not_run),
    cmocka_unit_test(what_the_operator_says_is_done_stays_done),
    cmocka_unit_test(what_the_operator_says_is_to_be_retried_is_claimed_again_on_its_pin),
    cmocka_unit_test(an_attempt_that_says_done_after_the_operators_retry_is_done),
    cmocka_unit_test(the_operators_done_is_for_doubt_and_for_what_was_retried),
    cmocka_unit_test(ids_may_hold_any_byte_and_sources_do_not_mix),
};

int main(void) {
    int failed = cmocka_run_group_tests_name("embedded", cases, open_embedded, close_store);
    return failed + cmocka_run_group_tests_name("redis", cases, open_redis, close_store);
}

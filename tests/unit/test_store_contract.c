/* Who gets what: each case runs on the embedded store and on a real Redis. */
#include "store_calls.h"

/* ---- claims ---- */

static void a_new_event_is_granted_where_it_is_wanted(void **state) {
    struct kit *kit = *state;
    uint64_t before_us = clock_mono_us();
    struct store_claim c = granted(kit, "new", "o/r#new", SIDE_NEW, LEASE_MS);
    assert_int_equal(c.ret_attempt, 1);
    assert_false(c.ret_pinned || c.ret_owned || c.ret_shadow);
    assert_true(c.ret_fence > 1500000000000000);
    assert_true(c.ret_until_us >= before_us + LEASE_MS * 1000 &&
                c.ret_until_us <= clock_mono_us() + LEASE_MS * 1000);
    struct store_look l = look(kit, "new", NULL);
    assert_int_equal(l.call.result, STORE_OK);
    assert_true(l.ret_has_event && l.ret_has_entity);
    assert_int_equal(l.ret_pin, SIDE_NEW);
    assert_int_equal(l.ret_legs[SIDE_NEW].state, LEG_IN_FLIGHT);
    assert_int_equal(l.ret_legs[SIDE_NEW].role, ROLE_OWNER);
    assert_int_equal(l.ret_legs[SIDE_NEW].fence, c.ret_fence);
    assert_int_equal(l.ret_legs[SIDE_LEGACY].state, LEG_ABSENT);
    assert_string_equal(l.ret_legs[SIDE_NEW].token, c.token.text);
    assert_string_equal(l.ret_entity, "o/r#new");
    assert_string_equal(l.ret_why, "because");
    assert_string_equal(l.ret_digest, "abcd");
    assert_int_equal(l.ret_open, 1);
    assert_int_equal(l.ret_fence, c.ret_fence);
}

static void a_second_token_finds_the_event_in_flight(void **state) {
    struct kit *kit = *state;
    granted(kit, "flight", "o/r#flight", SIDE_LEGACY, LEASE_MS);
    struct store_claim c = claim_of("flight", "o/r#flight", SIDE_NEW);
    c.absolute = true;
    c.idempotent[SIDE_LEGACY] = c.idempotent[SIDE_NEW] = true;
    assert_int_equal(claim(kit, &c), STORE_IN_FLIGHT);
    assert_int_equal(c.ret_side, SIDE_LEGACY);
    assert_in_range(c.ret_ms_left, LEASE_MS - 10000, LEASE_MS);
    assert_entity(kit, "o/r#flight", SIDE_LEGACY, 1);
}

static bool on_disk(struct kit *kit, const struct store_claim *holder) {
    struct store_claim c = *holder;
    c.token = token_new();
    assert_int_equal(claim(kit, &c), STORE_IN_FLIGHT);
    return c.ret_on_disk;
}

static void who_asks_for_a_running_event_is_told_whether_it_is_on_disk(void **state) {
    struct kit *kit = *state;
    struct store_claim a = granted(kit, "disk-a", "o/r#disk", SIDE_NEW, LEASE_MS);
    assert_false(on_disk(kit, &a));
    struct store_claim b = claim_of("disk-b", "o/r#disk", SIDE_LEGACY);
    b.on_disk = b.shadow = true;
    assert_int_equal(claim(kit, &b), STORE_GRANTED);
    assert_true(b.ret_owned && !b.ret_pinned && b.ret_shadow);
    assert_true(on_disk(kit, &b));
    struct store_claim again = b;
    assert_int_equal(claim(kit, &again), STORE_MINE);
    assert_true(again.ret_owned && !again.ret_pinned && again.ret_shadow);
    /* It can get there later; a renewal that does not say so takes nothing back. */
    assert_int_equal(renew_as(kit, &a, LEASE_MS / 2, true), STORE_OK);
    assert_true(on_disk(kit, &a));
    assert_int_equal(renew(kit, &a, LEASE_MS), STORE_OK);
    assert_true(on_disk(kit, &a));
    assert_int_equal(finish(kit, &a, OUTCOME_NOT_DONE, 503), STORE_OK);
    struct store_claim c = claim_of("disk-a", "o/r#disk", SIDE_NEW);
    assert_int_equal(claim(kit, &c), STORE_GRANTED);
    assert_true(c.ret_pinned && c.ret_attempt == 2);
    assert_false(on_disk(kit, &c));
}

static void a_repeated_claim_is_answered_as_the_first_was(void **state) {
    struct kit *kit = *state;
    struct store_claim a = granted(kit, "mine-0", "o/r#mine", SIDE_NEW, LEASE_MS);
    struct store_claim b = claim_of("mine-1", "o/r#mine", SIDE_LEGACY);
    b.shadow = true;
    assert_int_equal(claim(kit, &b), STORE_GRANTED);
    assert_true(b.ret_owned && b.ret_shadow && !b.ret_pinned);
    struct store_claim again = claim_of("mine-1", "o/r#mine", SIDE_LEGACY);
    again.token = b.token;
    assert_int_equal(claim(kit, &again), STORE_MINE);
    assert_int_equal(again.ret_side, SIDE_NEW);
    assert_true(again.ret_owned && again.ret_shadow && !again.ret_pinned);
    assert_int_equal(again.ret_attempt, 1);
    assert_int_equal(again.ret_fence, b.ret_fence);
    assert_int_equal(a.ret_fence, b.ret_fence);
    assert_entity(kit, "o/r#mine", SIDE_NEW, 2);
}

static void a_done_event_is_never_granted_again(void **state) {
    struct kit *kit = *state;
    struct store_claim c = granted(kit, "done", "o/r#done", SIDE_NEW, LEASE_MS);
    assert_int_equal(finish(kit, &c, OUTCOME_DONE, 201), STORE_OK);
    for (int absolute = 0; absolute < 2; absolute++) {
        struct store_claim d = claim_of("done", "o/r#done", SIDE_LEGACY);
        d.absolute = absolute;
        d.idempotent[0] = d.idempotent[1] = true;
        assert_int_equal(claim(kit, &d), STORE_DONE);
        assert_int_equal(d.ret_side, SIDE_NEW);
        assert_int_equal(d.ret_status, 201);
    }
    assert_entity(kit, "o/r#done", SIDE_NEW, 0);
}

static void what_was_not_done_is_tried_again_on_its_pin(void **state) {
    static const struct {
        enum outcome outcome;
        const char *id;
    } cases[] = {{OUTCOME_NOT_DONE, "again-nd"},
                 {OUTCOME_UNSENT, "again-un"},
                 {OUTCOME_REJECTED, "again-re"}};
    struct kit *kit = *state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct store_claim a = granted(kit, cases[i].id, cases[i].id, SIDE_NEW, LEASE_MS);
        assert_int_equal(finish(kit, &a, cases[i].outcome, 422), STORE_OK);
        struct store_claim b = claim_of(cases[i].id, cases[i].id, SIDE_LEGACY);
        assert_int_equal(claim(kit, &b), STORE_GRANTED);
        assert_int_equal(b.ret_side, SIDE_NEW);
        assert_true(b.ret_pinned);
        assert_int_equal(b.ret_attempt, 2);
        assert_true(b.ret_fence > a.ret_fence);
        assert_int_equal(finish(kit, &a, OUTCOME_DONE, 200), STORE_STALE);
        assert_entity(kit, cases[i].id, SIDE_NEW, 1);
    }
}

static void an_absolute_claim_moves_the_pin(void **state) {
    struct kit *kit = *state;
    struct store_claim a = granted(kit, "move", "o/r#move", SIDE_NEW, LEASE_MS);
    assert_int_equal(finish(kit, &a, OUTCOME_UNSENT, 0), STORE_OK);
    struct store_claim b = claim_of("move", "o/r#move", SIDE_LEGACY);
    b.absolute = true;
    assert_int_equal(claim(kit, &b), STORE_GRANTED);
    assert_int_equal(b.ret_side, SIDE_LEGACY);
    assert_int_equal(b.ret_attempt, 1);
    assert_true(!b.ret_pinned && b.ret_fence > a.ret_fence);
    struct store_look l = look(kit, "move", NULL);
    assert_int_equal(l.ret_pin, SIDE_LEGACY);
    assert_int_equal(l.ret_legs[SIDE_NEW].state, LEG_UNSENT);
    assert_int_equal(l.ret_legs[SIDE_LEGACY].state, LEG_IN_FLIGHT);
    assert_int_equal(finish(kit, &b, OUTCOME_DONE, 200), STORE_OK);
    struct store_claim c = claim_of("move", "o/r#move", SIDE_NEW);
    c.absolute = true;
    assert_int_equal(claim(kit, &c), STORE_DONE);
    assert_int_equal(c.ret_side, SIDE_LEGACY);
}

static void a_lease_that_ran_out_is_in_doubt(void **state) {
    struct kit *kit = *state;
    granted(kit, "ranout", "o/r#ranout", SIDE_NEW, 0);
    assert_int_equal(look(kit, "ranout", NULL).ret_legs[SIDE_NEW].state, LEG_IN_DOUBT);
    struct store_claim c = claim_of("ranout", "o/r#ranout", SIDE_NEW);
    assert_int_equal(claim(kit, &c), STORE_DOUBT);
    assert_int_equal(c.ret_side, SIDE_NEW);
    c = claim_of("ranout", "o/r#ranout", SIDE_LEGACY);
    c.absolute = true;
    c.idempotent[SIDE_LEGACY] = c.idempotent[SIDE_NEW] = true;
    assert_int_equal(claim(kit, &c), STORE_DOUBT);
}

static void doubt_is_retried_only_where_the_backend_is_idempotent(void **state) {
    struct kit *kit = *state;
    struct store_claim a = granted(kit, "idem", "o/r#idem", SIDE_NEW, LEASE_MS);
    assert_int_equal(finish(kit, &a, OUTCOME_IN_DOUBT, 502), STORE_OK);
    assert_entity(kit, "o/r#idem", SIDE_NEW, 0);
    struct store_claim b = claim_of("idem", "o/r#idem", SIDE_NEW);
    b.idempotent[SIDE_LEGACY] = true;
    assert_int_equal(claim(kit, &b), STORE_DOUBT);
    b = claim_of("idem", "o/r#idem", SIDE_NEW);
    b.idempotent[SIDE_NEW] = true;
    assert_int_equal(claim(kit, &b), STORE_GRANTED);
    assert_int_equal(b.ret_attempt, 2);
    assert_true(b.ret_fence > a.ret_fence);
    assert_int_equal(finish(kit, &a, OUTCOME_DONE, 200), STORE_STALE);
    assert_int_equal(finish(kit, &b, OUTCOME_DONE, 200), STORE_OK);
    assert_entity(kit, "o/r#idem", SIDE_NEW, 0);
}

/* The first attempt may have worked: only "done" ends the doubt, and no other mode takes it away.
 */
static void a_retried_doubt_that_was_not_done_is_in_doubt_again(void **state) {
    struct kit *kit = *state;
    static const enum outcome outcomes[] = {OUTCOME_UNSENT, OUTCOME_NOT_DONE, OUTCOME_REJECTED,
                                            OUTCOME_IN_DOUBT};
    struct store_claim a = granted(kit, "again", "o/r#again", SIDE_NEW, LEASE_MS);
    assert_int_equal(finish(kit, &a, OUTCOME_IN_DOUBT, 502), STORE_OK);
    for (size_t i = 0; i < ARRAY_LEN(outcomes); i++) {
        struct store_claim b = claim_of("again", "o/r#again", SIDE_NEW);
        b.idempotent[SIDE_NEW] = true;
        assert_int_equal(claim(kit, &b), STORE_GRANTED);
        for (int twice = 0; twice < 2; twice++)
            assert_int_equal(finish(kit, &b, outcomes[i], 503), STORE_OK);
        struct store_look l = look(kit, "again", NULL);
        assert_int_equal(l.ret_legs[SIDE_NEW].state, LEG_IN_DOUBT);
        assert_int_equal(l.ret_legs[SIDE_NEW].status, 0);
        assert_entity(kit, "o/r#again", SIDE_NEW, 0);
        struct store_claim c = claim_of("again", "o/r#again", SIDE_LEGACY);
        c.absolute = c.idempotent[SIDE_LEGACY] = true;
        assert_int_equal(claim(kit, &c), STORE_DOUBT);
    }
    struct store_claim b = claim_of("again", "o/r#again", SIDE_NEW);
    b.idempotent[SIDE_NEW] = true;
    assert_int_equal(claim(kit, &b), STORE_GRANTED);
    assert_int_equal(finish(kit, &b, OUTCOME_DONE, 200), STORE_OK);
    assert_int_equal(look(kit, "again", NULL).ret_legs[SIDE_NEW].state, LEG_DONE);
}

static void a_retried_doubt_lets_go_of_what_it_held(void **state) {
    struct kit *kit = *state;
    struct store_claim a = granted(kit, "held", "o/r#held", SIDE_NEW, 0);
    struct store_claim b = claim_of("held", "o/r#held", SIDE_NEW);
    b.idempotent[SIDE_NEW] = true;
    assert_int_equal(claim(kit, &b), STORE_GRANTED);
    assert_true(b.ret_fence > a.ret_fence);
    assert_entity(kit, "o/r#held", SIDE_NEW, 1);
}

static void a_neighbour_keeps_its_fence_when_a_doubt_is_retried(void **state) {
    struct kit *kit = *state;
    granted(kit, "nb-a", "o/r#nb", SIDE_NEW, 0);
    struct store_claim b = granted(kit, "nb-b", "o/r#nb", SIDE_NEW, LEASE_MS);
    struct store_claim a = claim_of("nb-a", "o/r#nb", SIDE_NEW);
    a.idempotent[SIDE_NEW] = true;
    assert_int_equal(claim(kit, &a), STORE_GRANTED);
    assert_int_equal(a.ret_fence, b.ret_fence);
    assert_int_equal(renew(kit, &b, LEASE_MS), STORE_OK);
    assert_entity(kit, "o/r#nb", SIDE_NEW, 2);
}

/* ---- entities ---- */

static void an_entity_open_at_the_other_side_is_busy(void **state) {
    struct kit *kit = *state;
    struct store_claim a = granted(kit, "busy-a", "o/r#busy", SIDE_LEGACY, LEASE_MS);
    struct store_claim b = claim_of("busy-b", "o/r#busy", SIDE_NEW);
    b.absolute = true;
    assert_int_equal(claim(kit, &b), STORE_BUSY);
    assert_int_equal(b.ret_side, SIDE_LEGACY);
    assert_in_range(b.ret_ms_left, LEASE_MS - 10000, LEASE_MS);
    assert_int_equal(look(kit, "busy-b", NULL).call.result, STORE_ABSENT);
    assert_int_equal(finish(kit, &a, OUTCOME_DONE, 200), STORE_OK);
    b = claim_of("busy-b", "o/r#busy", SIDE_NEW);
    b.absolute = true;
    assert_int_equal(claim(kit, &b), STORE_GRANTED);
    assert_true(b.ret_fence > a.ret_fence);
}

static void events_of_one_entity_share_side_and_fence(void **state) {
    struct kit *kit = *state;
    struct store_claim a = granted(kit, "share-a", "o/r#share", SIDE_NEW, LEASE_MS);
    struct store_claim b = claim_of("share-b", "o/r#share", SIDE_LEGACY);
    assert_int_equal(claim(kit, &b), STORE_GRANTED);
    assert_int_equal(b.ret_side, SIDE_NEW);
    assert_true(b.ret_owned && !b.ret_pinned);
    assert_int_equal(b.ret_fence, a.ret_fence);
    assert_int_equal(finish(kit, &a, OUTCOME_DONE, 200), STORE_OK);
    assert_entity(kit, "o/r#share", SIDE_NEW, 1);
    assert_int_equal(finish(kit, &b, OUTCOME_DONE, 200), STORE_OK);
    struct store_claim c = granted(kit, "share-c", "o/r#share", SIDE_LEGACY, LEASE_MS);
    assert_true(c.ret_fence > a.ret_fence);
}

static void stickiness_keeps_the_owner_until_released(void **state) {
    struct kit *kit = *state;
    struct store_claim a = granted(kit, "stick-a", "o/r#stick", SIDE_NEW, LEASE_MS);
    assert_int_equal(finish_leg(kit, &a, SIDE_NEW, ROLE_OWNER, OUTCOME_DONE, 200, 60000), STORE_OK);
    struct store_claim b = claim_of("stick-b", "o/r#stick", SIDE_LEGACY);
    assert_int_equal(claim(kit, &b), STORE_GRANTED);
    assert_int_equal(b.ret_side, SIDE_NEW);
    assert_true(b.ret_owned && b.ret_fence > a.ret_fence);
    assert_int_equal(finish_leg(kit, &b, SIDE_NEW, ROLE_OWNER, OUTCOME_DONE, 200, 60000), STORE_OK);
    struct store_release r = {.source = slice_of("github"), .entity = slice_of("o/r#stick")};
    KIT_CALL(kit, store_release, &r);
    assert_int_equal(r.call.result, STORE_OK);
    struct store_claim c = granted(kit, "stick-c", "o/r#stick", SIDE_LEGACY, LEASE_MS);
    assert_true(!c.ret_owned && c.ret_fence > b.ret_fence);
    struct store_release none = {.source = slice_of("github"), .entity = slice_of("o/r#nobody")};
    KIT_CALL(kit, store_release, &none);
    assert_int_equal(none.call.result, STORE_OK);
}

static void a_change_of_side_ends_the_old_stickiness(void **state) {
    struct kit *kit = *state;
    struct store_claim a = granted(kit, "side-a", "o/r#side", SIDE_NEW, LEASE_MS);
    assert_int_equal(finish_leg(kit, &a, SIDE_NEW, ROLE_OWNER, OUTCOME_DONE, 200, 60000), STORE_OK);
    struct store_claim b = claim_of("side-b", "o/r#side", SIDE_LEGACY);
    b.absolute = true;
    assert_int_equal(claim(kit, &b), STORE_GRANTED);
    assert_int_equal(look(kit, NULL, "o/r#side").ret_stick_wall_us, 0);
    /* The old owner's late word must not bring it back. */
    assert_int_equal(finish_leg(kit, &a, SIDE_NEW, ROLE_OWNER, OUTCOME_DONE, 200, 60000), STORE_OK);
    assert_entity(kit, "o/r#side", SIDE_LEGACY, 1);
    assert_int_equal(look(kit, NULL, "o/r#side").ret_stick_wall_us, 0);
}

static void a_dead_entity_is_taken_over_with_a_higher_fence(void **state) {
    struct kit *kit = *state;
    struct store_claim a = granted(kit, "over-a", "o/r#over", SIDE_NEW, 0);
    struct store_claim b = claim_of("over-b", "o/r#over", SIDE_LEGACY);
    b.absolute = true;
    assert_int_equal(claim(kit, &b), STORE_GRANTED);
    assert_int_equal(b.ret_side, SIDE_LEGACY);
    assert_true(b.ret_fence > a.ret_fence);
    assert_int_equal(renew(kit, &a, LEASE_MS), STORE_STALE);
    assert_int_equal(finish(kit, &a, OUTCOME_DONE, 200), STORE_OK);
    assert_entity(kit, "o/r#over", SIDE_LEGACY, 1);
}

/* ---- shadows ---- */

static void a_shadow_is_granted_once_and_watches_only(void **state) {
    struct kit *kit = *state;
    struct store_claim a = claim_of("shadow", "o/r#shadow", SIDE_LEGACY);
    a.shadow = true;
    assert_int_equal(claim(kit, &a), STORE_GRANTED);
    assert_true(a.ret_shadow);
    assert_entity(kit, "o/r#shadow", SIDE_LEGACY, 1);
    struct store_look l = look(kit, "shadow", NULL);
    assert_int_equal(l.ret_legs[SIDE_NEW].role, ROLE_SHADOW);
    assert_int_equal(l.ret_legs[SIDE_NEW].state, LEG_IN_FLIGHT);
    assert_int_equal(finish_leg(kit, &a, SIDE_NEW, ROLE_SHADOW, OUTCOME_DONE, 200, 60000),
                     STORE_OK);
    assert_int_equal(look(kit, NULL, "o/r#shadow").ret_stick_wall_us, 0);
    assert_entity(kit, "o/r#shadow", SIDE_LEGACY, 1);
    assert_int_equal(finish(kit, &a, OUTCOME_NOT_DONE, 503), STORE_OK);
    assert_entity(kit, "o/r#shadow", SIDE_LEGACY, 0);
    struct store_claim b = claim_of("shadow", "o/r#shadow", SIDE_LEGACY);
    b.shadow = true;
    assert_int_equal(claim(kit, &b), STORE_GRANTED);
    assert_false(b.ret_shadow);
    assert_int_equal(finish(kit, &b, OUTCOME_NOT_DONE, 503), STORE_OK);
    /* Its success was nobody's: the owner's leg takes the place. */
    struct store_claim c = claim_of("shadow", "o/r#shadow", SIDE_NEW);
    c.absolute = true;
    assert_int_equal(claim(kit, &c), STORE_GRANTED);
    l = look(kit, "shadow", NULL);
    assert_int_equal(l.ret_legs[SIDE_NEW].role, ROLE_OWNER);
    assert_int_equal(l.ret_legs[SIDE_NEW].attempt, 2);
}

static void a_running_shadow_keeps_the_owner_off_its_side(void **state) {
    struct kit *kit = *state;
    struct store_claim a = claim_of("running", "o/r#running", SIDE_LEGACY);
    a.shadow = true;
    assert_int_equal(claim(kit, &a), STORE_GRANTED);
    assert_int_equal(finish(kit, &a, OUTCOME_NOT_DONE, 503), STORE_OK);
    struct store_claim b = claim_of("running", "o/r#running", SIDE_NEW);
    b.absolute = true;
    assert_int_equal(claim(kit, &b), STORE_IN_FLIGHT);
    assert_int_equal(b.ret_side, SIDE_NEW);
    b = claim_of("running", "o/r#running", SIDE_LEGACY);
    assert_int_equal(claim(kit, &b), STORE_GRANTED);
}

static const struct CMUnitTest cases[] = {
    cmocka_unit_test(a_new_event_is_granted_where_it_is_wanted),
    cmocka_unit_test(a_second_token_finds_the_event_in_flight),
    cmocka_unit_test(who_asks_for_a_running_event_is_told_whether_it_is_on_disk),
    cmocka_unit_test(a_repeated_claim_is_answered_as_the_first_was),
    cmocka_unit_test(a_done_event_is_never_granted_again),
    cmocka_unit_test(what_was_not_done_is_tried_again_on_its_pin),
    cmocka_unit_test(an_absolute_claim_moves_the_pin),
    cmocka_unit_test(a_lease_that_ran_out_is_in_doubt),
    cmocka_unit_test(doubt_is_retried_only_where_the_backend_is_idempotent),
    cmocka_unit_test(a_retried_doubt_that_was_not_done_is_in_doubt_again),
    cmocka_unit_test(a_retried_doubt_lets_go_of_what_it_held),
    cmocka_unit_test(a_neighbour_keeps_its_fence_when_a_doubt_is_retried),
    cmocka_unit_test(an_entity_open_at_the_other_side_is_busy),
    cmocka_unit_test(events_of_one_entity_share_side_and_fence),
    cmocka_unit_test(stickiness_keeps_the_owner_until_released),
    cmocka_unit_test(a_change_of_side_ends_the_old_stickiness),
    cmocka_unit_test(a_dead_entity_is_taken_over_with_a_higher_fence),
    cmocka_unit_test(a_shadow_is_granted_once_and_watches_only),
    cmocka_unit_test(a_running_shadow_keeps_the_owner_off_its_side),
};

int main(void) {
    int failed = cmocka_run_group_tests_name("embedded", cases, open_embedded, close_store);
    return failed + cmocka_run_group_tests_name("redis", cases, open_redis, close_store);
}

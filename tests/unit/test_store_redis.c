/* What the Redis store does when Redis forgets, refuses, hangs or goes away. */
#include <inttypes.h>

#include "store_redis_calls.h"

static void a_new_store_holds_claims(void **state) {
    (void)state;
    struct kit first = {.kind = STORE_REDIS, .when_down = WHEN_DOWN_REFUSE};
    kit_directory(&first);
    kit_redis_start(&first);
    kit_open(&first);
    struct store_claim c = claim(&first, "held", 0, STORE_HOLD);
    assert_in_range(c.ret_ms_left, 1, 2000);
    assert_down(&first);
    wait_for(&first, is_up);
    claim(&first, "held", 0, STORE_GRANTED);
    assert_int_equal(state_of(&first).forgot, 0);
    kit_close(&first);
    kit_redis_stop(&first);
    kit_remove(&first);
}

/* Both instances know something; neither may run what the other does, although Redis forgot it all.
 */
static void forgets(void (*forget)(void)) {
    struct kit second;
    open_second(&second);
    struct store_claim open = claim(&kit, "open", 0, STORE_GRANTED);
    struct store_claim done = claim(&kit, "done", 0, STORE_GRANTED);
    assert_int_equal(finish(&kit, &done, OUTCOME_DONE), STORE_OK);
    struct store_claim other = claim(&second, "other", 0, STORE_GRANTED);
    forget();
    wait_for(&kit, has_forgot);
    wait_for(&second, has_forgot);
    struct store_claim held = claim(&second, "fresh", 0, STORE_HOLD);
    assert_in_range(held.ret_ms_left, 1, 2000);
    wait_for(&kit, is_up);
    wait_for(&second, is_up);
    assert_int_equal(state_of(&kit).lost, 2);
    assert_int_equal(state_of(&second).lost, 1);
    assert_true(claim(&second, "open", 0, STORE_IN_FLIGHT).ret_on_disk);
    assert_int_equal(claim(&second, "done", 0, STORE_DONE).ret_status, 200);
    claim(&kit, "other", 0, STORE_IN_FLIGHT);
    assert_int_equal(look(&kit, "open").ret_open, 1);
    assert_int_equal(look(&kit, "open").ret_fence, open.ret_fence);
    assert_int_equal(finish(&kit, &open, OUTCOME_DONE), STORE_OK);
    assert_int_equal(finish(&second, &other, OUTCOME_DONE), STORE_OK);
    assert_int_equal(look(&kit, "open").ret_open, 0);
    assert_true(claim(&second, "after", 0, STORE_GRANTED).ret_fence > other.ret_fence);
    close_second(&second);
}

static void flush_all(void) {
    kit_redis(&kit, "FLUSHALL");
}
static void restart_empty(void) {
    kit_redis_stop(&kit);
    kit_redis_start(&kit);
}

static void what_is_known_is_put_back_after_flushall(void **state) {
    (void)state;
    forgets(flush_all);
}

static void what_is_known_is_put_back_after_an_empty_restart(void **state) {
    (void)state;
    forgets(restart_empty);
}

static void renewing_in_an_emptied_store_puts_the_leg_back(void **state) {
    (void)state;
    struct store_claim c = claim(&kit, "renewed", 0, STORE_GRANTED);
    flush_all();
    struct store_renew r = {.source = c.source,
                            .id = c.id,
                            .entity = c.entity,
                            .side = SIDE_NEW,
                            .token = c.token,
                            .fence = c.ret_fence,
                            .lease_ms = LEASE_MS};
    KIT_CALL(&kit, store_renew, &r);
    assert_int_equal(r.call.result, STORE_OK);
    assert_int_equal(look(&kit, "renewed").ret_legs[SIDE_NEW].state, LEG_IN_FLIGHT);
}

static void lost_functions_are_loaded_again_unnoticed(void **state) {
    (void)state;
    kit_redis(&kit, "FUNCTION FLUSH");
    struct store_claim c = claim(&kit, "functions", 0, STORE_GRANTED);
    kit_redis(&kit, "SCRIPT FLUSH");
    kit_redis(&kit, "FUNCTION FLUSH");
    assert_int_equal(finish(&kit, &c, OUTCOME_DONE), STORE_OK);
    assert_int_equal(state_of(&kit).forgot, 0);
}

/* What somebody wrote over our keys: the event stays unsent, and nobody asks about it for ever. */
static void a_damaged_record_holds_up_its_own_event_only(void **state) {
    (void)state;
    struct store_claim held = claim(&kit, "a", 1000, STORE_GRANTED);
    kit_redis(&kit, "SET pointsman:ev:github:a damaged");
    kit_redis(&kit, "SET pointsman:own:github:b damaged");
    struct store_claim refused = claim(&kit, "a", 1000, STORE_AWAY);
    assert_int_equal(finish(&kit, &refused, OUTCOME_UNSENT), STORE_STALE);
    assert_int_equal(finish(&kit, &held, OUTCOME_DONE), STORE_STALE);
    struct store_claim other = claim(&kit, "b", 1000, STORE_GRANTED);
    assert_int_equal(finish(&kit, &other, OUTCOME_DONE), STORE_OK);
    assert_true(state_of(&kit).up);
    struct store_settle s = {.source = slice_of("github"), .id = slice_of("a")};
    KIT_CALL(&kit, store_settle, &s);
    assert_int_equal(s.call.result, STORE_OK);
    claim(&kit, "a", 1000, STORE_GRANTED);
}

static void a_full_redis_is_away_but_takes_outcomes(void **state) {
    (void)state;
    struct store_claim c = claim(&kit, "before", 0, STORE_GRANTED);
    kit_redis(&kit, "CONFIG SET maxmemory 1");
    claim(&kit, "full", 250, STORE_AWAY);
    assert_down(&kit);
    assert_non_null(strstr(state_of(&kit).problem, "OOM"));
    assert_int_equal(finish(&kit, &c, OUTCOME_DONE), STORE_OK);
    kit_redis(&kit, "CONFIG SET maxmemory 0");
    claim(&kit, "full", 0, STORE_GRANTED);
    assert_true(state_of(&kit).up);
}

static void a_replica_is_away_until_it_is_promoted(void **state) {
    (void)state;
    kit_redis(&kit, "REPLICAOF 127.0.0.1 1");
    claim(&kit, "replica", 300, STORE_AWAY);
    assert_non_null(strstr(state_of(&kit).problem, "READONLY"));
    kit_redis(&kit, "REPLICAOF NO ONE");
    claim(&kit, "replica", 0, STORE_GRANTED);
}

static void a_hanging_redis_costs_each_call_its_own_time_only(void **state) {
    (void)state;
    kill(kit.redis, SIGSTOP);
    uint64_t start_us = clock_mono_us();
    struct store_claim c = claim(&kit, "hang", 150, STORE_AWAY);
    uint64_t took_us = clock_mono_us() - start_us;
    assert_in_range(took_us, 150000, 900000);
    kill(kit.redis, SIGCONT);
    /* The answer to the first comes now, and must not be taken for the second's. */
    assert_int_equal(claim(&kit, "hang-2", 0, STORE_GRANTED).ret_attempt, 1);
    struct store_claim again = claim_of("hang");
    again.token = c.token;
    kit_claim(&kit, &again);
    assert_int_equal(again.call.result, STORE_MINE);
}

static void cont(void *arg) {
    (void)arg;
    kill(kit.redis, SIGCONT);
}

static void a_call_is_repeated_over_a_reconnection(void **state) {
    (void)state;
    struct timer wake;
    kill(kit.redis, SIGSTOP);
    timer_init(&wake, cont, NULL);
    timer_set(kit.loop, &wake, 1500000);
    struct store_claim c = claim_of("repeat");
    kit_claim(&kit, &c);
    /* Redis may have run it when it woke, before it was repeated. */
    assert_true(c.call.result == STORE_GRANTED || c.call.result == STORE_MINE);
    assert_int_equal(c.ret_attempt, 1);
    assert_true(state_of(&kit).up);
    assert_int_equal(finish(&kit, &c, OUTCOME_DONE), STORE_OK);
    assert_int_equal(state_of(&kit).forgot, 0);
}

static void a_redis_that_comes_late_is_found(void **state) {
    (void)state;
    struct kit late = {.kind = STORE_REDIS, .when_down = WHEN_DOWN_REFUSE};
    kit_directory(&late);
    kit_open(&late);
    claim(&late, "late", 100, STORE_AWAY);
    assert_down(&late);
    kit_redis_start(&late);
    wait_for(&late, is_up);
    claim(&late, "late", 0, STORE_GRANTED);
    kit_close(&late);
    kit_redis_stop(&late);
    kit_remove(&late);
}

static long long ms_kept(const char *key) {
    redisReply *reply = kit_redis_reply(&kit, "PTTL %s", key);
    long long ms = reply->integer;
    freeReplyObject(reply);
    return ms;
}

static void finish_sticky(const struct store_claim *c, uint64_t sticky_ms) {
    struct store_finish f = finish_of(c);
    f.sticky_ms = sticky_ms;
    KIT_CALL(&kit, store_finish, &f);
    assert_int_equal(f.call.result, STORE_OK);
}

/* Redis' clock is known from a claim's answer, or not (a connection that never claimed). */
static void stickiness_is_kept_to_its_end(void **state) {
    (void)state;
    const uint64_t day_ms = 86400000, spans_ms[] = {60000, 2 * day_ms};
    for (int known = 0; known < 2; known++) {
        for (size_t i = 0; i < ARRAY_LEN(spans_ms); i++) {
            char id[32], key[64];
            snprintf(id, sizeof id, "sticky-%d-%zu", known, i);
            snprintf(key, sizeof key, "pointsman:own:github:%s", id);
            struct store_claim c = claim(&kit, id, 0, STORE_GRANTED);
            if (!known) {
                store_client_free(kit.client);
                kit.client = store_client_new(kit.store, kit.loop);
            }
            uint64_t now_us = clock_wall_us();
            finish_sticky(&c, spans_ms[i]);
            uint64_t till_us = look(&kit, id).ret_stick_wall_us;
            assert_in_range(till_us, now_us + spans_ms[i] * 1000 - 5000000,
                            now_us + spans_ms[i] * 1000 + 15000000);
            assert_true(ms_kept(key) > (long long)(spans_ms[i] + day_ms / 2));
        }
    }
}

/* The entity as a claim of `gen_us` left it, kept for an hour more. */
static void plant_entity(uint64_t gen_us, uint64_t stick_us) {
    char text[64];
    snprintf(text, sizeof text, "0 %016" PRIu64 " 0000000000 %016" PRIu64 " %016" PRIu64, gen_us,
             gen_us + 1000, stick_us);
    freeReplyObject(
        kit_redis_reply(&kit, "SET pointsman:own:github:kept %b PX 3600000", text, strlen(text)));
}

static long long ms_kept_by_a_claim(const char *id, uint64_t lease_ms) {
    struct store_claim c = claim_of(id);
    c.entity = slice_of("kept");
    c.lease_ms = lease_ms;
    KIT_CALL(&kit, store_claim, &c);
    assert_int_equal(c.call.result, STORE_GRANTED);
    assert_int_equal(finish(&kit, &c, OUTCOME_DONE), STORE_OK);
    return ms_kept("pointsman:own:github:kept");
}

static void a_claim_leaves_an_entity_that_is_kept_for_what_it_asks(void **state) {
    (void)state;
    const long long hour_ms = 3600000, day_ms = 24 * hour_ms;
    const uint64_t hour_us = 3600000000, now_us = clock_wall_us();
    assert_true(ms_kept_by_a_claim("first", 1000) > day_ms + 2 * hour_ms);
    assert_true(ms_kept_by_a_claim("soon after", 1000) > day_ms + 2 * hour_ms);
    assert_true(ms_kept_by_a_claim("long lease", 2 * (uint64_t)day_ms) > 3 * day_ms);
    plant_entity(now_us - 3 * hour_us, 0);
    assert_true(ms_kept_by_a_claim("another period", 1000) > day_ms);
    plant_entity(now_us - 1000, now_us + 48 * hour_us);
    assert_true(ms_kept_by_a_claim("long stickiness", 1000) > 3 * day_ms);
}

static void an_event_is_kept_longer_while_it_is_open(void **state) {
    (void)state;
    const char *key = "pointsman:ev:github:open";
    const long long hour_ms = 3600000, open_ms = 30 * 24 * hour_ms, remembered_ms = 72 * hour_ms;
    struct store_claim c = claim(&kit, "open", 0, STORE_GRANTED);
    assert_in_range(ms_kept(key), open_ms - hour_ms, open_ms);
    assert_int_equal(finish(&kit, &c, OUTCOME_IN_DOUBT), STORE_OK);
    assert_in_range(ms_kept(key), open_ms - hour_ms, open_ms);
    assert_int_equal(finish(&kit, &c, OUTCOME_DONE), STORE_OK);
    assert_in_range(ms_kept(key), remembered_ms - hour_ms, remembered_ms);
}

static unsigned answers, aways;

static void count_answer(struct store_call *call) {
    answers++;
    aways += call->result == STORE_AWAY;
}

static void the_window_is_bounded_and_freeing_answers_all(void **state) {
    (void)state;
    enum { CALLS = 10003 };
    struct store_claim *calls = calloc(CALLS, sizeof(*calls));
    answers = 0;
    aways = 0;
    kill(kit.redis, SIGSTOP);
    for (int i = 0; i < CALLS; i++) {
        calls[i] = claim_of("window");
        calls[i].call.done = count_answer;
        calls[i].call.timeout_ms = 60000;
        store_claim(kit.client, &calls[i]);
    }
    assert_int_equal(answers, 0);
    kit_turn(&kit, 1000);
    assert_int_equal(answers, 3);
    store_client_free(kit.client);
    assert_int_equal(answers, CALLS);
    assert_int_equal(aways, CALLS);
    kill(kit.redis, SIGCONT);
    kit.client = store_client_new(kit.store, kit.loop);
    wait_for(&kit, is_up);
    free(calls);
}

int main(void) {
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(a_new_store_holds_claims),
        CASE(what_is_known_is_put_back_after_flushall),
        CASE(what_is_known_is_put_back_after_an_empty_restart),
        CASE(renewing_in_an_emptied_store_puts_the_leg_back),
        CASE(lost_functions_are_loaded_again_unnoticed),
        CASE(a_damaged_record_holds_up_its_own_event_only),
        CASE(a_full_redis_is_away_but_takes_outcomes),
        CASE(a_replica_is_away_until_it_is_promoted),
        CASE(a_hanging_redis_costs_each_call_its_own_time_only),
        CASE(a_call_is_repeated_over_a_reconnection),
        cmocka_unit_test(a_redis_that_comes_late_is_found),
        CASE(stickiness_is_kept_to_its_end),
        CASE(a_claim_leaves_an_entity_that_is_kept_for_what_it_asks),
        CASE(an_event_is_kept_longer_while_it_is_open),
        CASE(the_window_is_bounded_and_freeing_answers_all),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}

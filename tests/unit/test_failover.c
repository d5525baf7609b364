/* when_down: local. An instance goes on alone, and what it did is in Redis before Redis grants
 * anything again. */
#include "store_finish_of.h"
#include "store_kit.h"

#define LEASE_MS 60000

static struct kit kit;

static struct store_claim claim(const char *id, enum store_result result) {
    struct store_claim c = {.source = slice_of("a:b"),
                            .id = slice_of(id),
                            .entity = slice_of(id),
                            .side = SIDE_NEW,
                            .token = token_new(),
                            .lease_ms = LEASE_MS};
    kit_claim(&kit, &c);
    if (c.call.result != result)
        fail_msg("claim of %s: %s, not %s", id, store_result_names[c.call.result],
                 store_result_names[result]);
    return c;
}

static void finish(const struct store_claim *c, enum outcome outcome, uint64_t sticky_ms) {
    struct store_finish f = finish_of(c);
    f.outcome = outcome;
    f.sticky_ms = sticky_ms;
    KIT_CALL(&kit, store_finish, &f);
    assert_int_equal(f.call.result, STORE_OK);
}

static struct store_look look(const char *id) {
    struct store_look l = {.source = slice_of("a:b"), .id = slice_of(id)};
    KIT_CALL(&kit, store_look, &l);
    return l;
}

static struct store_state state_now(void) {
    struct store_state s;
    store_state(kit.store, &s);
    return s;
}

static bool is_local(const struct store_state *s) {
    return s->local;
}
static bool is_up(const struct store_state *s) {
    return s->up && !s->local;
}

static void wait_for(bool (*is)(const struct store_state *s)) {
    uint64_t end_us = clock_mono_us() + 10000000;
    struct store_state s = state_now();
    while (!is(&s)) {
        if (clock_mono_us() > end_us)
            fail_msg("up %d, local %d, problem \"%s\"", s.up, s.local, s.problem);
        kit_turn(&kit, 5000);
        s = state_now();
    }
}

static int open_kit(void **state) {
    (void)state;
    kit = (struct kit){.kind = STORE_REDIS, .when_down = WHEN_DOWN_LOCAL};
    kit_directory(&kit);
    kit_redis_start(&kit);
    kit_open(&kit);
    wait_for(is_up);
    return 0;
}

static int close_kit(void **state) {
    (void)state;
    kit_close(&kit);
    kit_redis_stop(&kit);
    kit_remove(&kit);
    return 0;
}

static void claims_go_on_alone_and_are_published(void **state) {
    (void)state;
    struct store_claim before = claim("before", STORE_GRANTED);
    struct store_claim done = claim("done", STORE_GRANTED);
    finish(&done, OUTCOME_DONE, 0);
    kit_redis_stop(&kit);
    struct store_claim alone = claim("alone", STORE_GRANTED);
    assert_true(state_now().local);
    struct store_claim ended = claim("ended", STORE_GRANTED);
    finish(&ended, OUTCOME_DONE, 60000);
    claim("before", STORE_IN_FLIGHT);
    claim("done", STORE_DONE);
    finish(&before, OUTCOME_DONE, 0);
    claim("before", STORE_DONE);
    struct store_control_get g = {.ret_epoch = 0};
    KIT_CALL(&kit, store_control_get, &g);
    assert_int_equal(g.call.result, STORE_AWAY);

    kit_redis_start(&kit);
    wait_for(is_up);
    claim("before", STORE_DONE);
    claim("done", STORE_DONE);
    claim("ended", STORE_DONE);
    claim("alone", STORE_IN_FLIGHT);
    assert_true(look("ended").ret_stick_wall_us > 0);
    assert_int_equal(look("alone").ret_open, 1);
    finish(&alone, OUTCOME_DONE, 0);
    assert_int_equal(look("alone").ret_open, 0);
    assert_true(claim("after", STORE_GRANTED).ret_fence > alone.ret_fence);
}

static void a_redis_that_kept_its_records_gets_the_outcomes(void **state) {
    (void)state;
    struct store_claim before = claim("kept", STORE_GRANTED);
    kill(kit.redis, SIGSTOP);
    wait_for(is_local);
    finish(&before, OUTCOME_DONE, 60000);
    struct store_claim alone = claim("alone", STORE_GRANTED);
    finish(&alone, OUTCOME_REJECTED, 0);
    kill(kit.redis, SIGCONT);
    wait_for(is_up);
    struct store_look l = look("kept");
    assert_int_equal(l.ret_legs[SIDE_NEW].state, LEG_DONE);
    assert_int_equal(l.ret_open, 0);
    assert_true(l.ret_stick_wall_us > 0);
    assert_int_equal(look("alone").ret_legs[SIDE_NEW].state, LEG_REJECTED);
    assert_int_equal(state_now().published, 2);
    assert_int_equal(state_now().lost, 0);
    assert_int_equal(state_now().forgot, 0);
}

static void what_a_process_left_is_published_by_the_next(void **state) {
    (void)state;
    kit_redis_stop(&kit);
    wait_for(is_local);
    struct store_claim done = claim("left-done", STORE_GRANTED);
    finish(&done, OUTCOME_DONE, 0);
    claim("left-open", STORE_GRANTED);
    kit_close(&kit);
    kit_redis_start(&kit);
    kit_open(&kit);
    wait_for(is_up);
    claim("left-done", STORE_DONE);
    claim("left-open", STORE_IN_FLIGHT);
    assert_int_equal(state_now().published, 2);
}

static void a_redis_without_memory_counts_as_away(void **state) {
    (void)state;
    kit_redis(&kit, "CONFIG SET maxmemory 1");
    struct store_claim c = claim("oom", STORE_GRANTED);
    assert_true(state_now().local);
    assert_non_null(strstr(state_now().problem, "OOM"));
    kit_redis(&kit, "CONFIG SET maxmemory 0");
    wait_for(is_up);
    claim("oom", STORE_IN_FLIGHT);
    finish(&c, OUTCOME_DONE, 0);
}

static void many_local_records_are_published_in_pages(void **state) {
    enum { EVENTS = 2500 };
    (void)state;
    char id[32];
    kit_redis_stop(&kit);
    wait_for(is_local);
    for (int i = 0; i < EVENTS; i++) {
        snprintf(id, sizeof(id), "many-%d", i);
        struct store_claim c = claim(id, STORE_GRANTED);
        finish(&c, OUTCOME_DONE, 0);
    }
    /* Known legs would be put back before: only the file shall know these. */
    kit_close(&kit);
    kit_redis_start(&kit);
    kit_open(&kit);
    wait_for(is_up);
    assert_int_equal(state_now().published, EVENTS);
    claim("many-0", STORE_DONE);
    claim("many-2499", STORE_DONE);
}

/* ---- two workers ---- */

static struct beside {
    struct task task;
    struct loop *loop;
    struct store_client *client;
    struct store_claim claim;
    bool answered;
} beside;

static void stop_beside(void *arg) {
    (void)arg;
    loop_stop(beside.loop);
}

static void beside_done(struct store_call *call) {
    (void)call;
    beside.answered = true;
    loop_stop(beside.loop);
    loop_stop(kit.loop);
}

/* In the turn in which the first worker goes on alone, before what it put off in that turn. */
static void claim_beside(void *arg) {
    (void)arg;
    if (!state_now().local) {
        task_next_turn(kit.loop, &beside.task);
        return;
    }
    store_claim(beside.client, &beside.claim);
    while (!beside.answered) {
        struct task stop;
        task_init(&stop, stop_beside, NULL);
        task_later(beside.loop, &stop);
        loop_run(beside.loop);
    }
}

static void what_is_known_stands_before_the_claims_of_other_workers(void **state) {
    (void)state;
    struct store_claim done = claim("done", STORE_GRANTED);
    finish(&done, OUTCOME_DONE, 0);
    beside = (struct beside){.loop = loop_new()};
    beside.client = store_client_new(kit.store, beside.loop);
    assert_non_null(beside.client);
    beside.claim = (struct store_claim){.call = {.done = beside_done, .timeout_ms = 10000},
                                        .source = slice_of("a:b"),
                                        .id = slice_of("done"),
                                        .entity = slice_of("done"),
                                        .side = SIDE_NEW,
                                        .token = token_new(),
                                        .lease_ms = LEASE_MS};
    kit_redis_stop(&kit);
    task_init(&beside.task, claim_beside, NULL);
    task_later(kit.loop, &beside.task);
    loop_run(kit.loop);
    assert_int_equal(beside.claim.call.result, STORE_DONE);
    store_client_free(beside.client);
    loop_free(beside.loop);
    kit_redis_start(&kit);
    wait_for(is_up);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, open_kit, close_kit)

int main(void) {
    const struct CMUnitTest cases[] = {
        CASE(what_is_known_stands_before_the_claims_of_other_workers),
        CASE(claims_go_on_alone_and_are_published),
        CASE(a_redis_that_kept_its_records_gets_the_outcomes),
        CASE(what_a_process_left_is_published_by_the_next),
        CASE(a_redis_without_memory_counts_as_away),
        CASE(many_local_records_are_published_in_pages),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}

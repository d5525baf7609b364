/* Claims and outcomes under way while a real Redis fails in every way it can: each is executed
 * once, and the store recovers without a restart. */
#include <netinet/in.h>
#include <sys/socket.h>

#include "store_redis_calls.h"

/* ---- events under way ---- */

#define EVENTS   400
#define ENTITIES 7
#define WINDOW   48 /* at a time */

struct event {
    struct store_claim claim;
    struct store_finish finish;
    char id[16], entity[16];
    bool waits; /* its claim is held */
    unsigned granted, finished;
};

struct storm {
    struct event events[EVENTS];
    unsigned begun, finished;
    void (*fault)(void);
    bool struck;
};

static struct storm storm;

static void begin_next(void);

static void finish_done(struct store_call *call) {
    struct event *e = call->arg;
    if (call->result != STORE_OK)
        fail_msg("finish of %s: %s", e->id, store_result_names[call->result]);
    e->finished++;
    storm.finished++;
    begin_next();
}

static void claim_done(struct store_call *call) {
    struct event *e = call->arg;
    if (call->result == STORE_HOLD) {
        e->waits = true;
        return;
    }
    if ((call->result != STORE_GRANTED && call->result != STORE_MINE) || e->claim.ret_attempt != 1)
        fail_msg("claim of %s: %s, attempt %u", e->id, store_result_names[call->result],
                 e->claim.ret_attempt);
    e->granted++;
    e->finish = finish_of(&e->claim);
    e->finish.call = (struct store_call){.done = finish_done, .arg = e, .timeout_ms = 20000};
    store_finish(kit.client, &e->finish);
}

static void send_claim(struct event *e) {
    e->waits = false;
    store_claim(kit.client, &e->claim);
}

static void begin_next(void) {
    if (storm.begun == EVENTS)
        return;
    unsigned i = storm.begun++;
    struct event *e = &storm.events[i];
    snprintf(e->id, sizeof(e->id), "e%u", i);
    snprintf(e->entity, sizeof(e->entity), "x%u", i % ENTITIES);
    e->claim = claim_of(e->id);
    e->claim.entity = slice_of(e->entity);
    e->claim.call = (struct store_call){.done = claim_done, .arg = e, .timeout_ms = 20000};
    send_claim(e);
}

/* Runs all events; the fault strikes when a third of them is over and others are under way. */
static void run_storm(void (*fault)(void)) {
    memset(&storm, 0, sizeof(storm));
    storm.fault = fault;
    for (int i = 0; i < WINDOW; i++)
        begin_next();
    for (uint64_t end_us = clock_mono_us() + 30000000; storm.finished < EVENTS;) {
        if (clock_mono_us() > end_us)
            fail_msg("%u of %u after half a minute: %s", storm.finished, EVENTS,
                     state_of(&kit).problem);
        if (!storm.struck && storm.finished > EVENTS / 3) {
            storm.struck = true;
            fault();
        }
        kit_turn(&kit, 1000);
        for (unsigned i = 0; i < storm.begun; i++) {
            if (storm.events[i].waits)
                send_claim(&storm.events[i]);
        }
    }
    wait_for(&kit, is_up);
    for (unsigned i = 0; i < EVENTS; i++) {
        const struct event *e = &storm.events[i];
        struct store_look l = look(&kit, e->id);
        assert_true(e->granted == 1 && e->finished == 1);
        if (l.ret_legs[SIDE_NEW].state != LEG_DONE || l.ret_legs[SIDE_NEW].attempt != 1)
            fail_msg("%s is %s at attempt %u", e->id, leg_state_names[l.ret_legs[SIDE_NEW].state],
                     l.ret_legs[SIDE_NEW].attempt);
        assert_int_equal(l.ret_open, 0);
    }
}

static void flush_functions(void) {
    kit_redis(&kit, "FUNCTION FLUSH");
    kit_redis(&kit, "SCRIPT FLUSH");
}

static void lost_functions_cost_nothing_under_way(void **state) {
    (void)state;
    run_storm(flush_functions);
    assert_true(state_of(&kit).forgot == 0 && state_of(&kit).lost == 0);
}

static void kill_clients(void) {
    kit_redis(&kit, "CLIENT KILL TYPE normal");
}

static void a_killed_connection_costs_nothing_under_way(void **state) {
    (void)state;
    run_storm(kill_clients);
    assert_true(state_of(&kit).forgot == 0 && state_of(&kit).lost == 0);
}

static struct timer healer;

static void cont(void *arg) {
    (void)arg;
    kill(kit.redis, SIGCONT);
}

static void hang(void) {
    kill(kit.redis, SIGSTOP);
    timer_init(&healer, cont, NULL);
    timer_set(kit.loop, &healer, 1500000);
}

static void a_hang_longer_than_the_deadline_costs_nothing_under_way(void **state) {
    (void)state;
    run_storm(hang);
    assert_true(state_of(&kit).forgot == 0 && state_of(&kit).lost == 0);
}

static void set_maxmemory_back(void *arg) {
    (void)arg;
    kit_redis(&kit, "CONFIG SET maxmemory 0");
}

static void fill_memory(void) {
    kit_redis(&kit, "CONFIG SET maxmemory 1mb");
    timer_init(&healer, set_maxmemory_back, NULL);
    timer_set(kit.loop, &healer, 500000);
}

static void a_full_memory_costs_nothing_under_way(void **state) {
    (void)state;
    run_storm(fill_memory);
    assert_true(state_of(&kit).forgot == 0 && state_of(&kit).lost == 0);
}

static void restart(void) {
    kit_redis_stop(&kit);
    kit_redis_start(&kit);
}

static void a_redis_that_kept_all_over_a_restart_lost_nothing(void **state) {
    (void)state;
    static const char *const appends[] = {"--appendonly", "yes", "--appendfsync", "always"};
    memcpy(kit.redis_args, appends, sizeof(appends));
    restart();
    wait_for(&kit, has_forgot);
    wait_for(&kit, is_up);
    run_storm(restart);
    assert_true(state_of(&kit).forgot == 2 && state_of(&kit).lost == 0);
}

static void a_redis_that_comes_back_empty_is_given_what_is_known(void **state) {
    (void)state;
    run_storm(restart);
    assert_int_equal(state_of(&kit).forgot, 1);
    assert_in_range(state_of(&kit).lost, EVENTS / 3, EVENTS);
}

/* ---- refusals ---- */

/* A rename onto a directory fails: so does every save, and Redis takes no write then. */
static void fail_saving(bool fail) {
    char path[96];
    snprintf(path, sizeof(path), "%.63s/dump.rdb", kit.directory);
    assert_int_equal(fail ? mkdir(path, 0700) : rmdir(path), 0);
    kit_redis(&kit, "CONFIG SET save %s", fail ? "3600 1" : "");
    kit_redis(&kit, "BGSAVE");
    for (uint64_t end_us = clock_mono_us() + 10000000;;) {
        redisReply *reply = kit_redis_reply(&kit, "INFO persistence");
        bool over = strstr(reply->str, "rdb_bgsave_in_progress:0") &&
                    strstr(reply->str, fail ? "last_bgsave_status:err" : "last_bgsave_status:ok");
        freeReplyObject(reply);
        if (over)
            return;
        assert_true(clock_mono_us() < end_us);
        kit_turn(&kit, 5000);
    }
}

static void save_again(void *arg) {
    (void)arg;
    loop_stop(kit.loop);
}

static void a_redis_that_can_not_save_is_away_until_it_can(void **state) {
    (void)state;
    struct store_claim c = claim(&kit, "before", 0, STORE_GRANTED);
    fail_saving(true);
    claim(&kit, "misconf", 250, STORE_AWAY);
    assert_down(&kit);
    assert_non_null(strstr(state_of(&kit).problem, "MISCONF"));
    /* An outcome waits for it, as long as its caller does. */
    struct store_finish f = {.call = {.done = kit_done, .arg = &kit, .timeout_ms = 10000},
                             .source = c.source,
                             .id = c.id,
                             .entity = c.entity,
                             .side = c.ret_side,
                             .token = c.token,
                             .fence = c.ret_fence,
                             .attempt = 1,
                             .status = 200};
    store_finish(kit.client, &f);
    timer_init(&healer, save_again, NULL);
    timer_set(kit.loop, &healer, 300000);
    loop_run(kit.loop);
    assert_int_equal(look(&kit, "before").ret_legs[SIDE_NEW].state, LEG_IN_FLIGHT);
    fail_saving(false);
    if (look(&kit, "before").ret_legs[SIDE_NEW].state != LEG_DONE)
        loop_run(kit.loop);
    assert_int_equal(f.call.result, STORE_OK);
    wait_for(&kit, is_up);
    claim(&kit, "misconf", 0, STORE_GRANTED);
}

static void promote(void *arg) {
    (void)arg;
    kit_redis(&kit, "REPLICAOF NO ONE");
}

static void a_call_outlives_the_time_as_a_replica(void **state) {
    (void)state;
    kit_redis(&kit, "REPLICAOF 127.0.0.1 1");
    timer_init(&healer, promote, NULL);
    timer_set(kit.loop, &healer, 700000);
    assert_int_equal(claim(&kit, "patient", 0, STORE_GRANTED).ret_attempt, 1);
    assert_true(state_of(&kit).forgot == 0);
}

static void a_full_redis_takes_outcomes_over_a_new_connection_too(void **state) {
    (void)state;
    struct store_claim c = claim(&kit, "before", 0, STORE_GRANTED);
    kit_redis(&kit, "CONFIG SET maxmemory 1");
    kill_clients();
    assert_int_equal(finish(&kit, &c, OUTCOME_DONE), STORE_OK);
    claim(&kit, "full", 250, STORE_AWAY);
    assert_down(&kit);
    kit_redis(&kit, "CONFIG SET maxmemory 0");
    wait_for(&kit, is_up);
    assert_int_equal(claim(&kit, "full", 0, STORE_GRANTED).ret_attempt, 1);
}

static bool loads(const struct store_state *s) {
    return strncmp(s->problem, "LOADING", 7) == 0;
}

static void a_redis_that_loads_is_away_until_it_has_loaded(void **state) {
    (void)state;
    struct store_claim open = claim(&kit, "open", 0, STORE_GRANTED);
    struct store_claim done = claim(&kit, "done", 0, STORE_GRANTED);
    assert_int_equal(finish(&kit, &done, OUTCOME_DONE), STORE_OK);
    kit_redis(&kit, "EVAL %s 0", "for i = 1, 3000 do redis.call('SET', 'filler' .. i, i) end");
    kit_redis(&kit, "SAVE");
    kit_redis_stop(&kit);
    /* A second and a half: 500 µs a key, and it looks at its clients after each few. */
    static const char *const slowly[] = {"--key-load-delay", "500",
                                         "--loading-process-events-interval-bytes", "1024"};
    memcpy(kit.redis_args, slowly, sizeof(slowly));
    kit_redis_start_until(&kit, "Loading RDB");
    wait_for(&kit, loads);
    assert_false(store_is_up(kit.store));
    claim(&kit, "early", 50, STORE_AWAY);
    assert_int_equal(finish(&kit, &open, OUTCOME_DONE), STORE_OK);
    wait_for(&kit, is_up);
    assert_true(state_of(&kit).forgot == 1 && state_of(&kit).lost == 0);
    claim(&kit, "open", 0, STORE_DONE);
    claim(&kit, "done", 0, STORE_DONE);
    claim(&kit, "early", 0, STORE_GRANTED);
}

/* ---- failover to a replica ---- */

/* Lets the kit's Redis listen on a port of its own, where replicas find it. */
static unsigned give_port(void) {
    for (int i = 0; i < 20; i++) {
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t len = sizeof(in);
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(fd, (struct sockaddr *)&in, len), 0);
        assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
        close(fd);
        redisContext *c = kit_connect(&kit);
        redisReply *reply = redisCommand(c, "CONFIG SET port %d", ntohs(in.sin_port));
        bool taken = reply->type != REDIS_REPLY_ERROR;
        freeReplyObject(reply);
        redisFree(c);
        if (taken)
            return ntohs(in.sin_port);
    }
    fail_msg("no port");
    return 0;
}

static void await_info(const struct kit *of, const char *text) {
    for (uint64_t end_us = clock_mono_us() + 10000000;;) {
        redisReply *reply = kit_redis_reply(of, "INFO replication");
        bool is = strstr(reply->str, text);
        if (!is && clock_mono_us() > end_us)
            fail_msg("no %s: %s", text, reply->str);
        freeReplyObject(reply);
        if (is)
            return;
        kit_turn(&kit, 5000);
    }
}

static void start_replica(struct kit *replica) {
    *replica = (struct kit){.kind = STORE_REDIS};
    kit_directory(replica);
    kit_redis_start(replica);
    kit_redis(&kit, "CONFIG SET repl-diskless-sync-delay 0");
    kit_redis(replica, "REPLICAOF 127.0.0.1 %d", (int)give_port());
    await_info(replica, "master_link_status:up");
}

/* All that the master has written so far. */
static void await_replica(const struct kit *replica) {
    char offset[64];
    redisReply *reply = kit_redis_reply(&kit, "INFO replication");
    const char *at = strstr(reply->str, "master_repl_offset:");
    snprintf(offset, sizeof(offset), "slave_repl_offset:%.*s", (int)strcspn(at + 19, "\r"),
             at + 19);
    freeReplyObject(reply);
    await_info(replica, offset);
}

/* The master dies; the replica answers where the master did. */
static void fail_over(struct kit *replica) {
    kit_redis_stop(&kit);
    assert_int_equal(rename(replica->socket, kit.socket), 0);
    kit.redis = replica->redis;
    wait_for(&kit, has_forgot);
    wait_for(&kit, is_up);
}

static void a_replica_that_has_it_all_takes_over(void **state) {
    (void)state;
    struct kit replica;
    start_replica(&replica);
    struct store_claim open = claim(&kit, "open", 0, STORE_GRANTED);
    struct store_claim done = claim(&kit, "done", 0, STORE_GRANTED);
    assert_int_equal(finish(&kit, &done, OUTCOME_DONE), STORE_OK);
    await_replica(&replica);
    kit_redis(&replica, "REPLICAOF NO ONE");
    fail_over(&replica);
    assert_true(state_of(&kit).forgot == 1 && state_of(&kit).lost == 0);
    claim(&kit, "open", 0, STORE_IN_FLIGHT);
    claim(&kit, "done", 0, STORE_DONE);
    assert_int_equal(finish(&kit, &open, OUTCOME_DONE), STORE_OK);
    assert_int_equal(look(&kit, "open").ret_open, 0);
    assert_true(claim(&kit, "after", 0, STORE_GRANTED).ret_fence > open.ret_fence);
    kit_remove(&replica);
}

static void what_a_replica_lacks_is_put_back_and_counted(void **state) {
    (void)state;
    struct kit replica;
    start_replica(&replica);
    struct store_claim both = claim(&kit, "both", 0, STORE_GRANTED);
    await_replica(&replica);
    kit_redis(&replica, "REPLICAOF NO ONE"); /* it gets nothing from here on */
    assert_int_equal(finish(&kit, &both, OUTCOME_DONE), STORE_OK);
    struct store_claim late = claim(&kit, "late", 0, STORE_GRANTED);
    fail_over(&replica);
    assert_true(state_of(&kit).forgot == 1 && state_of(&kit).lost == 2);
    claim(&kit, "both", 0, STORE_DONE);
    claim(&kit, "late", 0, STORE_IN_FLIGHT);
    assert_int_equal(finish(&kit, &late, OUTCOME_DONE), STORE_OK);
    assert_int_equal(look(&kit, "late").ret_open, 0);
    kit_remove(&replica);
}

/* A master that is still a replica when it takes over: calls wait for its promotion. */
static void calls_wait_for_the_promotion(void **state) {
    (void)state;
    struct kit replica;
    start_replica(&replica);
    claim(&kit, "open", 0, STORE_GRANTED);
    await_replica(&replica);
    kit_redis_stop(&kit);
    assert_int_equal(rename(replica.socket, kit.socket), 0);
    kit.redis = replica.redis;
    claim(&kit, "waits", 400, STORE_AWAY);
    assert_non_null(strstr(state_of(&kit).problem, "READONLY"));
    assert_false(store_is_up(kit.store));
    kit_redis(&kit, "REPLICAOF NO ONE");
    wait_for(&kit, is_up);
    assert_true(state_of(&kit).forgot == 1 && state_of(&kit).lost == 0);
    claim(&kit, "open", 0, STORE_IN_FLIGHT);
    assert_int_equal(claim(&kit, "waits", 0, STORE_GRANTED).ret_attempt, 1);
    kit_remove(&replica);
}

int main(void) {
    const struct CMUnitTest cases[] = {
        CASE(lost_functions_cost_nothing_under_way),
        CASE(a_killed_connection_costs_nothing_under_way),
        CASE(a_hang_longer_than_the_deadline_costs_nothing_under_way),
        CASE(a_full_memory_costs_nothing_under_way),
        CASE(a_redis_that_kept_all_over_a_restart_lost_nothing),
        CASE(a_redis_that_comes_back_empty_is_given_what_is_known),
        CASE(a_redis_that_can_not_save_is_away_until_it_can),
        CASE(a_call_outlives_the_time_as_a_replica),
        CASE(a_full_redis_takes_outcomes_over_a_new_connection_too),
        CASE(a_redis_that_loads_is_away_until_it_has_loaded),
        CASE(a_replica_that_has_it_all_takes_over),
        CASE(what_a_replica_lacks_is_put_back_and_counted),
        CASE(calls_wait_for_the_promotion),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}

/* store_is_up: false soon after claims stop having a chance, true again without a restart. */
#include <sqlite3.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "store_redis_calls.h"

/* Turns the loop, without a call, until the store says so; how long it took. */
static uint64_t await_up(struct kit *k, bool up) {
    uint64_t start_us = clock_mono_us();
    while (store_is_up(k->store) != up) {
        if (clock_mono_us() > start_us + 10000000)
            fail_msg("up %d after ten seconds: %s", !up, state_of(k).problem);
        kit_turn(k, 5000);
    }
    assert_int_equal(state_of(k).up, up);
    return clock_mono_us() - start_us;
}

static void read_control(struct kit *k) {
    struct store_control_get g = {.ret_epoch = 0};
    KIT_CALL(k, store_control_get, &g);
    assert_int_equal(g.call.result, STORE_OK);
}

static void a_redis_that_hangs_is_noticed_without_a_call(void **state) {
    (void)state;
    assert_true(store_is_up(kit.store));
    kill(kit.redis, SIGSTOP);
    assert_in_range(await_up(&kit, false), 0, 2000000);
    /* It takes connections all the time, which must not make it look well. */
    for (uint64_t end_us = clock_mono_us() + 2000000; clock_mono_us() < end_us;) {
        assert_false(store_is_up(kit.store));
        kit_turn(&kit, 5000);
    }
    kill(kit.redis, SIGCONT);
    await_up(&kit, true);
    assert_int_equal(state_of(&kit).forgot, 0);
    claim(&kit, "after", 0, STORE_GRANTED);
}

static void a_redis_that_hangs_is_noticed_under_load(void **state) {
    (void)state;
    kill(kit.redis, SIGSTOP);
    uint64_t start_us = clock_mono_us();
    while (store_is_up(kit.store)) {
        claim(&kit, "hangs", 50, STORE_AWAY);
        assert_true(clock_mono_us() < start_us + 2000000);
    }
    kill(kit.redis, SIGCONT);
    await_up(&kit, true);
}

static void a_redis_that_is_gone_is_noticed_at_once(void **state) {
    (void)state;
    kit_redis_stop(&kit);
    assert_in_range(await_up(&kit, false), 0, 1000000);
    kit_redis_start(&kit);
    await_up(&kit, true);
}

static void a_server_that_never_answers_is_never_up(void **state) {
    (void)state;
    struct kit mute = {.kind = STORE_REDIS, .when_down = WHEN_DOWN_REFUSE};
    kit_directory(&mute);
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    memcpy(un.sun_path, mute.socket, sizeof(mute.socket));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
    assert_int_equal(listen(fd, 128), 0);
    kit_open(&mute);
    for (uint64_t end_us = clock_mono_us() + 1500000; clock_mono_us() < end_us;) {
        assert_false(store_is_up(mute.store));
        claim(&mute, "mute", 50, STORE_AWAY);
    }
    assert_string_equal(state_of(&mute).problem, "no answer for a second");
    close(fd);
    unlink(mute.socket);
    kit_redis_start(&mute);
    await_up(&mute, true);
    claim(&mute, "mute", 0, STORE_GRANTED);
    kit_close(&mute);
    kit_redis_stop(&mute);
    kit_remove(&mute);
}

static void what_reads_says_nothing_about_claims(void **state) {
    (void)state;
    kit_redis(&kit, "CONFIG SET maxmemory 1");
    claim(&kit, "full", 250, STORE_AWAY);
    assert_false(store_is_up(kit.store));
    for (uint64_t end_us = clock_mono_us() + 1200000; clock_mono_us() < end_us;) {
        read_control(&kit);
        assert_false(store_is_up(kit.store));
        kit_turn(&kit, 50000);
    }
    kit_redis(&kit, "CONFIG SET maxmemory 0");
    assert_in_range(await_up(&kit, true), 0, 1000000);
}

static void a_store_that_forgot_is_not_up_until_claims_are_let_through(void **state) {
    (void)state;
    kit_redis(&kit, "FLUSHALL");
    await_up(&kit, false);
    assert_true(state_of(&kit).held);
    claim(&kit, "held", 0, STORE_HOLD);
    assert_false(store_is_up(kit.store));
    await_up(&kit, true);
    claim(&kit, "held", 0, STORE_GRANTED);
}

static void the_local_store_counts_while_it_is_in_effect(void **state) {
    (void)state;
    struct kit local = {.kind = STORE_REDIS, .when_down = WHEN_DOWN_LOCAL};
    kit_directory(&local);
    kit_open(&local);
    assert_false(store_is_up(local.store));
    claim(&local, "local", 0, STORE_GRANTED);
    assert_true(state_of(&local).local && !state_of(&local).up && store_is_up(local.store));
    kit_close(&local);
    kit_remove(&local);
}

static void the_embedded_store_is_up_unless_its_last_batch_failed(void **state) {
    (void)state;
    char path[128];
    sqlite3 *db;
    struct kit own = {.kind = STORE_EMBEDDED};
    kit_directory(&own);
    kit_open(&own);
    assert_true(store_is_up(own.store));
    claim(&own, "spoilt", 0, STORE_GRANTED);
    snprintf(path, sizeof(path), "%.63s/store.db", own.directory);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 10000); /* the store may be at work on its file just now */
    assert_int_equal(sqlite3_exec(db, "UPDATE record SET value = 'x'", NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(db);
    claim(&own, "spoilt", 0, STORE_AWAY);
    assert_false(store_is_up(own.store));
    claim(&own, "sound", 0, STORE_GRANTED);
    assert_true(store_is_up(own.store));
    kit_close(&own);
    kit_remove(&own);
}

int main(void) {
    const struct CMUnitTest cases[] = {
        CASE(a_redis_that_hangs_is_noticed_without_a_call),
        CASE(a_redis_that_hangs_is_noticed_under_load),
        CASE(a_redis_that_is_gone_is_noticed_at_once),
        cmocka_unit_test(a_server_that_never_answers_is_never_up),
        CASE(what_reads_says_nothing_about_claims),
        CASE(a_store_that_forgot_is_not_up_until_claims_are_let_through),
        cmocka_unit_test(the_local_store_counts_while_it_is_in_effect),
        cmocka_unit_test(the_embedded_store_is_up_unless_its_last_batch_failed),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}

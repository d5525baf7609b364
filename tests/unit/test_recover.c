/* What a run that ended without stopping left in its attempt logs is settled by the next. */
#include <dirent.h>

#include "../../proxy/recover.h"
#include "rig.h"

#define SLOTS 8

struct boot {
    char directory[64];
    struct proxy *proxy;
    struct loop *loop;
    struct recovery *recovery;
};

static void open_store(struct boot *b) {
    char text[512];
    snprintf(text, sizeof text,
             "listeners: [{address: \"127.0.0.1:0\"}]\nworkers: 1\nstore: {directory: %s}\n"
             "backends: {legacy: {url: \"http://a\"}, new: {url: \"http://b\"}}\n"
             "sources: [{path: /w, secrets: none}]\n",
             b->directory);
    struct conf *conf = rig_load(text);
    b->proxy = rig_proxy_new(conf);
    conf_unref(conf);
    b->loop = b->proxy->loop = loop_new();
    b->proxy->client = store_client_new(b->proxy->store, b->loop);
    assert_non_null(b->proxy->client);
}

static void make(struct boot *b) {
    memset(b, 0, sizeof *b);
    rig_directory(b->directory);
    open_store(b);
}

static void drop(struct boot *b) {
    atomic_store(&rig_hurry_us, 0);
    store_client_free(b->proxy->client);
    recovery_free(b->recovery);
    rig_proxy_free(b->proxy);
    loop_free(b->loop);
    rig_remove(b->directory);
}

static void answered(struct store_call *call) {
    *(bool *)call->arg = true;
}

static void until(struct boot *b, const bool *done) {
    uint64_t end_us = rig_real_us(CLOCK_MONOTONIC) + RIG_REAL_US;
    while (!*done) {
        assert_true(rig_real_us(CLOCK_MONOTONIC) < end_us);
        rig_turn_loop(b->loop);
        sched_yield();
    }
}

static struct store_look look(struct boot *b, const char *id, const char *entity) {
    bool done = false;
    struct store_look l = {.source = slice_of("github"),
                           .id = slice_of(id),
                           .entity = slice_of(entity),
                           .call = {.done = answered, .arg = &done, .timeout_ms = 60000}};
    store_look(b->proxy->client, &l);
    until(b, &done);
    return l;
}

/* A claim of the last run, in the store and in its log. */
static struct attempt *claimed(struct boot *b, struct attempts *log, const char *id,
                               bool in_store) {
    bool done = false;
    struct token token = token_new();
    struct store_claim c = {.source = slice_of("github"),
                            .id = slice_of(id),
                            .entity = slice_of(id),
                            .side = SIDE_NEW,
                            .token = token,
                            .lease_ms = 600000,
                            .call = {.done = answered, .arg = &done, .timeout_ms = 60000}};
    struct attempt *slot =
        attempts_claim(log, c.source, c.id, c.entity, SIDE_NEW, ROLE_OWNER, &token);
    assert_non_null(slot);
    if (in_store) {
        store_claim(b->proxy->client, &c);
        until(b, &done);
        assert_int_equal(c.call.result, STORE_GRANTED);
        attempts_granted(slot, SIDE_NEW, c.ret_attempt, c.ret_fence, 60000);
    }
    return slot;
}

/* One attempt in each state; the log is closed as a kill would leave it. */
static void crash(struct boot *b) {
    struct err err;
    struct attempts *log = attempts_open(b->directory, 0, SLOTS, &err);
    assert_non_null(log);
    (void)claimed(b, log, "claimed", true);
    (void)claimed(b, log, "asked", false);
    attempts_sent(claimed(b, log, "sent", true));
    struct attempt *slot = claimed(b, log, "done", true);
    attempts_sent(slot);
    attempts_answered(slot, OUTCOME_DONE, 201);
    slot = claimed(b, log, "refused", true);
    attempts_answered(slot, OUTCOME_NOT_DONE, 503);
    attempts_close(log);
}

static unsigned logs_left(const struct boot *b) {
    unsigned count = 0;
    DIR *dir = opendir(b->directory);
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir)) != NULL;)
        count += strncmp(e->d_name, "left-", 5) == 0 || strncmp(e->d_name, "attempts-", 9) == 0;
    closedir(dir);
    return count;
}

static void recover(struct boot *b) {
    struct err err = {""};
    b->recovery = recovery_run(b->proxy, &err);
    if (!b->recovery)
        fail_msg("%s", err.text);
}

static int64_t settled(const struct boot *b, enum outcome outcome) {
    return metrics_value(b->proxy->metrics, METRIC_SETTLED, outcome, 0, 0);
}

static void assert_settled(struct boot *b) {
    static const struct {
        const char *id;
        enum leg_state state;
        unsigned status;
        unsigned open;
    } expected[] = {
        {"claimed", LEG_UNSENT, 0, 0},
        {"sent", LEG_IN_DOUBT, 0, 0},
        {"done", LEG_DONE, 201, 0},
        {"refused", LEG_NOT_DONE, 503, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
        struct store_look l = look(b, expected[i].id, expected[i].id);
        if (l.ret_legs[SIDE_NEW].state != expected[i].state)
            fail_msg("%s: %s", expected[i].id, leg_state_names[l.ret_legs[SIDE_NEW].state]);
        assert_int_equal(l.ret_legs[SIDE_NEW].status, expected[i].status);
        assert_int_equal(l.ret_open, expected[i].open);
    }
    assert_int_equal(look(b, "asked", "").call.result, STORE_ABSENT);
    assert_int_equal(settled(b, OUTCOME_UNSENT), 2);
    assert_int_equal(settled(b, OUTCOME_IN_DOUBT), 1);
    assert_int_equal(settled(b, OUTCOME_DONE), 1);
    assert_int_equal(settled(b, OUTCOME_NOT_DONE), 1);
    assert_int_equal(logs_left(b), 0);
}

static void where_nothing_was_left_nothing_is_settled(void **state) {
    (void)state;
    struct boot b;
    make(&b);
    recover(&b);
    recovery_go_on(b.recovery);
    assert_int_equal(logs_left(&b), 0);
    drop(&b);
}

static void each_attempt_gets_the_outcome_its_state_proves(void **state) {
    (void)state;
    struct boot b;
    make(&b);
    crash(&b);
    assert_int_equal(look(&b, "sent", "").ret_legs[SIDE_NEW].state, LEG_IN_FLIGHT);
    recover(&b);
    assert_settled(&b);
    drop(&b);
}

static void logs_stay_until_the_store_has_taken_all(void **state) {
    (void)state;
    struct boot b;
    make(&b);
    crash(&b);
    atomic_store(&rig_hurry_us, 10 * RIG_SECOND_US); /* every call is too late: away */
    recover(&b);
    atomic_store(&rig_hurry_us, 0);
    assert_int_equal(settled(&b, OUTCOME_DONE), 0);
    assert_int_equal(logs_left(&b), 1);
    assert_int_equal(look(&b, "sent", "").ret_legs[SIDE_NEW].status, 0);
    recovery_go_on(b.recovery);
    atomic_fetch_add(&rig_offset_us, 2100000);
    uint64_t end_us = rig_real_us(CLOCK_MONOTONIC) + RIG_REAL_US;
    while (logs_left(&b)) {
        assert_true(rig_real_us(CLOCK_MONOTONIC) < end_us);
        rig_turn_loop(b.loop);
    }
    assert_settled(&b);
    drop(&b);
}

static void what_one_boot_could_not_settle_the_next_does(void **state) {
    (void)state;
    struct boot b;
    make(&b);
    crash(&b);
    atomic_store(&rig_hurry_us, 10 * RIG_SECOND_US);
    recover(&b);
    atomic_store(&rig_hurry_us, 0);
    recovery_go_on(b.recovery);
    store_client_free(b.proxy->client);
    recovery_free(b.recovery);
    rig_proxy_free(b.proxy);
    loop_free(b.loop);
    open_store(&b);
    recover(&b);
    assert_settled(&b);
    drop(&b);
}

static void a_damaged_log_does_not_stop_the_start(void **state) {
    (void)state;
    struct boot b;
    char path[128];
    make(&b);
    crash(&b);
    snprintf(path, sizeof path, "%s/attempts-1", b.directory);
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fputs("not a log", out);
    fclose(out);
    recover(&b);
    assert_settled(&b);
    drop(&b);
}

static void a_directory_that_cannot_be_read_stops_the_start(void **state) {
    (void)state;
    struct boot b;
    struct err err = {""};
    make(&b);
    rig_remove(b.directory);
    assert_null(recovery_run(b.proxy, &err));
    assert_non_null(strstr(err.text, b.directory));
    drop(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(where_nothing_was_left_nothing_is_settled),
        cmocka_unit_test(each_attempt_gets_the_outcome_its_state_proves),
        cmocka_unit_test(logs_stay_until_the_store_has_taken_all),
        cmocka_unit_test(what_one_boot_could_not_settle_the_next_does),
        cmocka_unit_test(a_damaged_log_does_not_stop_the_start),
        cmocka_unit_test(a_directory_that_cannot_be_read_stops_the_start),
    };
    return cmocka_run_group_tests(tests, rig_clock_on, rig_clock_off);
}

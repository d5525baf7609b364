/* What a run that ended without stopping left in its attempt logs is settled by the next. */
#include <dirent.h>

#include "../../proxy/recover.h"
#include "rig.h"

#define SLOTS 8

struct boot {
    char directory[64];
    const char *store; /* more of it: YAML */
    bool journal;
    struct proxy *proxy;
    struct loop *loop;
    struct recovery *recovery;
};

static void open_store(struct boot *b) {
    char text[512];
    snprintf(text, sizeof text,
             "listeners: [{address: \"127.0.0.1:0\"}]\nworkers: 1\nstore: {directory: %s%s}\n"
             "backends: {legacy: {url: \"http://a\"}, new: {url: \"http://b\"}}\n"
             "sources: [{path: /w, secrets: none}]\n",
             b->directory, b->store ? b->store : "");
    struct conf *conf = rig_load(text);
    b->proxy = rig_proxy_new(conf);
    b->loop = b->proxy->loop = loop_new();
    if (b->journal) {
        rig_open_journal(b->proxy, conf);
        b->proxy->journal_client = journal_client_new(b->proxy->journal, b->loop);
        assert_non_null(b->proxy->journal_client);
    }
    conf_unref(conf);
    b->proxy->client = store_client_new(b->proxy->store, b->loop);
    assert_non_null(b->proxy->client);
}

static void make(struct boot *b) {
    memset(b, 0, sizeof *b);
    rig_directory(b->directory);
    open_store(b);
}

static void close_store(struct boot *b) {
    atomic_store(&rig_hurry_us, 0);
    store_client_free(b->proxy->client);
    journal_client_free(b->proxy->journal_client);
    recovery_free(b->recovery);
    b->recovery = NULL;
    rig_proxy_free(b->proxy);
    loop_free(b->loop);
}

static void drop(struct boot *b) {
    close_store(b);
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
    close_store(&b);
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

/* ---- rows of the journal that were sending ---- */

static void called(struct journal_call *call) {
    *(bool *)call->arg = true;
}

static void put_sending(struct boot *b, const char *id, const struct token *token, uint32_t tries) {
    bool done = false;
    struct blob *body = blob_new(2);
    assert_non_null(body);
    struct journal_put p = {.call = {.done = called, .arg = &done},
                            .event = {.source = slice_of("github"),
                                      .id = slice_of(id),
                                      .type = slice_of("issues"),
                                      .entity = slice_of(id),
                                      .head = slice_of("A: b\r\n"),
                                      .target = slice_of("/w"),
                                      .body = body},
                            .mark = {.state = ROW_SENDING,
                                     .reason = REASON_ACCEPTED,
                                     .side = SIDE_NEW,
                                     .token = *token,
                                     .attempt = 1,
                                     .fence = 1,
                                     .tries = tries},
                            .mine = true,
                            .in_hand = true};
    journal_put(b->proxy->journal_client, &p);
    until(b, &done);
    assert_int_equal(p.call.result, JOURNAL_OK);
    blob_unref(body);
}

static struct journal_mark row(struct boot *b, const char *id) {
    bool done = false;
    struct journal_look l = {.call = {.done = called, .arg = &done}, .id = slice_of(id)};
    journal_look(b->proxy->journal_client, &l);
    until(b, &done);
    assert_non_null(l.ret_row);
    struct journal_mark mark = l.ret_row->mark;
    journal_row_free(l.ret_row);
    return mark;
}

static struct token token_of(const struct attempt *slot) {
    struct token token;
    memcpy(&token, slot->token, sizeof token);
    return token;
}

static void make_with_journal(struct boot *b, const char *store) {
    memset(b, 0, sizeof *b);
    rig_directory(b->directory);
    b->store = store;
    b->journal = true;
    open_store(b);
}

/* Who had the rows in hand is gone. */
static void restart(struct boot *b) {
    close_store(b);
    open_store(b);
}

static void rows_go_on_by_what_the_log_proves(void **state) {
    (void)state;
    static const struct {
        const char *id;
        enum attempt_state state;
        enum outcome outcome;
        enum row_state row;
        uint32_t tries;
    } cases[] = {
        {"claimed", ATTEMPT_CLAIMED, OUTCOME_UNSENT, ROW_QUEUED, 1},
        {"sent", ATTEMPT_SENT, OUTCOME_IN_DOUBT, ROW_PARKED, 2},
        {"done", ATTEMPT_ANSWERED, OUTCOME_DONE, ROW_DONE, 1},
        {"failed", ATTEMPT_ANSWERED, OUTCOME_NOT_DONE, ROW_QUEUED, 2},
        {"rejected", ATTEMPT_ANSWERED, OUTCOME_REJECTED, ROW_DEAD, 2},
    };
    struct boot b;
    struct err err;
    make_with_journal(&b, NULL);
    struct attempts *log = attempts_open(b.directory, 0, SLOTS, &err);
    assert_non_null(log);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct attempt *slot = claimed(&b, log, cases[i].id, true);
        struct token token = token_of(slot);
        if (cases[i].state != ATTEMPT_CLAIMED)
            attempts_sent(slot);
        if (cases[i].state == ATTEMPT_ANSWERED)
            attempts_answered(slot, cases[i].outcome, 299);
        put_sending(&b, cases[i].id, &token, 1);
    }
    attempts_close(log);
    restart(&b);
    recover(&b);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct journal_mark mark = row(&b, cases[i].id);
        if (mark.state != cases[i].row || mark.tries != cases[i].tries)
            fail_msg("%s: %s after %u", cases[i].id, row_state_names[mark.state], mark.tries);
        assert_int_equal(mark.side, SIDE_NEW);
        assert_int_equal(mark.attempt, 1);
    }
    assert_int_equal(logs_left(&b), 0);
    drop(&b);
}

/* The log was lost: the store is told "in doubt", and what it knows decides at the next claim. */
static void a_row_the_log_does_not_know_is_left_to_the_store(void **state) {
    (void)state;
    struct boot b;
    struct err err;
    make_with_journal(&b, NULL);
    struct attempts *log = attempts_open(b.directory, 0, SLOTS, &err);
    assert_non_null(log);
    struct attempt *slot = claimed(&b, log, "open", true);
    struct token token = token_of(slot);
    attempts_free(log, slot);
    attempts_close(log);
    put_sending(&b, "open", &token, 0);
    restart(&b);
    recover(&b);
    assert_int_equal(row(&b, "open").state, ROW_QUEUED);
    assert_int_equal(row(&b, "open").tries, 0);
    assert_int_equal(look(&b, "open", "").ret_legs[SIDE_NEW].state, LEG_IN_DOUBT);
    drop(&b);
}

static void without_claims_what_ran_is_parked(void **state) {
    (void)state;
    struct boot b;
    struct token token = token_new();
    make_with_journal(&b, ", claims: off");
    put_sending(&b, "ran", &token, 0);
    restart(&b);
    recover(&b);
    assert_int_equal(row(&b, "ran").state, ROW_PARKED);
    drop(&b);
}

static sqlite3 *lock_journal(const struct boot *b) {
    char path[128];
    sqlite3 *db = NULL;
    snprintf(path, sizeof path, "%s/journal.db", b->directory);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 10000);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    return db;
}

static void a_try_counts_once_however_often_the_disk_fails(void **state) {
    (void)state;
    struct boot b;
    struct err err;
    make_with_journal(&b, NULL);
    struct attempts *log = attempts_open(b.directory, 0, SLOTS, &err);
    assert_non_null(log);
    struct attempt *slot = claimed(&b, log, "failed", true);
    struct token token = token_of(slot);
    attempts_sent(slot);
    attempts_answered(slot, OUTCOME_NOT_DONE, 503);
    attempts_close(log);
    put_sending(&b, "failed", &token, 1);
    restart(&b);
    atomic_store(&rig_hurry_us, 10 * RIG_SECOND_US); /* the boot does not reach the store */
    recover(&b);
    atomic_store(&rig_hurry_us, 0);
    assert_int_equal(row(&b, "failed").state, ROW_SENDING);
    sqlite3 *holder = lock_journal(&b);
    recovery_go_on(b.recovery);
    uint64_t end_us = rig_real_us(CLOCK_MONOTONIC) + RIG_REAL_US;
    struct journal_state seen;
    do { /* the first try of the row fails */
        assert_true(rig_real_us(CLOCK_MONOTONIC) < end_us);
        atomic_fetch_add(&rig_offset_us, 20000);
        rig_turn_loop(b.loop);
        sched_yield();
        journal_state(b.proxy->journal, &seen);
    } while (seen.accepts);
    assert_int_equal(sqlite3_close(holder), SQLITE_OK);
    while (logs_left(&b)) {
        assert_true(rig_real_us(CLOCK_MONOTONIC) < end_us);
        atomic_fetch_add(&rig_offset_us, 20000);
        rig_turn_loop(b.loop);
        sched_yield();
    }
    struct journal_mark mark = row(&b, "failed");
    assert_int_equal(mark.state, ROW_QUEUED);
    assert_int_equal(mark.tries, 2);
    drop(&b);
}

static void a_journal_that_does_not_say_what_ran_stops_the_start(void **state) {
    (void)state;
    struct boot b;
    struct err err = {""};
    make_with_journal(&b, NULL);
    sqlite3 *holder = lock_journal(&b);
    assert_null(recovery_run(b.proxy, &err));
    assert_non_null(strstr(err.text, "journal"));
    assert_int_equal(sqlite3_close(holder), SQLITE_OK);
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
        cmocka_unit_test(rows_go_on_by_what_the_log_proves),
        cmocka_unit_test(a_row_the_log_does_not_know_is_left_to_the_store),
        cmocka_unit_test(without_claims_what_ran_is_parked),
        cmocka_unit_test(a_try_counts_once_however_often_the_disk_fails),
        cmocka_unit_test(a_journal_that_does_not_say_what_ran_stops_the_start),
    };
    return cmocka_run_group_tests(tests, rig_clock_on, rig_clock_off);
}

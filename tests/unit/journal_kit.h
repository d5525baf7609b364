/* What the journal's tests share: a journal in a directory of its own, calls that wait. Layer:
 * tests. */
#ifndef POINTSMAN_TESTS_JOURNAL_KIT_H
#define POINTSMAN_TESTS_JOURNAL_KIT_H

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include <pointsman/clock.h>
#include <pointsman/journal.h>
#include <pointsman/loop.h>

struct jkit {
    char directory[64];
    uint64_t max_bytes;
    uint64_t keep_ms;
    struct loop *loop;
    struct journal *journal;
    struct journal_client *client;
    struct timer timer;
    unsigned open; /* calls of jkit_submit that are not answered */
};

static inline struct conf jkit_conf(const struct jkit *kit) {
    return (struct conf){.directory = (char *)kit->directory,
                         .journal_max_bytes = kit->max_bytes,
                         .journal_keep_ms = kit->keep_ms};
}

static inline void jkit_open(struct jkit *kit) {
    struct conf conf = jkit_conf(kit);
    struct err err;
    kit->loop = loop_new();
    assert_non_null(kit->loop);
    kit->journal = journal_open(&conf, &err);
    if (!kit->journal)
        fail_msg("%s", err.text);
    kit->client = journal_client_new(kit->journal, kit->loop);
    assert_non_null(kit->client);
}

static inline void jkit_close(struct jkit *kit) {
    journal_client_free(kit->client);
    journal_close(kit->journal);
    loop_free(kit->loop);
    kit->client = NULL;
    kit->journal = NULL;
}

static inline void jkit_reopen(struct jkit *kit) {
    jkit_close(kit);
    jkit_open(kit);
}

static inline void jkit_path(const struct jkit *kit, const char *name, char path[160]) {
    snprintf(path, 160, "%.63s/%.63s", kit->directory, name);
}

static inline void jkit_remove(struct jkit *kit) {
    char path[160];
    DIR *dir = opendir(kit->directory);
    for (struct dirent *e; dir && (e = readdir(dir)) != NULL;) {
        jkit_path(kit, e->d_name, path);
        if (e->d_name[0] != '.')
            unlink(path);
    }
    if (dir)
        closedir(dir);
    rmdir(kit->directory);
}

/* A take that stays open where a row was due must not hang the run. */
#define JKIT_HANG_S 60

static inline int jkit_setup(void **state) {
    alarm(JKIT_HANG_S);
    struct jkit *kit = calloc(1, sizeof(*kit));
    assert_non_null(kit);
    snprintf(kit->directory, sizeof(kit->directory), "/tmp/pm-journal-XXXXXX");
    assert_non_null(mkdtemp(kit->directory));
    kit->max_bytes = UINT64_C(1) << 30;
    kit->keep_ms = 14ull * 24 * 3600 * 1000;
    jkit_open(kit);
    *state = kit;
    return 0;
}

static inline int jkit_teardown(void **state) {
    struct jkit *kit = *state;
    if (kit->client)
        jkit_close(kit);
    jkit_remove(kit);
    free(kit);
    return 0;
}

#define JKIT_TEST(f) cmocka_unit_test_setup_teardown(f, jkit_setup, jkit_teardown)

/* ---- calls ---- */

static inline void jkit_done(struct journal_call *call) {
    struct jkit *kit = call->arg;
    if (--kit->open == 0)
        loop_stop(kit->loop);
}

#define JKIT_SUBMIT(kit, submit, c)                                                                \
    do {                                                                                           \
        (c)->call.done = jkit_done;                                                                \
        (c)->call.arg = (kit);                                                                     \
        (kit)->open++;                                                                             \
        submit((kit)->client, c);                                                                  \
    } while (0)

/* Until every submitted call is answered. */
static inline void jkit_wait(struct jkit *kit) {
    while (kit->open)
        loop_run(kit->loop);
}

#define JKIT_CALL(kit, submit, c)                                                                  \
    do {                                                                                           \
        JKIT_SUBMIT(kit, submit, c);                                                               \
        jkit_wait(kit);                                                                            \
    } while (0)

static inline struct blob *jkit_body(const char *text) {
    size_t len = strlen(text);
    struct blob *body = blob_new(len);
    assert_non_null(body);
    memcpy(body->data, text, len);
    body->len = len;
    return body;
}

/* A body that no packing makes smaller. */
static inline struct blob *jkit_noise(size_t len) {
    struct blob *body = blob_new(len);
    uint32_t x = 1;
    assert_non_null(body);
    for (size_t i = 0; i < len; i++)
        body->data[i] = (char)((x = x * 1664525u + 1013904223u) >> 24);
    body->len = len;
    return body;
}

static inline struct journal_put jkit_event(const char *id) {
    return (struct journal_put){
        .event = {.source = slice_of("github"),
                  .id = slice_of(id),
                  .type = slice_of("issues"),
                  .entity = slice_of("o/r#1"),
                  .repository = slice_of("o/r"),
                  .head = slice_of("Content-Type: application/json\r\n"),
                  .target = slice_of("/webhooks/github?a=1")},
        .mark = {.state = ROW_QUEUED, .reason = REASON_ACCEPTED, .side = SIDE_NONE}};
}

/* Puts with a body that begins with the id. */
static inline enum journal_result jkit_put(struct jkit *kit, struct journal_put *c) {
    char text[300];
    snprintf(text, sizeof(text), "%.*s: the body", SLICE_ARG(c->event.id));
    struct blob *own = c->event.body ? NULL : jkit_body(text);
    if (own)
        c->event.body = own;
    JKIT_CALL(kit, journal_put, c);
    if (own)
        c->event.body = NULL;
    blob_unref(own);
    return c->call.result;
}

static inline struct journal_put jkit_queue(struct jkit *kit, const char *id) {
    struct journal_put c = jkit_event(id);
    assert_int_equal(jkit_put(kit, &c), JOURNAL_OK);
    return c;
}

static inline enum journal_result jkit_move_to(struct jkit *kit, uint64_t seq, uint64_t *ver,
                                               enum row_state state) {
    struct journal_move c = {.seq = seq, .ver = *ver, .mark = {.state = state, .side = SIDE_NEW}};
    JKIT_CALL(kit, journal_move, &c);
    if (c.call.result == JOURNAL_OK)
        *ver = c.ret_ver;
    return c.call.result;
}

static inline void jkit_rows_free(struct journal_row *rows) {
    while (rows) {
        struct journal_row *next = rows->next;
        journal_row_free(rows);
        rows = next;
    }
}

static inline struct journal_take jkit_want(uint32_t limit) {
    return (struct journal_take){.sides = {true, true}, .limit = limit, .retries = limit};
}

/* Rows that are due now: a take that is nudged. */
static inline struct journal_row *jkit_take_now(struct jkit *kit, uint32_t limit) {
    struct journal_take c = jkit_want(limit);
    JKIT_SUBMIT(kit, journal_take, &c);
    journal_nudge(kit->client);
    jkit_wait(kit);
    assert_int_equal(c.call.result, JOURNAL_OK);
    return c.ret_rows;
}

static inline struct journal_row *jkit_take(struct jkit *kit, uint32_t limit) {
    struct journal_take c = jkit_want(limit);
    JKIT_CALL(kit, journal_take, &c);
    assert_int_equal(c.call.result, JOURNAL_OK);
    assert_non_null(c.ret_rows);
    return c.ret_rows;
}

/* The ids of rows, "a b c "; frees them. */
static inline const char *jkit_ids(struct journal_row *rows) {
    static char text[4096];
    size_t len = 0;
    text[0] = '\0';
    for (const struct journal_row *row = rows; row; row = row->next)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s ", row->event.id.ptr);
    jkit_rows_free(rows);
    return text;
}

static inline struct journal_row *jkit_look(struct jkit *kit, const char *id) {
    struct journal_look c = {.source = slice_of("github"), .id = slice_of(id)};
    JKIT_CALL(kit, journal_look, &c);
    assert_int_equal(c.call.result, c.ret_row ? JOURNAL_OK : JOURNAL_ABSENT);
    return c.ret_row;
}

/* ROW_STATES: there is none. */
static inline enum row_state jkit_state_of(struct jkit *kit, const char *id) {
    struct journal_row *row = jkit_look(kit, id);
    enum row_state state = row ? row->mark.state : ROW_STATES;
    journal_row_free(row);
    return state;
}

static inline struct journal_state jkit_state(struct jkit *kit) {
    struct journal_state state;
    journal_state(kit->journal, &state);
    return state;
}

static inline void jkit_fire(void *arg) {
    struct jkit *kit = arg;
    loop_stop(kit->loop);
}

static inline void jkit_turn(struct jkit *kit, uint64_t us) {
    timer_init(&kit->timer, jkit_fire, kit);
    timer_set(kit->loop, &kit->timer, us);
    loop_run(kit->loop);
    timer_stop(&kit->timer);
}

/* Until the condition holds; fails after ten seconds. */
#define JKIT_UNTIL(kit, condition)                                                                 \
    for (uint64_t end_us_ = clock_mono_us() + 10000000; !(condition);) {                           \
        assert_true(clock_mono_us() < end_us_);                                                    \
        jkit_turn(kit, 5000);                                                                      \
    }

/* Runs statements on the file, which no journal has open. */
static inline void jkit_sql(const struct jkit *kit, const char *text) {
    char path[160], *problem = NULL;
    sqlite3 *db = NULL;
    jkit_path(kit, "journal.db", path);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, text, NULL, NULL, &problem) != SQLITE_OK)
        fail_msg("%s: %s", text, problem);
    sqlite3_close(db);
}

#endif

/* A file that is not what was written: what is readable goes on, the rest is set aside and counted.
 */
#include <fcntl.h>
#include <sys/stat.h>

#include "journal_kit.h"

#define ROWS 400

/* One is packed on disk, one is not. */
static void make_bodies(struct blob *ret[2]) {
    ret[0] = jkit_noise(3000);
    ret[1] = blob_new(3000);
    assert_non_null(ret[1]);
    memset(ret[1]->data, 'b', 3000);
    ret[1]->len = 3000;
}

static void put_many(struct jkit *kit) {
    static struct journal_put puts[ROWS];
    static char ids[ROWS][16];
    struct blob *bodies[2];
    make_bodies(bodies);
    for (int i = 0; i < ROWS; i++) {
        snprintf(ids[i], sizeof(ids[i]), "e%03d", i);
        puts[i] = jkit_event(ids[i]);
        puts[i].event.body = bodies[i % 2];
        puts[i].ordered = i % 4 == 0;
        puts[i].mark.state = i % 4 == 1 ? ROW_PARKED : ROW_QUEUED;
        JKIT_SUBMIT(kit, journal_put, &puts[i]);
    }
    jkit_wait(kit);
    blob_unref(bodies[0]);
    blob_unref(bodies[1]);
    assert_int_equal(jkit_state(kit).rows[ROW_QUEUED], ROWS - ROWS / 4);
}

static off_t size_of(const struct jkit *kit) {
    char path[160];
    struct stat file;
    jkit_path(kit, "journal.db", path);
    assert_int_equal(stat(path, &file), 0);
    return file.st_size;
}

static void overwrite(const struct jkit *kit, const char *name, off_t at, size_t len) {
    char path[160], junk[8192];
    assert_true(len <= sizeof(junk));
    memset(junk, 0xA5, sizeof(junk));
    jkit_path(kit, name, path);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, junk, len, at), (ssize_t)len);
    close(fd);
}

static bool exists(const struct jkit *kit, const char *name) {
    char path[160];
    jkit_path(kit, name, path);
    return access(path, F_OK) == 0;
}

static uint64_t rows_of(struct jkit *kit) {
    struct journal_state s = jkit_state(kit);
    uint64_t rows = 0;
    for (int i = 0; i < ROW_STATES; i++)
        rows += s.rows[i];
    return rows;
}

/* All that is queued can be taken, or is dead; the line's first row is found again. */
static void drain(struct jkit *kit) {
    for (;;) {
        struct journal_row *rows = jkit_take_now(kit, 256), *next;
        if (!rows && jkit_state(kit).rows[ROW_QUEUED] == 0)
            return;
        for (struct journal_row *row = rows; row; row = next) {
            next = row->next;
            assert_int_equal(row->event.body->len, 3000);
            struct journal_move m = {.seq = row->seq, .ver = row->ver, .gone = true};
            JKIT_CALL(kit, journal_move, &m);
            assert_int_equal(m.call.result, JOURNAL_OK);
            journal_row_free(row);
        }
    }
}

static uint64_t number(const struct jkit *kit, const char *text) {
    char path[160];
    sqlite3 *db;
    sqlite3_stmt *s = NULL;
    jkit_path(kit, "journal.db", path);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, text, -1, &s, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    uint64_t value = (uint64_t)sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    sqlite3_close(db);
    return value;
}

static off_t root_page(const struct jkit *kit, const char *name) {
    char text[120];
    snprintf(text, sizeof(text), "SELECT rootpage FROM sqlite_schema WHERE name = '%s'", name);
    return (off_t)(number(kit, text) - 1) * 4096;
}

static void no_file_at_all_is_a_new_journal(void **state) {
    struct jkit *kit = *state;
    assert_int_equal(rows_of(kit), 0);
    assert_int_equal(jkit_state(kit).damaged, 0);
    assert_true(jkit_state(kit).accepts);
}

static void what_is_no_database_is_set_aside(void **state) {
    struct jkit *kit = *state;
    put_many(kit);
    jkit_close(kit);
    overwrite(kit, "journal.db", 0, 8192);
    jkit_open(kit);
    assert_int_equal(rows_of(kit), 0);
    assert_int_equal(jkit_state(kit).damaged, 1);
    assert_true(exists(kit, "journal-damaged-1.db"));
    jkit_queue(kit, "new");
    jkit_reopen(kit);
    assert_int_equal(jkit_state(kit).damaged, 1);
    assert_int_equal(jkit_state_of(kit, "new"), ROW_QUEUED);
    jkit_close(kit);
    overwrite(kit, "journal.db", 0, 8192);
    jkit_open(kit);
    assert_true(exists(kit, "journal-damaged-1.db"));
    assert_true(exists(kit, "journal-damaged-2.db"));
}

static void a_file_that_was_cut_keeps_what_is_left(void **state) {
    struct jkit *kit = *state;
    char path[160];
    put_many(kit);
    jkit_close(kit);
    jkit_path(kit, "journal.db", path);
    assert_int_equal(truncate(path, size_of(kit) / 4 * 3), 0);
    jkit_open(kit);
    assert_true(rows_of(kit) > ROWS / 2);
    drain(kit);
    assert_true(jkit_state(kit).damaged > 0);
    assert_true(jkit_state(kit).accepts);
}

/* One leaf of the rows is gone: those of its neighbours are not. */
static void rows_around_a_bad_page_are_taken_over(void **state) {
    struct jkit *kit = *state;
    put_many(kit);
    jkit_close(kit);
    uint64_t leaf = number(kit, "SELECT pageno FROM dbstat WHERE name = 'event' AND"
                                " pagetype = 'leaf' ORDER BY path LIMIT 1 OFFSET 4");
    uint64_t on_it = number(kit, "SELECT ncell FROM dbstat WHERE name = 'event' AND"
                                 " pagetype = 'leaf' ORDER BY path LIMIT 1 OFFSET 4");
    assert_true(on_it > 0);
    overwrite(kit, "journal.db", (off_t)(leaf - 1) * 4096, 4096);
    jkit_open(kit);
    drain(kit);
    JKIT_UNTIL(kit, jkit_state(kit).damaged > 0);
    assert_int_equal(jkit_state(kit).damaged, on_it);
    assert_true(exists(kit, "journal-damaged-1.db"));
}

static void rows_without_their_payload_are_dead_and_listed(void **state) {
    struct jkit *kit = *state;
    put_many(kit);
    jkit_close(kit);
    overwrite(kit, "journal.db", root_page(kit, "payload"), 4096);
    jkit_open(kit);
    drain(kit);
    assert_int_equal(rows_of(kit), ROWS);
    assert_int_equal(jkit_state(kit).rows[ROW_DEAD] + jkit_state(kit).rows[ROW_PARKED], ROWS);
    assert_true(jkit_state(kit).damaged >= ROWS - ROWS / 4);
    struct journal_row *row = jkit_look(kit, "e000");
    assert_int_equal(row->mark.reason, REASON_DAMAGED);
    journal_row_free(row);
}

static void a_damaged_index_costs_no_row(void **state) {
    struct jkit *kit = *state;
    put_many(kit);
    jkit_close(kit);
    overwrite(kit, "journal.db", root_page(kit, "event_due"), 4096);
    jkit_open(kit);
    drain(kit);
    assert_int_equal(rows_of(kit), ROWS / 4); /* the parked ones */
    assert_int_equal(jkit_state_of(kit, "e001"), ROW_PARKED);
}

static void damage_while_it_runs_is_mended_on_the_way(void **state) {
    struct jkit *kit = *state;
    put_many(kit);
    jkit_reopen(kit); /* nothing of it is in the cache or the WAL */
    overwrite(kit, "journal.db", root_page(kit, "event_due"), 4096);
    drain(kit);
    assert_true(exists(kit, "journal-damaged-1.db"));
    assert_int_equal(rows_of(kit), ROWS / 4);
    jkit_queue(kit, "new");
}

static void numbers_are_not_given_again_after_damage(void **state) {
    struct jkit *kit = *state;
    put_many(kit);
    struct journal_put c = jkit_queue(kit, "last");
    struct journal_move m = {.seq = c.ret_seq, .ver = c.ret_ver, .gone = true};
    JKIT_CALL(kit, journal_move, &m);
    jkit_close(kit);
    overwrite(kit, "journal.db", root_page(kit, "event_due"), 4096);
    jkit_open(kit);
    jkit_rows_free(jkit_take_now(kit, 1)); /* finds the damage */
    JKIT_UNTIL(kit, exists(kit, "journal-damaged-1.db"));
    assert_true(jkit_queue(kit, "new").ret_seq > c.ret_seq);
}

static void damage_again_and_again_stops_events(void **state) {
    struct jkit *kit = *state;
    put_many(kit);
    jkit_reopen(kit);
    overwrite(kit, "journal.db", root_page(kit, "event_due"), 4096);
    drain(kit);
    off_t root = root_page(kit, "event_state");
    sqlite3 *db;
    char path[160];
    jkit_path(kit, "journal.db", path);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    /* What the journal has in its cache is no longer the newest, and not in the WAL. */
    assert_int_equal(sqlite3_exec(db,
                                  "INSERT INTO meta VALUES ('test', 1);"
                                  "PRAGMA wal_checkpoint(TRUNCATE)",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(db);
    overwrite(kit, "journal.db", root, 4096);
    struct journal_put c = jkit_event("x");
    enum journal_result result = jkit_put(kit, &c);
    assert_int_equal(result, JOURNAL_FAILED);
    assert_false(jkit_state(kit).accepts);
    assert_true(jkit_state(kit).problem[0] != '\0');
    assert_false(exists(kit, "journal-damaged-2.db"));
    struct journal_list list = {.limit = 10};
    JKIT_CALL(kit, journal_list, &list);
    assert_int_equal(list.call.result, JOURNAL_FAILED);
}

static void a_payload_that_differs_from_its_digest_is_never_given(void **state) {
    struct jkit *kit = *state;
    jkit_queue(kit, "bad");
    jkit_queue(kit, "good");
    struct journal_put c = jkit_event("parked");
    c.mark.state = ROW_PARKED;
    assert_int_equal(jkit_put(kit, &c), JOURNAL_OK);
    jkit_close(kit);
    jkit_sql(kit, "UPDATE payload SET body = 'parked: the bodY' WHERE seq = 3;"
                  "UPDATE payload SET body = 'bad: the bodY' WHERE seq = 1");
    jkit_open(kit);
    assert_string_equal(jkit_ids(jkit_take(kit, 10)), "good ");
    struct journal_row *row = jkit_look(kit, "bad");
    assert_int_equal(row->mark.state, ROW_DEAD);
    assert_int_equal(row->mark.reason, REASON_DAMAGED);
    journal_row_free(row);
    assert_int_equal(jkit_state_of(kit, "parked"), ROW_DEAD);
    JKIT_UNTIL(kit, jkit_state(kit).damaged == 2);
    assert_int_equal(jkit_state(kit).rows[ROW_DEAD], 2);
    jkit_reopen(kit);
    assert_int_equal(jkit_state(kit).damaged, 2);
}

/* The new file was whole, the old one already set aside: the process ended in between. */
static void an_exchange_that_was_cut_off_is_ended(void **state) {
    struct jkit *kit = *state;
    char file[160], fresh[160];
    jkit_queue(kit, "e1");
    jkit_close(kit);
    jkit_path(kit, "journal.db", file);
    jkit_path(kit, "journal.new", fresh);
    assert_int_equal(rename(file, fresh), 0);
    overwrite(kit, "journal-damaged-1.db", 0, 100);
    overwrite(kit, "journal.db-wal", 0, 100);
    jkit_open(kit);
    assert_int_equal(jkit_state_of(kit, "e1"), ROW_QUEUED);
    assert_true(exists(kit, "journal-damaged-1.db-wal"));
    assert_false(exists(kit, "journal.new"));
}

static void a_new_file_that_was_not_ended_is_dropped(void **state) {
    struct jkit *kit = *state;
    jkit_queue(kit, "e1");
    jkit_close(kit);
    overwrite(kit, "journal.new", 0, 100);
    jkit_open(kit);
    assert_int_equal(jkit_state_of(kit, "e1"), ROW_QUEUED);
    assert_false(exists(kit, "journal.new"));
}

/* Whatever is overwritten: it opens, or says why not; it ends; what it gives is whole. */
static void no_damage_makes_it_loop_or_give_what_was_not_put(void **state) {
    struct jkit *kit = *state;
    unsigned seed = (unsigned)time(NULL) ^ (unsigned)getpid();
    const char *given = getenv("SEED");
    seed = given ? (unsigned)strtoul(given, NULL, 10) : seed;
    printf("seed %u\n", seed);
    struct blob *bodies[2];
    make_bodies(bodies);
    jkit_close(kit);
    for (int round = 0; round < 12; round++) {
        jkit_remove(kit);
        assert_int_equal(mkdir(kit->directory, 0700), 0);
        jkit_open(kit);
        put_many(kit);
        jkit_close(kit);
        off_t pages = size_of(kit) / 4096;
        for (int i = 0; i < 1 + round; i++) {
            seed = seed * 1103515245 + 12345;
            off_t page = (off_t)(seed >> 8) % pages;
            seed = seed * 1103515245 + 12345;
            size_t len = (seed >> 8) % 4096 + 1;
            overwrite(kit, "journal.db", page * 4096 + (off_t)(4096 - len), len);
        }
        jkit_open(kit);
        struct journal_row *rows = jkit_take_now(kit, 256);
        for (struct journal_row *row = rows; row; row = row->next) {
            const struct blob *put = bodies[row->event.id.ptr[3] & 1];
            assert_true(slice_eq(blob_slice(row->event.body), blob_slice(put)));
        }
        jkit_rows_free(rows);
        jkit_close(kit);
    }
    blob_unref(bodies[0]);
    blob_unref(bodies[1]);
    jkit_open(kit);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        JKIT_TEST(no_file_at_all_is_a_new_journal),
        JKIT_TEST(what_is_no_database_is_set_aside),
        JKIT_TEST(a_file_that_was_cut_keeps_what_is_left),
        JKIT_TEST(rows_around_a_bad_page_are_taken_over),
        JKIT_TEST(rows_without_their_payload_are_dead_and_listed),
        JKIT_TEST(a_damaged_index_costs_no_row),
        JKIT_TEST(damage_while_it_runs_is_mended_on_the_way),
        JKIT_TEST(numbers_are_not_given_again_after_damage),
        JKIT_TEST(damage_again_and_again_stops_events),
        JKIT_TEST(a_payload_that_differs_from_its_digest_is_never_given),
        JKIT_TEST(an_exchange_that_was_cut_off_is_ended),
        JKIT_TEST(a_new_file_that_was_not_ended_is_dropped),
        JKIT_TEST(no_damage_makes_it_loop_or_give_what_was_not_put),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

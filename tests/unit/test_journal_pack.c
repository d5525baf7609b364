/* Bodies are small on disk and whole everywhere else; files of before go along; what was written is
 * left to the disk. */
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <linux/magic.h>

#include "../../store/journal_salvage.h"
#include "journal_kit.h"

#define WORDS 20000

static struct blob *words(void) {
    struct blob *body = blob_new(WORDS);
    assert_non_null(body);
    for (int i = 0; i < WORDS; i++)
        body->data[i] = "\"url\":\"https://api.example.org\","[i % 32];
    body->len = WORDS;
    return body;
}

static void put(struct jkit *kit, const char *id, struct blob *body, enum row_state state) {
    struct journal_put c = jkit_event(id);
    c.event.body = body;
    c.mark.state = state;
    JKIT_CALL(kit, journal_put, &c);
    assert_int_equal(c.call.result, JOURNAL_OK);
}

static int64_t number(const struct jkit *kit, const char *text) {
    char path[160];
    sqlite3 *db = NULL;
    sqlite3_stmt *s = NULL;
    jkit_path(kit, "journal.db", path);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, text, -1, &s, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    int64_t found = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    sqlite3_close(db);
    return found;
}

static void assert_body(const struct journal_row *row, const struct blob *body) {
    static const char zeros[BLOB_PADDING];
    assert_non_null(row);
    assert_true(slice_eq(blob_slice(row->event.body), blob_slice(body)));
    assert_memory_equal(row->event.body->data + body->len, zeros, BLOB_PADDING);
}

static void a_body_is_small_on_disk_and_comes_back_whole(void **state) {
    struct jkit *kit = *state;
    struct blob *body = words();
    put(kit, "e1", body, ROW_QUEUED);
    put(kit, "e2", body, ROW_DEAD);
    uint64_t len = jkit_event("e1").event.head.len + jkit_event("e1").event.target.len + WORDS;
    assert_int_equal(jkit_state(kit).bytes, 2 * len); /* the quota counts what came */
    assert_true(number(kit, "SELECT max(length(body)) FROM payload") < WORDS / 20);
    assert_int_equal(number(kit, "SELECT min(size) FROM payload"), WORDS);
    struct journal_turn c = {.source = slice_of("github"),
                             .id = slice_of("e2"),
                             .from = ROW_DEAD,
                             .turn = TURN_COPY,
                             .new_id = slice_of("e3"),
                             .side = SIDE_NONE};
    JKIT_CALL(kit, journal_turn, &c);
    assert_int_equal(c.call.result, JOURNAL_OK);
    jkit_reopen(kit);
    static const char *const ids[] = {"e1", "e2", "e3"};
    for (int i = 0; i < 3; i++) {
        struct journal_row *row = jkit_look(kit, ids[i]);
        assert_body(row, body);
        journal_row_free(row);
    }
    struct journal_row *rows = jkit_take(kit, 10);
    assert_body(rows, body);
    assert_body(rows->next, body);
    jkit_rows_free(rows);
    blob_unref(body);
}

static void a_body_that_only_would_cost_is_kept_as_it_is(void **state) {
    struct jkit *kit = *state;
    struct blob *body = jkit_noise(WORDS);
    put(kit, "e1", body, ROW_QUEUED);
    jkit_queue(kit, "small");
    assert_int_equal(number(kit, "SELECT count(size) FROM payload"), 0);
    assert_int_equal(number(kit, "SELECT max(length(body)) FROM payload"), WORDS);
    struct journal_row *rows = jkit_take(kit, 10);
    assert_body(rows, body);
    jkit_rows_free(rows);
    blob_unref(body);
}

/* Closed, and as the release before wrote it. */
static void put_in_layout_1(struct jkit *kit, const char *id) {
    jkit_queue(kit, id); /* too small to be packed */
    jkit_close(kit);
    jkit_sql(kit, "ALTER TABLE payload DROP COLUMN size; PRAGMA user_version = 1");
}

static void a_file_of_layout_1_goes_along(void **state) {
    struct jkit *kit = *state;
    struct blob *body = words();
    put_in_layout_1(kit, "e1");
    jkit_open(kit);
    put(kit, "e2", body, ROW_QUEUED);
    jkit_reopen(kit);
    assert_int_equal(number(kit, "PRAGMA user_version"), 2);
    struct journal_row *rows = jkit_take(kit, 10);
    assert_true(slice_is(blob_slice(rows->event.body), "e1: the body"));
    assert_body(rows->next, body);
    jkit_rows_free(rows);
    blob_unref(body);
}

/* The index of ids is no page: the file has to be read row by row. */
static void break_ids(struct jkit *kit) {
    char path[160], junk[4096];
    int64_t page = number(kit, "SELECT rootpage FROM sqlite_schema"
                               " WHERE name = 'sqlite_autoindex_event_1'");
    jkit_path(kit, "journal.db", path);
    int fd = open(path, O_WRONLY);
    memset(junk, 0xa5, sizeof(junk));
    assert_int_equal(pwrite(fd, junk, sizeof(junk), (page - 1) * 4096), sizeof(junk));
    close(fd);
}

static void bodies_outlive_the_damage_of_their_file(void **state) {
    struct jkit *kit = *state;
    struct blob *body = words();
    put(kit, "e1", body, ROW_QUEUED);
    jkit_close(kit);
    break_ids(kit);
    jkit_open(kit);
    put(kit, "e2", body, ROW_QUEUED); /* comes upon it */
    struct journal_row *rows = jkit_take(kit, 10);
    assert_body(rows, body);
    assert_body(rows->next, body);
    jkit_rows_free(rows);
    assert_int_equal(number(kit, "SELECT count(size) FROM payload"), 2);
    assert_int_equal(jkit_state(kit).damaged, 0);
    blob_unref(body);
}

static void so_do_those_of_layout_1(void **state) {
    struct jkit *kit = *state;
    struct journal_salvaged found;
    struct err err;
    put_in_layout_1(kit, "e1");
    assert_true(journal_salvage(kit->directory, 0, &found, &err));
    assert_int_equal(found.kept, 1);
    assert_int_equal(found.lost, 0);
    jkit_open(kit);
    struct journal_row *rows = jkit_take(kit, 10);
    assert_true(slice_is(blob_slice(rows->event.body), "e1: the body"));
    jkit_rows_free(rows);
}

/* Too large for its bytes, too small, none, no number at all; other bytes of the same size. */
static void a_body_that_can_not_be_opened_is_dead(void **state) {
    static const char *const damages[] = {"size = 1000000000000",
                                          "size = -1",
                                          "size = size - 1",
                                          "size = size + 1",
                                          "size = NULL",
                                          "size = 'x'",
                                          "body = NULL",
                                          "body = zeroblob(length(body))",
                                          "body = substr(body, 1, 100)",
                                          "body = body || x'00'",
                                          "size = 20000, body = x'ffffff'"};
    struct jkit *kit = *state;
    struct blob *body = words();
    char text[200], id[16];
    for (size_t i = 0; i < ARRAY_LEN(damages); i++) {
        snprintf(id, sizeof(id), "e%zu", i);
        put(kit, id, body, ROW_QUEUED);
    }
    jkit_close(kit);
    for (size_t i = 0; i < ARRAY_LEN(damages); i++) {
        snprintf(text, sizeof(text), "UPDATE payload SET %s WHERE seq = %zu", damages[i], i + 1);
        jkit_sql(kit, text);
    }
    jkit_open(kit);
    jkit_queue(kit, "good");
    assert_string_equal(jkit_ids(jkit_take(kit, 20)), "good ");
    JKIT_UNTIL(kit, jkit_state(kit).rows[ROW_DEAD] == ARRAY_LEN(damages));
    blob_unref(body);
}

/* Bytes of the file that are in the kernel's memory. */
static size_t remembered(const struct jkit *kit) {
    char path[160];
    struct stat file;
    jkit_path(kit, "journal.db", path);
    int fd = open(path, O_RDONLY);
    assert_int_equal(fstat(fd, &file), 0);
    size_t pages = (size_t)file.st_size / 4096, count = 0;
    unsigned char *in = malloc(pages);
    void *map = mmap(NULL, (size_t)file.st_size, PROT_READ, MAP_SHARED, fd, 0);
    assert_ptr_not_equal(map, MAP_FAILED);
    assert_int_equal(mincore(map, (size_t)file.st_size, in), 0);
    for (size_t i = 0; i < pages; i++)
        count += in[i] & 1;
    munmap(map, (size_t)file.st_size);
    free(in);
    close(fd);
    return count * 4096;
}

static void what_was_written_is_left_to_the_disk(void **state) {
    struct jkit *kit = *state;
    struct statfs fs;
    struct blob *body = jkit_noise(1 << 20);
    char id[16];
    assert_int_equal(statfs(kit->directory, &fs), 0);
    if (fs.f_type == TMPFS_MAGIC)
        skip();
    for (int i = 0; i < 80; i++) {
        snprintf(id, sizeof(id), "e%d", i);
        put(kit, id, body, ROW_QUEUED);
    }
    assert_in_range(remembered(kit), 0, 24 << 20); /* of 64 to 80 MiB */
    struct journal_row *rows = jkit_take(kit, 1);
    assert_body(rows, body);
    jkit_rows_free(rows);
    blob_unref(body);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        JKIT_TEST(a_body_is_small_on_disk_and_comes_back_whole),
        JKIT_TEST(a_body_that_only_would_cost_is_kept_as_it_is),
        JKIT_TEST(a_file_of_layout_1_goes_along),
        JKIT_TEST(bodies_outlive_the_damage_of_their_file),
        JKIT_TEST(so_do_those_of_layout_1),
        JKIT_TEST(a_body_that_can_not_be_opened_is_dead),
        JKIT_TEST(what_was_written_is_left_to_the_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

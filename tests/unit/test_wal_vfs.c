/* The VFS that writes a WAL in large pieces: fewer writes, and nothing else that could be seen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "../../store/wal_vfs.h"
#include "../vfs/vfs.h"

static struct test_vfs_control ctl;
static char directory[32];
static char path[64];

static int32_t writes(void) {
    return atomic_load(&ctl.fields[TEST_VFS_WRITES]);
}

static void remove_all(void) {
    static const char *const ends[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
        char file[80];
        snprintf(file, sizeof(file), "%s%s", path, ends[i]);
        unlink(file);
    }
}

static int setup(void **state) {
    (void)state;
    for (int i = 0; i < TEST_VFS_FIELDS; i++)
        atomic_store(&ctl.fields[i], 0);
    atomic_store(&ctl.fields[TEST_VFS_MATCH], 1);
    snprintf(directory, sizeof(directory), "/tmp/pm-wal-XXXXXX");
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/test.db", directory);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    remove_all();
    rmdir(directory);
    return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

static void must(sqlite3 *db, const char *text) {
    if (sqlite3_exec(db, text, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s: %s", text, sqlite3_errmsg(db));
}

static sqlite3 *open_db(const char *vfs) {
    sqlite3 *db = NULL;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    assert_int_equal(sqlite3_open_v2(path, &db, flags, vfs), SQLITE_OK);
    must(db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
             "PRAGMA wal_autocheckpoint = 0; CREATE TABLE IF NOT EXISTS t (k, v)");
    return db;
}

static int64_t number(sqlite3 *db, const char *text) {
    sqlite3_stmt *s = NULL;
    assert_int_equal(sqlite3_prepare_v2(db, text, -1, &s, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    int64_t value = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    return value;
}

static void a_commit_of_many_pages_is_few_writes(void **state) {
    (void)state;
    sqlite3 *db = open_db(wal_vfs_name());
    int32_t before = writes();
    must(db, "INSERT INTO t VALUES (1, randomblob(1000000))");
    assert_in_range(writes() - before, 1, 12);
    before = writes();
    must(db, "INSERT INTO t VALUES (2, randomblob(10000))");
    assert_int_equal(writes() - before, 1);
    sqlite3_close(db);
}

static void what_is_committed_is_seen_by_others_at_once(void **state) {
    (void)state;
    sqlite3 *db = open_db(wal_vfs_name()), *other = open_db(NULL);
    for (int i = 1; i <= 20; i++) {
        must(db, "INSERT INTO t VALUES (1, randomblob(20000))");
        assert_int_equal(number(other, "SELECT sum(length(v)) FROM t"), i * 20000);
    }
    sqlite3_close(other);
    sqlite3_close(db);
}

/* The cache holds ten pages: a transaction writes to the WAL, reads that and rewrites it. */
static void what_did_not_fit_the_cache_is_read_back(void **state) {
    (void)state;
    sqlite3 *db = open_db(wal_vfs_name());
    must(db, "PRAGMA cache_size = 10; CREATE INDEX i ON t (k)");
    for (int round = 0; round < 4; round++) {
        must(db, "BEGIN");
        must(db, "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 500)"
                 " INSERT INTO t SELECT random(), randomblob(3000) FROM n");
        must(db, "SAVEPOINT s; UPDATE t SET k = k + 1; ROLLBACK TO s; UPDATE t SET k = k - 1");
        must(db, round % 2 ? "COMMIT" : "ROLLBACK");
        assert_int_equal(number(db, "SELECT count(*) FROM t"), (round + 1) / 2 * 500);
    }
    sqlite3_stmt *s = NULL;
    assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &s, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    assert_string_equal((const char *)sqlite3_column_text(s, 0), "ok");
    sqlite3_finalize(s);
    sqlite3_close(db);
}

static void what_cannot_be_written_fails_the_commit(void **state) {
    (void)state;
    sqlite3 *db = open_db(wal_vfs_name());
    must(db, "INSERT INTO t VALUES (1, randomblob(10000)); BEGIN;"
             "INSERT INTO t VALUES (2, randomblob(10000))");
    atomic_store(&ctl.fields[TEST_VFS_FAIL_WRITE], 1);
    assert_int_equal(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_IOERR);
    assert_int_equal(sqlite3_extended_errcode(db), SQLITE_IOERR_WRITE);
    if (!sqlite3_get_autocommit(db))
        must(db, "ROLLBACK");
    assert_int_equal(number(db, "SELECT max(k) FROM t"), 1);
    must(db, "INSERT INTO t VALUES (3, randomblob(10000))");
    sqlite3 *other = open_db(NULL);
    assert_int_equal(number(other, "SELECT sum(k) FROM t"), 4);
    sqlite3_close(other);
    sqlite3_close(db);
}

/* ---- the file alone, against one in memory ---- */

#define MODEL_SIZE (1 << 20)
#define LEN_MAX    (160 * 1024) /* more than is held back */

struct model {
    unsigned char bytes[MODEL_SIZE];
    int64_t size, at;
};

static int below(int end) {
    return (int)(random() % end);
}

static int some_len(void) {
    int len = below(8) ? below(5000) : below(LEN_MAX);
    return len ? len : 1;
}

static void write_some(sqlite3_file *file, struct model *m) {
    static unsigned char bytes[LEN_MAX];
    int len = some_len();
    /* The unix VFS by itself takes less than 128 KiB at once. */
    len = len < (1 << 17) ? len : (1 << 17) - 1;
    if (!below(10))
        m->at = below((int)m->size + 1);
    if (m->at + len > MODEL_SIZE)
        m->at = 0;
    memset(bytes, 'a' + below(26), (size_t)len);
    assert_int_equal(file->pMethods->xWrite(file, bytes, len, m->at), SQLITE_OK);
    memcpy(m->bytes + m->at, bytes, (size_t)len);
    m->at += len;
    m->size = m->at > m->size ? m->at : m->size;
}

static void read_some(sqlite3_file *file, const struct model *m) {
    static unsigned char bytes[LEN_MAX];
    int64_t at = below((int)m->size + 1);
    int len = some_len();
    int rc = file->pMethods->xRead(file, bytes, len, at);
    int64_t there = m->size - at < len ? m->size - at : len;
    assert_int_equal(rc, there < len ? SQLITE_IOERR_SHORT_READ : SQLITE_OK);
    assert_memory_equal(bytes, m->bytes + at, (size_t)there);
}

static void truncate_some(sqlite3_file *file, struct model *m) {
    int64_t size = below((int)m->size + 1);
    assert_int_equal(file->pMethods->xTruncate(file, size), SQLITE_OK);
    m->size = size;
    m->at = size;
}

static void check_size(sqlite3_file *file, const struct model *m) {
    sqlite3_int64 size = -1;
    assert_int_equal(file->pMethods->xFileSize(file, &size), SQLITE_OK);
    assert_int_equal(size, m->size);
}

static void any_calls_find_the_file_as_if_nothing_was_held_back(void **state) {
    (void)state;
    sqlite3_vfs *vfs = sqlite3_vfs_find(wal_vfs_name());
    assert_non_null(vfs);
    unsigned seed = (unsigned)time(NULL) ^ (unsigned)getpid();
    printf("seed %u\n", seed);
    srandom(seed);
    sqlite3_file *file = calloc(1, (size_t)vfs->szOsFile);
    struct model *m = calloc(1, sizeof(*m));
    assert_true(file && m);
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_WAL;
    assert_int_equal(vfs->xOpen(vfs, path, file, flags, &flags), SQLITE_OK);
    for (int i = 0; i < 3000; i++) {
        int what = below(20);
        if (what < 15)
            write_some(file, m);
        else if (what < 17)
            read_some(file, m);
        else if (what == 17 && !below(4))
            truncate_some(file, m);
        else if (what == 18)
            check_size(file, m);
        else
            assert_int_equal(file->pMethods->xSync(file, SQLITE_SYNC_NORMAL), SQLITE_OK);
    }
    assert_int_equal(file->pMethods->xClose(file), SQLITE_OK);
    free(m);
    free(file);
}

int main(void) {
    if (!test_vfs_register(&ctl))
        return 1;
    const struct CMUnitTest tests[] = {
        TEST(a_commit_of_many_pages_is_few_writes),
        TEST(what_is_committed_is_seen_by_others_at_once),
        TEST(what_did_not_fit_the_cache_is_read_back),
        TEST(what_cannot_be_written_fails_the_commit),
        TEST(any_calls_find_the_file_as_if_nothing_was_held_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

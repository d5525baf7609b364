/* The test VFS forgets, fails, tears and kills as tests/vfs/vfs.h says. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <pointsman/digest.h>

#include "../vfs/overlay.h"
#include "../vfs/vfs.h"

static struct test_vfs_control *ctl;
static char directory[64], journal[96], store[96];

static void set(enum test_vfs_field field, int32_t value) {
    atomic_store(&ctl->fields[field], value);
}

static int32_t get(enum test_vfs_field field) {
    return atomic_load(&ctl->fields[field]);
}

static int begin(void **state) {
    (void)state;
    for (int i = 0; i < TEST_VFS_FIELDS; i++)
        set((enum test_vfs_field)i, 0);
    snprintf(directory, sizeof(directory), "/tmp/pm-vfs-XXXXXX");
    if (!mkdtemp(directory))
        return -1;
    snprintf(journal, sizeof(journal), "%s/journal.db", directory);
    snprintf(store, sizeof(store), "%s/store.db", directory);
    return 0;
}

static int end(void **state) {
    static const char *const names[] = {"journal.db",         "journal.db-wal", "journal.db-shm",
                                        "journal.db-journal", "store.db",       "store.db-wal",
                                        "store.db-shm",       "control",        "plain"};
    char path[128];
    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(path, sizeof(path), "%.63s/%s", directory, names[i]);
        unlink(path);
    }
    return rmdir(directory);
}

/* ---- databases; also used in children, where a failed assert cannot be reported ---- */

static sqlite3 *open_db(const char *path) {
    sqlite3 *db;
    if (sqlite3_open(path, &db) != SQLITE_OK ||
        sqlite3_exec(db,
                     "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                     "CREATE TABLE IF NOT EXISTS t (n INTEGER PRIMARY KEY, fill BLOB)",
                     NULL, NULL, NULL) != SQLITE_OK) {
        fprintf(stderr, "%s: %s\n", path, sqlite3_errmsg(db));
        abort();
    }
    return db;
}

static int exec(sqlite3 *db, const char *sql) {
    return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

static int put(sqlite3 *db, int n, int bytes) {
    char sql[96];
    snprintf(sql, sizeof(sql), "INSERT INTO t VALUES (%d, randomblob(%d))", n, bytes);
    return exec(db, sql);
}

static int number(sqlite3 *db, const char *sql) {
    sqlite3_stmt *s;
    if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) != SQLITE_OK)
        return -1;
    int n = sqlite3_step(s) == SQLITE_ROW ? sqlite3_column_int(s, 0) : -1;
    sqlite3_finalize(s);
    return n;
}

static int rows(sqlite3 *db) {
    return number(db, "SELECT count(*) FROM t");
}

/* Runs `body` in a child; returns the signal that ended it, or its exit code negated. */
static int in_child(void (*body)(void)) {
    int status;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        body();
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? WTERMSIG(status) : -WEXITSTATUS(status);
}

static void need(bool so) {
    if (!so)
        _exit(1);
}

/* ---- forgetting ---- */

/* Row 1 is synced, row 2 is not; a second connection sees both. */
static void two_rows_then_killed(void) {
    sqlite3 *db = open_db(journal), *reader;
    need(put(db, 1, 5000) == SQLITE_OK);
    need(exec(db, "PRAGMA synchronous = OFF") == SQLITE_OK);
    need(put(db, 2, 5000) == SQLITE_OK);
    need(sqlite3_open(journal, &reader) == SQLITE_OK);
    need(rows(db) == 2 && rows(reader) == 2);
    raise(SIGKILL);
}

static int rows_left(const char *path) {
    sqlite3 *db = open_db(path);
    assert_int_equal(number(db, "SELECT integrity_check = 'ok' FROM pragma_integrity_check"), 1);
    int n = rows(db);
    sqlite3_close(db);
    return n;
}

static void what_was_not_synced_is_gone_after_a_kill(void **state) {
    (void)state;
    set(TEST_VFS_FORGET, 1);
    assert_int_equal(in_child(two_rows_then_killed), SIGKILL);
    set(TEST_VFS_FORGET, 0);
    assert_int_equal(rows_left(journal), 1);
}

static void without_forget_a_kill_loses_nothing(void **state) {
    (void)state;
    assert_int_equal(in_child(two_rows_then_killed), SIGKILL);
    assert_int_equal(rows_left(journal), 2);
}

static void wal_that_was_never_synced_is_seen_by_a_second_connection(void) {
    sqlite3 *db, *reader;
    need(sqlite3_open(journal, &db) == SQLITE_OK);
    need(
        exec(db, "PRAGMA synchronous = OFF; PRAGMA journal_mode = WAL; CREATE TABLE t (n, fill)") ==
        SQLITE_OK);
    need(put(db, 1, 100000) == SQLITE_OK);
    need(sqlite3_open(journal, &reader) == SQLITE_OK);
    need(rows(reader) == 1);
    need(exec(db, "PRAGMA wal_checkpoint(TRUNCATE)") == SQLITE_OK);
    need(rows(reader) == 1 && put(db, 2, 10) == SQLITE_OK && rows(reader) == 2);
    raise(SIGKILL);
}

static void a_file_that_was_never_synced_is_empty_after_a_kill(void **state) {
    struct stat st;
    (void)state;
    set(TEST_VFS_FORGET, 1);
    assert_int_equal(in_child(wal_that_was_never_synced_is_seen_by_a_second_connection), SIGKILL);
    assert_true(stat(journal, &st) == 0 && st.st_size == 0);
}

static void store_then_killed(void) {
    sqlite3 *db = open_db(store);
    need(exec(db, "PRAGMA synchronous = OFF") == SQLITE_OK && put(db, 1, 10) == SQLITE_OK);
    raise(SIGKILL);
}

static void other_databases_are_touched_only_when_matched(void **state) {
    (void)state;
    set(TEST_VFS_FORGET, 1);
    set(TEST_VFS_MATCH, 1);
    assert_int_equal(in_child(store_then_killed), SIGKILL);
    int32_t writes = get(TEST_VFS_WRITES);
    assert_true(writes > 0);
    set(TEST_VFS_MATCH, 0);
    assert_int_equal(rows_left(store), 0);
    assert_int_equal(in_child(store_then_killed), SIGKILL);
    assert_int_equal(get(TEST_VFS_WRITES), writes);
    assert_int_equal(rows_left(store), 1);
}

/* ---- killing and tearing ---- */

static void ten_rows(void) {
    sqlite3 *db = open_db(journal);
    for (int n = 1; n <= 10; n++)
        need(put(db, n, 9000) == SQLITE_OK);
    sqlite3_close(db);
}

static void kill_at_ends_the_process_at_that_call(void **state) {
    (void)state;
    assert_int_equal(in_child(ten_rows), 0);
    int32_t calls = get(TEST_VFS_WRITES) + get(TEST_VFS_SYNCS);
    assert_true(get(TEST_VFS_SYNCS) > 10 && get(TEST_VFS_WRITES) > 30);
    for (int32_t at = 1; at <= calls; at += 7) {
        assert_int_equal(end(NULL), 0);
        assert_int_equal(begin(NULL), 0);
        set(TEST_VFS_FORGET, 1);
        set(TEST_VFS_KILL_AT, at);
        assert_int_equal(in_child(ten_rows), SIGKILL);
        assert_int_equal(get(TEST_VFS_WRITES) + get(TEST_VFS_SYNCS), at);
    }
}

static int torn_seed;

/* Row 1 synced; rows 2 to 9 not; the next call, a sync, tears. */
static void rows_then_torn(void) {
    sqlite3 *db = open_db(journal);
    need(put(db, 1, 9000) == SQLITE_OK && exec(db, "PRAGMA synchronous = OFF") == SQLITE_OK);
    for (int n = 2; n < 10; n++)
        need(put(db, n, 9000) == SQLITE_OK);
    set(TEST_VFS_SEED, torn_seed);
    set(TEST_VFS_KILL_AT, get(TEST_VFS_WRITES) + get(TEST_VFS_SYNCS) + 1);
    put(db, 10, 10);
}

static void torn_writes_leave_some_of_what_was_unsynced(void **state) {
    bool found[11] = {false};
    (void)state;
    for (int i = 0; i < 120; i++) {
        assert_int_equal(end(NULL), 0);
        assert_int_equal(begin(NULL), 0);
        set(TEST_VFS_FORGET, 1);
        set(TEST_VFS_TORN, 1 + i % 2);
        torn_seed = i;
        assert_int_equal(in_child(rows_then_torn), SIGKILL);
        set(TEST_VFS_FORGET, 0);
        set(TEST_VFS_KILL_AT, 0);
        int n = rows_left(journal);
        assert_in_range(n, 1, 9);
        found[n] = true;
    }
    assert_true(found[1]);
    assert_true(found[3] || found[4] || found[5]);
}

/* ---- failing ---- */

static void the_next_n_syncs_fail_and_then_none(void **state) {
    (void)state;
    sqlite3 *db = open_db(journal);
    set(TEST_VFS_FAIL_SYNC, 2);
    assert_int_equal(put(db, 1, 10), SQLITE_IOERR);
    assert_int_equal(sqlite3_extended_errcode(db), SQLITE_IOERR_FSYNC);
    assert_int_equal(put(db, 1, 10), SQLITE_IOERR);
    assert_int_equal(put(db, 1, 10), SQLITE_OK);
    assert_int_equal(get(TEST_VFS_HITS), 2);
    set(TEST_VFS_FAIL_SYNC, -1);
    for (int n = 0; n < 5; n++)
        assert_int_equal(put(db, 2, 10), SQLITE_IOERR);
    set(TEST_VFS_FAIL_SYNC, 0);
    assert_int_equal(put(db, 2, 10), SQLITE_OK);
    sqlite3_close(db);
    assert_int_equal(rows_left(journal), 2);
}

static void a_write_fails_from_the_call_that_was_named(void **state) {
    (void)state;
    sqlite3 *db = open_db(journal);
    set(TEST_VFS_FROM, get(TEST_VFS_WRITES) + 4);
    set(TEST_VFS_FAIL_WRITE, 1);
    assert_int_equal(put(db, 1, 10), SQLITE_OK); /* one frame: two writes */
    assert_int_equal(put(db, 2, 10), SQLITE_IOERR);
    assert_int_equal(get(TEST_VFS_WRITES), get(TEST_VFS_FROM));
    assert_int_equal(put(db, 3, 10), SQLITE_OK);
    assert_int_equal(rows(db), 2);
    sqlite3_close(db);
}

static void on_a_full_disk_what_does_not_grow_still_works(void **state) {
    (void)state;
    sqlite3 *db = open_db(journal);
    assert_int_equal(put(db, 1, 50000), SQLITE_OK);
    assert_int_equal(exec(db, "PRAGMA wal_checkpoint(RESTART)"), SQLITE_OK);
    set(TEST_VFS_FULL, 1);
    assert_int_equal(put(db, 2, 10), SQLITE_OK); /* over the old WAL */
    assert_int_equal(put(db, 3, 500000), SQLITE_FULL);
    assert_int_equal(exec(db, "DELETE FROM t WHERE n = 1"), SQLITE_OK);
    set(TEST_VFS_FULL, 0);
    assert_int_equal(put(db, 3, 500000), SQLITE_OK);
    sqlite3_close(db);
    assert_int_equal(rows_left(journal), 2);
}

static void a_full_disk_says_so_and_grows_where_the_ballast_was_given(void **state) {
    char ballast[96];
    struct statvfs disk;
    (void)state;
    snprintf(ballast, sizeof(ballast), "%.63s/ballast", directory);
    int fd = open(ballast, O_RDWR | O_CREAT, 0600);
    assert_true(fd >= 0);
    sqlite3 *db = open_db(journal);
    set(TEST_VFS_FULL, 2);
    assert_int_equal(put(db, 1, 100000), SQLITE_FULL);
    assert_true(statvfs(directory, &disk) == 0 && disk.f_bavail == 0);
    assert_int_equal(posix_fallocate(fd, 0, 4096), ENOSPC);
    assert_int_equal(unlink(ballast), 0);
    assert_int_equal(put(db, 1, 100000), SQLITE_OK);
    set(TEST_VFS_FULL, 0);
    assert_true(statvfs(directory, &disk) == 0 && disk.f_bavail > 0);
    assert_int_equal(posix_fallocate(fd, 0, 4096), 0);
    close(fd);
    sqlite3_close(db);
}

static void checkpoints_come_as_often_as_ordered(void **state) {
    struct stat st;
    (void)state;
    set(TEST_VFS_CHECKPOINT, 10);
    sqlite3 *db = open_db(journal);
    assert_int_equal(exec(db, "PRAGMA wal_autocheckpoint = 4096"), SQLITE_OK);
    for (int n = 1; n <= 100; n++)
        assert_int_equal(put(db, n, 9000), SQLITE_OK);
    assert_true(stat(journal, &st) == 0 && st.st_size > 500000);
    sqlite3_close(db);
}

/* The first sync fails and loses what it was to write; SQLite must write it all again. */
static void lost_then_killed(void) {
    sqlite3 *db = open_db(journal);
    set(TEST_VFS_FAIL_SYNC, 1);
    need(put(db, 1, 9000) != SQLITE_OK);
    need(put(db, 1, 9000) == SQLITE_OK);
    raise(SIGKILL);
}

static void what_a_failing_sync_lost_is_written_again(void **state) {
    (void)state;
    for (int32_t lost = 1; lost <= 2; lost++) {
        assert_int_equal(end(NULL), 0);
        assert_int_equal(begin(NULL), 0);
        set(TEST_VFS_LOST, lost);
        set(TEST_VFS_FORGET, 1);
        assert_int_equal(in_child(lost_then_killed), SIGKILL);
        set(TEST_VFS_FORGET, 0);
        assert_int_equal(rows_left(journal), 1);
    }
}

/* ---- the overlay against a plain buffer ---- */

#define MODEL_MAX 40000

static uint32_t below(uint32_t limit) {
    uint32_t n;
    random_bytes(&n, sizeof(n));
    return n % limit;
}

static void check_overlay(struct overlay *o, int fd, const char *model, size_t size) {
    char got[MODEL_MAX];
    size_t at = below(MODEL_MAX), len = 1 + below(MODEL_MAX - (uint32_t)at);
    size_t there = at >= size ? 0 : size - at < len ? size - at : len;
    int64_t known = overlay_size(o);
    if (known >= 0)
        assert_int_equal(known, size);
    switch (overlay_read(o, got, len, (int64_t)at)) {
    case OVERLAY_CLEAN:
        assert_int_equal(known, -1);
        assert_int_equal(pread(fd, got, len, (off_t)at), there);
        memset(got + there, 0, len - there);
        break;
    case OVERLAY_WHOLE:
        assert_int_equal(there, len);
        break;
    case OVERLAY_SHORT:
        assert_true(there < len);
        break;
    case OVERLAY_FAILED:
        fail();
    }
    assert_memory_equal(got, model + at, len);
}

static void any_history_of_writes_and_truncations_reads_back(void **state) {
    static char model[MODEL_MAX], bytes[MODEL_MAX];
    char path[96];
    size_t size = 0;
    (void)state;
    snprintf(path, sizeof(path), "%.63s/plain", directory);
    int fd = open(path, O_RDWR | O_CREAT, 0600);
    struct overlay *o = overlay_get(path);
    assert_non_null(o);
    memset(model, 0, sizeof(model));
    for (int i = 0; i < 20000; i++) {
        size_t at = below(MODEL_MAX), len = 1 + below(MODEL_MAX - (uint32_t)at);
        switch (below(12)) {
        case 0:
            size = size < at ? size : at; /* SQLite only ever makes files shorter */
            memset(model + size, 0, MODEL_MAX - size);
            assert_true(overlay_truncate(o, (int64_t)size));
            break;
        case 1:
            assert_true(overlay_apply(o));
            assert_int_equal(overlay_size(o), -1);
            break;
        default:
            len = len < 9000 ? len : 9000;
            random_bytes(bytes, len);
            memcpy(model + at, bytes, len);
            size = size < at + len ? at + len : size;
            assert_true(overlay_write(o, bytes, len, (int64_t)at));
        }
        check_overlay(o, fd, model, size);
    }
    overlay_put(o);
    overlay_drop(path);
    close(fd);
}

/* ---- preloaded ---- */

static void run_preloaded(const char *how) {
    char exe[512], lib[600], control[96], env_lib[640], env_control[128];
    ssize_t len = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
    assert_true(len > 0);
    exe[len] = '\0';
    snprintf(lib, sizeof(lib), "%s", exe);
    *strrchr(lib, '/') = '\0';
    snprintf(env_lib, sizeof(env_lib), "LD_PRELOAD=%s/../libtestvfs.so", lib);
    snprintf(control, sizeof(control), "%.63s/control", directory);
    snprintf(env_control, sizeof(env_control), "%s=%s", TEST_VFS_ENV, control);
    int fd = open(control, O_RDWR | O_CREAT, 0600);
    assert_int_equal(ftruncate(fd, TEST_VFS_SIZE), 0);
    assert_int_equal(pwrite(fd, &(int32_t){1}, 4, 4 * TEST_VFS_FORGET), 4);
    close(fd);
    int status;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        char *const argv[] = {exe, (char *)how, journal, NULL};
        char *const env[] = {env_lib, env_control,
                             (char *)"ASAN_OPTIONS=verify_asan_link_order=0:detect_leaks=0", NULL};
        execve(exe, argv, env);
        _exit(126);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, strcmp(how, "killed") == 0 ? SIGKILL : 0);
}

static void preloaded_it_forgets_at_a_kill_and_not_at_an_exit(void **state) {
    (void)state;
    run_preloaded("killed");
    assert_int_equal(rows_left(journal), 1);
    assert_int_equal(end(NULL), 0);
    assert_int_equal(begin(NULL), 0);
    run_preloaded("exits");
    assert_int_equal(rows_left(journal), 2);
}

static int be_preloaded(const char *how, const char *path) {
    sqlite3 *db = open_db(path);
    need(put(db, 1, 10) == SQLITE_OK && exec(db, "PRAGMA synchronous = OFF") == SQLITE_OK &&
         put(db, 2, 10) == SQLITE_OK && rows(db) == 2);
    if (strcmp(how, "killed") == 0)
        raise(SIGKILL);
    exit(0);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
#define TEST(t) cmocka_unit_test_setup_teardown(t, begin, end)
        TEST(what_was_not_synced_is_gone_after_a_kill),
        TEST(without_forget_a_kill_loses_nothing),
        TEST(a_file_that_was_never_synced_is_empty_after_a_kill),
        TEST(other_databases_are_touched_only_when_matched),
        TEST(kill_at_ends_the_process_at_that_call),
        TEST(torn_writes_leave_some_of_what_was_unsynced),
        TEST(the_next_n_syncs_fail_and_then_none),
        TEST(a_write_fails_from_the_call_that_was_named),
        TEST(on_a_full_disk_what_does_not_grow_still_works),
        TEST(a_full_disk_says_so_and_grows_where_the_ballast_was_given),
        TEST(checkpoints_come_as_often_as_ordered),
        TEST(what_a_failing_sync_lost_is_written_again),
        TEST(any_history_of_writes_and_truncations_reads_back),
        TEST(preloaded_it_forgets_at_a_kill_and_not_at_an_exit),
    };
    if (argc == 3)
        return be_preloaded(argv[1], argv[2]);
    ctl = mmap(NULL, TEST_VFS_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (ctl == MAP_FAILED || !test_vfs_register(ctl))
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}

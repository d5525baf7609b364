/* The checkpointer beside a writer that does not stop: how large the WAL becomes, what is in the
 * file afterwards, also where a sync fails. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "../../store/checkpointer.h"
#include "../../store/sqlite_open.h"
#include "../vfs/vfs.h"

#define BEGINS   64               /* pages */
#define FRAME    (4096 + 24)      /* of the WAL */
#define MOST     (BEGINS * 4 + 8) /* pages: it is copied before the commit that comes next */
#define COMMITS  3000
#define ROW_SIZE 2000

static struct test_vfs_control *vfs; /* shared with the processes that are killed */

struct kit {
    char directory[32];
    char path[48], wal[64];
    sqlite3 *db;
};

static void must(struct kit *kit, const char *text) {
    if (sqlite3_exec(kit->db, text, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s: %s", text, sqlite3_errmsg(kit->db));
}

static void open_file(struct kit *kit) {
    char text[200];
    assert_int_equal(sqlite_open(kit->path, &kit->db), SQLITE_OK);
    snprintf(text, sizeof(text),
             "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
             "PRAGMA wal_autocheckpoint = %d; CREATE TABLE IF NOT EXISTS t (n INTEGER, b BLOB)",
             BEGINS);
    must(kit, text);
}

static int setup(void **state) {
    struct kit *kit = calloc(1, sizeof(*kit));
    assert_non_null(kit);
    snprintf(kit->directory, sizeof(kit->directory), "/tmp/pm-checkpoint-XXXXXX");
    assert_non_null(mkdtemp(kit->directory));
    snprintf(kit->path, sizeof(kit->path), "%s/t.db", kit->directory);
    snprintf(kit->wal, sizeof(kit->wal), "%s-wal", kit->path);
    open_file(kit);
    *state = kit;
    return 0;
}

static int teardown(void **state) {
    struct kit *kit = *state;
    char shm[64];
    sqlite3_close(kit->db);
    snprintf(shm, sizeof(shm), "%s-shm", kit->path);
    unlink(kit->path);
    unlink(kit->wal);
    unlink(shm);
    rmdir(kit->directory);
    free(kit);
    return 0;
}

static int64_t number(struct kit *kit, const char *text) {
    sqlite3_stmt *s = NULL;
    assert_int_equal(sqlite3_prepare_v2(kit->db, text, -1, &s, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    int64_t value = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    return value;
}

static int64_t wal_size(const struct kit *kit) {
    struct stat file;
    assert_int_equal(stat(kit->wal, &file), 0);
    return file.st_size;
}

static void write_row(struct kit *kit, int n) {
    char text[100];
    snprintf(text, sizeof(text), "INSERT INTO t VALUES (%d, zeroblob(%d))", n, ROW_SIZE);
    must(kit, text);
}

static void all_is_there(struct kit *kit, int rows) {
    sqlite3_close(kit->db);
    open_file(kit);
    assert_int_equal(number(kit, "SELECT count(*) FROM t"), rows);
    assert_int_equal(number(kit, "SELECT sum(n) FROM t"), (int64_t)rows * (rows - 1) / 2);
    assert_int_equal(number(kit, "SELECT sum(quick_check = 'ok') FROM pragma_quick_check"), 1);
}

static void keeps_the_wal_small(struct kit *kit, const char *path) {
    struct checkpointer *c = checkpointer_new(kit->db, path, 0);
    assert_non_null(c);
    for (int i = 0; i < COMMITS; i++) {
        write_row(kit, i);
        assert_true(wal_size(kit) <= (int64_t)MOST * FRAME);
    }
    checkpointer_free(c);
    all_is_there(kit, COMMITS);
}

static void the_wal_stays_small_under_a_writer_that_does_not_stop(void **state) {
    struct kit *kit = *state;
    keeps_the_wal_small(kit, kit->path);
}

static void where_the_thread_can_not_copy_the_writer_does(void **state) {
    keeps_the_wal_small(*state, "/nowhere/t.db");
}

/* The file has what was committed: the thread has copied it. */
static void the_thread_copies_while_nobody_commits(void **state) {
    struct kit *kit = *state;
    struct checkpointer *c = checkpointer_new(kit->db, kit->path, 0);
    struct stat file;
    int rows = 0;
    while (rows < BEGINS * 3)
        write_row(kit, rows++);
    do
        assert_int_equal(stat(kit->path, &file), 0);
    while (file.st_size < (off_t)BEGINS * 4096);
    checkpointer_free(c);
    all_is_there(kit, rows);
}

static void whoever_asks_for_it_finds_the_wal_empty_at_once(void **state) {
    struct kit *kit = *state;
    struct checkpointer *c = checkpointer_new(kit->db, kit->path, 0);
    for (int i = 0; i < COMMITS; i++) {
        write_row(kit, i);
        if (i % 70)
            continue;
        assert_int_equal(checkpointer_run(c, kit->db, SQLITE_CHECKPOINT_TRUNCATE), SQLITE_OK);
        assert_int_equal(wal_size(kit), 0);
    }
    checkpointer_free(c);
    all_is_there(kit, COMMITS);
}

static void the_writer_keeps_it_small_while_it_must(void **state) {
    struct kit *kit = *state;
    struct checkpointer *c = checkpointer_new(kit->db, kit->path, 0);
    int rows = 0;
    checkpointer_keep_small(c, 8);
    for (; rows < COMMITS / 3; rows++) {
        write_row(kit, rows);
        assert_true(wal_size(kit) <= (int64_t)12 * FRAME);
    }
    checkpointer_keep_small(c, 0);
    for (; wal_size(kit) <= (int64_t)BEGINS * FRAME; rows++)
        write_row(kit, rows);
    for (; rows < COMMITS; rows++) {
        write_row(kit, rows);
        assert_true(wal_size(kit) <= (int64_t)MOST * FRAME);
    }
    checkpointer_free(c);
    all_is_there(kit, rows);
}

/* ---- a sync that fails, and then the power ---- */

#define UNDER_FAULT 160
#define STEP        5 /* of the syncs; which ones changes from run to run */

static bool try_row(struct kit *kit, int n) {
    char text[100];
    snprintf(text, sizeof(text), "INSERT INTO t VALUES (%d, zeroblob(%d))", n, ROW_SIZE);
    return sqlite3_exec(kit->db, text, NULL, NULL, NULL) == SQLITE_OK;
}

/* As the journal does: what fails is closed and opened again, and all of the WAL written anew. */
static void write_until_it_fails(struct kit *kit, int *told) {
    open_file(kit);
    struct checkpointer *c = checkpointer_new(kit->db, kit->path, 0);
    while (*told < UNDER_FAULT && try_row(kit, *told)) {
        ++*told;
        if (checkpointer_failed(c))
            break;
    }
    checkpointer_free(c);
    sqlite3_close(kit->db);
    open_file(kit);
    if (checkpointer_run(NULL, kit->db, SQLITE_CHECKPOINT_TRUNCATE) == SQLITE_OK &&
        try_row(kit, *told))
        ++*told;
}

/* False: there was no such sync. */
static bool fails_at(struct kit *kit, int sync, int lost, int *told) {
    char text[100];
    *told = 0;
    memset(vfs, 0, sizeof(*vfs));
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        vfs->fields[TEST_VFS_MATCH] = 1;
        vfs->fields[TEST_VFS_FORGET] = 1;
        vfs->fields[TEST_VFS_LOST] = lost;
        vfs->fields[TEST_VFS_FROM] = sync;
        vfs->fields[TEST_VFS_FAIL_SYNC] = 1;
        write_until_it_fails(kit, told);
        raise(SIGKILL);
    }
    assert_int_equal(waitpid(child, NULL, 0), child);
    bool hit = vfs->fields[TEST_VFS_HITS] > 0;
    memset(vfs, 0, sizeof(*vfs));
    open_file(kit);
    snprintf(text, sizeof(text), "SELECT count(DISTINCT n) FROM t WHERE n < %d", *told);
    if (number(kit, text) != *told)
        fail_msg("sync %d failed, lost %d: of %d rows %lld are there", sync, lost, *told,
                 (long long)number(kit, text));
    assert_int_equal(number(kit, "SELECT sum(quick_check = 'ok') FROM pragma_quick_check"), 1);
    must(kit, "DELETE FROM t");
    sqlite3_close(kit->db);
    return hit;
}

static void a_sync_that_fails_costs_nothing_that_was_committed(void **state) {
    struct kit *kit = *state;
    int *told = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(told != MAP_FAILED);
    sqlite3_close(kit->db);
    int first = 1 + (int)getpid() % STEP;
    printf("from sync %d\n", first);
    for (int lost = 1; lost <= 2; lost++)
        for (int sync = first; fails_at(kit, sync, lost, told); sync += STEP)
            ;
    munmap(told, 4096);
    kit->db = NULL;
}

int main(void) {
    vfs = mmap(NULL, TEST_VFS_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (vfs == MAP_FAILED || !test_vfs_register(vfs))
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_wal_stays_small_under_a_writer_that_does_not_stop,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(where_the_thread_can_not_copy_the_writer_does, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(the_thread_copies_while_nobody_commits, setup, teardown),
        cmocka_unit_test_setup_teardown(whoever_asks_for_it_finds_the_wal_empty_at_once, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_sync_that_fails_costs_nothing_that_was_committed, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(the_writer_keeps_it_small_while_it_must, setup, teardown),
    };
    return cmocka_run_group_tests_name("checkpointer", tests, NULL, NULL);
}

/* From the WAL into the file while somebody reads, a sync that fails, and then the power: what was
 * committed is there once the file was closed and opened again, as the journal does it. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../store/journal_sql.h"
#include "../vfs/vfs.h"

#define COMMITS 40
#define BODY    "replace(hex(zeroblob(4000)), '0', 'x')" /* of 8000 bytes */
#define READS   5 /* a read begins and ends within so many commits */

static struct test_vfs_control *vfs; /* shared with the process that is killed, as what follows */
static int *told;                    /* commits that were acknowledged */
static char directory[40], path[64];

static struct journal_sql *open_file(void) {
    struct err err;
    enum journal_trouble trouble;
    struct journal_sql *sql = journal_sql_open(path, &err, &trouble);
    if (!sql) {
        fprintf(stderr, "%s\n", err.text);
        abort();
    }
    return sql;
}

static bool commit(struct journal_sql *sql, int n) {
    char text[200];
    snprintf(text, sizeof(text), "INSERT INTO payload VALUES (%d, NULL, '', " BODY ", 0, NULL)", n);
    return journal_sql_begin(sql) && journal_sql_exec(sql, text) && journal_sql_commit(sql);
}

/* What stands in the WAL when a read begins can be copied, what comes after can not. */
static void be_reader(sqlite3 *reader, int n) {
    if (n % READS == 1)
        sqlite3_exec(reader, "BEGIN; SELECT count(*) FROM payload", NULL, NULL, NULL);
    if (n % READS == READS - 1)
        sqlite3_exec(reader, "COMMIT", NULL, NULL, NULL);
}

/* Until it fails; then, as after journal_remedy's down(), anew, and all of the WAL into the file.
 */
static void work(int sync) {
    sqlite3 *reader = NULL;
    struct journal_sql *sql = open_file();
    if (sqlite3_open(path, &reader) != SQLITE_OK)
        abort();
    vfs->fields[TEST_VFS_FROM] = vfs->fields[TEST_VFS_SYNCS] + sync;
    vfs->fields[TEST_VFS_FAIL_SYNC] = 1;
    while (*told < COMMITS) {
        be_reader(reader, *told);
        if (!commit(sql, *told))
            break;
        ++*told;
    }
    sqlite3_close(reader);
    journal_sql_close(sql);
    vfs->fields[TEST_VFS_FAIL_SYNC] = 0;
    sql = open_file();
    if (journal_sql_exec(sql, "PRAGMA wal_checkpoint(TRUNCATE)") && commit(sql, 1000))
        told[1] = 1; /* it goes on */
}

/* False: there was no such sync. */
static bool fails_at(int sync, int lost) {
    memset(vfs, 0, sizeof(*vfs));
    told[0] = told[1] = 0;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        vfs->fields[TEST_VFS_CHECKPOINT] = 16;
        vfs->fields[TEST_VFS_FORGET] = 1;
        vfs->fields[TEST_VFS_LOST] = lost;
        work(sync);
        raise(SIGKILL);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    bool hit = vfs->fields[TEST_VFS_HITS] > 0;
    memset(vfs, 0, sizeof(*vfs));
    struct journal_sql *sql = open_file();
    int64_t there = 0, whole = 0;
    char text[160];
    snprintf(text, sizeof(text), "SELECT count(*) FROM payload WHERE seq < %d AND body = " BODY,
             *told);
    assert_true(journal_sql_number(sql, text, &there));
    assert_true(
        journal_sql_number(sql, "SELECT sum(quick_check = 'ok') FROM pragma_quick_check", &whole));
    if (there != *told || whole != 1)
        fail_msg("sync %d failed, lost %d: of %d commits %d are there", sync, lost, *told,
                 (int)there);
    assert_true(told[1] || !hit);
    journal_sql_close(sql);
    unlink(path);
    return hit;
}

static void a_sync_that_fails_costs_nothing_that_was_committed(void **state) {
    (void)state;
    for (int lost = 1; lost <= 2; lost++)
        for (int sync = 1; fails_at(sync, lost); sync++)
            ;
}

int main(void) {
    vfs = mmap(NULL, TEST_VFS_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    told = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    snprintf(directory, sizeof(directory), "/tmp/pm-copy-XXXXXX");
    if (vfs == MAP_FAILED || told == MAP_FAILED || !test_vfs_register(vfs) || !mkdtemp(directory))
        return 1;
    snprintf(path, sizeof(path), "%s/journal.db", directory);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sync_that_fails_costs_nothing_that_was_committed),
    };
    int failed = cmocka_run_group_tests_name("journal_copy", tests, NULL, NULL);
    rmdir(directory);
    return failed;
}

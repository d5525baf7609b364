/* A test VFS: SQLite's default VFS with faults, steered from outside through shared memory.
 *
 * The control page is 4096 bytes, an array of int32 in the order of the enum below, mapped shared:
 * in a unit test an anonymous mapping, under LD_PRELOAD the file that POINTSMAN_TEST_VFS names
 * (tests/e2e/harness/vfs.mjs makes it and reads this enum). Fields may change at any time. Zeros
 * change nothing. Layer: tests. */
#ifndef POINTSMAN_TESTS_VFS_H
#define POINTSMAN_TESTS_VFS_H

#include <stdbool.h>
#include <stdint.h>

#define TEST_VFS_ENV  "POINTSMAN_TEST_VFS"
#define TEST_VFS_SIZE 4096

enum test_vfs_field {
    /* 1: writes live in this process's memory until xSync: after a kill the file holds only what
     * was synced. An orderly exit() writes them out, as no power was cut. */
    TEST_VFS_FORGET = 0,
    TEST_VFS_FAIL_SYNC, /* the next n xSync fail with SQLITE_IOERR_FSYNC; -1: all */
    /* What would make a file longer fails with SQLITE_FULL, and the file system says it is full.
     * 1: always. 2: while there is a file `ballast` beside it (removing it gives room). */
    TEST_VFS_FULL,
    TEST_VFS_SLOW_SYNC_MS, /* each xSync takes so much longer */
    TEST_VFS_KILL_AT,      /* SIGKILL instead of the call that makes writes + syncs this; 0: off */
    TEST_VFS_WRITES,       /* counted: xWrite and xTruncate */
    TEST_VFS_SYNCS,        /* counted: xSync */
    TEST_VFS_MATCH,        /* 0: only files with "journal.db" in their name; 1: every database */
    TEST_VFS_FAIL_WRITE,   /* the next n xWrite and xTruncate fail, SQLITE_IOERR_WRITE; -1: all */
    /* What of the unsynced calls reaches the file at a kill by kill_at, each file by itself.
     * 0: nothing. 1: the first few, the last of them cut at a 512-byte border (a power cut).
     * 2: any of them, each maybe cut (a power cut, and a disk that reorders). */
    TEST_VFS_TORN,
    TEST_VFS_SEED, /* of torn */
    /* What a failing xSync was to write is never written, as the kernel has it. 1: what was there
     * before is read again (XFS, Btrfs). 2: it is read back as if it were written (ext4). */
    TEST_VFS_LOST,
    /* Faults of sync start when `syncs` is at least this, those of writes when `writes` is. */
    TEST_VFS_FROM,
    TEST_VFS_CHECKPOINT, /* replaces the value of a program's PRAGMA wal_autocheckpoint, which
                            must not have fewer digits; 0: off */
    TEST_VFS_HITS,       /* counted: calls that failed by order */
    TEST_VFS_FIELDS
};

struct test_vfs_control {
    _Atomic int32_t fields[TEST_VFS_FIELDS];
};

/* Makes the shim SQLite's default VFS, before a database is opened; later calls only put another
 * control in place, while none is. Borrows control for good. False: SQLite refused. */
bool test_vfs_register(struct test_vfs_control *control);

/* The file system is to say that it is full. */
bool test_vfs_full(void);

#endif

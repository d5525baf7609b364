/* The shim VFS: counts the calls that change a file, fails or kills where it is told to, passes the
 * rest on to SQLite's own. */
#include "vfs.h"

#include <limits.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "overlay.h"

struct shim_file {
    sqlite3_file base;
    struct overlay *overlay; /* NULL: the file cannot be written to, and is left alone */
    const char *name;        /* SQLite's; it outlives the file */
    bool journal;
    _Alignas(8) char real[]; /* of the real VFS */
};

static struct test_vfs_control *ctl;
static sqlite3_vfs *real_vfs;

static int32_t get(enum test_vfs_field field) {
    return atomic_load_explicit(&ctl->fields[field], memory_order_relaxed);
}

static int32_t count(enum test_vfs_field field) {
    return atomic_fetch_add(&ctl->fields[field], 1) + 1;
}

static sqlite3_file *real_of(sqlite3_file *file) {
    return (sqlite3_file *)((struct shim_file *)file)->real;
}

static struct overlay *overlay_of(sqlite3_file *file) {
    return ((struct shim_file *)file)->overlay;
}

/* ---- faults ---- */

static bool watched(sqlite3_file *file) {
    struct shim_file *f = (struct shim_file *)file;
    return f->overlay && (f->journal || get(TEST_VFS_MATCH) != 0);
}

/* Counts one of the next n; -1: there is no end. */
static bool take(enum test_vfs_field field) {
    int32_t left = get(field);
    while (left > 0 && !atomic_compare_exchange_weak(&ctl->fields[field], &left, left - 1))
        ;
    return left != 0;
}

static bool fail(enum test_vfs_field field, int32_t counted) {
    if (counted < get(TEST_VFS_FROM) || !take(field))
        return false;
    count(TEST_VFS_HITS);
    return true;
}

static void maybe_die(void) {
    int32_t at = get(TEST_VFS_KILL_AT);
    if (!at || get(TEST_VFS_WRITES) + get(TEST_VFS_SYNCS) != at)
        return;
    if (get(TEST_VFS_TORN))
        overlays_tear(get(TEST_VFS_TORN), (uint32_t)get(TEST_VFS_SEED));
    raise(SIGKILL);
}

static int64_t size_of(sqlite3_file *file) {
    sqlite3_int64 size = overlay_of(file) ? overlay_size(overlay_of(file)) : -1;
    if (size < 0 && real_of(file)->pMethods->xFileSize(real_of(file), &size) != SQLITE_OK)
        return 0;
    return size;
}

static bool begun(void) {
    return get(TEST_VFS_FULL) && get(TEST_VFS_WRITES) >= get(TEST_VFS_FROM);
}

bool test_vfs_full(void) {
    return ctl && begun();
}

static bool room_was_given(sqlite3_file *file) {
    const char *name = ((struct shim_file *)file)->name;
    const char *slash = strrchr(name, '/');
    int len = slash ? (int)(slash - name) + 1 : 0;
    char ballast[PATH_MAX];
    snprintf(ballast, sizeof(ballast), "%.*sballast", len, name);
    return access(ballast, F_OK) != 0;
}

static bool too_long(sqlite3_file *file, int64_t end) {
    if (!begun() || end <= size_of(file) || (get(TEST_VFS_FULL) == 2 && room_was_given(file)))
        return false;
    count(TEST_VFS_HITS);
    return true;
}

static bool in_memory(sqlite3_file *file) {
    return get(TEST_VFS_FORGET) || overlay_size(overlay_of(file)) >= 0;
}

/* What a call that changes the file up to `end` is to answer; SQLITE_OK: go on. */
static int before_change(sqlite3_file *file, int64_t end) {
    int32_t counted = count(TEST_VFS_WRITES);
    maybe_die();
    if (fail(TEST_VFS_FAIL_WRITE, counted))
        return SQLITE_IOERR_WRITE;
    return too_long(file, end) ? SQLITE_FULL : SQLITE_OK;
}

/* ---- what changes a file ---- */

static int shim_write(sqlite3_file *file, const void *from, int len, sqlite3_int64 at) {
    sqlite3_file *real = real_of(file);
    if (!watched(file))
        return real->pMethods->xWrite(real, from, len, at);
    int rc = before_change(file, at + len);
    if (rc != SQLITE_OK)
        return rc;
    if (!in_memory(file))
        return real->pMethods->xWrite(real, from, len, at);
    return overlay_write(overlay_of(file), from, (size_t)len, at) ? SQLITE_OK : SQLITE_IOERR_WRITE;
}

static int shim_truncate(sqlite3_file *file, sqlite3_int64 size) {
    sqlite3_file *real = real_of(file);
    if (!watched(file))
        return real->pMethods->xTruncate(real, size);
    int rc = before_change(file, size);
    if (rc != SQLITE_OK)
        return rc;
    if (!in_memory(file))
        return real->pMethods->xTruncate(real, size);
    return overlay_truncate(overlay_of(file), size) ? SQLITE_OK : SQLITE_IOERR_TRUNCATE;
}

static void be_slow(void) {
    int32_t ms = get(TEST_VFS_SLOW_SYNC_MS);
    struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    if (ms > 0)
        nanosleep(&left, NULL);
}

static int shim_sync(sqlite3_file *file, int flags) {
    sqlite3_file *real = real_of(file);
    if (watched(file)) {
        int32_t counted = count(TEST_VFS_SYNCS);
        maybe_die();
        be_slow();
        if (fail(TEST_VFS_FAIL_SYNC, counted)) {
            if (get(TEST_VFS_LOST))
                overlay_lose(overlay_of(file), get(TEST_VFS_LOST) == 2);
            return SQLITE_IOERR_FSYNC;
        }
    }
    if (overlay_of(file) && !overlay_apply(overlay_of(file)))
        return SQLITE_IOERR_FSYNC;
    return real->pMethods->xSync(real, flags);
}

/* The pragma's value is replaced in place, before SQLite reads it. */
static void set_checkpoint(char **pragma) {
    if (get(TEST_VFS_CHECKPOINT) && pragma[2] &&
        sqlite3_stricmp(pragma[1], "wal_autocheckpoint") == 0)
        snprintf(pragma[2], strlen(pragma[2]) + 1, "%d", get(TEST_VFS_CHECKPOINT));
}

static int shim_file_control(sqlite3_file *file, int op, void *arg) {
    sqlite3_file *real = real_of(file);
    if (op == SQLITE_FCNTL_SIZE_HINT && watched(file)) {
        if (too_long(file, *(sqlite3_int64 *)arg))
            return SQLITE_FULL;
        if (in_memory(file))
            return SQLITE_OK;
    }
    if (op == SQLITE_FCNTL_PRAGMA)
        set_checkpoint(arg);
    return real->pMethods->xFileControl(real, op, arg);
}

/* ---- what reads it ---- */

static int shim_read(sqlite3_file *file, void *to, int len, sqlite3_int64 at) {
    sqlite3_file *real = real_of(file);
    switch (overlay_of(file) ? overlay_read(overlay_of(file), to, (size_t)len, at)
                             : OVERLAY_CLEAN) {
    case OVERLAY_WHOLE:
        return SQLITE_OK;
    case OVERLAY_SHORT:
        return SQLITE_IOERR_SHORT_READ;
    case OVERLAY_FAILED:
        return SQLITE_IOERR_READ;
    case OVERLAY_CLEAN:
        break;
    }
    return real->pMethods->xRead(real, to, len, at);
}

static int shim_file_size(sqlite3_file *file, sqlite3_int64 *ret) {
    sqlite3_file *real = real_of(file);
    int64_t size = overlay_of(file) ? overlay_size(overlay_of(file)) : -1;
    if (size < 0)
        return real->pMethods->xFileSize(real, ret);
    *ret = size;
    return SQLITE_OK;
}

static int shim_close(sqlite3_file *file) {
    sqlite3_file *real = real_of(file);
    int rc = real->pMethods->xClose(real);
    overlay_put(overlay_of(file));
    return rc;
}

/* ---- what is passed on ---- */

static int shim_lock(sqlite3_file *file, int level) {
    return real_of(file)->pMethods->xLock(real_of(file), level);
}

static int shim_unlock(sqlite3_file *file, int level) {
    return real_of(file)->pMethods->xUnlock(real_of(file), level);
}

static int shim_check_reserved(sqlite3_file *file, int *ret) {
    return real_of(file)->pMethods->xCheckReservedLock(real_of(file), ret);
}

static int shim_sector_size(sqlite3_file *file) {
    return real_of(file)->pMethods->xSectorSize(real_of(file));
}

static int shim_characteristics(sqlite3_file *file) {
    return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}

static int shim_shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **ret) {
    return real_of(file)->pMethods->xShmMap(real_of(file), page, size, extend, ret);
}

static int shim_shm_lock(sqlite3_file *file, int offset, int n, int flags) {
    return real_of(file)->pMethods->xShmLock(real_of(file), offset, n, flags);
}

static void shim_shm_barrier(sqlite3_file *file) {
    real_of(file)->pMethods->xShmBarrier(real_of(file));
}

static int shim_shm_unmap(sqlite3_file *file, int remove) {
    return real_of(file)->pMethods->xShmUnmap(real_of(file), remove);
}

/* Version 2: without xFetch nothing is read behind the shim's back. */
static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = shim_close,
    .xRead = shim_read,
    .xWrite = shim_write,
    .xTruncate = shim_truncate,
    .xSync = shim_sync,
    .xFileSize = shim_file_size,
    .xLock = shim_lock,
    .xUnlock = shim_unlock,
    .xCheckReservedLock = shim_check_reserved,
    .xFileControl = shim_file_control,
    .xSectorSize = shim_sector_size,
    .xDeviceCharacteristics = shim_characteristics,
    .xShmMap = shim_shm_map,
    .xShmLock = shim_shm_lock,
    .xShmBarrier = shim_shm_barrier,
    .xShmUnmap = shim_shm_unmap,
};

/* ---- the VFS ---- */

static int shim_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
                     int *ret_flags) {
    struct shim_file *f = (struct shim_file *)file;
    (void)vfs;
    if (!name || !(flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_WAL)))
        return real_vfs->xOpen(real_vfs, name, file, flags, ret_flags);
    memset(f, 0, sizeof(*f));
    int rc = real_vfs->xOpen(real_vfs, name, real_of(file), flags, ret_flags);
    if (rc != SQLITE_OK)
        return rc;
    const char *base = strrchr(name, '/');
    f->journal = strstr(base ? base : name, "journal.db") != NULL;
    f->name = name;
    f->overlay = overlay_get(name);
    f->base.pMethods = &methods;
    return SQLITE_OK;
}

static int shim_delete(sqlite3_vfs *vfs, const char *name, int sync_directory) {
    (void)vfs;
    overlay_drop(name);
    return real_vfs->xDelete(real_vfs, name, sync_directory);
}

/* SQLite asks whether there is a WAL that is not empty. */
static int shim_access(sqlite3_vfs *vfs, const char *name, int flags, int *ret) {
    (void)vfs;
    int rc = real_vfs->xAccess(real_vfs, name, flags, ret);
    if (rc == SQLITE_OK && flags == SQLITE_ACCESS_EXISTS && overlay_size_of(name) >= 0)
        *ret = overlay_size_of(name) > 0;
    return rc;
}

bool test_vfs_register(struct test_vfs_control *control) {
    static sqlite3_vfs shim;
    ctl = control;
    if (real_vfs)
        return true;
    real_vfs = sqlite3_vfs_find(NULL);
    if (!real_vfs)
        return false;
    shim = *real_vfs;
    shim.pNext = NULL;
    shim.zName = "pointsman-test";
    shim.szOsFile = (int)sizeof(struct shim_file) + real_vfs->szOsFile;
    shim.xOpen = shim_open;
    shim.xDelete = shim_delete;
    shim.xAccess = shim_access;
    return sqlite3_vfs_register(&shim, 1) == SQLITE_OK;
}

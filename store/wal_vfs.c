/* What continues the last write is held back; whatever else is done to the file writes that out
 * first, so each call finds the file as if nothing had been held. An error of such a write is told
 * by the call that came upon it: before a commit at the latest by its xSync, and the transaction
 * fails as a whole. Other files are the default VFS's alone: after a checkpoint that could not do
 * all pages SQLite relies on the database without a call that could still fail. */
#include "wal_vfs.h"

#include <pthread.h>
#include <string.h>

#include <sqlite3.h>

#define PIECE (120 * 1024) /* SQLite's unix VFS takes less than 128 KiB at once */

struct wal_file {
    sqlite3_file base;
    unsigned char *held; /* PIECE bytes */
    int len;             /* of what is held */
    sqlite3_int64 at;    /* … and where it belongs */
};

static sqlite3_vfs *real_vfs;
static sqlite3_vfs wal_vfs;

static struct wal_file *wal_of(sqlite3_file *file) {
    return (struct wal_file *)file;
}

static sqlite3_file *real_of(sqlite3_file *file) {
    return (sqlite3_file *)(wal_of(file) + 1);
}

static int write_held(sqlite3_file *file) {
    struct wal_file *f = wal_of(file);
    int len = f->len;
    f->len = 0; /* also where it fails: SQLite then writes it anew, or never */
    return len ? real_of(file)->pMethods->xWrite(real_of(file), f->held, len, f->at) : SQLITE_OK;
}

static int wal_write(sqlite3_file *file, const void *from, int len, sqlite3_int64 at) {
    struct wal_file *f = wal_of(file);
    if (at != f->at + f->len || len > PIECE - f->len) {
        int rc = write_held(file);
        if (rc != SQLITE_OK)
            return rc;
        f->at = at;
    }
    if (len > PIECE)
        return real_of(file)->pMethods->xWrite(real_of(file), from, len, at);
    memcpy(f->held + f->len, from, (size_t)len);
    f->len += len;
    return SQLITE_OK;
}

static int wal_read(sqlite3_file *file, void *to, int len, sqlite3_int64 at) {
    int rc = write_held(file);
    return rc != SQLITE_OK ? rc : real_of(file)->pMethods->xRead(real_of(file), to, len, at);
}

static int wal_truncate(sqlite3_file *file, sqlite3_int64 size) {
    int rc = write_held(file);
    return rc != SQLITE_OK ? rc : real_of(file)->pMethods->xTruncate(real_of(file), size);
}

static int wal_sync(sqlite3_file *file, int flags) {
    int rc = write_held(file);
    return rc != SQLITE_OK ? rc : real_of(file)->pMethods->xSync(real_of(file), flags);
}

static int wal_file_size(sqlite3_file *file, sqlite3_int64 *ret) {
    int rc = write_held(file);
    return rc != SQLITE_OK ? rc : real_of(file)->pMethods->xFileSize(real_of(file), ret);
}

static int wal_file_control(sqlite3_file *file, int op, void *arg) {
    int rc = write_held(file);
    return rc != SQLITE_OK ? rc : real_of(file)->pMethods->xFileControl(real_of(file), op, arg);
}

/* What is held now was never committed. */
static int wal_close(sqlite3_file *file) {
    sqlite3_free(wal_of(file)->held);
    return real_of(file)->pMethods->xClose(real_of(file));
}

/* ---- what is passed on ---- */

static int wal_lock(sqlite3_file *file, int level) {
    return real_of(file)->pMethods->xLock(real_of(file), level);
}

static int wal_unlock(sqlite3_file *file, int level) {
    return real_of(file)->pMethods->xUnlock(real_of(file), level);
}

static int wal_check_reserved(sqlite3_file *file, int *ret) {
    return real_of(file)->pMethods->xCheckReservedLock(real_of(file), ret);
}

static int wal_sector_size(sqlite3_file *file) {
    return real_of(file)->pMethods->xSectorSize(real_of(file));
}

static int wal_characteristics(sqlite3_file *file) {
    return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}

static const sqlite3_io_methods methods = {
    .iVersion = 1, /* no shared memory: that is the database's */
    .xClose = wal_close,
    .xRead = wal_read,
    .xWrite = wal_write,
    .xTruncate = wal_truncate,
    .xSync = wal_sync,
    .xFileSize = wal_file_size,
    .xLock = wal_lock,
    .xUnlock = wal_unlock,
    .xCheckReservedLock = wal_check_reserved,
    .xFileControl = wal_file_control,
    .xSectorSize = wal_sector_size,
    .xDeviceCharacteristics = wal_characteristics,
};

/* ---- the VFS ---- */

static int wal_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
                    int *ret_flags) {
    (void)vfs;
    if (!(flags & SQLITE_OPEN_WAL))
        return real_vfs->xOpen(real_vfs, name, file, flags, ret_flags);
    struct wal_file *f = wal_of(file);
    *f = (struct wal_file){.held = sqlite3_malloc(PIECE)};
    if (!f->held)
        return SQLITE_NOMEM;
    int rc = real_vfs->xOpen(real_vfs, name, real_of(file), flags, ret_flags);
    if (rc != SQLITE_OK) {
        sqlite3_free(f->held);
        return rc;
    }
    f->base.pMethods = &methods;
    return SQLITE_OK;
}

static void make(void) {
    real_vfs = sqlite3_vfs_find(NULL);
    if (!real_vfs)
        return;
    wal_vfs = *real_vfs;
    wal_vfs.pNext = NULL;
    wal_vfs.zName = "pointsman-wal";
    wal_vfs.szOsFile = (int)sizeof(struct wal_file) + real_vfs->szOsFile;
    wal_vfs.xOpen = wal_open;
    if (sqlite3_vfs_register(&wal_vfs, 0) != SQLITE_OK)
        real_vfs = NULL;
}

const char *wal_vfs_name(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make);
    return real_vfs ? wal_vfs.zName : NULL;
}

/* Opens the file, keeps its statements, tells a full disk from a failing one and both from damage.
 */
#include "journal_sql.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sqlite_open.h"

#define LAYOUT    2 /* user_version of the file */
#define BUSY_MS   2000
#define PAGE_SIZE 4096
#define GROWTH    (1 << 20) /* the file grows by so much */
#define SMALL_WAL 64        /* pages, on a full disk */

#define SLIM_COLUMNS                                                                               \
    "seq, ver, state, ordered, first, tries, bytes, coalesce(length(answer), 0), source, entity,"  \
    " token, reason"
#define LINE "FROM event WHERE source = ?1 AND entity = ?2 AND ordered = 1 AND state IN (0, 1)"
#define DUE                                                                                        \
    "SELECT seq, due FROM event WHERE state = 0 AND first = 1 AND retry = ?1 AND side = ?2"        \
    " AND due <= ?3 ORDER BY due"

static const char *const texts[JS_STATEMENTS] = {
    [JS_BEGIN] = "BEGIN IMMEDIATE",
    [JS_COMMIT] = "COMMIT",
    [JS_ROLLBACK] = "ROLLBACK",
    [JS_FIND] = "SELECT " SLIM_COLUMNS " FROM event WHERE id = ?1 AND source = ?2",
    [JS_SLIM] = "SELECT " SLIM_COLUMNS " FROM event WHERE seq = ?1",
    [JS_PUT] =
        "INSERT INTO event (ver, state, reason, source, id, type, action, entity, repository,"
        " owner, digest, number, closes, side, ordered, first, retry, tries, attempt, fence,"
        " token, due, at, changed, status, sticky_ms, bytes, answer)"
        " VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17,"
        " ?18, ?19, ?20, ?21, ?22, ?22, ?23, ?24, ?25, ?26)"
        " ON CONFLICT (id, source) DO UPDATE SET ver = ver + 1, state = ?1, reason = ?2,"
        " type = ?5, action = ?6, entity = ?7, repository = ?8, owner = ?9, digest = ?10,"
        " number = ?11, closes = ?12, side = ?13, ordered = ?14, first = ?15, retry = ?16,"
        " tries = max(tries, ?17), attempt = ?18, fence = ?19, token = ?20, due = ?21,"
        " changed = ?22, status = ?23, sticky_ms = ?24, bytes = ?25,"
        " answer = coalesce(?26, answer)",
    [JS_MOVE] = "UPDATE event SET ver = ver + 1, state = ?2, reason = ?3, side = ?4, token = ?5,"
                " attempt = ?6, fence = ?7, tries = ?8, retry = ?9, due = ?10, status = ?11,"
                " sticky_ms = ?12, changed = ?13, first = ?14, bytes = ?15,"
                " answer = coalesce(?16, answer) WHERE seq = ?1",
    [JS_REFRESH] = "UPDATE event SET type = ?2, action = ?3, entity = ?4, repository = ?5,"
                   " owner = ?6, digest = ?7, number = ?8, closes = ?9, bytes = ?10 WHERE seq = ?1",
    [JS_SET] =
        "UPDATE event SET ver = ver + 1, state = ?2, reason = ?3, changed = ?4 WHERE seq = ?1",
    [JS_REQUEUE] =
        "UPDATE event SET ver = ver + 1, state = 0, reason = ?2, changed = ?3, side = ?4,"
        " due = ?3, first = ?5, tries = 0, retry = 0 WHERE seq = ?1",
    [JS_DROP] = "DELETE FROM event WHERE seq = ?1",
    [JS_COPY] = "INSERT INTO event (ver, state, reason, source, id, type, action, entity,"
                " repository, owner, digest, number, closes, side, ordered, first, retry, tries,"
                " attempt, fence, token, due, at, changed, status, sticky_ms, bytes)"
                " SELECT 1, 0, ?2, source, ?3, type, action, entity, repository, owner, digest,"
                " number, closes, ?4, ordered, NOT ordered, 0, 0, 0, 0, '', ?5, ?5, ?5, 0, 0,"
                " bytes - coalesce(length(answer), 0) FROM event WHERE seq = ?1",
    [JS_PAYLOAD_PUT] = "INSERT OR REPLACE INTO payload VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    [JS_PAYLOAD_DROP] = "DELETE FROM payload WHERE seq = ?1",
    [JS_PAYLOAD_COPY] =
        "INSERT INTO payload SELECT ?2, " PAYLOAD_COLUMNS " FROM payload WHERE seq = ?1",
    [JS_LINE_FIRST] = "SELECT seq, state " LINE " AND first = 1 ORDER BY seq LIMIT 1",
    [JS_LINE_NEXT] = "SELECT seq " LINE " AND first = 0 ORDER BY seq LIMIT 1",
    [JS_LINE_SET] = "UPDATE event SET first = ?2 WHERE seq = ?1",
    [JS_DONE_OLDEST] =
        "SELECT seq, bytes FROM event INDEXED BY event_done WHERE state = 4 AND changed < ?1"
        " AND seq <> ?2 ORDER BY changed LIMIT 1",
    [JS_ROW] = "SELECT " ROW_COLUMNS ", answer, " PAYLOAD_COLUMNS
               " FROM event LEFT JOIN payload USING (seq) WHERE seq = ?1",
    [JS_DUE] = DUE,
    [JS_DUE_1] = DUE,
    [JS_DUE_2] = DUE,
    [JS_DUE_NEXT] = "SELECT min(due) FROM event WHERE state = 0 AND first = 1 AND retry = ?1"
                    " AND side = ?2 AND due > ?3",
    [JS_SENDING] = "SELECT " ROW_COLUMNS " FROM event WHERE state = 1 AND seq > ?1 ORDER BY seq",
    [JS_WALK] = "SELECT seq, side, retry, due, changed FROM event WHERE state = 0 AND seq > ?1"
                " AND seq <= ?2 ORDER BY seq LIMIT ?3",
    [JS_HASTEN] = "UPDATE event SET due = ?2, retry = ?3, changed = ?4 WHERE seq = ?1",
    [JS_LAST] = "SELECT coalesce(max(seq), 0) FROM event",
    [JS_OLDEST] = "SELECT min(at) FROM (SELECT * FROM (SELECT at FROM event WHERE state = 0"
                  " ORDER BY seq LIMIT 1) UNION ALL SELECT * FROM (SELECT at FROM event"
                  " WHERE state = 1 ORDER BY seq LIMIT 1))",
    [JS_TOTALS] = "SELECT state, count(*), sum(bytes) FROM event GROUP BY state",
    [JS_DAMAGED_GET] = "SELECT value FROM meta WHERE key = 'damaged'",
    [JS_DAMAGED_SET] = "INSERT OR REPLACE INTO meta VALUES ('damaged', ?1)",
};

/* auto_vacuum must come before the first table. The WAL keeps up to 32 MiB of room, so that
 * outcomes fit on a full disk; it goes into the file after every 16 MiB. */
static const char *const settings = "PRAGMA page_size = 4096;"
                                    "PRAGMA auto_vacuum = INCREMENTAL;"
                                    "PRAGMA journal_mode = WAL;"
                                    "PRAGMA synchronous = FULL;"
                                    "PRAGMA secure_delete = FAST;"
                                    "PRAGMA temp_store = MEMORY;"
                                    "PRAGMA cache_size = -16384;"
                                    "PRAGMA wal_autocheckpoint = 4096;"
                                    "PRAGMA journal_size_limit = 33554432;";

/* `first`: nothing ordered stands before it; so a take never walks along a line. event_due also
 * holds what its condition fixes: 3.40 reads the row for it otherwise. */
static const char *const schema =
    "BEGIN;"
    "CREATE TABLE IF NOT EXISTS event"
    " (seq INTEGER PRIMARY KEY AUTOINCREMENT, ver INTEGER NOT NULL, state INTEGER NOT NULL,"
    " reason INTEGER NOT NULL, source TEXT NOT NULL, id TEXT NOT NULL, type TEXT, action TEXT,"
    " entity TEXT, repository TEXT, owner TEXT, digest TEXT, number INTEGER,"
    " closes INTEGER NOT NULL, side INTEGER NOT NULL, ordered INTEGER NOT NULL,"
    " first INTEGER NOT NULL, retry INTEGER NOT NULL, tries INTEGER NOT NULL,"
    " attempt INTEGER NOT NULL, fence INTEGER NOT NULL, token TEXT NOT NULL,"
    " due INTEGER NOT NULL, at INTEGER NOT NULL, changed INTEGER NOT NULL,"
    " status INTEGER NOT NULL, sticky_ms INTEGER NOT NULL, bytes INTEGER NOT NULL, answer BLOB,"
    " UNIQUE (id, source));"
    "CREATE INDEX IF NOT EXISTS event_due ON event (retry, side, due, state, first)"
    " WHERE state = 0 AND first = 1;"
    "CREATE INDEX IF NOT EXISTS event_state ON event (state, seq);"
    "CREATE INDEX IF NOT EXISTS event_line ON event (source, entity, first, seq)"
    " WHERE ordered = 1 AND state IN (0, 1);"
    "CREATE INDEX IF NOT EXISTS event_done ON event (changed) WHERE state = 4;"
    "CREATE TABLE IF NOT EXISTS payload"
    " (seq INTEGER PRIMARY KEY, head BLOB, target TEXT, body BLOB, sum INTEGER NOT NULL,"
    " size INTEGER);"
    "CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value INTEGER) WITHOUT ROWID;"
    "PRAGMA user_version = 2;"
    "COMMIT;";

static const char *const from_layout_1 = "BEGIN;"
                                         "ALTER TABLE payload ADD COLUMN size INTEGER;"
                                         "PRAGMA user_version = 2;"
                                         "COMMIT;";

const char *journal_sql_text(enum journal_statement which) {
    return texts[which];
}

enum journal_trouble journal_trouble_of(sqlite3 *db) {
    int code = sqlite3_extended_errcode(db);
    int system = sqlite3_system_errno(db);
    switch (code & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return TROUBLE_NONE;
    case SQLITE_FULL:
        return TROUBLE_FULL;
    case SQLITE_IOERR:
        if (code == SQLITE_IOERR_NOMEM)
            return TROUBLE_CALL;
        if (code == SQLITE_IOERR_FSYNC) /* whatever the reason: what was written may be gone */
            return TROUBLE_DISK;
        /* Growing the shared index of the WAL says so, whatever the reason is. */
        if (code == SQLITE_IOERR_SHMSIZE || system == ENOSPC || system == EDQUOT || system == EFBIG)
            return TROUBLE_FULL;
        return TROUBLE_DISK;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_ERROR: /* a table or a column is not there */
    case SQLITE_MISMATCH:
        return TROUBLE_DAMAGED;
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_BUSY:
    case SQLITE_PROTOCOL:
        return TROUBLE_DISK;
    default:
        return TROUBLE_CALL;
    }
}

bool journal_sql_failed(struct journal_sql *sql) {
    if (sqlite3_extended_errcode(sql->db) == SQLITE_IOERR_FSYNC)
        sql->unsynced = true;
    if (sql->trouble != TROUBLE_NONE)
        return false; /* the first one is the cause */
    sql->trouble = journal_trouble_of(sql->db);
    if (sql->trouble == TROUBLE_NONE)
        sql->trouble = TROUBLE_CALL;
    snprintf(sql->problem, sizeof(sql->problem), "%s", sqlite3_errmsg(sql->db));
    return false;
}

bool journal_sql_number(struct journal_sql *sql, const char *text, int64_t *ret) {
    sqlite3_stmt *s = NULL;
    bool ok = sqlite3_prepare_v2(sql->db, text, -1, &s, NULL) == SQLITE_OK &&
              sqlite3_step(s) == SQLITE_ROW;
    if (ok)
        *ret = sqlite3_column_int64(s, 0);
    else
        (void)journal_sql_failed(sql);
    sqlite3_finalize(s);
    return ok;
}

bool journal_sql_exec(struct journal_sql *sql, const char *text) {
    return sqlite3_exec(sql->db, text, NULL, NULL, NULL) == SQLITE_OK || journal_sql_failed(sql);
}

static bool prepare(struct journal_sql *sql) {
    for (int i = 0; i < JS_STATEMENTS; i++) {
        if (sqlite3_prepare_v3(sql->db, texts[i], -1, SQLITE_PREPARE_PERSISTENT,
                               &sql->statements[i], NULL) != SQLITE_OK)
            return journal_sql_failed(sql);
    }
    return true;
}

/* -1: not known. */
static int64_t file_size(int fd) {
    struct stat file;
    return fstat(fd, &file) == 0 ? file.st_size : -1;
}

/* What the file grows by is payloads above all, and they are read again only where events wait: the
 * kernel's memory is for others. Its last piece may still be filling. */
static void leave_memory(struct journal_sql *sql) {
    int64_t size = file_size(sql->fd);
    if (size > sql->left)
        (void)posix_fadvise(sql->fd, sql->left, 0, POSIX_FADV_DONTNEED);
    sql->left = size > GROWTH ? size - GROWTH : 0;
}

/* After each commit, as SQLite's own, which forgets what failed. Other failures leave what was
 * copied uncounted: it is copied again. */
static int committed(void *arg, sqlite3 *db, const char *name, int pages) {
    struct journal_sql *sql = arg;
    if (pages < sql->wal_pages || sql->unsynced)
        return SQLITE_OK;
    int rc = sqlite3_wal_checkpoint_v2(db, name, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    sql->unsynced = rc == SQLITE_IOERR_FSYNC;
    if (rc == SQLITE_OK)
        leave_memory(sql);
    return SQLITE_OK;
}

static bool watch_wal(struct journal_sql *sql) {
    int64_t pages = 0;
    if (!journal_sql_number(sql, "PRAGMA wal_autocheckpoint", &pages))
        return false;
    sql->wal_pages = sql->usual_pages = (int)pages;
    (void)sqlite3_wal_hook(sql->db, committed, sql);
    return true;
}

void journal_sql_keep_small(struct journal_sql *sql, bool small) {
    sql->wal_pages = small && SMALL_WAL < sql->usual_pages ? SMALL_WAL : sql->usual_pages;
}

static bool bring_up(struct journal_sql *sql, int64_t layout) {
    return layout == LAYOUT || journal_sql_exec(sql, layout == 1 ? from_layout_1 : schema);
}

struct journal_sql *journal_sql_open(const char *path, struct err *err,
                                     enum journal_trouble *ret_trouble) {
    struct journal_sql *sql = calloc(1, sizeof(*sql));
    int64_t layout = 0;
    if (!sql) {
        err_set(err, "no memory for the journal");
        *ret_trouble = TROUBLE_CALL;
        return NULL;
    }
    sql->fd = -1;
    if (sqlite_open(path, &sql->db) != SQLITE_OK ||
        sqlite3_extended_result_codes(sql->db, 1) != SQLITE_OK ||
        sqlite3_busy_timeout(sql->db, BUSY_MS) != SQLITE_OK) {
        (void)journal_sql_failed(sql);
        goto failed;
    }
    if (!journal_sql_number(sql, "PRAGMA user_version", &layout))
        goto failed;
    if (layout > LAYOUT) {
        err_set(err,
                "%s has layout %lld, this release knows up to %d: it was written by a newer "
                "release",
                path, (long long)layout, LAYOUT);
        *ret_trouble = TROUBLE_CALL;
        goto close;
    }
    sql->fd = open(path, O_RDWR | O_CLOEXEC);
    sql->left = file_size(sql->fd);
    int growth = GROWTH;
    if (sqlite3_file_control(sql->db, "main", SQLITE_FCNTL_CHUNK_SIZE, &growth) != SQLITE_OK) {
        (void)journal_sql_failed(sql);
        goto failed;
    }
    if (journal_sql_exec(sql, settings) && watch_wal(sql) && bring_up(sql, layout) && prepare(sql))
        return sql;
failed:
    err_set(err, "%s: %s", path, sql->problem);
    *ret_trouble = sql->trouble;
close:
    journal_sql_close(sql);
    return NULL;
}

void journal_sql_close(struct journal_sql *sql) {
    if (!sql)
        return;
    for (int i = 0; i < JS_STATEMENTS; i++)
        sqlite3_finalize(sql->statements[i]);
    if (sql->unsynced || sql->trouble == TROUBLE_DISK) /* the WAL stays, see is_sound */
        (void)sqlite3_db_config(sql->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    sqlite3_close(sql->db);
    if (sql->fd >= 0)
        close(sql->fd); /* not before SQLite's: that would drop its locks */
    free(sql);
}

bool journal_sql_run(struct journal_sql *sql, enum journal_statement which) {
    bool row = false;
    bool ok = journal_sql_step(sql, which, &row);
    sqlite3_reset(sql->statements[which]);
    return ok;
}

bool journal_sql_step(struct journal_sql *sql, enum journal_statement which, bool *ret_row) {
    int rc = sqlite3_step(sql->statements[which]);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
        (void)journal_sql_failed(sql);
        sqlite3_reset(sql->statements[which]);
        return false;
    }
    *ret_row = rc == SQLITE_ROW;
    return true;
}

bool journal_sql_is_sound(struct journal_sql *sql) {
    if (!sql->unsynced)
        return true;
    sql->trouble = TROUBLE_DISK;
    snprintf(sql->problem, sizeof(sql->problem), "what was written could not be synced");
    return false;
}

bool journal_sql_begin(struct journal_sql *sql) {
    sql->trouble = TROUBLE_NONE;
    return journal_sql_is_sound(sql) && journal_sql_run(sql, JS_BEGIN);
}

bool journal_sql_commit(struct journal_sql *sql) {
    return journal_sql_run(sql, JS_COMMIT);
}

void journal_sql_rollback(struct journal_sql *sql) {
    sql->reserved = 0; /* the file may be cut */
    if (!sqlite3_get_autocommit(sql->db)) {
        (void)!sqlite3_step(sql->statements[JS_ROLLBACK]);
        sqlite3_reset(sql->statements[JS_ROLLBACK]);
    }
}

/* SQLite by itself grows a file by one write a page, which then are pages to be written. */
static bool allocate(int fd, int64_t size) {
    int64_t has = file_size(fd), whole = (size + GROWTH - 1) / GROWTH * GROWTH;
    if (has < 0 || has >= whole)
        return true;
    int error = posix_fallocate(fd, has, whole - has);
    return error != ENOSPC && error != EDQUOT && error != EFBIG;
}

bool journal_sql_reserve(struct journal_sql *sql) {
    int64_t pages = 0;
    if (!journal_sql_number(sql, "PRAGMA page_count", &pages))
        return false;
    sqlite3_int64 size = pages * PAGE_SIZE;
    if (size <= sql->reserved)
        return true;
    if (!allocate(sql->fd, size) ||
        sqlite3_file_control(sql->db, "main", SQLITE_FCNTL_SIZE_HINT, &size) != SQLITE_OK) {
        sql->trouble = TROUBLE_FULL;
        snprintf(sql->problem, sizeof(sql->problem), "no room for the file to grow");
        return false;
    }
    sql->reserved = (size + GROWTH - 1) / GROWTH * GROWTH;
    return true;
}

void journal_bind_text(sqlite3_stmt *s, int at, struct slice text) {
    if (text.ptr)
        sqlite3_bind_text64(s, at, text.ptr, text.len, SQLITE_STATIC, SQLITE_UTF8);
    else
        sqlite3_bind_null(s, at);
}

void journal_bind_blob(sqlite3_stmt *s, int at, struct slice bytes) {
    if (bytes.ptr)
        sqlite3_bind_blob64(s, at, bytes.ptr, bytes.len, SQLITE_STATIC);
    else
        sqlite3_bind_null(s, at);
}

struct slice journal_column_slice(sqlite3_stmt *s, int at) {
    const void *bytes = sqlite3_column_blob(s, at);
    size_t len = (size_t)sqlite3_column_bytes(s, at);
    if (sqlite3_column_type(s, at) == SQLITE_NULL)
        return slice(NULL, 0);
    return slice(len ? bytes : "", len);
}

/* Prepared statements over one SQLite file. */
#include "embedded_sql.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "control_text.h"
#include "sqlite_open.h"

#define SQL_LAYOUT  2 /* user_version of the file */
#define SQL_BUSY_MS 2000

enum statement {
    SQL_BEGIN = 0,
    SQL_COMMIT,
    SQL_ROLLBACK,
    SQL_GET,
    SQL_PUT,
    SQL_DELETE,
    SQL_SWEEP,
    SQL_NEXT,
    SQL_CLEAR,
    SQL_AUDIT_LAST,
    SQL_AUDIT_PUT,
    SQL_AUDIT_NOTE,
    SQL_AUDIT_LIST,
    SQL_STATEMENTS
};

static const char *const texts[SQL_STATEMENTS] = {
    [SQL_BEGIN] = "BEGIN IMMEDIATE",
    [SQL_COMMIT] = "COMMIT",
    [SQL_ROLLBACK] = "ROLLBACK",
    [SQL_GET] = "SELECT value FROM record WHERE key = ?1 AND expires > ?2",
    [SQL_PUT] = "INSERT INTO record (key, value, expires) VALUES (?1, ?2, ?3)"
                " ON CONFLICT (key) DO UPDATE SET value = ?2, expires = ?3",
    [SQL_DELETE] = "DELETE FROM record WHERE key = ?1",
    [SQL_SWEEP] = "DELETE FROM record WHERE key IN"
                  " (SELECT key FROM record WHERE expires <= ?1 LIMIT 500)",
    [SQL_NEXT] = "SELECT key, value FROM record WHERE key > ?1 ORDER BY key LIMIT 1",
    [SQL_CLEAR] = "DELETE FROM record",
    [SQL_AUDIT_LAST] = "SELECT coalesce(max(epoch), 0) FROM audit",
    [SQL_AUDIT_PUT] = "INSERT INTO audit VALUES (?1, 0, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, '')",
    [SQL_AUDIT_NOTE] = "INSERT INTO audit (epoch, nth, at, actor, reason, evidence, action) VALUES"
                       " (?1, (SELECT coalesce(max(nth), 0) + 1 FROM audit WHERE epoch = ?1),"
                       " ?2, ?3, ?4, ?5, ?6)",
    [SQL_AUDIT_LIST] = "SELECT epoch, nth, at, from_mode, mode, from_ppm, ppm, actor, reason,"
                       " evidence, action FROM audit WHERE (epoch, nth) < (?1, ?2)"
                       " AND (nth = 0 OR NOT ?3) ORDER BY epoch DESC, nth DESC LIMIT ?4",
};

static const char *const schema =
    "CREATE TABLE IF NOT EXISTS record"
    " (key TEXT PRIMARY KEY, value BLOB NOT NULL, expires INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS record_expires ON record (expires);"
    "CREATE TABLE IF NOT EXISTS audit"
    " (epoch INTEGER, nth INTEGER, at INTEGER, from_mode TEXT, mode TEXT, from_ppm INTEGER,"
    " ppm INTEGER, actor TEXT, reason TEXT, evidence TEXT, action TEXT, PRIMARY KEY (epoch, nth))"
    " WITHOUT ROWID;";

/* Layout 1 had one audit entry for each epoch. */
static const char *const before_layout_2 = "ALTER TABLE audit RENAME TO audit_1;";
static const char *const from_layout_1 =
    "INSERT INTO audit SELECT epoch, 0, at, from_mode, mode, from_ppm, ppm, actor, reason,"
    " evidence, '' FROM audit_1;"
    "DROP TABLE audit_1;";

struct sql {
    sqlite3 *db;
    sqlite3_stmt *statements[SQL_STATEMENTS];
};

static int layout_of(sqlite3 *db) {
    sqlite3_stmt *s = NULL;
    int layout = -1;
    if (sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &s, NULL) == SQLITE_OK &&
        sqlite3_step(s) == SQLITE_ROW)
        layout = sqlite3_column_int(s, 0);
    sqlite3_finalize(s);
    return layout;
}

static bool execute(sqlite3 *db, const char *text) {
    return sqlite3_exec(db, text, NULL, NULL, NULL) == SQLITE_OK;
}

/* The cache holds what the claims of some seconds touch: they are found there again by their
 * outcomes. The WAL goes into the file after every 16 MiB, what was changed twice but once. */
static const char *const settings = "PRAGMA journal_mode = WAL;"
                                    "PRAGMA synchronous = FULL;"
                                    "PRAGMA secure_delete = FAST;"
                                    "PRAGMA cache_size = -16384;"
                                    "PRAGMA wal_autocheckpoint = 4096;";

/* Tables as of this layout, in one transaction: what is there of an older one goes along. */
static bool set_up(sqlite3 *db, int layout) {
    return execute(db, settings) && execute(db, "BEGIN IMMEDIATE") &&
           (layout != 1 || execute(db, before_layout_2)) && execute(db, schema) &&
           (layout != 1 || execute(db, from_layout_1)) &&
           execute(db, "PRAGMA user_version = 2; COMMIT;");
}

struct sql *sql_open(const char *path, struct err *err) {
    struct sql *sql = calloc(1, sizeof(*sql));
    if (!sql) {
        err_set(err, "no memory for the embedded store");
        return NULL;
    }
    if (sqlite_open(path, &sql->db) != SQLITE_OK ||
        sqlite3_busy_timeout(sql->db, SQL_BUSY_MS) != SQLITE_OK)
        goto failed;
    int layout = layout_of(sql->db);
    if (layout > SQL_LAYOUT) {
        err_set(err,
                "%s has layout %d, this release knows up to %d: it was written by a newer release",
                path, layout, SQL_LAYOUT);
        goto close;
    }
    if (layout < 0 || !set_up(sql->db, layout))
        goto failed;
    for (int i = 0; i < SQL_STATEMENTS; i++) {
        if (sqlite3_prepare_v3(sql->db, texts[i], -1, SQLITE_PREPARE_PERSISTENT,
                               &sql->statements[i], NULL) != SQLITE_OK)
            goto failed;
    }
    return sql;
failed:
    err_set(err, "%s: %s", path, sqlite3_errmsg(sql->db));
close:
    sql_close(sql);
    return NULL;
}

void sql_close(struct sql *sql) {
    if (!sql)
        return;
    for (int i = 0; i < SQL_STATEMENTS; i++)
        sqlite3_finalize(sql->statements[i]);
    sqlite3_close(sql->db);
    free(sql);
}

const char *sql_problem(struct sql *sql) {
    return sqlite3_errcode(sql->db) == SQLITE_OK ? "a record is damaged" : sqlite3_errmsg(sql->db);
}

bool sql_is_full(struct sql *sql) {
    int code = sqlite3_errcode(sql->db) & 0xff, why = sqlite3_system_errno(sql->db);
    return code == SQLITE_FULL ||
           (code == SQLITE_IOERR && (why == ENOSPC || why == EDQUOT || why == EFBIG));
}

static void bind_text(sqlite3_stmt *s, int at, struct slice text) {
    sqlite3_bind_text64(s, at, text.len ? text.ptr : "", text.len, SQLITE_STATIC, SQLITE_UTF8);
}

/* Runs a statement that returns nothing. */
static bool run(sqlite3_stmt *s) {
    bool ok = sqlite3_step(s) == SQLITE_DONE;
    return sqlite3_reset(s) == SQLITE_OK && ok;
}

bool sql_begin(struct sql *sql) {
    return run(sql->statements[SQL_BEGIN]);
}

bool sql_commit(struct sql *sql) {
    return run(sql->statements[SQL_COMMIT]);
}

void sql_rollback(struct sql *sql) {
    if (!sqlite3_get_autocommit(sql->db))
        (void)!run(sql->statements[SQL_ROLLBACK]);
}

bool sql_empty_wal(struct sql *sql) {
    return sqlite3_wal_checkpoint_v2(sql->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL) ==
           SQLITE_OK;
}

static bool take_column(sqlite3_stmt *s, int column, struct buf *out) {
    const void *bytes = sqlite3_column_blob(s, column);
    buf_reset(out);
    return buf_append(out, bytes, (size_t)sqlite3_column_bytes(s, column));
}

bool sql_get(struct sql *sql, struct slice key, uint64_t now_us, struct buf *out, bool *ret_found) {
    sqlite3_stmt *s = sql->statements[SQL_GET];
    bind_text(s, 1, key);
    sqlite3_bind_int64(s, 2, (sqlite3_int64)now_us);
    int rc = sqlite3_step(s);
    bool ok = rc == SQLITE_DONE || (rc == SQLITE_ROW && take_column(s, 0, out));
    if (sqlite3_reset(s) != SQLITE_OK || !ok)
        return false;
    *ret_found = rc == SQLITE_ROW;
    return true;
}

bool sql_put(struct sql *sql, struct slice key, struct slice value, int64_t expires_us) {
    sqlite3_stmt *s = sql->statements[SQL_PUT];
    bind_text(s, 1, key);
    sqlite3_bind_blob64(s, 2, value.len ? value.ptr : "", value.len, SQLITE_STATIC);
    sqlite3_bind_int64(s, 3, expires_us);
    return run(s);
}

bool sql_delete(struct sql *sql, struct slice key) {
    sqlite3_stmt *s = sql->statements[SQL_DELETE];
    bind_text(s, 1, key);
    return run(s);
}

bool sql_sweep(struct sql *sql, uint64_t now_us) {
    sqlite3_stmt *s = sql->statements[SQL_SWEEP];
    sqlite3_bind_int64(s, 1, (sqlite3_int64)now_us);
    return run(s);
}

bool sql_next(struct sql *sql, struct slice prefix, struct slice after, struct buf *ret_key,
              struct buf *ret_value, bool *ret_found) {
    sqlite3_stmt *s = sql->statements[SQL_NEXT];
    bind_text(s, 1, after.len ? after : prefix);
    int rc = sqlite3_step(s);
    bool ok = rc == SQLITE_DONE ||
              (rc == SQLITE_ROW && take_column(s, 1, ret_value) && take_column(s, 0, ret_key));
    if (sqlite3_reset(s) != SQLITE_OK || !ok)
        return false;
    *ret_found = rc == SQLITE_ROW && buf_len(ret_key) >= prefix.len &&
                 memcmp(buf_at(ret_key), prefix.ptr, prefix.len) == 0;
    return true;
}

bool sql_clear(struct sql *sql) {
    return run(sql->statements[SQL_CLEAR]);
}

bool sql_audit_last(struct sql *sql, uint64_t *ret_epoch) {
    sqlite3_stmt *s = sql->statements[SQL_AUDIT_LAST];
    bool ok = sqlite3_step(s) == SQLITE_ROW;
    uint64_t epoch = ok ? (uint64_t)sqlite3_column_int64(s, 0) : 0;
    if (sqlite3_reset(s) != SQLITE_OK || !ok)
        return false;
    *ret_epoch = epoch;
    return true;
}

bool sql_audit_put(struct sql *sql, uint64_t epoch, uint64_t at_us,
                   const struct store_control_set *call) {
    sqlite3_stmt *s = sql->statements[SQL_AUDIT_PUT];
    sqlite3_bind_int64(s, 1, (sqlite3_int64)epoch);
    sqlite3_bind_int64(s, 2, (sqlite3_int64)at_us);
    bind_text(s, 3, slice_of(mode_names[call->from_mode]));
    bind_text(s, 4, slice_of(mode_names[call->mode]));
    sqlite3_bind_int64(s, 5, call->from_ppm);
    sqlite3_bind_int64(s, 6, call->ppm);
    bind_text(s, 7, call->actor);
    bind_text(s, 8, call->reason);
    bind_text(s, 9, call->evidence);
    return run(s);
}

bool sql_audit_note(struct sql *sql, uint64_t epoch, uint64_t at_us,
                    const struct store_note *call) {
    sqlite3_stmt *s = sql->statements[SQL_AUDIT_NOTE];
    sqlite3_bind_int64(s, 1, (sqlite3_int64)epoch);
    sqlite3_bind_int64(s, 2, (sqlite3_int64)at_us);
    bind_text(s, 3, call->actor);
    bind_text(s, 4, call->reason);
    bind_text(s, 5, call->evidence);
    bind_text(s, 6, call->action);
    return run(s);
}

static struct slice column(sqlite3_stmt *s, int at) {
    const void *text = sqlite3_column_blob(s, at);
    return slice(text, (size_t)sqlite3_column_bytes(s, at));
}

bool sql_audit_list(struct sql *sql, struct store_audit *call) {
    sqlite3_stmt *s = sql->statements[SQL_AUDIT_LIST];
    bool newest = !call->before && !call->before_nth;
    sqlite3_bind_int64(s, 1, newest ? INT64_MAX : (sqlite3_int64)call->before);
    sqlite3_bind_int64(s, 2, (sqlite3_int64)call->before_nth);
    sqlite3_bind_int(s, 3, call->changes);
    sqlite3_bind_int64(s, 4, call->limit < AUDIT_PAGE ? call->limit : AUDIT_PAGE);
    uint32_t count = 0;
    int rc;
    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
        struct audit_entry *e = &call->ret_entries[count++];
        e->epoch = (uint64_t)sqlite3_column_int64(s, 0);
        e->nth = (uint64_t)sqlite3_column_int64(s, 1);
        e->at_wall_us = (uint64_t)sqlite3_column_int64(s, 2);
        e->from_mode = control_mode_of(column(s, 3));
        e->mode = control_mode_of(column(s, 4));
        e->from_ppm = (uint32_t)sqlite3_column_int64(s, 5);
        e->ppm = (uint32_t)sqlite3_column_int64(s, 6);
        control_copy(column(s, 7), e->actor, sizeof(e->actor));
        control_copy(column(s, 8), e->reason, sizeof(e->reason));
        control_copy(column(s, 9), e->evidence, sizeof(e->evidence));
        control_copy(column(s, 10), e->action, sizeof(e->action));
    }
    if (sqlite3_reset(s) != SQLITE_OK || rc != SQLITE_DONE)
        return false;
    call->ret_count = count;
    return true;
}

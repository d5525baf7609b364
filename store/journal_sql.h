/* The journal's SQLite file: layout, prepared statements, what its errors mean. One thread at a
 * time. Layer: store. */
#ifndef POINTSMAN_STORE_JOURNAL_SQL_H
#define POINTSMAN_STORE_JOURNAL_SQL_H

#include <stdbool.h>
#include <stdint.h>

#include <sqlite3.h>

#include <pointsman/compiler.h>
#include <pointsman/err.h>
#include <pointsman/slice.h>

/* Every column of a row but `first`, `bytes` and `answer`, in the order journal_row.c reads. */
#define ROW_COLUMNS                                                                                \
    "seq, ver, state, reason, source, id, type, action, entity, repository, owner, digest,"        \
    " number, closes, side, ordered, retry, tries, attempt, fence, token, due, at, changed,"       \
    " status, sticky_ms"
/* size: of the body before it was packed; NULL: it is as it came. */
#define PAYLOAD_COLUMNS "head, target, body, sum, size"

enum journal_statement {
    JS_BEGIN = 0,
    JS_COMMIT,
    JS_ROLLBACK,
    JS_FIND,
    JS_SLIM,
    JS_PUT,
    JS_MOVE,
    JS_REFRESH,
    JS_SET,
    JS_REQUEUE,
    JS_DROP,
    JS_COPY,
    JS_PAYLOAD_PUT,
    JS_PAYLOAD_DROP,
    JS_PAYLOAD_COPY,
    JS_LINE_FIRST,
    JS_LINE_NEXT,
    JS_LINE_SET,
    JS_DONE_OLDEST,
    JS_ROW,
    JS_DUE, /* three, so that three sides can be read at once */
    JS_DUE_1,
    JS_DUE_2,
    JS_DUE_NEXT,
    JS_SENDING,
    JS_WALK,
    JS_HASTEN,
    JS_LAST,
    JS_OLDEST,
    JS_TOTALS,
    JS_DAMAGED_GET,
    JS_DAMAGED_SET,
    JS_STATEMENTS
};

/* What an error asks for. */
enum journal_trouble {
    TROUBLE_NONE = 0,
    TROUBLE_CALL,   /* of one call: too big, no memory */
    TROUBLE_FULL,   /* no room on the disk */
    TROUBLE_DISK,   /* it does not write or read: the file handles must not be used again */
    TROUBLE_DAMAGED /* the file is not what was written */
};

struct journal_sql {
    sqlite3 *db;
    sqlite3_stmt *statements[JS_STATEMENTS];
    int fd;                       /* of the same file, to reserve room in it; -1: none */
    int64_t reserved;             /* bytes of the file the disk has room for */
    int64_t left;                 /* bytes of the file before those that came since a checkpoint */
    int wal_pages, usual_pages;   /* with so many in the WAL they are copied into the file */
    bool unsynced;                /* journal_sql_is_sound */
    enum journal_trouble trouble; /* of the last failure, until journal_sql_begin */
    char problem[128];            /* … for people */
};

/* Opens or makes the file. On failure *ret_trouble says why; a newer layout is TROUBLE_CALL. */
MUST_CHECK struct journal_sql *journal_sql_open(const char *path, struct err *err,
                                                enum journal_trouble *ret_trouble);
void journal_sql_close(struct journal_sql *sql); /* NULL is allowed */

/* As prepared; for tests of how it is read. */
const char *journal_sql_text(enum journal_statement which);

/* Notes what the last call of SQLite failed with. Always false. */
bool journal_sql_failed(struct journal_sql *sql);
/* The same of any connection. */
enum journal_trouble journal_trouble_of(sqlite3 *db);

/* A statement that returns nothing. False: failed, noted. */
MUST_CHECK bool journal_sql_run(struct journal_sql *sql, enum journal_statement which);
/* The next row. False: failed, noted; or *ret_row says if there is one. Whoever has read enough
 * calls sqlite3_reset. */
MUST_CHECK bool journal_sql_step(struct journal_sql *sql, enum journal_statement which,
                                 bool *ret_row);
/* A text outside of the prepared ones: maintenance. */
MUST_CHECK bool journal_sql_exec(struct journal_sql *sql, const char *text);
/* The one number a text gives. */
MUST_CHECK bool journal_sql_number(struct journal_sql *sql, const char *text, int64_t *ret);

/* False, noted as TROUBLE_DISK: a sync failed. SQLite counts what it copied from the WAL before as
 * copied, where a reader was in the way of the rest, so nothing more may be copied, or it would
 * drop the WAL; after a close and an open all of the WAL is copied anew. */
MUST_CHECK bool journal_sql_is_sound(struct journal_sql *sql);
/* Small: a few pages in the WAL are copied already. */
void journal_sql_keep_small(struct journal_sql *sql, bool small);

MUST_CHECK bool journal_sql_begin(struct journal_sql *sql); /* and is sound */
MUST_CHECK bool journal_sql_commit(struct journal_sql *sql);
void journal_sql_rollback(struct journal_sql *sql);

/* Makes the disk keep room for what the transaction adds to the file, so that the WAL can go into
 * it whatever happens. */
MUST_CHECK bool journal_sql_reserve(struct journal_sql *sql);

/* Absent slices are NULL. The bytes must stay until the statement is reset. */
void journal_bind_text(sqlite3_stmt *s, int at, struct slice text);
void journal_bind_blob(sqlite3_stmt *s, int at, struct slice bytes);
static inline void journal_bind(sqlite3_stmt *s, int at, uint64_t value) {
    sqlite3_bind_int64(s, at, (sqlite3_int64)value);
}
static inline uint64_t journal_column(sqlite3_stmt *s, int at) {
    return (uint64_t)sqlite3_column_int64(s, at);
}
/* Lives until the next step or reset. */
struct slice journal_column_slice(sqlite3_stmt *s, int at);

#endif

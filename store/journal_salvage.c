/* Copies row by row; around what can not be read it feels its way with growing steps, so that no
 * damage makes it read for ever. */
#include "journal_salvage.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <pointsman/journal.h>

#include "journal_row.h"
#include "journal_sql.h"

#define COLUMNS                                                                                    \
    "seq, state, reason, ver, source, id, type, action, entity, repository, owner, digest,"        \
    " number, closes, side, ordered, first, retry, tries, attempt, fence, token, due, at,"         \
    " changed, status, sticky_ms, bytes, answer"
#define COLUMN_COUNT 29
#define ERRORS_MAX   5000
#define COMMIT_EVERY 500
#define ASIDE_MAX    100000

#define PAYLOAD_COUNT 5

enum { FROM_EVENT = 0, FROM_PAYLOAD, TO_EVENT, TO_PAYLOAD, STATEMENTS };
static const char *const texts[STATEMENTS] = {
    "SELECT " COLUMNS " FROM event NOT INDEXED WHERE seq >= ?1 ORDER BY seq LIMIT 1",
    "SELECT " PAYLOAD_COLUMNS " FROM payload WHERE seq = ?1",
    "INSERT OR IGNORE INTO event (" COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10,"
    " ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28,"
    " ?29)",
    "INSERT OR IGNORE INTO payload VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
};
static const char *const from_layout_1 =
    "SELECT head, target, body, sum, NULL FROM payload WHERE seq = ?1";

struct salvage {
    sqlite3 *from;
    struct journal_sql *to;
    sqlite3_stmt *statements[STATEMENTS];
    uint64_t known;
    uint64_t kept;
    uint64_t dead; /* … of them without their payload */
    unsigned errors;
};

/* ---- rows ---- */

/* ROW: in FROM_EVENT, to be reset. */
static int read_from(struct salvage *v, uint64_t seq) {
    sqlite3_stmt *s = v->statements[FROM_EVENT];
    sqlite3_reset(s);
    journal_bind(s, 1, seq);
    int rc = sqlite3_step(s);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        v->errors++;
    return rc;
}

/* False: the new file failed. *ret_sound: the payload is the one that was put. */
static bool copy_payload(struct salvage *v, uint64_t seq, bool *ret_sound) {
    sqlite3_stmt *from = v->statements[FROM_PAYLOAD], *to = v->statements[TO_PAYLOAD];
    bool ok = true;
    *ret_sound = false;
    journal_bind(from, 1, seq);
    if (sqlite3_step(from) == SQLITE_ROW) {
        journal_bind(to, 1, seq);
        for (int i = 0; i < PAYLOAD_COUNT; i++)
            sqlite3_bind_value(to, 2 + i, sqlite3_column_value(from, i));
        struct blob *body = journal_payload_read(from, 0, ret_sound);
        *ret_sound = *ret_sound && body; /* without memory to tell, it is not sent by itself */
        ok = sqlite3_step(to) == SQLITE_DONE || journal_sql_failed(v->to);
        blob_unref(body);
        sqlite3_reset(to);
    }
    sqlite3_reset(from);
    return ok;
}

/* A row that runs now stays as it is: its holder has the payload. */
static bool copy_row(struct salvage *v, uint64_t *ret_seq) {
    sqlite3_stmt *from = v->statements[FROM_EVENT], *to = v->statements[TO_EVENT];
    uint64_t seq = journal_column(from, 0), state = journal_column(from, 1);
    bool sound = false;
    *ret_seq = seq;
    if (state >= ROW_STATES)
        return true;
    if (!copy_payload(v, seq, &sound))
        return false;
    for (int i = 0; i < COLUMN_COUNT; i++)
        sqlite3_bind_value(to, 1 + i, sqlite3_column_value(from, i));
    bool dies = !sound && state != ROW_DONE && state != ROW_SENDING;
    if (dies) {
        journal_bind(to, 2, ROW_DEAD);
        journal_bind(to, 3, REASON_DAMAGED);
    }
    bool ok = sqlite3_step(to) == SQLITE_DONE || journal_sql_failed(v->to);
    unsigned added = ok ? (unsigned)sqlite3_changes(v->to->db) : 0;
    sqlite3_reset(to);
    v->kept += added;
    v->dead += dies ? added : 0;
    return ok;
}

/* From `bad` on nothing can be read: where it can be again. False: nowhere. */
static bool feel(struct salvage *v, uint64_t bad, uint64_t *ret_good) {
    uint64_t good = bad;
    int rc = SQLITE_ERROR;
    for (uint64_t step = 1; rc != SQLITE_ROW; step *= 2) {
        if (v->errors > ERRORS_MAX || step > INT64_MAX / 4 || good > INT64_MAX / 2)
            return false;
        bad = good;
        good += step;
        rc = read_from(v, good);
        if (rc == SQLITE_DONE)
            break; /* past the end, but there may be rows between */
    }
    while (good - bad > 1 && v->errors <= ERRORS_MAX) {
        uint64_t middle = bad + (good - bad) / 2;
        rc = read_from(v, middle);
        if (rc == SQLITE_ROW || rc == SQLITE_DONE)
            good = middle;
        else
            bad = middle;
    }
    *ret_good = good;
    return true;
}

static bool commit(struct salvage *v) {
    return journal_sql_exec(v->to, "COMMIT; BEGIN");
}

static bool copy_rows(struct salvage *v) {
    uint64_t at = 1, copied = 0;
    for (;;) {
        int rc = read_from(v, at);
        if (rc == SQLITE_ROW) {
            uint64_t seq = at;
            if (!copy_row(v, &seq) || (++copied % COMMIT_EVERY == 0 && !commit(v)))
                return false;
            if (seq < at)
                return true; /* the tree leads back: enough */
            at = seq + 1;
        } else if (rc == SQLITE_DONE || !feel(v, at, &at)) {
            return true;
        }
    }
}

/* ---- the file ---- */

/* -1: not to be read. */
static int64_t number_of(sqlite3 *db, const char *text) {
    sqlite3_stmt *s = NULL;
    int64_t number = -1;
    if (sqlite3_prepare_v2(db, text, -1, &s, NULL) == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW)
        number = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    return number;
}

static int prepare_one(struct salvage *v, int which, const char *text) {
    bool from = which == FROM_EVENT || which == FROM_PAYLOAD;
    return sqlite3_prepare_v2(from ? v->from : v->to->db, text, -1, &v->statements[which], NULL);
}

static bool prepare(struct salvage *v, bool *ret_readable) {
    *ret_readable = true;
    for (int i = 0; i < STATEMENTS; i++) {
        bool from = i == FROM_EVENT || i == FROM_PAYLOAD;
        int rc = prepare_one(v, i, texts[i]);
        if (rc != SQLITE_OK && i == FROM_PAYLOAD)
            rc = prepare_one(v, i, from_layout_1);
        if (rc != SQLITE_OK && !from)
            return journal_sql_failed(v->to);
        *ret_readable = *ret_readable && rc == SQLITE_OK;
    }
    return true;
}

/* Lines whose first row is gone, numbers that must not be given again, what was lost before. */
static bool put_in_order(struct salvage *v, struct journal_salvaged *ret) {
    char text[400];
    int64_t last = number_of(v->from, "SELECT seq FROM sqlite_sequence WHERE name = 'event'");
    int64_t damaged = number_of(v->from, "SELECT value FROM meta WHERE key = 'damaged'");
    int64_t rows = number_of(v->from, "SELECT count(*) FROM event INDEXED BY event_state");
    rows = rows < 0 && v->known ? (int64_t)v->known : rows;
    ret->kept = v->kept;
    ret->lost = v->dead + (rows > (int64_t)v->kept ? (uint64_t)rows - v->kept : 0);
    if (ret->lost == 0 && (rows < 0 || v->errors))
        ret->lost = 1;
    snprintf(
        text, sizeof(text),
        "UPDATE event SET first = 1 WHERE seq IN (SELECT min(seq) FROM event"
        " WHERE ordered = 1 AND state IN (0, 1) GROUP BY source, entity HAVING max(first) = 0);"
        "UPDATE sqlite_sequence SET seq = max(seq, %lld) WHERE name = 'event';"
        "INSERT OR REPLACE INTO meta VALUES ('damaged', %llu);",
        (long long)last, (damaged > 0 ? (unsigned long long)damaged : 0) + ret->lost);
    return journal_sql_exec(v->to, text);
}

static bool copy(struct salvage *v, struct journal_salvaged *ret) {
    bool readable = false;
    return journal_sql_exec(v->to, "BEGIN") && prepare(v, &readable) &&
           (!readable || copy_rows(v)) && put_in_order(v, ret) &&
           journal_sql_exec(v->to, "COMMIT; PRAGMA wal_checkpoint(TRUNCATE)");
}

static bool rescue(const char *damaged, const char *fresh, uint64_t known,
                   struct journal_salvaged *ret, struct err *err) {
    struct salvage v = {.known = known};
    enum journal_trouble trouble;
    v.to = journal_sql_open(fresh, err, &trouble);
    if (!v.to)
        return false;
    /* What is set aside stays as it was found, the WAL beside it. A file that was cut is read only
     * by who could mend its schema. */
    (void)sqlite3_open_v2(damaged, &v.from, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (!v.from) {
        err_set(err, "no memory to read %s", damaged);
        journal_sql_close(v.to);
        return false;
    }
    (void)sqlite3_db_config(v.from, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    (void)sqlite3_exec(v.from, "PRAGMA writable_schema = ON", NULL, NULL, NULL);
    bool ok = copy(&v, ret);
    if (!ok)
        err_set(err, "%s: %s", fresh, v.to->problem);
    for (int i = 0; i < STATEMENTS; i++)
        sqlite3_finalize(v.statements[i]);
    sqlite3_close(v.from);
    journal_sql_close(v.to);
    return ok;
}

/* ---- names ---- */

struct paths {
    char file[PATH_MAX];
    char wal[PATH_MAX];
    char shm[PATH_MAX];
    char fresh[PATH_MAX];
    char fresh_wal[PATH_MAX];
    char fresh_shm[PATH_MAX];
};

static bool join(char path[PATH_MAX], const char *directory, const char *name, const char *end) {
    return snprintf(path, PATH_MAX, "%s/%s%s", directory, name, end) < PATH_MAX;
}

static bool name_all(const char *directory, struct paths *p, struct err *err) {
    bool fit = join(p->file, directory, "journal.db", "") &&
               join(p->wal, directory, "journal.db", "-wal") &&
               join(p->shm, directory, "journal.db", "-shm") &&
               join(p->fresh, directory, "journal.new", "") &&
               join(p->fresh_wal, directory, "journal.new", "-wal") &&
               join(p->fresh_shm, directory, "journal.new", "-shm");
    if (!fit)
        err_set(err, "store.directory is too long: %s", directory);
    return fit;
}

static bool exists(const char *path) {
    return access(path, F_OK) == 0;
}

static bool sync_directory(const char *directory) {
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    return ok;
}

static bool move(const char *from, const char *to, struct err *err) {
    if (rename(from, to) == 0)
        return true;
    err_set(err, "%s can not be renamed to %s: %s", from, to, strerror(errno));
    return false;
}

/* The first name nothing has, or the last one something has. */
static bool aside(const char *directory, bool next, char name[32], char path[PATH_MAX]) {
    unsigned n = 1;
    for (; n < ASIDE_MAX; n++) {
        snprintf(name, 32, "journal-damaged-%u.db", n);
        if (!join(path, directory, name, "") || !exists(path))
            break;
    }
    if (!next)
        snprintf(name, 32, "journal-damaged-%u.db", n - 1);
    return (next || n > 1) && n < ASIDE_MAX && join(path, directory, name, "");
}

static void drop_fresh(const struct paths *p) {
    unlink(p->fresh);
    unlink(p->fresh_wal);
    unlink(p->fresh_shm);
}

/* The damaged file lies at `to`, or is to be brought there. */
static bool exchange(const char *directory, const struct paths *p, const char *to,
                     struct err *err) {
    char to_wal[PATH_MAX + 8];
    snprintf(to_wal, sizeof(to_wal), "%s-wal", to);
    if ((exists(p->file) && !move(p->file, to, err)) ||
        (exists(p->wal) && !move(p->wal, to_wal, err)))
        return false;
    unlink(p->shm);
    if (!move(p->fresh, p->file, err))
        return false;
    if (sync_directory(directory))
        return true;
    err_set(err, "%s can not be synced: %s", directory, strerror(errno));
    return false;
}

bool journal_salvage(const char *directory, uint64_t known, struct journal_salvaged *ret,
                     struct err *err) {
    struct paths p;
    char to[PATH_MAX];
    *ret = (struct journal_salvaged){.kept = 0};
    if (!name_all(directory, &p, err))
        return false;
    drop_fresh(&p);
    if (!aside(directory, true, ret->aside, to)) {
        err_set(err, "%s: too many damaged journals were set aside", directory);
        return false;
    }
    if (!rescue(p.file, p.fresh, known, ret, err)) {
        drop_fresh(&p);
        return false;
    }
    if (exists(p.fresh_wal)) {
        err_set(err, "%s: not all could be written into the new file", p.fresh);
        drop_fresh(&p);
        return false;
    }
    return sync_directory(directory) && exchange(directory, &p, to, err);
}

bool journal_salvage_finish(const char *directory, struct err *err) {
    struct paths p;
    char name[32], to[PATH_MAX];
    if (!name_all(directory, &p, err))
        return false;
    if (exists(p.file) || !exists(p.fresh)) {
        drop_fresh(&p);
        return true;
    }
    /* Without the old file the new one is whole. */
    if (!aside(directory, false, name, to))
        return move(p.fresh, p.file, err);
    return exchange(directory, &p, to, err);
}

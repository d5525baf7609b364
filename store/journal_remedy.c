/* What is done when the disk is full, when it fails, and when the file is damaged; the way back. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <pointsman/clock.h>
#include <pointsman/log.h>

#include "journal_int.h"
#include "journal_salvage.h"
#include "room.h"

#define BACKOFF_LEAST_US 100000
#define BACKOFF_MOST_US  5000000
#define WORKS_US         2000000 /* without a failure: it works again */
#define SALVAGE_PAUSE_US 60000000
#define CHECK_MOST       (256 << 20)

/* ---- a full disk ---- */

static void set_problem(struct journal *j, const char *what, const char *why) {
    snprintf(j->problem, sizeof(j->problem), "%.60s%s%.90s", what, why[0] ? ": " : "", why);
}

static void say_full(struct journal *j) {
    set_problem(j, "the disk is full: no new events, what is on disk is worked off", "");
}

/* From then on the WAL goes into the file before it grows. */
static void keep_wal_small(struct journal_sql *sql, bool small) {
    if (sql)
        journal_sql_keep_small(sql, small);
}

static void full_begins(struct journal *j) {
    keep_wal_small(j->w.sql, true); /* also of a file that was opened since */
    if (j->w.full)
        return;
    j->w.full = true;
    say_full(j);
    log_say(LOG_ERROR, "journal full",
            "the disk of %s is full: new events are refused, what is on disk is worked off",
            j->directory);
}

void journal_room_look(struct journal *j) {
    if (!room_keep(j->directory)) {
        full_begins(j);
    } else if (j->w.full) {
        j->w.full = false;
        keep_wal_small(j->w.sql, false);
        if (!j->failing)
            j->problem[0] = '\0';
        log_say(LOG_INFO, "journal full", "%s has room again: events are taken", j->directory);
    }
}

/* ---- open, close, again ---- */

static void unset(struct journal *j) {
    journal_reads_allow(&j->reading, false);
    journal_sql_close(j->w.sql);
    j->w.sql = NULL;
}

static void down(struct journal *j, const char *why) {
    char reason[128];
    snprintf(reason, sizeof(reason), "%s", why);
    unset(j);
    j->backoff_us = j->backoff_us ? j->backoff_us * 2 : BACKOFF_LEAST_US;
    j->backoff_us = j->backoff_us < BACKOFF_MOST_US ? j->backoff_us : BACKOFF_MOST_US;
    j->up_us = clock_mono_us() + j->backoff_us;
    set_problem(j, "the journal's file fails, no new events", reason);
    if (!j->failing)
        log_say(LOG_ERROR, "journal failed", "%s: %s; new events are refused until it works again",
                j->path, reason);
    j->failing = true;
}

/* Asked for after a process that did not end in order, of a file that is read quickly. */
static bool is_whole(struct journal *j) {
    sqlite3_stmt *s = NULL;
    bool ok =
        sqlite3_prepare_v2(j->w.sql->db, "PRAGMA quick_check(1)", -1, &s, NULL) == SQLITE_OK &&
        sqlite3_step(s) == SQLITE_ROW && slice_is(journal_column_slice(s, 0), "ok");
    sqlite3_finalize(s);
    return ok;
}

static bool was_cut_off(const struct journal *j) {
    char wal[PATH_MAX + 8];
    struct stat file;
    snprintf(wal, sizeof(wal), "%s-wal", j->path);
    return stat(wal, &file) == 0 && file.st_size > 0 && stat(j->path, &file) == 0 &&
           file.st_size < CHECK_MOST;
}

static bool salvage(struct journal *j, struct err *err) {
    struct journal_salvaged s;
    uint64_t known = 0;
    for (int i = 0; i < ROW_STATES; i++)
        known += j->w.tally.rows[i];
    j->salvaged_us = clock_mono_us();
    if (!journal_salvage(j->directory, known, &s, err))
        return false;
    log_say(LOG_ERROR, "journal damaged",
            "%s was damaged and is set aside as %s: %llu rows were taken over, at least %llu were "
            "lost or are dead",
            j->path, s.aside, (unsigned long long)s.kept, (unsigned long long)s.lost);
    return true;
}

/* What fsync once refused may be in memory only: all that is in the WAL is written anew, into the
 * file, before anything is appended. Without room for that it stays where it is. */
static bool empty_wal(struct journal_sql *sql) {
    if (journal_sql_exec(sql, "PRAGMA wal_checkpoint(TRUNCATE)"))
        return true;
    if (sql->trouble != TROUBLE_FULL)
        return false;
    sql->trouble = TROUBLE_NONE;
    return true;
}

/* A put that was answered "failed" may be on disk all the same: its owner knows nothing of it. What
 * became of the event is the store's to say, so it goes through a claim like any other. */
static bool queue_orphans(struct journal *j) {
    sqlite3_stmt *s = NULL;
    char text[160];
    bool ok = sqlite3_prepare_v2(j->w.sql->db, "SELECT seq FROM event WHERE state = 1", -1, &s,
                                 NULL) == SQLITE_OK &&
              journal_sql_exec(j->w.sql, "BEGIN IMMEDIATE");
    int rc = SQLITE_DONE;
    while (ok && (rc = sqlite3_step(s)) == SQLITE_ROW) {
        uint64_t seq = (uint64_t)sqlite3_column_int64(s, 0);
        snprintf(text, sizeof(text),
                 "UPDATE event SET ver = ver + 1, state = 0, due = %llu WHERE seq = %llu",
                 (unsigned long long)clock_wall_us(), (unsigned long long)seq);
        ok = hand_has(&j->w.hand, seq) || journal_sql_exec(j->w.sql, text);
    }
    sqlite3_finalize(s);
    return ok && rc == SQLITE_DONE && journal_sql_exec(j->w.sql, "COMMIT");
}

/* False: *ret_trouble and err say why. */
static bool open_once(struct journal *j, bool check, struct err *err,
                      enum journal_trouble *ret_trouble) {
    j->w.sql = journal_sql_open(j->path, err, ret_trouble);
    if (!j->w.sql)
        return false;
    if ((!check || is_whole(j)) && empty_wal(j->w.sql) && (!j->live || queue_orphans(j)) &&
        journal_work_count(&j->w))
        return true;
    *ret_trouble = j->w.sql->trouble == TROUBLE_NONE ? TROUBLE_DAMAGED : j->w.sql->trouble;
    err_set(err, "%s: %s", j->path, j->w.sql->problem[0] ? j->w.sql->problem : "damaged");
    unset(j);
    return false;
}

bool journal_file_open(struct journal *j, struct err *err) {
    enum journal_trouble trouble = TROUBLE_NONE;
    if (!journal_salvage_finish(j->directory, err))
        return false;
    bool ok = open_once(j, was_cut_off(j), err, &trouble);
    if (!ok && trouble == TROUBLE_FULL && room_give(j->directory))
        ok = open_once(j, false, err, &trouble);
    /* Damage again and again is not worth to be salvaged each time. */
    if (!ok && trouble == TROUBLE_DAMAGED &&
        (!j->salvaged_us || clock_mono_us() - j->salvaged_us > SALVAGE_PAUSE_US))
        ok = salvage(j, err) && open_once(j, false, err, &trouble);
    if (!ok)
        return false;
    journal_reads_allow(&j->reading, true);
    journal_room_look(j);
    j->w.look = true;
    return true;
}

void journal_file_close(struct journal *j) {
    unset(j);
}

void journal_file_retry(struct journal *j) {
    struct err err = {""};
    if (clock_mono_us() < j->up_us)
        return;
    if (!journal_file_open(j, &err))
        down(j, err.text);
}

void journal_works(struct journal *j) {
    if (!j->failing || clock_mono_us() - j->up_us < WORKS_US)
        return;
    j->failing = false;
    j->backoff_us = 0;
    j->problem[0] = '\0';
    if (j->w.full)
        say_full(j);
    log_say(LOG_INFO, "journal failed", "%s works again", j->path);
}

/* ---- what to do ---- */

/* The WAL's room is room too. */
static bool make_room(struct journal_sql *sql) {
    sql->trouble = TROUBLE_NONE;
    return journal_sql_exec(sql, "PRAGMA wal_checkpoint(TRUNCATE)") || sql->trouble == TROUBLE_FULL;
}

static enum journal_remedy damaged(struct journal *j) {
    struct err err = {""};
    char problem[128];
    snprintf(problem, sizeof(problem), "%s", j->w.sql->problem);
    unset(j);
    if (j->salvaged_us && clock_mono_us() - j->salvaged_us < SALVAGE_PAUSE_US) {
        down(j, problem);
        j->up_us = j->salvaged_us + SALVAGE_PAUSE_US;
        return REMEDY_DOWN;
    }
    if (salvage(j, &err) && journal_file_open(j, &err))
        return REMEDY_AGAIN;
    down(j, err.text);
    return REMEDY_DOWN;
}

enum journal_remedy journal_remedy(struct journal *j) {
    struct journal_work *w = &j->w;
    journal_work_rollback(w);
    (void)!journal_sql_is_sound(w->sql); /* before anything that would copy */
    switch (w->sql->trouble) {
    case TROUBLE_FULL:
        (void)room_give(j->directory);
        full_begins(j);
        return make_room(w->sql) ? REMEDY_AGAIN : REMEDY_NONE;
    case TROUBLE_DISK:
        down(j, w->sql->problem);
        return REMEDY_DOWN;
    case TROUBLE_DAMAGED:
        return damaged(j);
    case TROUBLE_NONE:
    case TROUBLE_CALL:
        break;
    }
    return REMEDY_NONE;
}

void journal_read_trouble(struct journal *j) {
    pthread_mutex_lock(&j->lock);
    bool found = j->read_damaged;
    j->read_damaged = false;
    pthread_mutex_unlock(&j->lock);
    if (!found)
        return;
    snprintf(j->w.sql->problem, sizeof(j->w.sql->problem), "damaged, found while reading");
    (void)damaged(j);
}

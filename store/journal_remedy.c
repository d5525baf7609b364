/* What is done when the disk is full, when it fails, and when the file is damaged; the way back. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <pointsman/clock.h>
#include <pointsman/log.h>

#include "journal_int.h"
#include "room.h"

#define BACKOFF_LEAST_US 100000
#define BACKOFF_MOST_US  5000000

/* ---- a full disk ---- */

static void set_problem(struct journal *j, const char *what, const char *why) {
    snprintf(j->problem, sizeof(j->problem), "%s%s%s", what, why[0] ? ": " : "", why);
}

static void full_begins(struct journal *j) {
    if (j->w.full)
        return;
    j->w.full = true;
    set_problem(j, "the disk is full: no new events, what is on disk is worked off", "");
    log_say(LOG_ERROR, "journal full",
            "the disk of %s is full: new events are refused, what is on disk is worked off",
            j->directory);
}

void journal_room_look(struct journal *j) {
    if (!room_keep(j->directory)) {
        full_begins(j);
    } else if (j->w.full) {
        j->w.full = false;
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
    if (j->backoff_us == BACKOFF_LEAST_US)
        log_say(LOG_ERROR, "journal failed",
                "%s: %s; new events are refused until it can be opened", j->path, reason);
    set_problem(j, "the journal's disk fails", reason);
}

bool journal_file_open(struct journal *j, struct err *err) {
    enum journal_trouble trouble = TROUBLE_NONE;
    j->w.sql = journal_sql_open(j->path, err, &trouble);
    if (!j->w.sql && trouble == TROUBLE_FULL && room_give(j->directory))
        j->w.sql = journal_sql_open(j->path, err, &trouble);
    if (!j->w.sql)
        return false;
    if (!journal_work_count(&j->w)) {
        err_set(err, "%s: %s", j->path, j->w.sql->problem);
        unset(j);
        return false;
    }
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
    /* What fsync once refused may be in memory only: all that is in the WAL is written anew, into
     * the file, before anything is appended. */
    if (!journal_file_open(j, &err) ||
        !journal_sql_exec(j->w.sql, "PRAGMA wal_checkpoint(TRUNCATE)")) {
        down(j, j->w.sql ? j->w.sql->problem : err.text);
        return;
    }
    j->backoff_us = 0;
    if (!j->w.full)
        j->problem[0] = '\0';
    log_say(LOG_INFO, "journal failed", "%s is open again", j->path);
}

enum journal_remedy journal_remedy(struct journal *j) {
    struct journal_work *w = &j->w;
    journal_work_rollback(w);
    switch (w->sql->trouble) {
    case TROUBLE_FULL:
        if (!room_give(j->directory) && w->full)
            return REMEDY_NONE;
        full_begins(j);
        return REMEDY_AGAIN;
    case TROUBLE_DISK:
    case TROUBLE_DAMAGED:
        down(j, w->sql->problem);
        return REMEDY_DOWN;
    case TROUBLE_NONE:
    case TROUBLE_CALL:
        break;
    }
    return REMEDY_NONE;
}

/* Once a second, and in small pieces while there is more to do: done rows whose time is over, the
 * file's free pages, the ballast, a wall clock that went back. */
#include <pointsman/clock.h>

#include "journal_int.h"

#define TICK_US         1000000
#define SOON_US         10000
#define SWEEP_PIECE     100
#define SHRINK_FROM     4096 /* free pages, and a quarter of the file */
#define SHRINK_TO       1024
#define SHRINK_PIECE    "PRAGMA incremental_vacuum(64)"
#define SHRINK_PAUSE_US 60000000 /* after a failure */
#define REWRITE_MOST    2048     /* pages: 8 MiB */
#define CLOCK_SLIP_US   1000000

/* True: there may be more. On a full disk what is kept for people goes first. */
static bool sweep(struct journal *j) {
    struct journal_work *w = &j->w;
    uint64_t before_us = w->now_us > w->keep_us ? w->now_us - w->keep_us : 0;
    unsigned dropped = 0;
    if (!w->tally.rows[ROW_DONE])
        return false;
    if (journal_work_begin(w) &&
        journal_drop_done(w, w->full ? INT64_MAX : before_us, SWEEP_PIECE, &dropped) &&
        journal_work_commit(w))
        return dropped == SWEEP_PIECE;
    (void)journal_remedy(j);
    return false;
}

/* A file with little in it is written anew; else pages are moved from its end into its gaps, which
 * SQLite has to look for: slow, so only a few at a time. */
static bool shrink_some(struct journal_sql *sql, int64_t used) {
    sql->reserved = 0;
    return used <= REWRITE_MOST ? journal_sql_exec(sql, "VACUUM") &&
                                      journal_sql_exec(sql, "PRAGMA wal_checkpoint(PASSIVE)")
                                : journal_sql_exec(sql, SHRINK_PIECE);
}

/* True: there is more. */
static bool shrink(struct journal *j, uint64_t now_us) {
    struct journal_sql *sql = j->w.sql;
    int64_t unused = 0, pages = 0;
    sql->trouble = TROUBLE_NONE;
    bool ok = journal_sql_number(sql, "PRAGMA freelist_count", &unused) &&
              journal_sql_number(sql, "PRAGMA page_count", &pages);
    bool is_much = unused >= SHRINK_FROM && unused * 4 >= pages;
    if (ok && (is_much || (j->shrinking && unused >= SHRINK_TO))) {
        j->shrinking = true;
        ok = shrink_some(sql, pages - unused);
    } else if (ok && j->shrinking) {
        j->shrinking = false;
        ok = journal_sql_exec(sql, "PRAGMA wal_checkpoint(PASSIVE)");
    }
    if (ok)
        return j->shrinking;
    j->shrinking = false;
    j->shrink_us = now_us + SHRINK_PAUSE_US;
    if (sql->trouble != TROUBLE_FULL) /* that takes room first; nothing is lost by waiting */
        (void)journal_remedy(j);
    return false;
}

static void watch_clock(struct journal *j, uint64_t now_us) {
    int64_t ahead_us = (int64_t)j->w.now_us - (int64_t)now_us;
    if (!j->walking && ahead_us < j->clock_ahead_us - CLOCK_SLIP_US &&
        journal_walk_begin(&j->w, SIDE_NONE, &j->walk))
        j->walking = true;
    j->clock_ahead_us = ahead_us;
}

static void bury_suspects(struct journal *j) {
    uint64_t suspects[SUSPECTS_MAX];
    struct journal_work *w = &j->w;
    pthread_mutex_lock(&j->lock);
    unsigned count = j->suspect_count;
    for (unsigned i = 0; i < count; i++)
        suspects[i] = j->suspects[i];
    j->suspect_count = 0;
    pthread_mutex_unlock(&j->lock);
    if (!count)
        return;
    bool ok = journal_work_begin(w);
    for (unsigned i = 0; ok && i < count; i++)
        ok = journal_damaged(w, suspects[i]);
    if (!ok || !journal_work_commit(w))
        (void)journal_remedy(j);
}

void journal_tidy(struct journal *j) {
    uint64_t now_us = clock_mono_us();
    if (!j->w.sql)
        return;
    if (!journal_sql_is_sound(j->w.sql)) {
        (void)journal_remedy(j);
        return;
    }
    journal_read_trouble(j);
    if (j->w.sql)
        bury_suspects(j);
    if (!j->w.sql || now_us < j->tick_us)
        return;
    j->w.now_us = clock_wall_us();
    j->tick_us = now_us + TICK_US;
    journal_works(j);
    journal_room_look(j);
    watch_clock(j, now_us);
    bool more = sweep(j);
    bool idle = now_us - j->called_us > TICK_US / 2 || j->w.full;
    if (j->w.sql && idle && now_us >= j->shrink_us)
        more = shrink(j, now_us) || more;
    if (more)
        j->tick_us = now_us + SOON_US;
}

/* What the journal's writer thread works on: the file, the rows in hand, the counts; and the
 * operations, each inside the batch's transaction. Layer: store. */
#ifndef POINTSMAN_STORE_JOURNAL_WORK_H
#define POINTSMAN_STORE_JOURNAL_WORK_H

#include <stdbool.h>
#include <stdint.h>

#include <pointsman/compiler.h>
#include <pointsman/journal.h>

#include "hand.h"
#include "journal_sql.h"
#include "pack.h"

enum journal_kind {
    JOURNAL_PUT = 0,
    JOURNAL_MOVE,
    JOURNAL_TAKE,
    JOURNAL_SENDING,
    JOURNAL_HASTEN,
    JOURNAL_SETTLE,
    JOURNAL_LIST,
    JOURNAL_LOOK,
    JOURNAL_TURN
};

struct journal_tally {
    uint64_t rows[ROW_STATES];
    uint64_t bytes;
    uint64_t damaged;
};

struct journal_work {
    struct journal_sql *sql; /* NULL: the file is not open */
    struct hand hand;
    struct hand unsure; /* rows whose move failed: whether it is on disk is not known */
    struct pack pack;
    struct journal_tally tally;
    struct journal_tally kept; /* … as of the last commit */
    uint64_t now_us;           /* wall; of the batch */
    uint64_t max_bytes;
    uint64_t keep_us;
    bool grows; /* the transaction puts payloads */
    bool full;  /* the disk is: puts are refused */
    bool look;  /* open takes may find what they did not before */
};

/* A row without its texts. */
struct journal_slim {
    uint64_t seq, ver;
    enum row_state state;
    bool damaged; /* … is its reason */
    bool ordered;
    bool first;
    uint32_t tries;
    uint64_t bytes;
    uint64_t answer_len;
    struct slice source, entity; /* into `texts` */
    struct token token;
    char texts[SOURCE_NAME_MAX + ENTITY_MAX];
};

/* False, here and below: the file failed (work->sql->trouble); the transaction must be rolled
 * back. */
MUST_CHECK bool journal_work_begin(struct journal_work *w);
MUST_CHECK bool journal_work_commit(struct journal_work *w);
void journal_work_rollback(struct journal_work *w);
/* Counts all rows: at open. */
MUST_CHECK bool journal_work_count(struct journal_work *w);

MUST_CHECK bool journal_work_execute(struct journal_work *w, struct journal_call *call);

/* ---- the pieces operations are made of ---- */

MUST_CHECK bool journal_find(struct journal_work *w, struct slice source, struct slice id,
                             struct journal_slim *ret, bool *ret_found);
MUST_CHECK bool journal_slim(struct journal_work *w, uint64_t seq, struct journal_slim *ret,
                             bool *ret_found);
void journal_count(struct journal_work *w, enum row_state state, int by, int64_t bytes);
static inline bool journal_active(enum row_state state) {
    return state == ROW_QUEUED || state == ROW_SENDING;
}
/* Row and payload go; its line moves up. */
MUST_CHECK bool journal_remove(struct journal_work *w, const struct journal_slim *row);
/* Becomes PARKED, DEAD or DONE (DONE is removed where nothing is kept) with this reason. */
MUST_CHECK bool journal_end(struct journal_work *w, const struct journal_slim *row,
                            enum row_state state, enum row_reason reason);
/* Lets the right row of a line be its first, 0: the line is empty. */
MUST_CHECK bool journal_line(struct journal_work *w, struct slice source, struct slice entity,
                             uint64_t *ret_first);
/* Drops done rows, the oldest first, until `bytes` more fit. */
MUST_CHECK bool journal_make_room(struct journal_work *w, int64_t bytes, uint64_t except,
                                  bool *ret_fits);
/* At most `most` rows done before then. */
MUST_CHECK bool journal_drop_done(struct journal_work *w, uint64_t before_us, unsigned most,
                                  unsigned *ret_dropped);
/* Never to be delivered; counted once. Rows in hand and done ones stay as they are. */
MUST_CHECK bool journal_damaged(struct journal_work *w, uint64_t seq);

/* ---- operations in files of their own ---- */

MUST_CHECK bool journal_execute_put(struct journal_work *w, struct journal_put *call);
MUST_CHECK bool journal_execute_turn(struct journal_work *w, struct journal_turn *call);
MUST_CHECK bool journal_execute_settle(struct journal_work *w, struct journal_settle *call);
MUST_CHECK bool journal_execute_sending(struct journal_work *w, struct journal_sending *call);

#endif

/* The journal's row of an event under way: one write at a time, in order. Layer: proxy. Belongs to
 * the delivery's worker; every write under way holds a reference of the delivery. */
#ifndef POINTSMAN_ROW_H
#define POINTSMAN_ROW_H

#include <stdbool.h>
#include <stdint.h>

#include <pointsman/journal.h>

struct delivery;

enum row_hold {
    HOLD_NONE = 0, /* nothing of the event is on disk by us */
    HOLD_PUTTING,  /* the first write is with the journal */
    HOLD_HELD,     /* the row is ours */
    HOLD_LEFT      /* the row is done with, or another's */
};

typedef void row_then(struct delivery *d, enum journal_result result);

/* A change that waits for the write before it. */
struct row_wish {
    bool is_set;
    struct journal_mark mark;
    bool keep;
    row_then *then;
};

struct row {
    struct delivery *delivery;
    enum row_hold hold;
    bool writing;
    bool ordered;
    uint64_t seq, ver;
    uint32_t tries;
    enum side side;
    enum row_reason reason;
    struct journal_put put;
    struct journal_move move;
    row_then *then;
    struct row_wish wish;
    struct timer again; /* a change that must get to the disk is repeated */
};

/* True: the row is on disk and ours to change. */
bool row_is_held(const struct delivery *d);
/* True: the row is ours, or will be once the write under way has ended. */
bool row_is_ours(const struct delivery *d);
/* True: the first write is under way. */
bool row_is_being_put(const struct delivery *d);

/* Puts the event on disk; `then` runs once, later. The row is ours afterwards if in_hand and the
 * result is JOURNAL_OK (and it is the first of its line). */
void row_put(struct delivery *d, const struct journal_mark *mark, bool mine, bool in_hand,
             row_then *then);
/* Takes over what the journal gave out. False: no memory. */
MUST_CHECK bool row_adopt(struct delivery *d, const struct journal_row *from);
/* Changes the row, after the write under way. Without `keep` it is no longer ours, and the change
 * is repeated until the disk has it; `then` may be NULL. The mark's answer must live until then
 * (the leg's buffers do). */
void row_move(struct delivery *d, const struct journal_mark *mark, bool keep, row_then *then);
/* Lets go without a write: it stays on disk as it is, for the next start. */
void row_let_go(struct delivery *d);
void row_free(struct delivery *d);

#endif

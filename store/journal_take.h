/* Gives out due rows, and changes queued ones in pieces. The writer's thread, between its
 * transactions. Layer: store. */
#ifndef POINTSMAN_STORE_JOURNAL_TAKE_H
#define POINTSMAN_STORE_JOURNAL_TAKE_H

#include "journal_work.h"

/* Fills ret_rows with at most `most` rows, in hand from then on; damaged ones become dead. False:
 * the file failed; what was read before is in ret_rows all the same. */
MUST_CHECK bool journal_fill(struct journal_work *w, struct journal_take *take, uint32_t most);
/* When the next row that `take` wants becomes due, wall; UINT64_MAX: none is queued. */
MUST_CHECK bool journal_next_due(struct journal_work *w, const struct journal_take *take,
                                 uint64_t *ret_us);

/* A walk over all queued rows. */
struct journal_walk {
    enum side side; /* rows of it become due now and lose `retry`; SIDE_NONE: only due times that
                       no ladder gives are put right, left by a clock that went back */
    uint64_t after;
    uint64_t last;
};
MUST_CHECK bool journal_walk_begin(struct journal_work *w, enum side side,
                                   struct journal_walk *ret);
/* One piece, in a transaction of its own. */
MUST_CHECK bool journal_walk_on(struct journal_work *w, struct journal_walk *walk, bool *ret_over);

#endif

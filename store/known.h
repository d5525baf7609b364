/* What this process knows about its legs: those open, and the last that ended. Put back where the
 * store forgot, and into the local store where Redis is away. Any thread. Layer: store. */
#ifndef POINTSMAN_STORE_KNOWN_H
#define POINTSMAN_STORE_KNOWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pointsman/compiler.h>
#include <pointsman/store.h>

#include "store_ops.h"

/* Ended legs that are remembered; older ones are counted when they leave. */
#define KNOWN_ENDED_MAX 8192

struct known;
struct known_copy { /* one leg, ready to be asserted; the slices point behind it */
    struct known_copy *next;
    struct store_assert call;
    bool kept; /* the store has said that it has this: missing, it is lost */
    char text[];
};

MUST_CHECK struct known *known_new(void);
void known_free(struct known *known);

/* After GRANTED or MINE: the owner leg, and the shadow's if it was granted. No memory: the leg
 * counts as left. */
void known_claimed(struct known *known, const struct store_claim *call);
void known_renewed(struct known *known, const struct store_renew *call);
/* Before the outcome is sent: it is true whether or not the store takes it. */
void known_finished(struct known *known, const struct store_finish *call);
/* The store has the outcome. */
void known_kept(struct known *known, const struct store_finish *call);
/* The leg is another's by now. */
void known_dropped(struct known *known, struct slice source, struct slice id, enum side side,
                   const char *token);

/* The oldest first; spans are counted from now. *ret_left: ended legs that have left since the last
 * known_forget_left. False: no memory. */
MUST_CHECK bool known_copy(struct known *known, struct known_copy **ret, uint64_t *ret_left);
/* An empty one for that leg; NULL: no memory. */
MUST_CHECK struct known_copy *known_copy_new(struct slice source, struct slice id,
                                             struct slice entity);
void known_copy_free(struct known_copy *list);
void known_forget_left(struct known *known);

#endif

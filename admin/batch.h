/* An operator's word on many dead events or events in doubt: one request, event by event, some at a
 * time. Layer: admin, private. */
#ifndef ADMIN_BATCH_H
#define ADMIN_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include <pointsman/journal.h>
#include <pointsman/store.h>

#include "request.h"

#define BATCH_MAX  1000
#define BATCH_OPEN 32 /* events in work at a time: a retry reads their bodies */

enum batch_kind { BATCH_REPLAY = 0, BATCH_DROP, BATCH_SETTLE_DONE, BATCH_SETTLE_RETRY, BATCHES };
extern const char *const batch_names[BATCHES]; /* "dead replay" …, as the audit has them */

/* Why an event is refused then. */
extern const char *const batch_store_away;

struct batch;

/* One event. The store is asked or told first, the journal second: a crash between the two leaves
 * an event that can be decided once more.
 *
 *   REPLAY        look ──────────────▶ turn (QUEUE; COPY of what is done, with `again`)
 *   DROP                               turn (DROP)
 *   SETTLE_DONE   settle ────────────▶ turn (DONE)
 *   SETTLE_RETRY  row ──▶ settle ────▶ turn (QUEUE) */
struct batch_item {
    struct batch *batch; /* NULL: free */
    struct slice source, id;
    union {
        struct store_look look;
        struct store_settle settle;
        struct journal_look row;
    };
    bool settled; /* the store took it */
    struct journal_turn turn;
    char new_id[EVENT_ID_MAX + 1];
};

/* Freed with the answer. */
struct batch {
    struct request *x;
    enum batch_kind kind;
    enum side to; /* of REPLAY; SIDE_NONE: as mode and pin say */
    bool again;
    char reason[513];

    bool store_away; /* set where one is refused for it: the rest is not tried */
    json_t *events;  /* items point into it */
    size_t next;     /* the first that is not begun */
    unsigned open;
    json_t *refused;
    unsigned done_count, refused_count;
    struct slice first, last; /* that were done */
    struct batch_item items[BATCH_OPEN];

    struct store_note note;
    char *evidence;
};

/* Begins with one event; tells its end by batch_item_end, once, never from inside. */
void batch_item_begin(struct batch_item *item);
/* `why`: NULL where it was done. */
void batch_item_end(struct batch_item *item, const char *why);

#endif

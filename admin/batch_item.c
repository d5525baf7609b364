/* What is done with one event of a batch, step by step: the store first, the journal second. */
#include <stdio.h>
#include <string.h>

#include <pointsman/digest.h>

#include "batch.h"

#define CALL_TIMEOUT_MS 5000
#define NONCE_LEN       4

static void turn_submit(struct batch_item *item, enum row_state from, enum turn turn);

static bool is_gone(struct batch_item *item) {
    if (!request_is_gone(item->batch->x))
        return false;
    batch_item_end(item, "pointsman stops");
    return true;
}

static struct store_call store_part(struct batch_item *item, void (*done)(struct store_call *)) {
    return (struct store_call){.done = done, .arg = item, .timeout_ms = CALL_TIMEOUT_MS};
}

/* ---- the last step ---- */

static const char *const not_dead = "it is not dead, or somebody works on it";
static const char *const not_parked = "it is not in doubt any more, or somebody works on it";
static const char *const no_payload =
    "its payload is on no disk here; ask the sender to redeliver after `forget`";

static bool is_about_dead(const struct batch_item *item) {
    return item->batch->kind == BATCH_REPLAY || item->batch->kind == BATCH_DROP;
}

/* NULL: there is nothing more to do. */
static const char *absent_text(const struct batch_item *item) {
    if (is_about_dead(item))
        return "it is not on this instance's disk";
    if (item->batch->kind == BATCH_SETTLE_RETRY)
        return no_payload;
    return item->settled ? NULL : "it is neither on record nor on this instance's disk";
}

static void turn_done(struct journal_call *call) {
    struct batch_item *item = call->arg;
    bool maybe_done = item->turn.turn == TURN_COPY && item->turn.from == ROW_DEAD;
    switch (call->result) {
    case JOURNAL_OK:
        batch_item_end(item, NULL);
        break;
    case JOURNAL_ABSENT:
        batch_item_end(item, absent_text(item));
        break;
    case JOURNAL_STALE:
        if (maybe_done && is_gone(item))
            break;
        if (maybe_done)
            turn_submit(item, ROW_DONE, TURN_COPY);
        else
            batch_item_end(item, is_about_dead(item) ? not_dead : not_parked);
        break;
    case JOURNAL_FULL:
        batch_item_end(item, "the journal is full");
        break;
    default:
        batch_item_end(item, "the journal failed; look at it again");
    }
}

static void turn_submit(struct batch_item *item, enum row_state from, enum turn turn) {
    struct batch *b = item->batch;
    item->turn = (struct journal_turn){.call = {.done = turn_done, .arg = item},
                                       .source = item->source,
                                       .id = item->id,
                                       .from = from,
                                       .turn = turn,
                                       .side = b->to};
    if (turn == TURN_COPY)
        item->turn.new_id = slice_of(item->new_id);
    journal_turn(proxy_journal_client(b->x->proxy), &item->turn);
}

/* ---- replay ---- */

static void copy_submit(struct batch_item *item) {
    uint8_t nonce[NONCE_LEN];
    char text[2 * NONCE_LEN];
    char why[128];
    random_bytes(nonce, sizeof nonce);
    hex_encode(nonce, sizeof nonce, text);
    if (item->id.len + 1 + sizeof text > EVENT_ID_MAX) {
        snprintf(why, sizeof why, "its id with \"+\" and %zu digits would have over %d bytes",
                 sizeof text, EVENT_ID_MAX);
        batch_item_end(item, why);
        return;
    }
    snprintf(item->new_id, sizeof item->new_id, "%.*s+%.*s", SLICE_ARG(item->id), (int)sizeof text,
             text);
    turn_submit(item, ROW_DEAD, TURN_COPY);
}

/* Where its owner leg is done; SIDE_NONE: nowhere. What a shadow did does not count. */
static enum side done_at(const struct store_look *look) {
    for (unsigned side = 0; look->ret_has_event && side < SIDES; side++) {
        if (look->ret_legs[side].state == LEG_DONE && look->ret_legs[side].role == ROLE_OWNER)
            return side;
    }
    return SIDE_NONE;
}

static void look_done(struct store_call *call) {
    struct batch_item *item = call->arg;
    const struct store_look *look = &item->look;
    char why[128];
    if (is_gone(item))
        return;
    if (call->result != STORE_OK && call->result != STORE_ABSENT) {
        item->batch->store_away = true;
        batch_item_end(item, batch_store_away);
        return;
    }
    enum side side = call->result == STORE_OK ? done_at(look) : SIDE_NONE;
    if (side == SIDE_NONE) {
        turn_submit(item, ROW_DEAD, TURN_QUEUE);
    } else if (item->batch->again) {
        copy_submit(item);
    } else {
        char status[16] = ""; /* none where an operator said so */
        if (look->ret_legs[side].status)
            snprintf(status, sizeof status, " (%u)", look->ret_legs[side].status);
        snprintf(why, sizeof why, "done already at %s%s; --again sends it as a new event",
                 side_names[side], status);
        batch_item_end(item, why);
    }
}

/* ---- doubt ---- */

static void settle_done(struct store_call *call) {
    struct batch_item *item = call->arg;
    bool retry = item->batch->kind == BATCH_SETTLE_RETRY;
    if (is_gone(item))
        return;
    switch (call->result) {
    case STORE_OK:
    case STORE_ABSENT: /* the store's memory of it is over; what is on disk is settled all the same
                        */
        item->settled = call->result == STORE_OK;
        turn_submit(item, ROW_PARKED, retry ? TURN_QUEUE : TURN_DONE);
        break;
    case STORE_STALE:
        batch_item_end(item, retry ? "an attempt is in flight, or it is done; see `explain`"
                                   : "an attempt is in flight, or it is not in doubt");
        break;
    default:
        item->batch->store_away = true;
        batch_item_end(item, "the store does not answer; nothing is known to be changed");
    }
}

static void settle_submit(struct batch_item *item) {
    bool retry = item->batch->kind == BATCH_SETTLE_RETRY;
    item->settle = (struct store_settle){.call = store_part(item, settle_done),
                                         .source = item->source,
                                         .id = item->id,
                                         .how = retry ? SETTLE_RETRY : SETTLE_DONE};
    store_settle(proxy_store_client(item->batch->x->proxy), &item->settle);
}

/* Without a payload here nothing can be sent again, so the store is not told either. */
static void row_done(struct journal_call *call) {
    struct batch_item *item = call->arg;
    struct journal_row *row = item->row.ret_row;
    bool parked = row && row->mark.state == ROW_PARKED;
    if (row)
        journal_row_free(row);
    if (is_gone(item))
        return;
    if (call->result == JOURNAL_OK && parked)
        settle_submit(item);
    else if (call->result == JOURNAL_OK)
        batch_item_end(item, not_parked);
    else if (call->result == JOURNAL_ABSENT)
        batch_item_end(item, no_payload);
    else
        batch_item_end(item, "the journal can not be read now; nothing was changed");
}

void batch_item_begin(struct batch_item *item) {
    struct proxy *proxy = item->batch->x->proxy;
    switch (item->batch->kind) {
    case BATCH_REPLAY:
        item->look = (struct store_look){
            .call = store_part(item, look_done), .source = item->source, .id = item->id};
        store_look(proxy_store_client(proxy), &item->look);
        break;
    case BATCH_DROP:
        turn_submit(item, ROW_DEAD, TURN_DROP);
        break;
    case BATCH_SETTLE_DONE:
        settle_submit(item);
        break;
    case BATCH_SETTLE_RETRY:
        item->row = (struct journal_look){
            .call = {.done = row_done, .arg = item}, .source = item->source, .id = item->id};
        journal_look(proxy_journal_client(proxy), &item->row);
        break;
    case BATCHES:
        break;
    }
}

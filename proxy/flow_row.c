/* The way of an event through the journal: what is put on disk when, and what the sender is told
 * for it.
 *
 *   order: entity     decided ─▶ QUEUED, in line ─▶ its turn: claim …
 *   reply: accepted   granted ─▶ SENDING ─▶ 202 ─▶ the attempt
 *   from the journal  granted ─▶ SENDING ─▶ the attempt
 *   deadline near     running ─▶ SENDING ─▶ 202, the same attempt goes on
 *   cannot be claimed before the deadline, or the store is away ─▶ QUEUED ─▶ 202
 *   reply: accepted, and the backend takes nothing now ─▶ QUEUED, unclaimed ─▶ 202
 *   an outcome that is not done ─▶ QUEUED, PARKED or DEAD ─▶ 202
 *
 * Whatever can not be put on disk is answered as if there were no journal. What is on disk stays
 * there until it is done: its sender, that of an earlier delivery, or one who asked meanwhile may
 * have been told so. */
#include <stdlib.h>
#include <string.h>

#include <pointsman/clock.h>
#include <pointsman/digest.h>

#include "conn.h"
#include "delivery.h"
#include "fate.h"
#include "shared.h"
#include "worker.h"

#define STORE_PAUSE_MS 1000
#define PAUSE_LEAST_MS 500
#define PAUSE_MOST_MS  15000

/* The event was on disk already: that row goes its own way. */
static void tell_of_other(struct delivery *d) {
    enum row_state state = d->row->put.ret_state;
    answer_accepted(d, state == ROW_PARKED ? ANSWER_IN_DOUBT : ANSWER_IN_PROGRESS);
}

/* ---- in line: order: entity ---- */

static void in_line(struct delivery *d, enum journal_result result) {
    if (result == JOURNAL_EXISTS) {
        d->state = DELIVERY_OVER;
        tell_of_other(d);
    } else if (result != JOURNAL_OK) {
        d->state = DELIVERY_OVER;
        answer_problem(d, ANSWER_JOURNAL, journal_result_names[result]);
    } else if (!row_is_held(d)) {
        d->state = DELIVERY_OVER;
        answer_accepted(d, ANSWER_QUEUED);
    } else {
        if (d->source->reply == REPLY_ACCEPTED)
            answer_accepted(d, ANSWER_ACCEPTED);
        claim_start(d);
    }
}

void row_get_in_line(struct delivery *d) {
    struct journal_mark mark = {
        .state = ROW_QUEUED, .reason = REASON_ACCEPTED, .side = d->decision.side};
    d->state = DELIVERY_WRITING;
    row_put(d, &mark, false, true, in_line);
}

/* ---- the row "sending" before the first byte ---- */

static struct journal_mark sending_mark(const struct delivery *d) {
    struct journal_mark m = {.state = ROW_SENDING,
                             .reason = d->row ? d->row->reason : REASON_ACCEPTED,
                             .side = d->owner,
                             .token = d->token,
                             .attempt = d->claim.ret_attempt,
                             .fence = d->claim.ret_fence,
                             .tries = d->row ? d->row->tries : 0,
                             .sticky_ms = flow_sticky_ms(d)};
    return m;
}

static void goes_on(struct delivery *d) {
    d->row->side = d->owner;
    if (d->near) /* it was while this was written */
        answer_accepted(d, ANSWER_ACCEPTED);
    d->state = DELIVERY_RUNNING;
    flow_granted(d);
}

static void taken_back(struct delivery *d, enum journal_result result) {
    claim_give_back(d);
    if (row_is_held(d)) /* the disk failed: the row stays queued, for later */
        row_wait(d, PAUSE_MOST_MS, REASON_ACCEPTED);
    answer_problem(d, ANSWER_JOURNAL, journal_result_names[result]);
}

static void sending_written(struct delivery *d, enum journal_result result) {
    if (result == JOURNAL_OK)
        goes_on(d);
    else
        taken_back(d, result);
}

static void accepted_written(struct delivery *d, enum journal_result result) {
    if (result != JOURNAL_OK) {
        taken_back(d, result);
        return;
    }
    answer_accepted(d, ANSWER_ACCEPTED);
    goes_on(d);
}

bool row_before_sending(struct delivery *d) {
    bool accepts = !d->answered && d->source->reply == REPLY_ACCEPTED;
    if (!row_is_held(d) && !accepts)
        return false;
    struct journal_mark mark = sending_mark(d);
    d->state = DELIVERY_WRITING;
    if (row_is_held(d))
        row_move(d, &mark, true, sending_written);
    else
        row_put(d, &mark, true, true, accepted_written);
    return true;
}

/* ---- it can not be claimed now ---- */

static uint64_t wall_in_ms(uint64_t ms) {
    return clock_wall_us() + ms * 1000;
}

void row_wait(struct delivery *d, uint64_t ms, enum row_reason reason) {
    struct journal_mark mark = {.state = ROW_QUEUED,
                                .reason =
                                    d->row->reason == REASON_OPERATOR ? REASON_OPERATOR : reason,
                                .side = d->row->side,
                                .tries = d->row->tries,
                                .retry = d->row->tries > 0};
    uint64_t pause = ms < PAUSE_LEAST_MS ? PAUSE_LEAST_MS : ms;
    mark.due_wall_us = wall_in_ms(pause > PAUSE_MOST_MS ? PAUSE_MOST_MS : pause);
    d->state = DELIVERY_OVER;
    row_move(d, &mark, false, NULL);
}

static void queued_instead(struct delivery *d, enum journal_result result) {
    if (result == JOURNAL_OK)
        answer_accepted(d, ANSWER_QUEUED);
    else if (result == JOURNAL_EXISTS)
        tell_of_other(d);
    else
        answer_problem(d, d->otherwise, "and the journal does not take it");
}

void row_queue(struct delivery *d, enum row_reason reason, enum answer otherwise) {
    if (row_is_held(d)) {
        row_wait(d, STORE_PAUSE_MS, reason);
        answer_accepted(d, ANSWER_QUEUED);
        return;
    }
    struct journal_mark mark = {.state = ROW_QUEUED, .reason = reason, .side = d->decision.side};
    mark.due_wall_us = reason == REASON_STORE ? 0 : wall_in_ms(PAUSE_LEAST_MS);
    d->state = DELIVERY_OVER;
    d->otherwise = otherwise;
    row_put(d, &mark, false, false, queued_instead);
}

bool row_may_queue(const struct delivery *d, enum store_result why) {
    enum when_down when_down = d->rules->conf->when_down;
    bool store = why == STORE_AWAY || why == STORE_HOLD;
    if (!d->worker->journal)
        return false;
    if (row_is_held(d) || (store && when_down == WHEN_DOWN_HOLD))
        return true;
    if (store && when_down == WHEN_DOWN_REFUSE)
        return false;
    return d->source->queues || d->source->reply == REPLY_ACCEPTED;
}

/* ---- in doubt, as the store says ---- */

static void doubt_kept(struct delivery *d, enum journal_result result) {
    bool kept = result == JOURNAL_OK || result == JOURNAL_EXISTS;
    if (kept)
        answer_accepted(d, ANSWER_IN_DOUBT);
    else
        answer_status(d, ANSWER_IN_DOUBT);
}

void row_doubt(struct delivery *d) {
    struct journal_mark mark = {
        .state = ROW_PARKED, .reason = REASON_IN_DOUBT, .side = d->claim.ret_side};
    if (row_is_held(d)) {
        mark.tries = d->row->tries;
        row_move(d, &mark, false, NULL);
        answer_accepted(d, ANSWER_IN_DOUBT);
    } else if (d->source->queues || d->source->reply == REPLY_ACCEPTED) {
        row_put(d, &mark, false, false, doubt_kept);
    } else {
        answer_status(d, ANSWER_IN_DOUBT);
    }
}

/* ---- the sender's deadline is near and the attempt runs ---- */

static void tell_at_deadline(struct delivery *d) {
    answer_accepted(d, ANSWER_ACCEPTED);
    if (d->owner != SIDE_NONE)
        leg_on_disk(&d->legs[d->owner]);
}

static void deadline_kept(struct delivery *d, enum journal_result result) {
    bool fell_back = d->owner == SIDE_NONE;
    bool undecided = fell_back || d->legs[d->owner].phase == PHASE_RUNNING;
    if (result == JOURNAL_OK && undecided) /* else the outcome is told in its own way */
        tell_at_deadline(d);
    if (fell_back && (result == JOURNAL_OK || !d->answered))
        claim_start(d); /* it waited for this write */
}

void row_at_deadline(struct delivery *d) {
    struct journal_mark mark = sending_mark(d);
    if (row_is_held(d))
        tell_at_deadline(d);
    else if (!row_is_ours(d) && d->state == DELIVERY_RUNNING)
        row_put(d, &mark, true, true, deadline_kept);
}

/* ---- the attempt has ended ---- */

static void settled_elsewhere(struct journal_call *call) {
    struct journal_settle *settle = CONTAINER_OF(call, struct journal_settle, call);
    delivery_drop(call->arg);
    free(settle);
}

/* An earlier try may have left a row. Should there be no memory to say so, its next claim finds the
 * event done. */
static void settle_other(struct delivery *d) {
    struct journal_settle *settle = calloc(1, sizeof *settle);
    if (!settle)
        return;
    settle->source = slice_of(d->source->name);
    settle->id = slice_of(d->id.id);
    settle->call.done = settled_elsewhere;
    settle->call.arg = delivery_hold(d);
    journal_settle(d->worker->journal, settle);
}

void row_done(struct delivery *d, const struct leg *leg) {
    struct journal_mark mark = {.state = ROW_DONE, .side = leg->side, .status = leg->status};
    if (row_is_ours(d)) {
        mark.tries = d->row->tries + 1;
        row_move(d, &mark, false, NULL);
    } else if (d->worker->journal && leg->attempt > 1) {
        settle_other(d);
    }
}

static void end_written(struct delivery *d, enum journal_result result) {
    bool kept = result == JOURNAL_OK || result == JOURNAL_STALE;
    bool doubt = d->legs[d->owner].outcome == OUTCOME_IN_DOUBT;
    if (d->answered)
        return;
    if (kept)
        answer_accepted(d, doubt ? ANSWER_IN_DOUBT : ANSWER_QUEUED);
    else
        flow_reply(d);
}

bool row_takes(const struct delivery *d, const struct leg *leg) {
    if (leg->role != ROLE_OWNER || leg->outcome == OUTCOME_DONE)
        return false;
    if (row_is_ours(d))
        return true;
    return leg->outcome != OUTCOME_REJECTED && d->worker->journal && !d->answered &&
           (d->source->queues || d->source->reply == REPLY_ACCEPTED);
}

void row_end(struct delivery *d, struct leg *leg) {
    struct attempt_end end = {leg->side, leg->outcome, leg->status, leg->refused != REFUSED_NOT,
                              leg->retry_after_ms};
    uint64_t random = digest_xxh3(leg->token.text, TOKEN_LEN, leg->attempt);
    struct journal_mark mark =
        fate_of(d->rules->conf, &end, d->row ? d->row->tries : 0, clock_wall_us(), random);
    struct slice answer = buf_slice(&leg->answer);
    mark.answer = slice(answer.ptr, answer.len < ROW_ANSWER_MAX ? answer.len : ROW_ANSWER_MAX);
    mark.attempt = leg->attempt;
    mark.fence = leg->fence;
    if (mark.retry)
        metrics_add(d->worker->metrics, METRIC_RETRIES, leg->side, 0, 0, 1);
    if (row_is_ours(d))
        row_move(d, &mark, false, end_written);
    else
        row_put(d, &mark, true, false, end_written);
}

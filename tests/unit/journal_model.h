/* What the journal must hold after the operations of a plan: for each row the states it may have.
 * One, where all was acknowledged; the one before and the one after, where no answer came. Layer:
 * tests. */
#ifndef POINTSMAN_TESTS_JOURNAL_MODEL_H
#define POINTSMAN_TESTS_JOURNAL_MODEL_H

#include "journal_plan.h"

#define MODEL_MAYBE 12
#define MODEL_NONE  (-1)
#define MODEL_ANY   ROW_REASONS /* a reason that the contract does not fix */

struct model_row {
    bool there;
    enum row_state state;
    enum row_reason reason;
    enum side side;
    uint32_t tries;
    bool retry, later, ordered;
    uint32_t attempt;
    uint16_t status;
    unsigned about; /* the id whose entity it has */
    int payload;    /* number of the operation that put it */
    int answer;     /* … that brought the answer; MODEL_NONE */
    int marked;     /* … whose token it has */
};

struct model {
    struct model_row rows[PLAN_IDS][MODEL_MAYBE];
    unsigned maybe[PLAN_IDS]; /* 1.. */
    bool evicts;              /* done rows may be gone */
};

static inline void model_init(struct model *m) {
    memset(m, 0, sizeof(*m));
    for (unsigned id = 0; id < PLAN_IDS; id++)
        m->maybe[id] = 1;
}

static inline void model_mark(struct model_row *r, const struct op *op, int n) {
    r->state = op->state;
    r->reason = op->reason;
    r->side = op->side;
    r->retry = op->retry;
    r->later = op->later;
    r->attempt = (uint32_t)n + 1;
    r->status = op->answer ? (uint16_t)(400 + n) : 0;
    r->marked = n;
    if (op->answer)
        r->answer = n;
}

/* False: it cannot have been answered OK. What was dead or done begins anew. */
static inline bool model_put(struct model_row *r, const struct op *op, int n) {
    if (r->there && !op->mine && r->state < ROW_DEAD)
        return false;
    bool goes_on = r->there && r->state < ROW_DEAD;
    uint32_t tries = goes_on && r->tries > op->tries ? r->tries : op->tries;
    int answer = goes_on ? r->answer : MODEL_NONE;
    *r = (struct model_row){.there = true, .answer = answer, .ordered = plan_ordered(op->id)};
    model_mark(r, op, n);
    r->tries = tries;
    r->payload = n;
    r->about = op->id;
    return true;
}

static inline bool model_move(struct model_row *r, const struct op *op, int n) {
    if (!r->there)
        return false;
    if (op->gone) {
        *r = (struct model_row){.there = false};
        return true;
    }
    model_mark(r, op, n);
    r->tries = op->tries;
    return true;
}

static inline bool model_turn(struct model_row *r, const struct op *op) {
    if (!r->there || r->state != op->from)
        return false;
    switch (op->turn) {
    case TURN_QUEUE:
        r->state = ROW_QUEUED;
        r->reason = REASON_OPERATOR;
        r->side = op->side;
        r->tries = 0;
        r->retry = r->later = false;
        break;
    case TURN_DONE:
    case TURN_COPY:
        r->state = ROW_DONE;
        r->reason = (enum row_reason)MODEL_ANY;
        break;
    case TURN_DROP:
        *r = (struct model_row){.there = false};
        break;
    }
    return true;
}

/* What an OK makes of a row. */
static inline bool model_apply(struct model_row *r, const struct op *op, int n) {
    switch (op->kind) {
    case OP_PUT:
        return model_put(r, op, n);
    case OP_MOVE:
        return model_move(r, op, n);
    case OP_TURN:
        return model_turn(r, op);
    case OP_SETTLE:
        if (!r->there)
            return false;
        r->state = ROW_DONE;
        r->reason = (enum row_reason)MODEL_ANY;
        return true;
    case OP_HASTEN:
        if (r->there && r->state == ROW_QUEUED && r->side == op->side)
            r->retry = r->later = false;
        return true;
    case OP_TAKE:
        break;
    }
    return true;
}

/* EXISTS on a parked row: only the payload is new. */
static inline void model_refresh(struct model_row *r, int n) {
    if (r->there && r->state == ROW_PARKED)
        r->payload = n;
}

static inline bool model_same(const struct model_row *a, const struct model_row *b) {
    if (!a->there || !b->there)
        return a->there == b->there;
    return a->state == b->state && a->reason == b->reason && a->side == b->side &&
           a->tries == b->tries && a->retry == b->retry && a->later == b->later &&
           a->attempt == b->attempt && a->status == b->status && a->payload == b->payload &&
           a->answer == b->answer && a->marked == b->marked;
}

static inline void model_maybe(struct model *m, unsigned id, const struct model_row *r) {
    for (unsigned i = 0; i < m->maybe[id]; i++)
        if (model_same(&m->rows[id][i], r))
            return;
    if (m->maybe[id] == MODEL_MAYBE)
        abort();
    m->rows[id][m->maybe[id]++] = *r;
}

enum model_answer { MODEL_YES = 0, MODEL_UNKNOWN };

/* YES: only what came of an OK remains. UNKNOWN: both. False: nothing remains. */
static inline bool model_row_op(struct model *m, unsigned id, const struct op *op, int n,
                                enum model_answer answer) {
    struct model_row before[MODEL_MAYBE];
    unsigned count = m->maybe[id];
    memcpy(before, m->rows[id], sizeof(before));
    if (answer == MODEL_YES)
        m->maybe[id] = 0;
    for (unsigned i = 0; i < count; i++) {
        struct model_row after = before[i];
        if (model_apply(&after, op, n)) {
            model_maybe(m, id, &after);
        } else if (answer == MODEL_UNKNOWN && op->kind == OP_PUT) {
            model_refresh(&after, n);
            model_maybe(m, id, &after);
        }
    }
    return m->maybe[id] > 0;
}

/* The copy's new row, as it is put. */
static inline bool model_copied(struct model *m, const struct op *op, enum model_answer answer) {
    const struct model_row *from = &m->rows[op->id][0];
    struct model_row copy = {.there = true,
                             .state = ROW_QUEUED,
                             .reason = REASON_OPERATOR,
                             .side = op->side,
                             .about = from->about,
                             .payload = from->payload,
                             .answer = MODEL_NONE,
                             .marked = MODEL_NONE};
    if (answer == MODEL_YES)
        m->maybe[op->new_id] = 0;
    if (from->there)
        model_maybe(m, op->new_id, &copy);
    return m->maybe[op->new_id] > 0;
}

static inline bool model_op(struct model *m, const struct op *op, int n, enum model_answer answer) {
    if (op->kind == OP_TAKE)
        return true;
    if (op->kind == OP_HASTEN) {
        for (unsigned id = 0; id < PLAN_IDS; id++)
            (void)model_row_op(m, id, op, n, answer);
        return true;
    }
    if (op->kind == OP_TURN && op->turn == TURN_COPY && !model_copied(m, op, answer))
        return false;
    return model_row_op(m, op->id, op, n, answer);
}

/* Its owner was told that it failed, so nobody is sending it: it is queued when the file works
 * again. */
static inline void model_orphan(struct model *m, const struct op *op, int n) {
    for (unsigned i = 0, count = m->maybe[op->id]; i < count; i++) {
        struct model_row queued = m->rows[op->id][i];
        if (op->kind != OP_PUT || queued.state != ROW_SENDING || queued.marked != n)
            continue;
        queued.state = ROW_QUEUED;
        queued.later = false;
        model_maybe(m, op->id, &queued);
    }
}

/* Submitted: what may happen to others from now on. */
static inline void model_begin(struct model *m, const struct op *op) {
    m->evicts = m->evicts || op->evicts;
}

/* False: the answer contradicts what was acknowledged before. */
static inline bool model_answered(struct model *m, const struct op *op, int n,
                                  enum journal_result result) {
    switch (result) {
    case JOURNAL_OK:
        return model_op(m, op, n, MODEL_YES);
    case JOURNAL_FAILED:
        if (!model_op(m, op, n, MODEL_UNKNOWN))
            return false;
        model_orphan(m, op, n);
        return true;
    case JOURNAL_EXISTS:
        for (unsigned i = 0; i < m->maybe[op->id]; i++)
            model_refresh(&m->rows[op->id][i], n);
        return op->kind == OP_PUT;
    case JOURNAL_FULL:
        return op->kind == OP_PUT || (op->kind == OP_TURN && op->turn == TURN_COPY);
    default:
        return true;
    }
}

/* Not answered: it happened, or it did not. */
static inline void model_open(struct model *m, const struct op *op, int n) {
    (void)model_op(m, op, n, MODEL_UNKNOWN);
}

#endif

/* What the crash-point sweep has the journal do: one fixed list of operations, and the events they
 * are about. Layer: tests. */
#ifndef POINTSMAN_TESTS_JOURNAL_PLAN_H
#define POINTSMAN_TESTS_JOURNAL_PLAN_H

#include <stdio.h>
#include <stdlib.h>

#include <pointsman/clock.h>
#include <pointsman/journal.h>

#define PLAN_IDS    64
#define PLAN_MAX    160
#define PLAN_BODY   100000
#define PLAN_ANSWER ROW_ANSWER_MAX
#define PLAN_BYTES  700000 /* journal.max_bytes: the last phase needs more */
#define PLAN_LINES  60     /* ids from here on are ordered, in one line */

enum op_kind { OP_PUT = 0, OP_MOVE, OP_TAKE, OP_TURN, OP_SETTLE, OP_HASTEN };

struct op {
    enum op_kind kind;
    unsigned id;
    bool with_next; /* submitted before this one is answered */
    bool evicts;    /* done rows may go from here on */
    enum journal_result result;
    /* put */
    size_t body;
    bool mine, in_hand;
    /* put, move; what is not here follows from the number of the operation */
    enum row_state state;
    enum row_reason reason;
    enum side side;
    uint32_t tries;
    bool retry, later;
    size_t answer;
    bool keep_hand, gone;
    /* turn */
    enum turn turn;
    enum row_state from;
    unsigned new_id;
    uint32_t limit; /* take */
};

struct plan {
    struct op ops[PLAN_MAX];
    uint64_t later_us; /* a due time that does not come */
    unsigned count;
};

static inline struct op *plan_add(struct plan *p, struct op op) {
    if (p->count == PLAN_MAX)
        abort();
    p->ops[p->count] = op;
    return &p->ops[p->count++];
}

static inline bool plan_ordered(unsigned id) {
    return id >= PLAN_LINES;
}

#define PUT(...)    (void)plan_add(p, (struct op){.kind = OP_PUT, __VA_ARGS__})
#define MOVE(...)   (void)plan_add(p, (struct op){.kind = OP_MOVE, __VA_ARGS__})
#define TURN(...)   (void)plan_add(p, (struct op){.kind = OP_TURN, __VA_ARGS__})
#define TAKE(n)     (void)plan_add(p, (struct op){.kind = OP_TAKE, .limit = (n)})
#define SETTLE(...) (void)plan_add(p, (struct op){.kind = OP_SETTLE, __VA_ARGS__})

/* Every state from every state, bodies of all sizes. */
static inline void plan_states(struct plan *p) {
    static const size_t sizes[] = {11000, 0, 1, 300, 4000, PLAN_BODY, 8200, 2000};
    for (unsigned id = 0; id < 8; id++)
        PUT(.id = id, .body = sizes[id], .in_hand = true, .mine = true,
            .state = id % 2 ? ROW_QUEUED : ROW_SENDING, .reason = REASON_ACCEPTED,
            .side = id % 3 ? SIDE_NEW : SIDE_NONE);
    MOVE(.id = 0, .state = ROW_DONE, .answer = 200, .side = SIDE_NEW);
    for (unsigned id = 1; id < 8; id++)
        MOVE(.id = id, .state = ROW_SENDING, .reason = REASON_ACCEPTED,
             .side = id % 2 ? SIDE_NEW : SIDE_LEGACY, .keep_hand = true);
    MOVE(.id = 1, .state = ROW_QUEUED, .reason = REASON_NOT_DONE, .tries = 1, .retry = true,
         .later = true, .answer = 3000);
    MOVE(.id = 2, .state = ROW_PARKED, .reason = REASON_IN_DOUBT);
    MOVE(.id = 3, .state = ROW_DEAD, .reason = REASON_REJECTED, .answer = PLAN_ANSWER);
    MOVE(.id = 4, .gone = true);
    MOVE(.id = 5, .state = ROW_QUEUED, .reason = REASON_BREAKER, .tries = 2, .keep_hand = true);
    MOVE(.id = 5, .state = ROW_SENDING, .reason = REASON_BREAKER, .tries = 2, .keep_hand = true);
    MOVE(.id = 5, .state = ROW_DONE);
    MOVE(.id = 6, .state = ROW_DEAD, .reason = REASON_NOT_DONE, .tries = 9);
    MOVE(.id = 7, .state = ROW_QUEUED, .reason = REASON_UNSENT, .side = SIDE_LEGACY);
}

static inline void plan_replaced(struct plan *p) {
    PUT(.id = 1, .body = 500, .state = ROW_QUEUED, .result = JOURNAL_EXISTS);
    PUT(.id = 2, .body = 700, .state = ROW_QUEUED, .result = JOURNAL_EXISTS);
    PUT(.id = 2, .body = 25000, .state = ROW_SENDING, .result = JOURNAL_EXISTS);
    PUT(.id = 6, .body = 900, .state = ROW_QUEUED, .reason = REASON_STORE, .tries = 3);
    PUT(.id = 0, .body = 1100, .state = ROW_QUEUED, .reason = REASON_BUSY);
    PUT(.id = 1, .body = 30000, .mine = true, .state = ROW_PARKED, .reason = REASON_IN_DOUBT);
    PUT(.id = 8, .body = 5, .state = ROW_QUEUED, .reason = REASON_STORE, .side = SIDE_NONE);
    TAKE(8); /* 0, 6, 7, 8 */
    MOVE(.id = 6, .state = ROW_SENDING, .keep_hand = true);
    PUT(.id = 6, .body = 60000, .mine = true, .in_hand = true, .state = ROW_SENDING);
    MOVE(.id = 6, .state = ROW_DONE, .answer = 12000);
    MOVE(.id = 8, .state = ROW_SENDING, .keep_hand = true);
    PUT(.id = 9, .body = 40, .mine = true, .state = ROW_DEAD, .reason = REASON_REJECTED);
}

static inline void plan_turns(struct plan *p) {
    TURN(.id = 1, .from = ROW_PARKED, .turn = TURN_QUEUE, .side = SIDE_LEGACY);
    TURN(.id = 1, .from = ROW_PARKED, .turn = TURN_DONE, .result = JOURNAL_STALE);
    TURN(.id = 2, .from = ROW_PARKED, .turn = TURN_DONE);
    TURN(.id = 6, .from = ROW_DONE, .turn = TURN_COPY, .new_id = 20, .side = SIDE_NONE);
    TURN(.id = 3, .from = ROW_DEAD, .turn = TURN_QUEUE, .side = SIDE_NEW);
    TURN(.id = 9, .from = ROW_DEAD, .turn = TURN_DROP);
    TURN(.id = 9, .from = ROW_DEAD, .turn = TURN_DROP, .result = JOURNAL_ABSENT);
    PUT(.id = 16, .body = 9000, .mine = true, .state = ROW_DEAD, .reason = REASON_REJECTED);
    TURN(.id = 16, .from = ROW_DEAD, .turn = TURN_COPY, .new_id = 21, .side = SIDE_NEW);
    TAKE(1);
    PUT(.id = 10, .body = 11000, .state = ROW_QUEUED, .reason = REASON_STORE);
    SETTLE(.id = 10);
    SETTLE(.id = 40, .result = JOURNAL_ABSENT);
    for (unsigned id = 11; id < 15; id++)
        PUT(.id = id, .body = 1500, .state = ROW_QUEUED, .reason = REASON_NOT_DONE, .later = true,
            .retry = true, .tries = id - 10, .side = id % 2 ? SIDE_NEW : SIDE_LEGACY);
    (void)plan_add(p, (struct op){.kind = OP_HASTEN, .side = SIDE_NEW});
}

/* One line of four: the second goes on when the first is done, the third when the second is parked.
 */
static inline void plan_lines(struct plan *p) {
    for (unsigned id = PLAN_LINES; id < PLAN_IDS; id++)
        PUT(.id = id, .body = 2500, .in_hand = true, .state = ROW_QUEUED,
            .reason = REASON_ACCEPTED);
    MOVE(.id = PLAN_LINES, .state = ROW_SENDING, .keep_hand = true);
    MOVE(.id = PLAN_LINES, .state = ROW_DONE);
    TAKE(32);
    MOVE(.id = PLAN_LINES + 1, .state = ROW_SENDING, .keep_hand = true);
    MOVE(.id = PLAN_LINES + 1, .state = ROW_PARKED, .reason = REASON_IN_DOUBT);
    TAKE(32);
    MOVE(.id = PLAN_LINES + 2, .state = ROW_SENDING, .keep_hand = true);
}

/* One commit of many. */
static inline void plan_groups(struct plan *p) {
    for (unsigned id = 24; id < 36; id++)
        PUT(.id = id, .body = 11000, .in_hand = true, .mine = true, .state = ROW_SENDING,
            .reason = REASON_ACCEPTED, .with_next = id != 35);
    for (unsigned id = 24; id < 36; id++)
        MOVE(.id = id, .state = id % 3 ? ROW_DONE : ROW_QUEUED, .later = true, .answer = 100,
             .with_next = id != 35);
}

static inline void plan_quota(struct plan *p) {
    for (unsigned id = 41; id < 44; id++)
        PUT(.id = id, .body = PLAN_BODY, .in_hand = true, .mine = true, .state = ROW_SENDING,
            .evicts = true);
    for (unsigned id = 41; id < 44; id++)
        MOVE(.id = id, .state = ROW_DONE, .evicts = true);
    for (unsigned id = 44; id < 48; id++)
        PUT(.id = id, .body = PLAN_BODY - id, .state = ROW_QUEUED, .evicts = true);
}

static inline void plan_make(struct plan *p) {
    p->count = 0;
    p->later_us = clock_wall_us() + 12ull * 3600 * 1000000;
    plan_states(p);
    plan_replaced(p);
    plan_turns(p);
    plan_lines(p);
    plan_groups(p);
    plan_quota(p);
}

#undef PUT
#undef MOVE
#undef TURN
#undef TAKE
#undef SETTLE

/* Put once a fault is over. */
static const struct op plan_after = {.kind = OP_PUT,
                                     .id = PLAN_LINES - 1,
                                     .body = 7000,
                                     .mine = true,
                                     .state = ROW_QUEUED,
                                     .side = SIDE_NONE,
                                     .reason = REASON_ACCEPTED};

/* ---- what an event looks like that operation `n` put ---- */

struct plan_text {
    char id[32], action[32], entity[64], digest[32], head[64], target[64], token[TOKEN_LEN + 1];
};

static inline void plan_event(unsigned id, unsigned n, struct plan_text *t,
                              struct journal_event *ret) {
    snprintf(t->id, sizeof(t->id), "ev-%03u", id);
    snprintf(t->action, sizeof(t->action), "opened-%u", n);
    snprintf(t->entity, sizeof(t->entity), "octocat/Hello-World#%u",
             plan_ordered(id) ? PLAN_LINES : id);
    snprintf(t->digest, sizeof(t->digest), "digest %u", n);
    snprintf(t->head, sizeof(t->head), "X-GitHub-Event: issues\r\nX-Op: %u\r\n", n);
    snprintf(t->target, sizeof(t->target), "/webhooks/github?op=%u", n);
    *ret = (struct journal_event){.source = slice_of("github"),
                                  .id = slice_of(t->id),
                                  .type = slice_of("issues"),
                                  .action = slice_of(t->action),
                                  .entity = slice_of(t->entity),
                                  .repository = slice_of("octocat/Hello-World"),
                                  .owner = slice_of("octocat"),
                                  .digest = slice_of(t->digest),
                                  .number = n,
                                  .has_number = n % 2 == 0,
                                  .closes = n % 3 == 0,
                                  .head = slice_of(t->head),
                                  .target = slice_of(t->target)};
}

/* The same bytes for the same n. */
static inline void plan_fill(unsigned n, char *to, size_t len) {
    uint32_t x = n * 2654435761u + 1;
    if (n % 2) { /* it can be packed */
        memset(to, (int)(n & 0xff), len);
        return;
    }
    for (size_t i = 0; i < len; i++) {
        x = x * 1664525u + 1013904223u;
        to[i] = (char)(x >> 24);
    }
}

static inline struct journal_mark plan_mark(const struct plan *p, const struct op *op, unsigned n,
                                            struct plan_text *t) {
    static char answers[PLAN_MAX][PLAN_ANSWER];
    struct journal_mark mark = {.state = op->state,
                                .reason = op->reason,
                                .side = op->side,
                                .attempt = n + 1,
                                .fence = 1000000ull * n,
                                .tries = op->tries,
                                .retry = op->retry,
                                .due_wall_us = op->later ? p->later_us : 0,
                                .status = op->answer ? (uint16_t)(400 + n) : 0,
                                .sticky_ms = 60000 + n};
    snprintf(t->token, sizeof(t->token), "%032u", n);
    memcpy(mark.token.text, t->token, sizeof(t->token));
    if (op->answer) {
        plan_fill(n + 1000, answers[n], op->answer);
        mark.answer = slice(answers[n], op->answer);
    }
    return mark;
}

#endif

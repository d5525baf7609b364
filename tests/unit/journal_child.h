/* The process that is killed: runs the plan on a journal, tells by a pipe what it submits and what
 * was answered. Layer: tests. */
#ifndef POINTSMAN_TESTS_JOURNAL_CHILD_H
#define POINTSMAN_TESTS_JOURNAL_CHILD_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <unistd.h>

#include "journal_plan.h"

/* How a child ends that is not killed by the fault. */
enum child_end {
    CHILD_DONE = 0,
    CHILD_NO_OPEN = 3,
    CHILD_NO_RECOVERY,
    CHILD_NO_REPEAT,
    CHILD_BROKEN
};

#define NOTE_SUBMIT 0
#define NOTE_ANSWER 1
#define NOTE_AFTER  PLAN_MAX /* `op` of the one put after the fault was healed */

struct note {
    uint16_t op;
    uint8_t what, result;
};

struct slot {
    union {
        struct journal_call call;
        struct journal_put put;
        struct journal_move move;
        struct journal_take take;
        struct journal_turn turn;
        struct journal_settle settle;
        struct journal_hasten hasten;
    };
    struct child *child;
    const struct op *op;
    unsigned n;
    struct plan_text text;
    char new_id[32];
    struct blob *body;
};

struct child {
    const struct plan *plan;
    int notes;
    bool patient; /* waits after a failure until the journal accepts again */
    struct loop *loop;
    struct journal *journal;
    struct journal_client *client;
    struct hold {
        uint64_t seq, ver;
        bool held, unknown; /* unknown: FAILED was answered, it is left alone */
    } holds[PLAN_IDS];
    struct slot slots[PLAN_MAX + 1];
    unsigned open;
};

static inline void child_note(struct child *c, unsigned op, uint8_t what, unsigned result) {
    struct note note = {.op = (uint16_t)op, .what = what, .result = (uint8_t)result};
    if (write(c->notes, &note, sizeof(note)) != sizeof(note))
        _exit(CHILD_BROKEN);
}

static inline void child_took(struct child *c, struct journal_row *row) {
    while (row) {
        struct journal_row *next = row->next;
        uint64_t id = PLAN_IDS;
        struct slice number = slice(row->event.id.ptr + 3, row->event.id.len - 3);
        if (!slice_to_u64(number, &id) || id >= PLAN_IDS || c->holds[id].held)
            _exit(CHILD_BROKEN);
        c->holds[id] = (struct hold){.seq = row->seq, .ver = row->ver, .held = true};
        journal_row_free(row);
        row = next;
    }
}

static inline void child_holds(struct child *c, const struct slot *s) {
    struct hold *hold = &c->holds[s->op->id];
    if (s->call.result == JOURNAL_FAILED) {
        hold->unknown = true;
        if (s->op->kind == OP_TURN)
            c->holds[s->op->new_id].unknown = true;
        return;
    }
    if (s->call.result != JOURNAL_OK)
        return;
    if (s->op->kind == OP_PUT)
        *hold = (struct hold){.seq = s->put.ret_seq,
                              .ver = s->put.ret_ver,
                              .held = s->op->in_hand && s->put.ret_first};
    if (s->op->kind == OP_MOVE) {
        hold->ver = s->move.ret_ver;
        hold->held = s->op->keep_hand;
    }
    if (s->op->kind == OP_TAKE)
        child_took(c, s->take.ret_rows);
}

static inline void child_answered(struct journal_call *call) {
    struct slot *s = call->arg;
    struct child *c = s->child;
    child_note(c, s->n, NOTE_ANSWER, call->result);
    child_holds(c, s);
    blob_unref(s->body);
    s->body = NULL;
    if (--c->open == 0)
        loop_stop(c->loop);
}

static inline void child_put(struct child *c, struct slot *s) {
    s->body = blob_new(s->op->body);
    if (!s->body)
        _exit(CHILD_BROKEN);
    plan_fill(s->n, s->body->data, s->op->body);
    s->body->len = s->op->body;
    plan_event(s->op->id, s->n, &s->text, &s->put.event);
    s->put.event.body = s->body;
    s->put.mark = plan_mark(c->plan, s->op, s->n, &s->text);
    s->put.mine = s->op->mine;
    s->put.in_hand = s->op->in_hand;
    s->put.ordered = plan_ordered(s->op->id);
    journal_put(c->client, &s->put);
}

static inline void child_take(struct child *c, struct slot *s) {
    s->take.sides[SIDE_LEGACY] = s->take.sides[SIDE_NEW] = true;
    s->take.limit = s->take.retries = s->op->limit;
    journal_take(c->client, &s->take);
    journal_nudge(c->client);
}

static inline void child_turn(struct child *c, struct slot *s) {
    struct journal_event event;
    plan_event(s->op->id, s->n, &s->text, &event);
    snprintf(s->new_id, sizeof(s->new_id), "ev-%03u", s->op->new_id);
    s->turn.source = event.source;
    s->turn.id = event.id;
    s->turn.from = s->op->from;
    s->turn.turn = s->op->turn;
    s->turn.new_id = slice_of(s->new_id);
    s->turn.side = s->op->side;
    journal_turn(c->client, &s->turn);
}

static inline void child_settle(struct child *c, struct slot *s) {
    struct journal_event event;
    plan_event(s->op->id, s->n, &s->text, &event);
    s->settle.source = event.source;
    s->settle.id = event.id;
    journal_settle(c->client, &s->settle);
}

static inline void child_move(struct child *c, struct slot *s) {
    const struct hold *hold = &c->holds[s->op->id];
    s->move.seq = hold->seq;
    s->move.ver = hold->ver;
    s->move.mark = plan_mark(c->plan, s->op, s->n, &s->text);
    s->move.keep_hand = s->op->keep_hand;
    s->move.gone = s->op->gone;
    journal_move(c->client, &s->move);
}

/* A move of what a fault kept from being put or taken is left out. */
static inline bool child_can(const struct child *c, const struct op *op) {
    if (op->kind == OP_TAKE || op->kind == OP_HASTEN)
        return true;
    const struct hold *hold = &c->holds[op->id];
    if (op->kind == OP_TURN && op->turn == TURN_COPY && c->holds[op->new_id].unknown)
        return false;
    return !hold->unknown && (op->kind != OP_MOVE || hold->held);
}

static inline void child_submit(struct child *c, const struct op *op, unsigned n) {
    struct slot *s = &c->slots[n];
    memset(s, 0, sizeof(*s));
    s->child = c;
    s->op = op;
    s->n = n;
    s->call.done = child_answered;
    s->call.arg = s;
    c->open++;
    child_note(c, n, NOTE_SUBMIT, 0);
    switch (op->kind) {
    case OP_PUT:
        child_put(c, s);
        break;
    case OP_MOVE:
        child_move(c, s);
        break;
    case OP_TAKE:
        child_take(c, s);
        break;
    case OP_TURN:
        child_turn(c, s);
        break;
    case OP_SETTLE:
        child_settle(c, s);
        break;
    case OP_HASTEN:
        s->hasten.side = op->side;
        journal_hasten(c->client, &s->hasten);
        break;
    }
}

static inline void child_fire(void *arg) {
    struct child *c = arg;
    loop_stop(c->loop);
}

static inline void child_wait(struct child *c) {
    struct timer timer;
    timer_init(&timer, child_fire, c);
    timer_set(c->loop, &timer, 10000);
    loop_run(c->loop);
}

/* Who holds a row repeats a move that failed: it may be on disk, and is told OK either way. */
static inline void child_repeat(struct child *c, unsigned n) {
    const struct op *op = &c->plan->ops[n];
    if (op->kind != OP_MOVE || c->slots[n].child != c || c->slots[n].call.result != JOURNAL_FAILED)
        return;
    child_submit(c, op, n);
    loop_run(c->loop);
    if (c->slots[n].call.result == JOURNAL_OK)
        c->holds[op->id].unknown = false;
}

/* A fault that strikes once is over when the journal has come back. */
static inline void child_recover(struct child *c, unsigned n) {
    struct journal_state state = {.accepts = false};
    if (c->slots[n].child != c || c->slots[n].call.result != JOURNAL_FAILED)
        return;
    for (unsigned tries = 0; tries < 1000 && !state.accepts; tries++) {
        child_wait(c);
        journal_state(c->journal, &state);
    }
    child_repeat(c, n);
}

static inline void child_run(struct child *c) {
    for (unsigned n = 0, begun = 0; n < c->plan->count; n++) {
        const struct op *op = &c->plan->ops[n];
        if (child_can(c, op))
            child_submit(c, op, n);
        if (op->with_next)
            continue;
        if (c->open)
            loop_run(c->loop);
        for (; c->patient && begun <= n; begun++)
            child_recover(c, begun);
        begun = n + 1;
    }
}

static inline struct conf child_conf(const char *directory) {
    return (struct conf){.directory = (char *)directory,
                         .journal_max_bytes = PLAN_BYTES,
                         .journal_keep_ms = 14ull * 24 * 3600 * 1000};
}

/* `heal` is called where it cannot be opened, before a second try. */
static inline void child_open(struct child *c, const char *directory, void (*heal)(void)) {
    struct conf conf = child_conf(directory);
    struct err err;
    c->loop = loop_new();
    c->journal = journal_open(&conf, &err);
    if (!c->journal) {
        heal();
        c->journal = journal_open(&conf, &err);
    }
    if (!c->journal) {
        fprintf(stderr, "journal_open: %s\n", err.text);
        _exit(CHILD_NO_OPEN);
    }
    c->client = journal_client_new(c->journal, c->loop);
    if (!c->loop || !c->client)
        _exit(CHILD_BROKEN);
}

/* Puts one more event until it is taken; the fault is over. */
static inline void child_after(struct child *c) {
    for (unsigned tries = 0; tries < 1000; tries++) {
        child_submit(c, &plan_after, NOTE_AFTER);
        loop_run(c->loop);
        if (c->slots[NOTE_AFTER].call.result == JOURNAL_OK)
            return;
        child_wait(c);
    }
    struct journal_state state;
    journal_state(c->journal, &state);
    fprintf(stderr, "no put is taken after the fault: %s; %s\n",
            journal_result_names[c->slots[NOTE_AFTER].call.result], state.problem);
    _exit(CHILD_NO_RECOVERY);
}

static inline void child_repeat_all(struct child *c) {
    for (unsigned n = 0; n < c->plan->count; n++) {
        child_repeat(c, n);
        if (c->plan->ops[n].kind == OP_MOVE && c->slots[n].child == c &&
            c->slots[n].call.result != JOURNAL_OK)
            _exit(CHILD_NO_REPEAT);
    }
}

static inline void child_close(struct child *c) {
    journal_client_free(c->client);
    journal_close(c->journal);
    loop_free(c->loop);
}

#endif

/* Opens the journal a killed process left behind and compares it with the model, row by row. Layer:
 * tests. */
#ifndef POINTSMAN_TESTS_JOURNAL_JUDGE_H
#define POINTSMAN_TESTS_JOURNAL_JUDGE_H

#include <sqlite3.h>
#include <unistd.h>

#include "journal_child.h"
#include "journal_model.h"

struct judge {
    const struct plan *plan;
    const char *directory;
    const char *what; /* the fault, for messages */
    struct loop *loop;
    struct journal *journal;
    struct journal_client *client;
    uint64_t rows[ROW_STATES]; /* as listed */
    uint64_t bytes;            /* of the bodies looked at */
};

/* In a process of its own, whose parent sees that it failed. */
#define JUDGE(so, ...)                                                                             \
    do {                                                                                           \
        if (!(so)) {                                                                               \
            fprintf(stderr, "%s: %s is not so: ", j->what, #so);                                   \
            fprintf(stderr, __VA_ARGS__);                                                          \
            fprintf(stderr, "\n");                                                                 \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)

static inline void judge_answered(struct journal_call *call) {
    struct judge *j = call->arg;
    loop_stop(j->loop);
}

#define JUDGE_CALL(j, submit, c)                                                                   \
    do {                                                                                           \
        (c)->call.done = judge_answered;                                                           \
        (c)->call.arg = (j);                                                                       \
        submit((j)->client, c);                                                                    \
        loop_run((j)->loop);                                                                       \
    } while (0)

static inline void judge_open(struct judge *j) {
    struct conf conf = child_conf(j->directory);
    struct err err;
    j->loop = loop_new();
    j->journal = journal_open(&conf, &err);
    JUDGE(j->journal, "%s", err.text);
    j->client = journal_client_new(j->journal, j->loop);
    JUDGE(j->loop && j->client, "no memory");
}

static inline void judge_close(struct judge *j) {
    journal_client_free(j->client);
    journal_close(j->journal);
    loop_free(j->loop);
}

/* ---- a row against one state of the model; NULL: they are the same ---- */

static inline const char *judge_event(const struct judge *j, const struct journal_event *got,
                                      unsigned id, const struct model_row *want) {
    static char bytes[PLAN_BODY];
    struct plan_text text, about;
    struct journal_event event, other;
    unsigned n = (unsigned)want->payload;
    size_t len = n < PLAN_MAX ? j->plan->ops[n].body : plan_after.body;
    plan_event(id, n, &text, &event);
    plan_event(want->about, n, &about, &other);
    if (!slice_eq(got->source, event.source) || !slice_eq(got->id, event.id))
        return "id";
    if (!slice_eq(got->type, event.type) || !slice_eq(got->action, event.action) ||
        !slice_eq(got->entity, other.entity) || !slice_eq(got->repository, event.repository) ||
        !slice_eq(got->owner, event.owner) || !slice_eq(got->digest, event.digest))
        return "identity";
    if (got->has_number != event.has_number || (got->has_number && got->number != event.number) ||
        got->closes != event.closes)
        return "number, closes";
    if (!slice_eq(got->head, event.head) || !slice_eq(got->target, event.target))
        return "head, target";
    plan_fill(n, bytes, len);
    return got->body && slice_eq(blob_slice(got->body), slice(bytes, len)) ? NULL : "body";
}

static inline const char *judge_mark(const struct judge *j, const struct journal_row *row,
                                     const struct model_row *want) {
    static char bytes[PLAN_ANSWER];
    const struct journal_mark *got = &row->mark;
    if (want->reason != (enum row_reason)MODEL_ANY && got->reason != want->reason)
        return "reason";
    if (got->side != want->side || got->tries != want->tries || got->attempt != want->attempt)
        return "side, tries, attempt";
    if (want->marked != MODEL_NONE && got->fence != 1000000ull * (unsigned)want->marked)
        return "fence";
    if (got->state == ROW_QUEUED &&
        (got->retry != want->retry || want->later != (got->due_wall_us == j->plan->later_us)))
        return "retry, due";
    if (got->state == ROW_SENDING) {
        struct plan_text text;
        snprintf(text.token, sizeof(text.token), "%032u", (unsigned)want->marked);
        if (strcmp(got->token.text, text.token) != 0 ||
            got->sticky_ms != 60000 + (uint64_t)want->marked)
            return "token, sticky";
    }
    size_t len = want->answer == MODEL_NONE ? 0 : j->plan->ops[want->answer].answer;
    if (len)
        plan_fill((unsigned)want->answer + 1000, bytes, len);
    if (!slice_eq(got->answer, slice(bytes, len)))
        return "answer";
    return row->at_wall_us && row->changed_wall_us >= row->at_wall_us ? NULL : "at, changed";
}

static inline const char *judge_row(const struct judge *j, const struct journal_row *row,
                                    unsigned id, const struct model_row *want) {
    if (!row || !want->there)
        return !row == !want->there ? NULL : "there or not";
    if (row->mark.state != want->state)
        return "state";
    if (row->ordered != want->ordered)
        return "ordered";
    const char *wrong = judge_mark(j, row, want);
    return wrong ? wrong : judge_event(j, &row->event, id, want);
}

/* After a failing disk the process queues what is SENDING and in nobody's hand. */
static inline struct model_row judge_want(const struct journal_row *row,
                                          const struct model_row *want) {
    struct model_row as_is = *want;
    if (row && want->state == ROW_SENDING && row->mark.state == ROW_QUEUED) {
        as_is.state = ROW_QUEUED;
        as_is.later = false;
        as_is.retry = row->mark.retry;
    }
    return as_is;
}

/* The row is one of what it may be; nothing else remains in the model. */
static inline void judge_id(struct judge *j, struct model *m, unsigned id) {
    struct plan_text text;
    struct journal_event event;
    const char *wrong = NULL;
    plan_event(id, 0, &text, &event);
    struct journal_look look = {.source = event.source, .id = event.id};
    JUDGE_CALL(j, journal_look, &look);
    JUDGE(look.call.result == (look.ret_row ? JOURNAL_OK : JOURNAL_ABSENT), "look at %s: %s",
          text.id, journal_result_names[look.call.result]);
    for (unsigned i = 0; i < m->maybe[id]; i++) {
        struct model_row want = judge_want(look.ret_row, &m->rows[id][i]);
        wrong = judge_row(j, look.ret_row, id, &want);
        if (m->evicts && !look.ret_row && want.there && want.state == ROW_DONE)
            wrong = NULL;
        if (!wrong) {
            m->rows[id][0] = want;
            break;
        }
    }
    JUDGE(!wrong, "%s (%s) is none of the %u it may be, the last differs in '%s'", text.id,
          look.ret_row ? row_state_names[look.ret_row->mark.state] : "absent", m->maybe[id], wrong);
    m->maybe[id] = 1;
    m->rows[id][0].there = look.ret_row != NULL;
    if (look.ret_row) {
        j->rows[look.ret_row->mark.state]++;
        j->bytes += look.ret_row->event.body->len;
        journal_row_free(look.ret_row);
    }
}

static inline uint64_t judge_listed(struct judge *j, enum row_state state) {
    struct journal_list list = {
        .filter = {.state = state, .side = SIDE_NONE}, .limit = ROW_LIST_MAX, .count = true};
    uint64_t count = 0;
    JUDGE_CALL(j, journal_list, &list);
    JUDGE(list.call.result == JOURNAL_OK, "list of %s: %s", row_state_names[state],
          journal_result_names[list.call.result]);
    while (list.ret_rows) {
        struct journal_row *row = list.ret_rows;
        list.ret_rows = row->next;
        journal_row_free(row);
        count++;
    }
    JUDGE(list.ret_matching == count, "%u match", (unsigned)list.ret_matching);
    return count;
}

/* A copy and the end of what it was made of are one change. */
static inline void judge_copies(struct judge *j, const struct model *m, unsigned n, bool unknown) {
    const struct op *op = &j->plan->ops[n];
    if (op->kind == OP_TURN && op->turn == TURN_COPY && op->from == ROW_DEAD && unknown)
        JUDGE(m->rows[op->new_id][0].there ==
                  (m->rows[op->id][0].there && m->rows[op->id][0].state == ROW_DONE),
              "half a copy");
}

/* Everything that is there is in the model, and the other way round; counts are right. */
static inline void judge_content(struct judge *j, struct model *m) {
    struct journal_state state;
    memset(j->rows, 0, sizeof(j->rows));
    j->bytes = 0;
    journal_state(j->journal, &state);
    for (unsigned id = 0; id < PLAN_IDS; id++)
        judge_id(j, m, id);
    for (int s = 0; s < ROW_STATES; s++) {
        JUDGE(judge_listed(j, (enum row_state)s) == j->rows[s], "%u %s expected",
              (unsigned)j->rows[s], row_state_names[s]);
        JUDGE(state.rows[s] == j->rows[s], "journal_state says %u %s, there are %u",
              (unsigned)state.rows[s], row_state_names[s], (unsigned)j->rows[s]);
    }
    JUDGE(state.damaged == 0 && state.accepts && !state.problem[0], "damaged %u, accepts %d: %s",
          (unsigned)state.damaged, state.accepts, state.problem);
    JUDGE(state.bytes >= j->bytes && state.bytes <= PLAN_BYTES, "%u bytes, of bodies %u",
          (unsigned)state.bytes, (unsigned)j->bytes);
}

/* ---- the journal goes on: all that was being sent is queued again, all that is due is done ----
 */

static inline void judge_move(struct judge *j, const struct journal_row *row,
                              enum row_state state) {
    struct journal_move move = {
        .seq = row->seq, .ver = row->ver, .mark = {.state = state, .side = SIDE_NONE}};
    JUDGE_CALL(j, journal_move, &move);
    JUDGE(move.call.result == JOURNAL_OK, "move to %s: %s", row_state_names[state],
          journal_result_names[move.call.result]);
}

static inline void judge_resume(struct judge *j) {
    struct journal_sending sending = {.limit = PLAN_IDS};
    uint64_t count = 0;
    JUDGE_CALL(j, journal_sending, &sending);
    JUDGE(sending.call.result == JOURNAL_OK, "sending");
    while (sending.ret_rows) {
        struct journal_row *row = sending.ret_rows;
        sending.ret_rows = row->next;
        judge_move(j, row, ROW_QUEUED);
        journal_row_free(row);
        count++;
    }
    JUDGE(count == j->rows[ROW_SENDING], "%u sending, %u listed", (unsigned)j->rows[ROW_SENDING],
          (unsigned)count);
}

/* Rows given out; ordered ones come one at a time, the oldest first. */
static inline unsigned judge_take(struct judge *j, uint64_t *line) {
    struct journal_take take = {.sides = {true, true}, .limit = 16, .retries = 16};
    unsigned count = 0, ordered = 0;
    take.call.done = judge_answered;
    take.call.arg = j;
    journal_take(j->client, &take);
    journal_nudge(j->client);
    loop_run(j->loop);
    JUDGE(take.call.result == JOURNAL_OK, "take");
    while (take.ret_rows) {
        struct journal_row *row = take.ret_rows;
        take.ret_rows = row->next;
        if (row->ordered) {
            JUDGE(ordered++ == 0 && row->seq > *line, "out of its line: %.*s",
                  SLICE_ARG(row->event.id));
            *line = row->seq;
        }
        judge_move(j, row, ROW_DONE);
        journal_row_free(row);
        count++;
    }
    return count;
}

static inline void judge_goes_on(struct judge *j, const struct model *m) {
    uint64_t due = 0, line = 0, taken = 0;
    for (unsigned id = 0; id < PLAN_IDS; id++)
        due +=
            m->rows[id][0].there && (m->rows[id][0].state == ROW_SENDING ||
                                     (m->rows[id][0].state == ROW_QUEUED && !m->rows[id][0].later));
    judge_resume(j);
    for (unsigned n; (n = judge_take(j, &line)) > 0;)
        taken += n;
    JUDGE(taken == due, "%u were due, %u were taken", (unsigned)due, (unsigned)taken);
    struct journal_state before, after;
    journal_state(j->journal, &before);
    judge_close(j);
    judge_open(j);
    journal_state(j->journal, &after);
    JUDGE(memcmp(before.rows, after.rows, sizeof(before.rows)) == 0 && before.bytes == after.bytes,
          "counts differ after a restart: %u bytes, then %u", (unsigned)before.bytes,
          (unsigned)after.bytes);
}

static inline void judge_integrity(const struct judge *j) {
    char path[128], said[256] = "no answer";
    sqlite3 *db;
    sqlite3_stmt *s = NULL;
    snprintf(path, sizeof(path), "%s/journal.db", j->directory);
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK &&
        sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &s, NULL) == SQLITE_OK &&
        sqlite3_step(s) == SQLITE_ROW)
        snprintf(said, sizeof(said), "%s", (const char *)sqlite3_column_text(s, 0));
    sqlite3_finalize(s);
    sqlite3_close(db);
    JUDGE(strcmp(said, "ok") == 0, "integrity_check: %s", said);
}

#endif

/* Transactions, counts, lines of ordered rows, room; and the change of a row its holder makes. */
#include "journal_work.h"

#include <string.h>

#define DROP_PER_PUT 64

/* ---- transactions ---- */

bool journal_work_begin(struct journal_work *w) {
    w->kept = w->tally;
    w->grows = false;
    return journal_sql_begin(w->sql);
}

bool journal_work_commit(struct journal_work *w) {
    if ((w->grows && !journal_sql_reserve(w->sql)) || !journal_sql_commit(w->sql))
        return false;
    hand_commit(&w->hand);
    hand_commit(&w->unsure);
    return true;
}

void journal_work_rollback(struct journal_work *w) {
    journal_sql_rollback(w->sql);
    hand_rollback(&w->hand);
    hand_rollback(&w->unsure);
    w->tally = w->kept;
}

/* ---- counts ---- */

void journal_count(struct journal_work *w, enum row_state state, int by, int64_t bytes) {
    w->tally.rows[state] += (uint64_t)by;
    w->tally.bytes += (uint64_t)bytes;
}

bool journal_work_count(struct journal_work *w) {
    struct journal_sql *sql = w->sql;
    struct journal_tally tally = {.bytes = 0};
    bool row = false;
    while (journal_sql_step(sql, JS_TOTALS, &row) && row) {
        uint64_t state = journal_column(sql->statements[JS_TOTALS], 0);
        if (state < ROW_STATES)
            tally.rows[state] = journal_column(sql->statements[JS_TOTALS], 1);
        tally.bytes += journal_column(sql->statements[JS_TOTALS], 2);
    }
    sqlite3_reset(sql->statements[JS_TOTALS]);
    if (sql->trouble != TROUBLE_NONE || !journal_sql_step(sql, JS_DAMAGED_GET, &row))
        return false;
    tally.damaged = row ? journal_column(sql->statements[JS_DAMAGED_GET], 0) : 0;
    sqlite3_reset(sql->statements[JS_DAMAGED_GET]);
    w->tally = w->kept = tally;
    return true;
}

/* ---- rows ---- */

static void read_slim(sqlite3_stmt *s, struct journal_slim *ret) {
    uint64_t state = journal_column(s, 2);
    *ret = (struct journal_slim){
        .seq = journal_column(s, 0),
        .ver = journal_column(s, 1),
        .state = state < ROW_STATES ? (enum row_state)state : ROW_DEAD,
        .damaged = journal_column(s, 11) == REASON_DAMAGED,
        .ordered = journal_column(s, 3) != 0,
        .first = journal_column(s, 4) != 0,
        .tries = (uint32_t)journal_column(s, 5),
        .bytes = journal_column(s, 6),
        .answer_len = journal_column(s, 7),
    };
    struct slice source = journal_column_slice(s, 8), entity = journal_column_slice(s, 9);
    source.len = source.len < SOURCE_NAME_MAX ? source.len : SOURCE_NAME_MAX;
    entity.len = entity.len < ENTITY_MAX ? entity.len : ENTITY_MAX;
    ret->source = slice(ret->texts, source.len);
    ret->entity = slice(ret->texts + source.len, entity.len);
    if (source.len)
        memcpy(ret->texts, source.ptr, source.len);
    if (entity.len)
        memcpy(ret->texts + source.len, entity.ptr, entity.len);
    struct slice token = journal_column_slice(s, 10);
    if (token.len == TOKEN_LEN)
        memcpy(ret->token.text, token.ptr, TOKEN_LEN);
}

static bool one_slim(struct journal_work *w, enum journal_statement which, struct journal_slim *ret,
                     bool *ret_found) {
    bool row = false;
    if (!journal_sql_step(w->sql, which, &row))
        return false;
    if (row)
        read_slim(w->sql->statements[which], ret);
    sqlite3_reset(w->sql->statements[which]);
    *ret_found = row;
    return true;
}

bool journal_find(struct journal_work *w, struct slice source, struct slice id,
                  struct journal_slim *ret, bool *ret_found) {
    sqlite3_stmt *s = w->sql->statements[JS_FIND];
    journal_bind_text(s, 1, id);
    journal_bind_text(s, 2, source);
    return one_slim(w, JS_FIND, ret, ret_found);
}

bool journal_slim(struct journal_work *w, uint64_t seq, struct journal_slim *ret, bool *ret_found) {
    journal_bind(w->sql->statements[JS_SLIM], 1, seq);
    return one_slim(w, JS_SLIM, ret, ret_found);
}

/* ---- lines ---- */

static bool line_set(struct journal_work *w, uint64_t seq, bool first) {
    sqlite3_stmt *s = w->sql->statements[JS_LINE_SET];
    journal_bind(s, 1, seq);
    journal_bind(s, 2, first);
    w->look = w->look || first;
    return journal_sql_run(w->sql, JS_LINE_SET);
}

static bool line_look(struct journal_work *w, enum journal_statement which, struct slice source,
                      struct slice entity, uint64_t *ret_seq, enum row_state *ret_state) {
    sqlite3_stmt *s = w->sql->statements[which];
    bool row = false;
    journal_bind_text(s, 1, source);
    journal_bind_text(s, 2, entity);
    if (!journal_sql_step(w->sql, which, &row))
        return false;
    *ret_seq = row ? journal_column(s, 0) : 0;
    if (row && ret_state)
        *ret_state = journal_column(s, 1) == ROW_QUEUED ? ROW_QUEUED : ROW_SENDING;
    sqlite3_reset(s);
    return true;
}

bool journal_line(struct journal_work *w, struct slice source, struct slice entity,
                  uint64_t *ret_first) {
    uint64_t first, next;
    enum row_state state = ROW_QUEUED;
    if (!line_look(w, JS_LINE_FIRST, source, entity, &first, &state) ||
        !line_look(w, JS_LINE_NEXT, source, entity, &next, NULL))
        return false;
    if (next && !first) {
        first = next;
        if (!line_set(w, next, true))
            return false;
    } else if (next && next < first && state == ROW_QUEUED && !hand_has(&w->hand, first)) {
        /* A row that came back into the line by a replay goes before one that has not begun. */
        if (!line_set(w, first, false) || !line_set(w, next, true))
            return false;
        first = next;
    }
    *ret_first = first;
    return true;
}

static bool left_line(struct journal_work *w, const struct journal_slim *row) {
    uint64_t first;
    return !row->ordered || !journal_active(row->state) ||
           journal_line(w, row->source, row->entity, &first);
}

/* ---- ends of rows ---- */

bool journal_remove(struct journal_work *w, const struct journal_slim *row) {
    journal_bind(w->sql->statements[JS_DROP], 1, row->seq);
    journal_bind(w->sql->statements[JS_PAYLOAD_DROP], 1, row->seq);
    if (!journal_sql_run(w->sql, JS_DROP) || !journal_sql_run(w->sql, JS_PAYLOAD_DROP) ||
        !left_line(w, row) || !hand_drop(&w->unsure, row->seq))
        return false;
    journal_count(w, row->state, -1, -(int64_t)row->bytes);
    return true;
}

bool journal_end(struct journal_work *w, const struct journal_slim *row, enum row_state state,
                 enum row_reason reason) {
    if (state == ROW_DONE && w->keep_us == 0)
        return journal_remove(w, row);
    sqlite3_stmt *s = w->sql->statements[JS_SET];
    journal_bind(s, 1, row->seq);
    journal_bind(s, 2, state);
    journal_bind(s, 3, reason);
    journal_bind(s, 4, w->now_us);
    if (!journal_sql_run(w->sql, JS_SET) || !left_line(w, row) || !hand_drop(&w->unsure, row->seq))
        return false;
    journal_count(w, row->state, -1, 0);
    journal_count(w, state, 1, 0);
    return true;
}

bool journal_damaged(struct journal_work *w, uint64_t seq) {
    struct journal_slim row;
    bool found;
    if (!journal_slim(w, seq, &row, &found))
        return false;
    if (!found || row.damaged || row.state == ROW_DONE || hand_has(&w->hand, seq))
        return true;
    w->tally.damaged++;
    journal_bind(w->sql->statements[JS_DAMAGED_SET], 1, w->tally.damaged);
    return journal_sql_run(w->sql, JS_DAMAGED_SET) &&
           journal_end(w, &row, ROW_DEAD, REASON_DAMAGED);
}

/* ---- room ---- */

static bool drop_oldest(struct journal_work *w, uint64_t before_us, uint64_t except,
                        bool *ret_dropped) {
    sqlite3_stmt *s = w->sql->statements[JS_DONE_OLDEST];
    bool row = false;
    journal_bind(s, 1, before_us);
    journal_bind(s, 2, except);
    if (!journal_sql_step(w->sql, JS_DONE_OLDEST, &row))
        return false;
    struct journal_slim done = {.state = ROW_DONE};
    if (row) {
        done.seq = journal_column(s, 0);
        done.bytes = journal_column(s, 1);
    }
    sqlite3_reset(s);
    *ret_dropped = row;
    return !row || journal_remove(w, &done);
}

bool journal_make_room(struct journal_work *w, int64_t bytes, uint64_t except, bool *ret_fits) {
    bool dropped = true;
    for (unsigned i = 0; i <= DROP_PER_PUT && dropped; i++) {
        *ret_fits = bytes <= 0 || (int64_t)w->tally.bytes + bytes <= (int64_t)w->max_bytes;
        if (*ret_fits || bytes > (int64_t)w->max_bytes)
            return true;
        if (i < DROP_PER_PUT && !drop_oldest(w, INT64_MAX, except, &dropped))
            return false;
    }
    return true;
}

bool journal_drop_done(struct journal_work *w, uint64_t before_us, unsigned most,
                       unsigned *ret_dropped) {
    bool dropped = true;
    unsigned count = 0;
    while (count < most) {
        if (!drop_oldest(w, before_us, 0, &dropped))
            return false;
        if (!dropped)
            break;
        count++;
    }
    *ret_dropped = count;
    return true;
}

/* ---- move ---- */

static struct slice cut(struct slice answer) {
    return slice(answer.ptr, answer.len < ROW_ANSWER_MAX ? answer.len : ROW_ANSWER_MAX);
}

static bool write_move(struct journal_work *w, const struct journal_move *c,
                       const struct journal_slim *row, uint64_t bytes) {
    const struct journal_mark *m = &c->mark;
    sqlite3_stmt *s = w->sql->statements[JS_MOVE];
    /* What comes back into the line has to be let to its place by journal_line. */
    bool first = !row->ordered || (row->first && journal_active(row->state));
    journal_bind(s, 1, c->seq);
    journal_bind(s, 2, m->state);
    journal_bind(s, 3, m->reason);
    journal_bind(s, 4, m->side);
    journal_bind_text(s, 5, slice_of(m->token.text));
    journal_bind(s, 6, m->attempt);
    journal_bind(s, 7, m->fence);
    journal_bind(s, 8, m->tries);
    journal_bind(s, 9, m->retry);
    journal_bind(s, 10, m->due_wall_us ? m->due_wall_us : w->now_us);
    journal_bind(s, 11, m->status);
    journal_bind(s, 12, m->sticky_ms);
    journal_bind(s, 13, w->now_us);
    journal_bind(s, 14, first);
    journal_bind(s, 15, bytes);
    journal_bind_blob(s, 16, cut(m->answer));
    return journal_sql_run(w->sql, JS_MOVE);
}

/* A move was answered FAILED, but is on disk: its holder does not know of it. */
static bool is_behind(const struct journal_work *w, const struct journal_move *c,
                      const struct journal_slim *row) {
    return hand_has(&w->unsure, c->seq) && row->ver == c->ver + 1;
}

static bool is_repeat(const struct journal_move *c, const struct journal_slim *row) {
    return row->state == c->mark.state &&
           memcmp(row->token.text, c->mark.token.text, TOKEN_LEN) == 0;
}

static bool leave_hand(struct journal_work *w, const struct journal_move *c) {
    bool stays = c->keep_hand && !c->gone && journal_active(c->mark.state);
    if (!stays && c->mark.state == ROW_QUEUED)
        w->look = true;
    return (stays ? hand_add(&w->hand, c->seq) : hand_drop(&w->hand, c->seq)) &&
           hand_drop(&w->unsure, c->seq);
}

static bool change(struct journal_work *w, struct journal_move *c, const struct journal_slim *row) {
    uint64_t bytes = row->bytes, first;
    if (c->mark.answer.ptr)
        bytes = row->bytes - row->answer_len + cut(c->mark.answer).len;
    if (!write_move(w, c, row, bytes))
        return false;
    journal_count(w, row->state, -1, -(int64_t)row->bytes);
    journal_count(w, c->mark.state, 1, (int64_t)bytes);
    c->ret_ver = row->ver + 1;
    return !row->ordered || journal_line(w, row->source, row->entity, &first);
}

static bool execute_move(struct journal_work *w, struct journal_move *c) {
    struct journal_slim row;
    bool found;
    if (!journal_slim(w, c->seq, &row, &found))
        return false;
    if (!found) {
        c->call.result = hand_has(&w->unsure, c->seq) ? JOURNAL_OK : JOURNAL_ABSENT;
        return hand_drop(&w->unsure, c->seq) && hand_drop(&w->hand, c->seq);
    }
    c->call.result = JOURNAL_OK;
    if (row.ver != c->ver && !is_behind(w, c, &row)) {
        c->call.result = JOURNAL_STALE;
        return true;
    }
    if (row.ver != c->ver && is_repeat(c, &row)) {
        c->ret_ver = row.ver;
        return leave_hand(w, c);
    }
    if (!leave_hand(w, c))
        return false;
    if (c->gone || (c->mark.state == ROW_DONE && w->keep_us == 0))
        return journal_remove(w, &row);
    return change(w, c, &row);
}

bool journal_work_execute(struct journal_work *w, struct journal_call *call) {
    switch ((enum journal_kind)call->kind) {
    case JOURNAL_PUT:
        return journal_execute_put(w, CONTAINER_OF(call, struct journal_put, call));
    case JOURNAL_MOVE:
        return execute_move(w, CONTAINER_OF(call, struct journal_move, call));
    case JOURNAL_SENDING:
        return journal_execute_sending(w, CONTAINER_OF(call, struct journal_sending, call));
    case JOURNAL_SETTLE:
        return journal_execute_settle(w, CONTAINER_OF(call, struct journal_settle, call));
    case JOURNAL_TURN:
        return journal_execute_turn(w, CONTAINER_OF(call, struct journal_turn, call));
    case JOURNAL_TAKE:
    case JOURNAL_HASTEN:
    case JOURNAL_LIST:
    case JOURNAL_LOOK:
        break; /* not part of a batch */
    }
    call->result = JOURNAL_FAILED;
    return true;
}

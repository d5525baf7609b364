/* Puts an event on disk: a new row, or in the place of the one that is there. */
#include <string.h>

#include "journal_row.h"
#include "journal_work.h"

static struct slice body_of(const struct journal_event *e) {
    return e->body ? blob_slice(e->body) : slice("", 0);
}

static struct slice answer_of(const struct journal_mark *m) {
    return slice(m->answer.ptr, m->answer.len < ROW_ANSWER_MAX ? m->answer.len : ROW_ANSWER_MAX);
}

static uint64_t payload_len(const struct journal_event *e) {
    return e->head.len + e->target.len + body_of(e).len;
}

static void bind_number(sqlite3_stmt *s, int at, const struct journal_event *e) {
    if (e->has_number)
        journal_bind(s, at, e->number);
    else
        sqlite3_bind_null(s, at);
}

static bool is_ordered(const struct journal_put *c) {
    return c->ordered && c->event.entity.len > 0;
}

static bool same_line(const struct journal_put *c, const struct journal_slim *old) {
    return old->ordered && journal_active(old->state) && slice_eq(old->entity, c->event.entity);
}

static bool write_event(struct journal_work *w, const struct journal_put *c, bool first,
                        uint64_t bytes) {
    const struct journal_event *e = &c->event;
    const struct journal_mark *m = &c->mark;
    sqlite3_stmt *s = w->sql->statements[JS_PUT];
    const struct slice texts[] = {e->source, e->id,         e->type,  e->action,
                                  e->entity, e->repository, e->owner, e->digest};
    journal_bind(s, 1, m->state);
    journal_bind(s, 2, m->reason);
    for (int i = 0; i < (int)ARRAY_LEN(texts); i++)
        journal_bind_text(s, 3 + i, texts[i]);
    bind_number(s, 11, e);
    journal_bind(s, 12, e->closes);
    journal_bind(s, 13, m->side);
    journal_bind(s, 14, is_ordered(c));
    journal_bind(s, 15, first);
    journal_bind(s, 16, m->retry);
    journal_bind(s, 17, m->tries);
    journal_bind(s, 18, m->attempt);
    journal_bind(s, 19, m->fence);
    journal_bind_text(s, 20, slice_of(m->token.text));
    journal_bind(s, 21, m->due_wall_us ? m->due_wall_us : w->now_us);
    journal_bind(s, 22, w->now_us);
    journal_bind(s, 23, m->status);
    journal_bind(s, 24, m->sticky_ms);
    journal_bind(s, 25, bytes);
    journal_bind_blob(s, 26, answer_of(m));
    return journal_sql_run(w->sql, JS_PUT);
}

static bool write_payload(struct journal_work *w, const struct journal_event *e, uint64_t seq) {
    sqlite3_stmt *s = w->sql->statements[JS_PAYLOAD_PUT];
    struct slice body = body_of(e), packed;
    journal_bind(s, 1, seq);
    journal_bind_blob(s, 2, e->head);
    journal_bind_text(s, 3, e->target);
    journal_bind(s, 5, journal_payload_sum(e->head, e->target, body));
    if (pack_body(&w->pack, body, &packed)) {
        journal_bind_blob(s, 4, packed);
        journal_bind(s, 6, body.len);
    } else {
        journal_bind_blob(s, 4, body);
        sqlite3_bind_null(s, 6);
    }
    w->grows = true;
    bool ok = journal_sql_run(w->sql, JS_PAYLOAD_PUT);
    pack_trim(&w->pack);
    return ok;
}

/* A redelivery of what is parked: the newest payload is the one to look at, and to send. */
static bool refresh(struct journal_work *w, const struct journal_put *c,
                    const struct journal_slim *old, uint64_t bytes) {
    const struct journal_event *e = &c->event;
    sqlite3_stmt *s = w->sql->statements[JS_REFRESH];
    const struct slice texts[] = {e->type,       e->action, e->entity,
                                  e->repository, e->owner,  e->digest};
    journal_bind(s, 1, old->seq);
    for (int i = 0; i < (int)ARRAY_LEN(texts); i++)
        journal_bind_text(s, 2 + i, texts[i]);
    bind_number(s, 8, e);
    journal_bind(s, 9, e->closes);
    journal_bind(s, 10, bytes);
    journal_count(w, old->state, 0, (int64_t)bytes - (int64_t)old->bytes);
    return journal_sql_run(w->sql, JS_REFRESH) && write_payload(w, e, old->seq);
}

/* In line, in hand. */
static bool settle_down(struct journal_work *w, struct journal_put *c,
                        const struct journal_slim *old) {
    uint64_t first = c->ret_seq;
    enum row_state state = c->mark.state;
    if (!c->in_hand && !hand_drop(&w->hand, c->ret_seq))
        return false;
    if (old && old->ordered && journal_active(old->state) &&
        !journal_line(w, old->source, old->entity, &first))
        return false;
    first = c->ret_seq;
    if (is_ordered(c) && journal_active(state) &&
        !journal_line(w, c->event.source, c->event.entity, &first))
        return false;
    c->ret_first = first == c->ret_seq;
    bool stays = c->in_hand && (state == ROW_SENDING || (state == ROW_QUEUED && c->ret_first));
    w->look = w->look || (state == ROW_QUEUED && !stays);
    return stays ? hand_add(&w->hand, c->ret_seq) : hand_drop(&w->hand, c->ret_seq);
}

static bool write(struct journal_work *w, struct journal_put *c, const struct journal_slim *old) {
    uint64_t bytes = payload_len(&c->event);
    bytes += c->mark.answer.ptr ? answer_of(&c->mark).len : old ? old->answer_len : 0;
    bool first = !is_ordered(c) || (old && same_line(c, old) && old->first);
    if (!write_event(w, c, first, bytes))
        return false;
    c->ret_seq = old ? old->seq : (uint64_t)sqlite3_last_insert_rowid(w->sql->db);
    c->ret_ver = old ? old->ver + 1 : 1;
    if (old)
        journal_count(w, old->state, -1, -(int64_t)old->bytes);
    journal_count(w, c->mark.state, 1, (int64_t)bytes);
    return write_payload(w, &c->event, c->ret_seq) && hand_drop(&w->unsure, c->ret_seq) &&
           settle_down(w, c, old);
}

static bool fits_limits(const struct journal_event *e) {
    return e->source.ptr && e->source.len <= SOURCE_NAME_MAX && e->id.ptr &&
           e->id.len <= EVENT_ID_MAX && e->entity.len <= ENTITY_MAX;
}

bool journal_execute_put(struct journal_work *w, struct journal_put *c) {
    struct journal_slim row;
    bool found, fits = false;
    c->call.result = JOURNAL_FAILED;
    if (!fits_limits(&c->event))
        return true;
    if (!journal_find(w, c->event.source, c->event.id, &row, &found))
        return false;
    if (found && !c->mine && journal_active(row.state)) {
        c->ret_state = row.state;
        c->call.result = JOURNAL_EXISTS;
        return true;
    }
    bool parked = found && !c->mine && row.state == ROW_PARKED;
    uint64_t bytes = payload_len(&c->event) + (parked ? row.answer_len : 0);
    int64_t more = (int64_t)bytes - (found ? (int64_t)row.bytes : 0);
    c->call.result = JOURNAL_FULL;
    if (w->full)
        return true;
    if (!journal_make_room(w, more, found ? row.seq : 0, &fits))
        return false;
    if (!fits)
        return true;
    if (parked) {
        c->ret_state = row.state;
        c->call.result = JOURNAL_EXISTS;
        return refresh(w, c, &row, bytes);
    }
    c->call.result = JOURNAL_OK;
    /* What was over is told anew: it has no place in a line, and its tries are another story. */
    bool over = found && (row.state == ROW_DEAD || row.state == ROW_DONE);
    if (over && !journal_remove(w, &row))
        return false;
    return write(w, c, found && !over ? &row : NULL);
}

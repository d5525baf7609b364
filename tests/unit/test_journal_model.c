/* Random histories against a model in memory: every answer, every row, every count, also after
 * restarts. SEED=n repeats one. */
#include <time.h>

#include "journal_kit.h"

#define IDS      24
#define ENTITIES 3
#define ROUNDS   40
#define OPS      60

struct row {
    bool there;
    uint64_t seq, ver, due;
    enum row_state state;
    enum side side;
    uint32_t tries;
    bool retry, ordered, first, in_hand;
    unsigned entity, text;
};

struct model {
    struct row rows[IDS];
    uint64_t due; /* the next; all lie in the past and differ */
    unsigned text;
};

static unsigned seed;
static unsigned pick(unsigned end) {
    seed = seed * 1103515245u + 12345u;
    return (seed >> 16) % end;
}

static const char *id_of(unsigned id) {
    static char ids[IDS][16];
    snprintf(ids[id], sizeof(ids[id]), "e%02u", id);
    return ids[id];
}

static const char *entity_of(unsigned entity) {
    static const char *const names[ENTITIES] = {"o/r#1", "o/r#2", "o/r#3"};
    return names[entity];
}

static bool active(const struct row *r) {
    return r->there && (r->state == ROW_QUEUED || r->state == ROW_SENDING);
}

/* The rule of a line, said once more: one first; who came back by a replay goes before it only if
 * it has not begun. */
static void line(struct model *m, unsigned entity) {
    struct row *first = NULL, *next = NULL;
    for (unsigned i = 0; i < IDS; i++) {
        struct row *r = &m->rows[i];
        if (!active(r) || !r->ordered || r->entity != entity)
            continue;
        struct row **of = r->first ? &first : &next;
        if (!*of || r->seq < (*of)->seq)
            *of = r;
    }
    if (!next ||
        (first && (first->seq < next->seq || first->state == ROW_SENDING || first->in_hand)))
        return;
    next->first = true;
    if (first)
        first->first = false;
}

/* ---- operations: on the journal, then on the model ---- */

static void do_put(struct jkit *kit, struct model *m) {
    static const enum row_state states[] = {ROW_QUEUED, ROW_QUEUED, ROW_QUEUED, ROW_SENDING,
                                            ROW_PARKED, ROW_DEAD,   ROW_DONE};
    unsigned id = pick(IDS);
    struct row *r = &m->rows[id], old = *r;
    struct row put = {.there = true,
                      .state = states[pick(7)],
                      .side = (enum side[]){SIDE_LEGACY, SIDE_NEW, SIDE_NONE}[pick(3)],
                      .tries = pick(4),
                      .retry = pick(2),
                      .due = ++m->due,
                      .ordered = pick(2),
                      .entity = pick(ENTITIES),
                      .text = ++m->text};
    char text[32];
    snprintf(text, sizeof(text), "body %u", put.text);
    struct journal_put c = jkit_event(id_of(id));
    c.event.entity = slice_of(entity_of(put.entity));
    c.event.body = jkit_body(text);
    c.mark = (struct journal_mark){.state = put.state,
                                   .side = put.side,
                                   .tries = put.tries,
                                   .retry = put.retry,
                                   .due_wall_us = put.due};
    c.ordered = put.ordered;
    c.mine = pick(2);
    c.in_hand = pick(2);
    enum journal_result result = jkit_put(kit, &c);
    blob_unref(c.event.body);
    if (!c.mine && active(&old)) {
        assert_int_equal(result, JOURNAL_EXISTS);
        assert_int_equal(c.ret_state, old.state);
        return;
    }
    if (!c.mine && old.there && old.state == ROW_PARKED) {
        assert_int_equal(result, JOURNAL_EXISTS);
        r->text = put.text;
        r->entity = put.entity;
        return;
    }
    assert_int_equal(result, JOURNAL_OK);
    bool same = old.there && old.state != ROW_DEAD && old.state != ROW_DONE;
    put.seq = c.ret_seq;
    put.ver = same ? old.ver + 1 : 1;
    assert_int_equal(c.ret_ver, put.ver);
    for (unsigned i = 0; i < IDS && !same; i++)
        assert_true(!m->rows[i].there || m->rows[i].seq < c.ret_seq);
    if (same)
        assert_int_equal(c.ret_seq, old.seq);
    put.tries = same && old.tries > put.tries ? old.tries : put.tries;
    put.first = !put.ordered ||
                (same && old.ordered && active(&old) && old.entity == put.entity && old.first);
    put.in_hand = same && old.in_hand && c.in_hand; /* while the line is looked at */
    *r = put;
    if (old.there && old.ordered && active(&old))
        line(m, old.entity);
    if (put.ordered && active(r))
        line(m, put.entity);
    bool is_first = !put.ordered || !active(r) || r->first;
    if (put.ordered && active(r))
        assert_int_equal(c.ret_first, is_first);
    r->in_hand = c.in_hand && (r->state == ROW_SENDING || (r->state == ROW_QUEUED && is_first));
}

static void do_move(struct jkit *kit, struct model *m) {
    unsigned id = pick(IDS);
    struct row *r = &m->rows[id];
    if (!r->there)
        return;
    bool stale = pick(6) == 0;
    struct journal_move c = {.seq = r->seq,
                             .ver = r->ver - stale,
                             .keep_hand = pick(2),
                             .gone = pick(5) == 0,
                             .mark = {.state = pick(ROW_STATES),
                                      .side = pick(2) ? SIDE_NEW : SIDE_LEGACY,
                                      .tries = pick(5),
                                      .retry = pick(2),
                                      .due_wall_us = ++m->due}};
    JKIT_CALL(kit, journal_move, &c);
    assert_int_equal(c.call.result, stale ? JOURNAL_STALE : JOURNAL_OK);
    if (stale)
        return;
    bool was = active(r);
    r->in_hand =
        c.keep_hand && !c.gone && (c.mark.state == ROW_QUEUED || c.mark.state == ROW_SENDING);
    r->there = !c.gone;
    r->ver++;
    r->state = c.mark.state;
    r->side = c.mark.side;
    r->tries = c.mark.tries;
    r->retry = c.mark.retry;
    r->due = c.mark.due_wall_us;
    r->first = !r->ordered || (r->first && was);
    if (r->ordered && (was || r->there))
        line(m, r->entity);
}

static void do_take(struct jkit *kit, struct model *m) {
    uint32_t limit = 1 + pick(6);
    struct journal_row *rows = jkit_take_now(kit, limit), *row = rows;
    for (uint32_t i = 0; i < limit; i++) {
        struct row *best = NULL;
        for (unsigned k = 0; k < IDS; k++) {
            struct row *r = &m->rows[k];
            if (!r->there || r->state != ROW_QUEUED || r->in_hand || !r->first)
                continue;
            if (!best || r->retry < best->retry || (r->retry == best->retry && r->due < best->due))
                best = r;
        }
        if (!best) {
            assert_null(row);
            break;
        }
        assert_non_null(row);
        assert_int_equal(row->seq, best->seq);
        assert_int_equal(row->ver, best->ver);
        best->in_hand = true;
        row = row->next;
    }
    jkit_rows_free(rows);
}

static void do_settle(struct jkit *kit, struct model *m) {
    unsigned id = pick(IDS);
    struct row *r = &m->rows[id];
    struct journal_settle c = {.source = slice_of("github"), .id = slice_of(id_of(id))};
    JKIT_CALL(kit, journal_settle, &c);
    assert_int_equal(c.call.result, r->there ? JOURNAL_OK : JOURNAL_ABSENT);
    if (!r->there || r->in_hand || r->state == ROW_DONE)
        return;
    bool was = active(r);
    r->state = ROW_DONE;
    r->ver++;
    if (r->ordered && was)
        line(m, r->entity);
}

static void do_turn(struct jkit *kit, struct model *m) {
    unsigned id = pick(IDS), copy = pick(IDS);
    struct row *r = &m->rows[id], *other = &m->rows[copy];
    struct journal_turn c = {.source = slice_of("github"),
                             .id = slice_of(id_of(id)),
                             .from = (enum row_state[]){ROW_PARKED, ROW_DEAD, ROW_DONE}[pick(3)],
                             .turn = (enum turn)pick(4),
                             .new_id = slice_of(id_of(copy)),
                             .side = SIDE_NEW};
    JKIT_CALL(kit, journal_turn, &c);
    enum journal_result expected = JOURNAL_OK;
    if (!r->there)
        expected = JOURNAL_ABSENT;
    else if (r->state != c.from || (c.from == ROW_DONE && c.turn != TURN_COPY))
        expected = JOURNAL_STALE;
    else if (c.turn == TURN_COPY && other->there)
        expected = JOURNAL_EXISTS;
    assert_int_equal(c.call.result, expected);
    if (expected != JOURNAL_OK)
        return;
    struct journal_row *row = jkit_look(kit, id_of(c.turn == TURN_COPY ? copy : id));
    if (c.turn == TURN_DROP) {
        assert_null(row);
        r->there = false;
    } else if (c.turn == TURN_COPY) {
        *other = *r;
        *other = (struct row){.there = true,
                              .seq = row->seq,
                              .ver = 1,
                              .due = row->mark.due_wall_us,
                              .state = ROW_QUEUED,
                              .side = SIDE_NEW,
                              .ordered = r->ordered,
                              .first = !r->ordered,
                              .entity = r->entity,
                              .text = r->text};
        r->ver += r->state != ROW_DONE;
        r->state = ROW_DONE;
    } else if (c.turn == TURN_DONE) {
        r->state = ROW_DONE;
        r->ver++;
    } else {
        r->state = ROW_QUEUED;
        r->side = SIDE_NEW;
        r->tries = 0;
        r->retry = false;
        r->due = row->mark.due_wall_us;
        r->first = !r->ordered;
        r->ver++;
    }
    journal_row_free(row);
    if (r->ordered && (c.turn == TURN_QUEUE || c.turn == TURN_COPY))
        line(m, r->entity);
}

static void do_hasten(struct jkit *kit, struct model *m) {
    struct journal_hasten c = {.side = pick(2) ? SIDE_NEW : SIDE_LEGACY};
    JKIT_CALL(kit, journal_hasten, &c);
    assert_int_equal(c.call.result, JOURNAL_OK);
    for (unsigned i = 0; i < IDS; i++) {
        struct row *r = &m->rows[i];
        if (r->there && r->state == ROW_QUEUED && r->side == c.side && !r->in_hand)
            r->retry = false;
    }
}

static void do_restart(struct jkit *kit, struct model *m) {
    unsigned sending = 0, listed = 0;
    jkit_reopen(kit);
    for (unsigned i = 0; i < IDS; i++) {
        struct row *r = &m->rows[i];
        r->in_hand = r->there && r->state == ROW_SENDING;
        sending += r->in_hand;
    }
    struct journal_sending c = {.limit = 1 + pick(5)};
    bool more = true;
    while (more) {
        JKIT_CALL(kit, journal_sending, &c);
        for (struct journal_row *row = c.ret_rows; row; row = row->next) {
            assert_int_equal(row->mark.state, ROW_SENDING);
            c.after = row->seq;
            listed++;
        }
        more = c.ret_rows != NULL;
        jkit_rows_free(c.ret_rows);
    }
    assert_int_equal(listed, sending);
}

/* ---- the comparison ---- */

static void compare(struct jkit *kit, const struct model *m) {
    uint64_t rows[ROW_STATES] = {0}, bytes = 0;
    for (unsigned i = 0; i < IDS; i++) {
        const struct row *r = &m->rows[i];
        struct journal_row *row = jkit_look(kit, id_of(i));
        assert_int_equal(row != NULL, r->there);
        if (!row)
            continue;
        char text[32];
        snprintf(text, sizeof(text), "body %u", r->text);
        assert_int_equal(row->seq, r->seq);
        assert_int_equal(row->ver, r->ver);
        assert_int_equal(row->mark.state, r->state);
        assert_int_equal(row->mark.side, r->side);
        assert_int_equal(row->mark.tries, r->tries);
        assert_int_equal(row->mark.retry, r->retry);
        assert_int_equal(row->ordered, r->ordered);
        assert_true(slice_is(row->event.entity, entity_of(r->entity)));
        assert_true(slice_is(blob_slice(row->event.body), text));
        rows[r->state]++;
        bytes += row->event.head.len + row->event.target.len + row->event.body->len;
        journal_row_free(row);
    }
    struct journal_state state = jkit_state(kit);
    for (int i = 0; i < ROW_STATES; i++)
        assert_int_equal(state.rows[i], rows[i]);
    assert_int_equal(state.bytes, bytes);
    assert_int_equal(state.oldest_wall_us > 0, rows[ROW_QUEUED] + rows[ROW_SENDING] > 0);
}

static void the_journal_does_what_the_model_does(void **state) {
    struct jkit *kit = *state;
    static void (*const ops[])(struct jkit *, struct model *) = {
        do_put,  do_put,  do_put,    do_move, do_move,  do_move,
        do_take, do_take, do_settle, do_turn, do_hasten};
    struct model m = {.due = 1000};
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < OPS; i++)
            ops[pick(ARRAY_LEN(ops))](kit, &m);
        compare(kit, &m);
        if (round % 4 == 3) {
            do_restart(kit, &m);
            compare(kit, &m);
        }
    }
}

int main(void) {
    const char *given = getenv("SEED");
    seed = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL) ^ (unsigned)getpid();
    printf("seed %u\n", seed);
    const struct CMUnitTest tests[] = {JKIT_TEST(the_journal_does_what_the_model_does)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

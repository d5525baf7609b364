/* The writer: takes what has queued up, runs it in one transaction, answers after the commit; then
 * serves open takes and does a piece of what can wait. */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <pointsman/clock.h>

#include "journal_int.h"
#include "journal_row.h"

#define BATCH_MAX   256
#define BATCH_BYTES (16 << 20)
#define ROUNDS      3
#define LOOK_US     1000000 /* open takes read the wall clock at least so often */

/* ---- lists ---- */

void calls_init(struct calls *l) {
    l->first = NULL;
    l->end = &l->first;
}

void calls_add(struct calls *l, struct journal_call *call) {
    call->next = NULL;
    *l->end = call;
    l->end = &call->next;
}

struct journal_call *calls_take(struct calls *l) {
    struct journal_call *call = l->first;
    if (call) {
        l->first = call->next;
        if (!l->first)
            l->end = &l->first;
    }
    return call;
}

void journal_answer(struct journal *j, struct journal_call *call) {
    struct journal_client *client = call->own;
    bool wake = !client->answered.first;
    calls_add(&client->answered, call);
    if (wake)
        (void)!write(client->fd, &(uint64_t){1}, sizeof(uint64_t));
    pthread_cond_broadcast(&j->executed);
}

/* ---- one batch ---- */

static bool run_together(struct journal *j, struct journal_call **calls, unsigned count) {
    struct journal_work *w = &j->w;
    bool ok = journal_work_begin(w);
    for (unsigned i = 0; ok && i < count; i++)
        ok = journal_work_execute(w, calls[i]);
    return ok && journal_work_commit(w);
}

static void fail(struct journal *j, struct journal_call *call) {
    struct journal_work *w = &j->w;
    bool full = w->full && w->sql && w->sql->trouble == TROUBLE_FULL;
    call->result = call->kind == JOURNAL_PUT && full ? JOURNAL_FULL : JOURNAL_FAILED;
    if (call->kind == JOURNAL_MOVE) {
        /* Without memory for it a repeat may be answered STALE. */
        if (hand_add(&w->unsure, CONTAINER_OF(call, struct journal_move, call)->seq))
            hand_commit(&w->unsure);
    } else if (call->kind == JOURNAL_SENDING) {
        struct journal_sending *c = CONTAINER_OF(call, struct journal_sending, call);
        journal_rows_free(c->ret_rows);
        c->ret_rows = NULL;
    }
}

/* One bad call must not fail its neighbours: each then runs by itself. */
static void run_singly(struct journal *j, struct journal_call **calls, unsigned count) {
    enum journal_remedy remedy = REMEDY_NONE;
    for (unsigned i = 0; i < count; i++) {
        bool done = false;
        for (int round = 0; !done && round < ROUNDS && remedy != REMEDY_DOWN; round++) {
            done = run_together(j, &calls[i], 1);
            if (done || (remedy = journal_remedy(j)) != REMEDY_AGAIN)
                break;
        }
        if (!done)
            fail(j, calls[i]);
    }
}

static void run_batch(struct journal *j, struct journal_call **calls, unsigned count) {
    j->w.now_us = clock_wall_us();
    for (int round = 0; round < ROUNDS; round++) {
        if (run_together(j, calls, count)) {
            pthread_mutex_lock(&j->lock);
            j->state.commits++;
            j->state.committed += count;
            pthread_mutex_unlock(&j->lock);
            return;
        }
        enum journal_remedy remedy = journal_remedy(j);
        if (remedy == REMEDY_NONE)
            break;
        if (remedy == REMEDY_AGAIN)
            continue;
        for (unsigned i = 0; i < count; i++)
            fail(j, calls[i]);
        return;
    }
    run_singly(j, calls, count);
}

/* ---- open takes ---- */

static struct journal_take *take_of(struct journal_call *call) {
    return CONTAINER_OF(call, struct journal_take, call);
}

/* Under the lock. */
static void end_take(struct journal *j, struct journal_call *call) {
    struct journal_client *client = call->own;
    client->nudged = false;
    call->result = JOURNAL_OK;
    journal_answer(j, call);
}

/* A take that stays open says when it looks again. */
static bool serve(struct journal *j, struct journal_take *take, uint32_t share) {
    uint64_t due_us, now_us = clock_mono_us();
    if (!journal_fill(&j->w, take, share))
        return false;
    if (take->ret_rows)
        return true;
    if (!journal_next_due(&j->w, take, &due_us))
        return false;
    uint64_t wait_us = due_us > j->w.now_us ? due_us - j->w.now_us : 0;
    wait_us = wait_us < LOOK_US ? wait_us : LOOK_US;
    if (now_us + wait_us < j->look_us)
        j->look_us = now_us + wait_us;
    return true;
}

static unsigned length(const struct calls *l) {
    unsigned count = 0;
    for (const struct journal_call *call = l->first; call; call = call->next)
        count++;
    return count;
}

/* The oldest first; none takes more than its share of the open ones. */
static void serve_takes(struct journal *j) {
    struct calls open;
    struct journal_call *call;
    bool look = j->w.sql && (j->w.look || clock_mono_us() >= j->look_us), ok = true;
    pthread_mutex_lock(&j->lock);
    unsigned count = length(&j->takes);
    calls_init(&open);
    if (look) {
        j->look_us = clock_mono_us() + LOOK_US;
        j->w.look = false;
        j->w.now_us = clock_wall_us();
    }
    while (count > 0 && (call = calls_take(&j->takes)) != NULL) {
        struct journal_client *client = call->own;
        struct journal_take *take = take_of(call);
        if (look && ok) {
            client->executing++;
            pthread_mutex_unlock(&j->lock);
            ok = serve(j, take, (take->limit + count - 1) / count);
            pthread_mutex_lock(&j->lock);
            client->executing--;
        }
        if (take->ret_rows || client->nudged)
            end_take(j, call);
        else
            calls_add(&open, call);
        if (--count == 0)
            break;
    }
    while ((call = calls_take(&j->takes)) != NULL)
        calls_add(&open, call);
    calls_init(&j->takes);
    while ((call = calls_take(&open)) != NULL)
        calls_add(&j->takes, call);
    pthread_cond_broadcast(&j->executed);
    pthread_mutex_unlock(&j->lock);
    if (!ok && journal_remedy(j) != REMEDY_NONE)
        j->w.look = true;
}

/* ---- walks ---- */

static void end_walk(struct journal *j, enum journal_result result) {
    pthread_mutex_lock(&j->lock);
    if (j->walk_of && j->hastens.first == j->walk_of) {
        struct journal_call *call = calls_take(&j->hastens);
        call->result = result;
        journal_answer(j, call);
    }
    if (result != JOURNAL_OK && !j->walk_of)
        j->clock_ahead_us = INT64_MAX; /* the next tick begins it again */
    j->walking = false;
    j->walk_of = NULL;
    j->walk_rounds = 0;
    pthread_mutex_unlock(&j->lock);
}

static void walk(struct journal *j) {
    bool over = false;
    if (!j->walking) {
        enum side side = SIDE_NONE;
        pthread_mutex_lock(&j->lock);
        j->walk_of = j->hastens.first;
        if (j->walk_of)
            side = CONTAINER_OF(j->hastens.first, struct journal_hasten, call)->side;
        pthread_mutex_unlock(&j->lock);
        if (!j->walk_of)
            return;
        j->walking = true;
        if (!j->w.sql || !journal_walk_begin(&j->w, side, &j->walk)) {
            if (j->w.sql)
                (void)journal_remedy(j);
            end_walk(j, JOURNAL_FAILED);
            return;
        }
    }
    j->w.now_us = clock_wall_us();
    bool ok = j->w.sql && journal_walk_on(&j->w, &j->walk, &over);
    j->walk_rounds = ok ? 0 : j->walk_rounds + 1;
    if (!ok && j->w.sql && journal_remedy(j) == REMEDY_AGAIN && j->walk_rounds < ROUNDS)
        return;
    if (!ok || over)
        end_walk(j, ok ? JOURNAL_OK : JOURNAL_FAILED);
}

/* ---- the loop ---- */

static uint64_t call_bytes(const struct journal_call *call) {
    if (call->kind != JOURNAL_PUT)
        return 0;
    const struct journal_put *put = CONTAINER_OF(call, struct journal_put, call);
    return put->event.head.len + (put->event.body ? put->event.body->len : 0);
}

/* Under the lock. */
static uint64_t wake_us(const struct journal *j) {
    uint64_t at_us = j->w.sql ? j->tick_us : j->up_us;
    if (j->walking || j->hastens.first)
        return 0;
    if (!j->w.sql)
        return at_us;
    if (j->takes.first && j->w.look)
        return 0;
    return j->takes.first && j->look_us < at_us ? j->look_us : at_us;
}

static void await(struct journal *j) {
    uint64_t now_us, until_us;
    while (!j->queue.first && !j->stop && !j->woken &&
           (now_us = clock_mono_us()) < (until_us = wake_us(j))) {
        struct timespec until;
        uint64_t wait_us = until_us - now_us;
        clock_gettime(CLOCK_MONOTONIC, &until);
        uint64_t ns = (uint64_t)until.tv_nsec + (wait_us % 1000000) * 1000;
        until.tv_sec += (time_t)(wait_us / 1000000 + ns / 1000000000);
        until.tv_nsec = (long)(ns % 1000000000);
        pthread_cond_timedwait(&j->work, &j->lock, &until);
    }
    j->woken = false;
}

/* What runs now; takes and hastens wait in lists of their own. False: there is no more to come. */
static bool gather(struct journal *j, struct journal_call **calls, unsigned *ret_count) {
    unsigned count = 0;
    uint64_t bytes = 0;
    pthread_mutex_lock(&j->lock);
    await(j);
    while (count < BATCH_MAX && bytes < BATCH_BYTES && j->queue.first) {
        struct journal_call *call = calls_take(&j->queue);
        if (call->kind == JOURNAL_TAKE) {
            calls_add(&j->takes, call);
            j->w.look = true;
        } else if (call->kind == JOURNAL_HASTEN) {
            calls_add(&j->hastens, call);
        } else {
            ((struct journal_client *)call->own)->executing++;
            bytes += call_bytes(call);
            calls[count++] = call;
        }
    }
    bool more = count || j->queue.first || !j->stop;
    j->w.max_bytes = j->max_bytes;
    j->w.keep_us = j->keep_ms * 1000;
    pthread_mutex_unlock(&j->lock);
    *ret_count = count;
    return more;
}

static uint64_t oldest_us(struct journal *j) {
    struct journal_work *w = &j->w;
    bool row = false;
    if (!w->sql || !(w->tally.rows[ROW_QUEUED] + w->tally.rows[ROW_SENDING]))
        return 0;
    w->sql->trouble = TROUBLE_NONE;
    if (!journal_sql_step(w->sql, JS_OLDEST, &row)) {
        (void)journal_remedy(j);
        return 0;
    }
    uint64_t at_us = journal_column(w->sql->statements[JS_OLDEST], 0);
    sqlite3_reset(w->sql->statements[JS_OLDEST]);
    return at_us;
}

void journal_tell_state(struct journal *j) {
    uint64_t at_us = oldest_us(j);
    const struct journal_work *w = &j->w;
    pthread_mutex_lock(&j->lock);
    struct journal_state *state = &j->state;
    state->accepts = w->sql && !w->full;
    memcpy(state->rows, w->tally.rows, sizeof(state->rows));
    state->bytes = w->tally.bytes;
    state->max_bytes = j->max_bytes;
    state->oldest_wall_us = at_us;
    state->damaged = w->tally.damaged;
    memcpy(state->problem, j->problem, sizeof(state->problem));
    pthread_mutex_unlock(&j->lock);
}

static void answer_all(struct journal *j, struct journal_call **calls, unsigned count) {
    pthread_mutex_lock(&j->lock);
    for (unsigned i = 0; i < count; i++) {
        ((struct journal_client *)calls[i]->own)->executing--;
        journal_answer(j, calls[i]);
    }
    pthread_mutex_unlock(&j->lock);
}

void *journal_writer_main(void *arg) {
    struct journal *j = arg;
    j->live = true;
    struct journal_call *calls[BATCH_MAX];
    unsigned count;
    while (gather(j, calls, &count)) {
        if (!j->w.sql)
            journal_file_retry(j);
        if (count) {
            j->called_us = clock_mono_us();
            if (j->w.sql) {
                run_batch(j, calls, count);
            } else {
                for (unsigned i = 0; i < count; i++)
                    fail(j, calls[i]);
            }
        }
        journal_tell_state(j); /* who is answered sees what was done counted */
        answer_all(j, calls, count);
        serve_takes(j);
        walk(j);
        journal_tidy(j);
        if (!count)
            journal_tell_state(j);
    }
    return NULL;
}

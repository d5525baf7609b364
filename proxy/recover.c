/* The boot's settlement: claimed → unsent, sent → in doubt, answered → its outcome; first in the
 * store, then in the journal, whose rows "sending" go on by it. */
#include "recover.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include <pointsman/attempts.h>
#include <pointsman/clock.h>
#include <pointsman/digest.h>
#include <pointsman/journal.h>
#include <pointsman/log.h>

#include "fate.h"
#include "shared.h"
#include "table.h"
#include "worker.h"

#define SETTLE_TIMEOUT_MS 3000
#define AGAIN_US          2000000

struct left {
    struct recovery *recovery;
    struct attempt slot;
    bool guessed; /* the attempt log does not know it (a power cut): its row alone does */
    bool told;    /* the store has the outcome */
    bool has_row;
    struct store_finish finish;
    struct journal_move move;
    uint32_t tries; /* of the row, and … */
    enum side side; /* … where it was sent */
    bool settled;
    LIST_ENTRY(left) entry;
};

struct recovery {
    struct proxy *proxy;
    struct loop *loop;              /* of its own, during recovery_run … */
    struct journal_client *journal; /* … and with it */
    struct journal_sending sending;
    struct timer again;
    unsigned open, found, settled;
    bool no_memory;
    bool unread; /* the journal did not say what ran */
    LIST_HEAD(, left) all;
};

static enum outcome outcome_of(const struct attempt *slot) {
    switch ((enum attempt_state)slot->state) {
    case ATTEMPT_ANSWERED:
        return (enum outcome)slot->outcome;
    case ATTEMPT_SENT:
        return OUTCOME_IN_DOUBT;
    case ATTEMPT_CLAIMED:
    case ATTEMPT_FREE:
        break;
    }
    return OUTCOME_UNSENT;
}

static struct left *add(struct recovery *r) {
    struct left *l = calloc(1, sizeof *l);
    if (!l) {
        r->no_memory = true;
        return NULL;
    }
    l->recovery = r;
    LIST_INSERT_HEAD(&r->all, l, entry);
    r->found++;
    return l;
}

static void found(const struct attempt *slot, void *arg) {
    struct left *l = add(arg);
    if (l)
        memcpy(&l->slot, slot, sizeof l->slot);
}

/* ---- rows "sending" ---- */

static struct left *left_with(struct recovery *r, const struct token *token) {
    struct left *l;
    LIST_FOREACH (l, &r->all, entry) {
        if (l->slot.role == ROLE_OWNER && memcmp(l->slot.token, token->text, TOKEN_LEN) == 0)
            return l;
    }
    return NULL;
}

static void copy(char *to, size_t room, struct slice text) {
    size_t len = text.len < room ? text.len : room - 1;
    memcpy(to, text.ptr ? text.ptr : "", len);
    to[len] = '\0';
}

static struct left *guess(struct recovery *r, const struct journal_row *row) {
    struct left *l = add(r);
    if (!l)
        return NULL;
    l->guessed = true;
    l->slot.state = ATTEMPT_SENT;
    l->slot.side = row->mark.side < SIDES ? row->mark.side : SIDE_LEGACY;
    l->slot.role = ROLE_OWNER;
    l->slot.attempt = row->mark.attempt;
    l->slot.fence = row->mark.fence;
    l->slot.sticky_ms = row->mark.sticky_ms;
    memcpy(l->slot.token, row->mark.token.text, sizeof l->slot.token);
    copy(l->slot.source, sizeof l->slot.source, row->event.source);
    copy(l->slot.id, sizeof l->slot.id, row->event.id);
    copy(l->slot.entity, sizeof l->slot.entity, row->event.entity);
    return l;
}

static void take_row(struct recovery *r, const struct journal_row *row) {
    struct left *l = left_with(r, &row->mark.token);
    if (!l)
        l = guess(r, row);
    if (!l)
        return;
    l->has_row = true;
    l->move.seq = row->seq;
    l->move.ver = row->ver;
    l->tries = row->mark.tries;
    l->side = row->mark.side;
}

static void have_rows(struct journal_call *call) {
    struct recovery *r = call->arg;
    struct journal_row *next;
    for (struct journal_row *row = r->sending.ret_rows; row; row = next) {
        next = row->next;
        r->sending.after = row->seq;
        take_row(r, row);
        journal_row_free(row);
    }
    bool more = call->result == JOURNAL_OK && r->sending.ret_rows;
    r->sending.ret_rows = NULL;
    r->unread = call->result != JOURNAL_OK;
    if (more)
        journal_sending(r->journal, &r->sending);
    else
        loop_stop(r->loop);
}

/* What was not sent costs no try; of what only the row tells, the store knows more, if it was asked
 * for a claim: the next one shows it. */
static struct journal_mark mark_of(const struct left *l) {
    struct attempt_end end = {.side = (enum side)l->slot.side,
                              .outcome = outcome_of(&l->slot),
                              .status = (uint16_t)l->slot.status};
    struct journal_mark m = {.state = ROW_QUEUED,
                             .reason = REASON_ACCEPTED,
                             .side = l->side,
                             .tries = l->tries,
                             .retry = l->tries > 0};
    const struct conf *conf = l->recovery->proxy->rules->conf;
    if ((!l->guessed || !conf->claims) && end.outcome != OUTCOME_UNSENT)
        m = fate_of(conf, &end, l->tries, clock_wall_us(),
                    digest_xxh3(l->slot.token, TOKEN_LEN, 0));
    m.attempt = l->slot.attempt;
    m.fence = l->slot.fence;
    return m;
}

static void say_settled(const struct left *l) {
    struct jsonw *w = log_begin(LOG_WARN, "settled");
    if (!w)
        return;
    jsonw_strz(w, "source", l->slot.source);
    jsonw_strz(w, "event", l->slot.id);
    jsonw_strz(w, "entity", l->slot.entity);
    jsonw_strz(w, "side", side_name((enum side)l->slot.side));
    jsonw_strz(w, "outcome", outcome_names[l->finish.outcome]);
    log_end(w);
}

static void all_settled(struct recovery *r) {
    struct err err;
    log_say(LOG_WARN, "attempt log settled", "%u attempts of the last run", r->settled);
    if (!attempts_discard(r->proxy->rules->conf->directory, &err))
        log_say(LOG_ERROR, "attempt log not removed", "%s", err.text);
}

/* One round has ended. */
static void round_over(struct recovery *r) {
    if (r->settled == r->found)
        all_settled(r);
    else if (!r->loop)
        timer_set(r->proxy->loop, &r->again, AGAIN_US);
    if (r->loop)
        loop_stop(r->loop);
}

static void one_over(struct left *l, bool settled) {
    struct recovery *r = l->recovery;
    l->settled = settled;
    if (settled) {
        r->settled++;
        metrics_add(r->proxy->slab, METRIC_SETTLED, l->finish.outcome, 0, 0, 1);
        say_settled(l);
    }
    if (--r->open == 0)
        round_over(r);
}

static void moved(struct journal_call *call) {
    one_over(call->arg, call->result != JOURNAL_FAILED);
}

static void move_row(struct left *l) {
    struct recovery *r = l->recovery;
    l->move.mark = mark_of(l);
    l->move.call.done = moved;
    l->move.call.arg = l;
    journal_move(r->journal ? r->journal : r->proxy->journal_client, &l->move);
}

static void answered(struct store_call *call) {
    struct left *l = call->arg;
    l->told = call->result != STORE_AWAY;
    if (l->told && l->has_row)
        move_row(l);
    else
        one_over(l, l->told);
}

static void submit(struct left *l, struct store_client *client) {
    struct store_finish *f = &l->finish;
    memset(f, 0, sizeof *f);
    f->source = slice_of(l->slot.source);
    f->id = slice_of(l->slot.id);
    f->entity = slice_of(l->slot.entity);
    f->side = (enum side)l->slot.side;
    f->role = (enum role)l->slot.role;
    memcpy(&f->token, l->slot.token, sizeof f->token);
    f->fence = l->slot.fence;
    f->attempt = l->slot.attempt;
    f->outcome = outcome_of(&l->slot);
    f->status = (uint16_t)l->slot.status;
    f->sticky_ms = l->slot.sticky_ms;
    f->call.done = answered;
    f->call.arg = l;
    f->call.timeout_ms = SETTLE_TIMEOUT_MS;
    store_finish(client, f);
}

static void settle(struct recovery *r, struct store_client *client) {
    struct left *l;
    r->open = r->found - r->settled;
    LIST_FOREACH (l, &r->all, entry) {
        if (l->settled)
            continue;
        if (l->told)
            move_row(l);
        else
            submit(l, client);
    }
}

static void settle_again(void *arg) {
    struct recovery *r = arg;
    settle(r, r->proxy->client);
}

static bool settle_first(struct recovery *r) {
    struct store_client *client = store_client_new(r->proxy->store, r->loop);
    if (!client)
        return false;
    settle(r, client);
    loop_run(r->loop);
    store_client_free(client);
    return true;
}

static bool read_rows(struct recovery *r) {
    r->journal = journal_client_new(r->proxy->journal, r->loop);
    if (!r->journal)
        return false;
    r->sending = (struct journal_sending){.call = {.done = have_rows, .arg = r}, .limit = 256};
    journal_sending(r->journal, &r->sending);
    loop_run(r->loop);
    return !r->no_memory && !r->unread;
}

static bool run(struct recovery *r, struct err *err) {
    r->loop = loop_new();
    bool ok = r->loop && (!r->proxy->journal || read_rows(r)) && (!r->found || settle_first(r));
    if (r->journal)
        journal_client_free(r->journal);
    r->journal = NULL;
    if (r->loop)
        loop_free(r->loop);
    r->loop = NULL;
    if (!ok)
        err_set(err, r->unread ? "the journal failed to say what the last run was sending"
                               : "no memory to settle what the last run left");
    return ok;
}

struct recovery *recovery_run(struct proxy *proxy, struct err *err) {
    const char *directory = proxy->rules->conf->directory;
    struct recovery *r = calloc(1, sizeof *r);
    unsigned damaged = 0;
    if (!r) {
        err_set(err, "no memory to read the attempt log");
        return NULL;
    }
    r->proxy = proxy;
    LIST_INIT(&r->all);
    timer_init(&r->again, settle_again, r);
    bool ok = attempts_recover(directory, found, r, &damaged, err);
    if (damaged)
        log_say(LOG_ERROR, "attempt log damaged",
                "%u slots or files could not be read and were skipped", damaged);
    if (ok && r->no_memory) {
        err_set(err, "no memory to read the attempt log");
        ok = false;
    }
    ok = ok && run(r, err);
    if (ok && !r->found)
        ok = attempts_discard(directory, err);
    if (ok)
        return r;
    recovery_free(r);
    return NULL;
}

void recovery_go_on(struct recovery *r) {
    if (r->settled == r->found)
        return;
    log_say(LOG_WARN, "attempt log not settled", "%u attempts wait for the store",
            r->found - r->settled);
    timer_set(r->proxy->loop, &r->again, AGAIN_US);
}

void recovery_free(struct recovery *r) {
    if (!r)
        return;
    timer_stop(&r->again);
    while (!LIST_EMPTY(&r->all)) {
        struct left *l = LIST_FIRST(&r->all);
        LIST_REMOVE(l, entry);
        free(l);
    }
    free(r);
}

/* The boot's settlement: claimed → unsent, sent → in doubt, answered → its outcome. */
#include "recover.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include <pointsman/attempts.h>
#include <pointsman/log.h>

#include "shared.h"
#include "table.h"
#include "worker.h"

#define SETTLE_TIMEOUT_MS 3000
#define AGAIN_US          2000000

struct left {
    struct recovery *recovery;
    struct attempt slot;
    struct store_finish finish;
    bool settled;
    LIST_ENTRY(left) entry;
};

struct recovery {
    struct proxy *proxy;
    struct loop *loop; /* of its own, during recovery_run */
    struct timer again;
    unsigned open, found, settled;
    bool no_memory;
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

static void found(const struct attempt *slot, void *arg) {
    struct recovery *r = arg;
    struct left *l = calloc(1, sizeof *l);
    if (!l) {
        r->no_memory = true;
        return;
    }
    l->recovery = r;
    memcpy(&l->slot, slot, sizeof l->slot);
    LIST_INSERT_HEAD(&r->all, l, entry);
    r->found++;
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

static void answered(struct store_call *call) {
    struct left *l = call->arg;
    struct recovery *r = l->recovery;
    l->settled = call->result != STORE_AWAY;
    if (l->settled) {
        r->settled++;
        metrics_add(r->proxy->slab, METRIC_SETTLED, l->finish.outcome, 0, 0, 1);
        say_settled(l);
    }
    if (--r->open == 0)
        round_over(r);
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
        if (!l->settled)
            submit(l, client);
    }
}

static void settle_again(void *arg) {
    struct recovery *r = arg;
    settle(r, r->proxy->client);
}

static bool run(struct recovery *r, struct err *err) {
    r->loop = loop_new();
    struct store_client *client = r->loop ? store_client_new(r->proxy->store, r->loop) : NULL;
    if (client) {
        settle(r, client);
        loop_run(r->loop);
        store_client_free(client);
    } else {
        err_set(err, "no memory to settle the attempt log");
    }
    if (r->loop)
        loop_free(r->loop);
    r->loop = NULL;
    return client != NULL;
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
    if (ok && r->found)
        ok = run(r, err);
    else if (ok)
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

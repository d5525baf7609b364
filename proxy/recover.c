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

#define SETTLE_TIMEOUT_MS 5000

struct left {
    struct recovery *recovery;
    struct attempt slot;
    struct store_finish finish;
    LIST_ENTRY(left) entry;
};

struct recovery {
    struct proxy *proxy;
    struct loop *loop;
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

static void say(const struct left *l, const char *msg) {
    struct jsonw *w = log_begin(LOG_WARN, msg);
    if (!w)
        return;
    jsonw_strz(w, "source", l->slot.source);
    jsonw_strz(w, "event", l->slot.id);
    jsonw_strz(w, "entity", l->slot.entity);
    jsonw_strz(w, "side", side_name((enum side)l->slot.side));
    jsonw_strz(w, "outcome", outcome_names[l->finish.outcome]);
    log_end(w);
}

static void settled(struct store_call *call) {
    struct left *l = call->arg;
    struct recovery *r = l->recovery;
    bool ok = call->result != STORE_AWAY;
    r->settled += ok;
    if (ok)
        metrics_add(r->proxy->slab, METRIC_SETTLED, l->finish.outcome, 0, 0, 1);
    say(l, ok ? "settled" : "not settled");
    if (--r->open == 0)
        loop_stop(r->loop);
}

static void settle(struct recovery *r, struct store_client *client) {
    struct left *l;
    LIST_FOREACH (l, &r->all, entry) {
        struct store_finish *f = &l->finish;
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
        f->call.done = settled;
        f->call.arg = l;
        f->call.timeout_ms = SETTLE_TIMEOUT_MS;
        r->open++;
        store_finish(client, f);
    }
}

static bool run(struct recovery *r, struct err *err) {
    struct store_client *client = store_client_new(r->proxy->store, r->loop);
    if (!client) {
        err_set(err, "no memory to settle the attempt log");
        return false;
    }
    settle(r, client);
    loop_run(r->loop);
    store_client_free(client);
    return true;
}

bool recover(struct proxy *proxy, struct err *err) {
    const char *directory = proxy->rules->conf->directory;
    struct recovery r = {.proxy = proxy};
    unsigned damaged = 0;
    LIST_INIT(&r.all);
    bool ok = attempts_recover(directory, found, &r, &damaged, err);
    if (damaged)
        log_say(LOG_ERROR, "attempt log damaged", "%u slots could not be read and were skipped",
                damaged);
    if (ok && r.no_memory) {
        err_set(err, "no memory to read the attempt log");
        ok = false;
    }
    if (ok && r.found) {
        r.loop = loop_new();
        ok = r.loop && run(&r, err);
        log_say(LOG_WARN, "attempt log settled", "%u of %u attempts of the last run", r.settled,
                r.found);
        if (r.loop)
            loop_free(r.loop);
    }
    if (r.settled == r.found) /* else they stay aside for the next boot */
        ok = ok && attempts_discard(directory, err);
    while (!LIST_EMPTY(&r.all)) {
        struct left *l = LIST_FIRST(&r.all);
        LIST_REMOVE(l, entry);
        free(l);
    }
    return ok;
}

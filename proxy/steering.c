/* The steering loop.
 *
 *   poll ──▶ store_control_get ──▶ consider ─┬─ valid, as known ──▶ publish
 *                                            ├─ valid, SET from outside ──▶ store_control_set
 * (audit) ──▶ publish └─ names nothing ──▶ the last good pair stays, loudly a change by API or CLI
 * first polls, so that what was SET a moment ago is seen and audited before it. When the breaker of
 * new opens, pointsman itself asks for emergency_rollback, in the same way. */
#include "steering.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include <pointsman/clock.h>
#include <pointsman/log.h>

#include "control_file.h"
#include "repin.h"
#include "shared.h"
#include "table.h"
#include "worker.h"

#define POLL_US        150000 /* every instance follows within 500 ms (DESIGN §10) */
#define GET_TIMEOUT_MS 400
#define SET_TIMEOUT_MS 2000
#define TRIES          5

struct waiting {
    struct change *change;
    TAILQ_ENTRY(waiting) entry;
};

struct steering {
    struct proxy *proxy;
    struct timer poll;
    bool busy; /* a get or a set is with the store */
    struct store_control_get get;
    struct store_control_set set;
    struct change *changing; /* whose set is under way; NULL: our own */
    struct control setting;
    struct control now;
    bool known, invalid, pending, untold, first_told;
    uint64_t seen_epoch; /* the highest this instance or its disk knew: tells an empty store from a
                            new one */
    char problem[512];
    char pending_reason[513];
    char pending_evidence[256];
    unsigned opened;        /* of new's breaker: openings that were seen to */
    struct change rollback; /* our own, when new is down */
    bool rolling_back;      /* it waits or is under way */
    char evidence[256];     /* of it */
    void (*first)(struct proxy *proxy);
    TAILQ_HEAD(, waiting) changes;
};

/* ---- publishing ---- */

static void save(const struct steering *s) {
    struct control_file file = {.control = s->now, .pending = s->pending};
    file.control.epoch = s->seen_epoch; /* stays known also while an empty store is back at 0 */
    memcpy(file.reason, s->pending_reason, sizeof file.reason);
    if (!control_file_write(s->proxy->rules->conf->directory, &file))
        log_say(LOG_ERROR, "control not saved", "%s/control: %s", s->proxy->rules->conf->directory,
                strerror(errno));
}

static void tell_workers(struct steering *s) {
    s->untold = false;
    for (unsigned i = 0; i < s->proxy->worker_count; i++)
        if (!worker_tell_control(s->proxy->workers[i], &s->now))
            s->untold = true; /* no memory: again at the next poll */
}

static void publish(struct steering *s, const struct control *control) {
    bool changed = s->now.mode != control->mode || s->now.ppm != control->ppm ||
                   s->now.epoch != control->epoch;
    struct control before = s->now;
    s->now = *control;
    if (control->epoch > s->seen_epoch)
        s->seen_epoch = control->epoch;
    if (changed) {
        struct jsonw *w = log_begin(LOG_INFO, "control");
        if (w) {
            char percentage[16];
            percentage_print(control->ppm, percentage);
            jsonw_strz(w, "mode", mode_names[control->mode]);
            jsonw_raw(w, "percentage", slice_of(percentage));
            jsonw_u64(w, "epoch", control->epoch);
            log_end(w);
        }
        save(s);
    }
    if (changed || s->untold)
        tell_workers(s);
    repin_changed(s->proxy->repin, &before, control);
}

static void tell_first(struct steering *s) {
    if (s->first_told)
        return;
    s->first_told = true;
    s->first(s->proxy);
}

/* ---- changes ---- */

static void end_change(struct steering *s, struct change *change, enum change_result result) {
    change->result = result;
    change->now = s->now;
    change->done(change);
}

static void fail_change(struct steering *s, struct change *change) {
    err_set(&change->err, "the store did not confirm the change; status shows what is in force");
    end_change(s, change, CHANGE_FAILED);
}

static struct control wanted(const struct steering *s, const struct change *change) {
    enum mode mode = change->keep_mode ? s->now.mode : change->mode;
    uint32_t ppm = change->has_ppm ? change->ppm : s->now.ppm;
    if (mode != s->now.mode || !change->keep_mode)
        ppm = move_percentage(mode, ppm);
    return (struct control){mode, ppm, s->now.epoch};
}

static enum health health_of_new(const struct steering *s) {
    char reason[160];
    return health_of(&s->proxy->health[SIDE_NEW], clock_mono_us(), reason, sizeof reason);
}

static bool gives_new(const struct control *c) {
    return c->mode == MODE_NEW_ONLY || (c->mode == MODE_GRADUAL && c->ppm > 0);
}

/* Another instance, or a person, was there before us. */
static bool is_needless(const struct steering *s, const struct change *change) {
    return change == &s->rollback && !gives_new(&s->now);
}

static void tell_rollback(const struct steering *s, const struct change *change) {
    if (change != &s->rollback)
        return;
    metrics_add(s->proxy->slab, METRIC_AUTO_ROLLBACKS, 0, 0, 0, 1);
    log_say(LOG_WARN, "rolled back", "%s", change->reason);
}

static const char *evidence_of(const struct steering *s, const struct change *change) {
    return change == &s->rollback ? s->evidence : "";
}

/* The store is away: only what takes from new is obeyed, here and on disk, until it is back. */
static void change_without_store(struct steering *s, struct change *change) {
    struct control want = wanted(s, change);
    if (is_needless(s, change)) {
        end_change(s, change, CHANGE_OK);
        return;
    }
    if (!move_is_towards_legacy(&s->now, want.mode, want.ppm)) {
        fail_change(s, change);
        return;
    }
    tell_rollback(s, change);
    s->pending = true;
    memcpy(s->pending_reason, change->reason, sizeof s->pending_reason);
    snprintf(s->pending_evidence, sizeof s->pending_evidence, "%s", evidence_of(s, change));
    log_say(LOG_WARN, "change waits for the store", "%s is in force here", mode_names[want.mode]);
    s->now.epoch = UINT64_MAX; /* differs: it is published and saved */
    publish(s, &want);
    end_change(s, change, CHANGE_OK);
}

/* ---- the store's side ---- */

static void set_done(struct store_call *call);

static void submit_set(struct steering *s, struct change *change, const struct control *to,
                       bool keep_raw, const char *actor, const char *reason) {
    bool has_good = s->get.ret_has_good;
    memset(&s->set, 0, sizeof s->set);
    s->set.expected_epoch = has_good ? s->get.ret_epoch : 0;
    s->set.keep_raw = keep_raw;
    s->set.mode = to->mode;
    s->set.ppm = to->ppm;
    s->set.from_mode = has_good ? s->get.ret_good_mode : MODE_LEGACY_ONLY;
    s->set.from_ppm = has_good ? s->get.ret_good_ppm : 0;
    s->set.actor = slice_of(actor);
    s->set.reason = slice_of(reason);
    s->set.evidence =
        slice_of(!change && s->pending ? s->pending_evidence : evidence_of(s, change));
    s->set.call.done = set_done;
    s->set.call.arg = s;
    s->set.call.timeout_ms = SET_TIMEOUT_MS;
    s->setting = *to;
    s->changing = change;
    s->busy = true;
    store_control_set(s->proxy->client, &s->set);
}

static bool try_change(struct steering *s, struct change *change) {
    struct control want = wanted(s, change);
    if (is_needless(s, change) ||
        (want.mode == s->now.mode && want.ppm == s->now.ppm && s->known && !s->invalid)) {
        end_change(s, change, CHANGE_OK);
        return false;
    }
    if (!change->force &&
        !move_allowed(&s->now, want.mode, want.ppm, health_of_new(s), &change->err)) {
        end_change(s, change, CHANGE_REFUSED);
        return false;
    }
    submit_set(s, change, &want, false, change->actor, change->reason);
    return true;
}

/* One change after the other, each on what the one before left. */
static void next_change(struct steering *s, bool away) {
    struct waiting *first;
    while (!s->busy && (first = TAILQ_FIRST(&s->changes)) != NULL) {
        struct change *change = first->change;
        TAILQ_REMOVE(&s->changes, first, entry);
        free(first);
        if (away)
            change_without_store(s, change);
        else if (try_change(s, change))
            return;
    }
}

static void set_done(struct store_call *call) {
    struct steering *s = call->arg;
    struct change *change = s->changing;
    s->busy = false;
    s->changing = NULL;
    if (call->result == STORE_OK) {
        s->setting.epoch = s->set.ret_epoch;
        s->known = true;
        s->invalid = false;
        s->pending = false;
        publish(s, &s->setting);
        if (change) {
            tell_rollback(s, change);
            end_change(s, change, CHANGE_OK);
        }
    } else if (change && call->result == STORE_AWAY) {
        change_without_store(s, change);
    } else if (change && ++change->tries < TRIES) {
        steering_change(s, change); /* another change was first: judged anew */
    } else if (change) {
        fail_change(s, change);
    }
    tell_first(s);
    timer_set(s->proxy->loop, &s->poll,
              TAILQ_EMPTY(&s->changes) && call->result != STORE_STALE ? POLL_US : 1);
}

/* ---- judging what the store holds ---- */

static void complain(struct steering *s, const struct err *err) {
    if (!s->invalid || strcmp(s->problem, err->text) != 0) {
        snprintf(s->problem, sizeof s->problem, "%s", err->text);
        log_say(LOG_ERROR, "control invalid", "%s", err->text);
    }
    s->invalid = true;
}

/* Neither mode nor percentage nor a good pair is there. True: a set is under way. */
static bool consider_empty(struct steering *s) {
    const struct conf *conf = s->proxy->rules->conf;
    struct control home = {MODE_LEGACY_ONLY, 0, 0};
    if (s->seen_epoch > 0) {
        publish(s, &home); /* at once: the store may not be writable */
        submit_set(s, NULL, &home, false, "pointsman", "the store was found empty");
        return true;
    }
    if (conf->has_start) {
        struct control start = {conf->start_mode, conf->start_ppm, 0};
        submit_set(s, NULL, &start, false, "config", "the first start");
        return true;
    }
    s->known = true;
    publish(s, &home);
    return false;
}

/* While the store was away others may have gone as far, or further: nothing is written back that
 * would help new. */
static bool still_pending(const struct steering *s) {
    const struct store_control_get *g = &s->get;
    struct control good = {g->ret_good_mode, g->ret_good_ppm, g->ret_epoch};
    bool same = good.mode == s->now.mode && good.ppm == s->now.ppm;
    return !same && move_is_towards_legacy(&good, s->now.mode, s->now.ppm);
}

/* True: a set is under way. */
static bool consider(struct steering *s) {
    struct store_control_get *g = &s->get;
    if (s->pending && g->ret_has_good && !still_pending(s))
        s->pending = false;
    if (s->pending) {
        submit_set(s, NULL, &s->now, false, "pointsman", s->pending_reason);
        return true;
    }
    if (!g->ret_has_good && !g->ret_has_mode && !g->ret_has_percentage)
        return consider_empty(s);
    struct control good = {MODE_LEGACY_ONLY, 0, 0}, found;
    if (g->ret_has_good)
        good = (struct control){g->ret_good_mode, g->ret_good_ppm, g->ret_epoch};
    struct err err;
    struct slice mode = g->ret_has_mode ? slice_of(g->ret_mode) : (struct slice){0};
    struct slice percentage =
        g->ret_has_percentage ? slice_of(g->ret_percentage) : (struct slice){0};
    if (!control_read(mode, percentage, s->proxy->rules->conf, &found, &err)) {
        complain(s, &err);
        s->known = true;
        publish(s, &good);
        return false;
    }
    if (s->invalid)
        log_say(LOG_INFO, "control valid again", "%s", mode_names[found.mode]);
    s->invalid = false;
    uint32_t asked = found.ppm;
    if (found.mode != good.mode)
        found.ppm = move_percentage(found.mode, asked);
    if (g->ret_has_good && found.mode == good.mode && found.ppm == good.ppm) {
        s->known = true;
        publish(s, &good);
        return false;
    }
    submit_set(s, NULL, &found, found.ppm == asked, "outside", "SET in the store");
    return true;
}

static void got(struct store_call *call) {
    struct steering *s = call->arg;
    bool away = call->result != STORE_OK;
    s->busy = false;
    timer_set(s->proxy->loop, &s->poll, POLL_US);
    if (!away && consider(s))
        return;
    if (s->untold)
        tell_workers(s);
    tell_first(s);
    next_change(s, away);
}

/* ---- new is down ---- */

static void rolled_back(struct change *change) {
    struct steering *s = change->arg;
    s->rolling_back = false;
    if (change->result != CHANGE_OK)
        s->opened--; /* again at the next poll */
}

/* Each opening of new's breaker once: who goes back to new while it is open knows what he does. */
static void mind_new(struct steering *s) {
    unsigned opened = atomic_load(&s->proxy->breakers.opened[SIDE_NEW]);
    if (s->rolling_back || opened == s->opened)
        return;
    s->opened = opened;
    if (!s->proxy->rules->conf->rollback_on_new_down || !gives_new(&s->now))
        return;
    struct breaker_opening o = breakers_opening(s->proxy, SIDE_NEW);
    s->rollback = (struct change){.done = rolled_back,
                                  .arg = s,
                                  .proxy = s->proxy,
                                  .mode = MODE_EMERGENCY_ROLLBACK,
                                  .actor = "pointsman"};
    snprintf(s->rollback.reason, sizeof s->rollback.reason, "new is down: %s", o.reason);
    snprintf(s->evidence, sizeof s->evidence,
             "{\"breaker\":\"open\",\"failures\":%" PRIu32 ",\"attempts\":%" PRIu32
             ",\"failed\":%" PRIu32 ",\"window_ms\":%" PRIu32 ",\"last_outcome\":\"%s\"}",
             o.failed_in_row, o.window.ended, o.window.failed, o.window_ms,
             outcome_names[o.outcome]);
    s->rolling_back = true;
    steering_change(s, &s->rollback);
}

static void poll(void *arg) {
    struct steering *s = arg;
    if (s->busy)
        return;
    mind_new(s);
    s->busy = true;
    memset(&s->get, 0, sizeof s->get);
    s->get.call.done = got;
    s->get.call.arg = s;
    s->get.call.timeout_ms = GET_TIMEOUT_MS;
    store_control_get(s->proxy->client, &s->get);
}

/* ---- from outside ---- */

struct steering *steering_new(struct proxy *proxy, void (*first)(struct proxy *proxy)) {
    struct steering *s = calloc(1, sizeof *s);
    struct control_file file;
    if (!s)
        return NULL;
    s->proxy = proxy;
    s->first = first;
    TAILQ_INIT(&s->changes);
    timer_init(&s->poll, poll, s);
    if (control_file_read(proxy->rules->conf->directory, &file)) {
        s->seen_epoch = file.control.epoch;
        if (file.pending) {
            s->pending = true;
            s->now = file.control;
            memcpy(s->pending_reason, file.reason, sizeof s->pending_reason);
            tell_workers(s);
        }
    }
    timer_set(proxy->loop, &s->poll, 1);
    return s;
}

void steering_free(struct steering *s) {
    if (!s)
        return;
    timer_stop(&s->poll);
    struct waiting *first;
    while ((first = TAILQ_FIRST(&s->changes)) != NULL) {
        TAILQ_REMOVE(&s->changes, first, entry);
        fail_change(s, first->change);
        free(first);
    }
    free(s);
}

void steering_state(const struct steering *s, struct steering_state *ret) {
    *ret = (struct steering_state){
        .now = s->now, .known = s->known, .invalid = s->invalid, .pending = s->pending};
    snprintf(ret->problem, sizeof ret->problem, "%s", s->invalid ? s->problem : "");
}

void steering_change(struct steering *s, struct change *change) {
    struct waiting *w = malloc(sizeof *w);
    if (!w) {
        fail_change(s, change);
        return;
    }
    w->change = change;
    TAILQ_INSERT_TAIL(&s->changes, w, entry);
    timer_set(s->proxy->loop, &s->poll, 1); /* seen and audited first: what was SET a moment ago */
}

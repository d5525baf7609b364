/* The process's proxy: started, asked, reloaded, drained, stopped. */
#include <pointsman/proxy.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <pointsman/clock.h>
#include <pointsman/log.h>

#include "listener.h"
#include "probe.h"
#include "recover.h"
#include "repin.h"
#include "shared.h"
#include "sockets.h"
#include "steering.h"
#include "table.h"
#include "worker.h"

/* ---- start ---- */

/* Every socket is accepted from, as the kernel may have queued connections on each; every worker
 * accepts, also from one it shares with others. */
static bool spread(struct proxy *p, size_t listener) {
    struct sockets *s = p->sockets;
    size_t found = 0;
    for (size_t i = 0; i < s->count; i++)
        found += s->all[i]->of == listener;
    size_t pairs = found > p->worker_count ? found : p->worker_count;
    for (size_t n = 0, at = 0; n < pairs; n++, at = (at + 1) % s->count) {
        while (s->all[at]->of != listener)
            at = (at + 1) % s->count;
        if (!listener_add(p->workers[n % p->worker_count], s->all[at]))
            return false;
    }
    return true;
}

static bool give_listeners(struct proxy *p, struct err *err) {
    for (size_t i = 0; i < p->rules->conf->listener_count; i++) {
        if (!spread(p, i)) {
            err_set(err, "no memory for listeners");
            return false;
        }
    }
    return true;
}

static bool make_workers(struct proxy *p, struct err *err) {
    unsigned count = p->rules->conf->workers;
    p->workers = calloc(count, sizeof(struct worker *));
    if (!p->workers) {
        err_set(err, "no memory for %u workers", count);
        return false;
    }
    for (unsigned i = 0; i < count; i++) {
        p->workers[i] = worker_new(p, i, p->rules, err);
        if (!p->workers[i])
            return false;
        p->worker_count++;
    }
    return true;
}

static bool start_probes(struct proxy *p) {
    const struct conf *conf = p->rules->conf;
    bool ok = true;
    for (int side = 0; side < SIDES; side++) {
        const struct conf_backend *backend = &conf->backends[side];
        probe_free(p->probes[side]);
        p->probes[side] = NULL;
        health_probing(&p->health[side], backend->health_path != NULL);
        if (!backend->health_path)
            continue;
        p->probes[side] = probe_new(p->loop, backend, p->rules->targets[side], &p->health[side]);
        ok = ok && p->probes[side];
    }
    return ok;
}

static void say_listening(const struct sockets *s, size_t listener) {
    const struct listening *l = NULL;
    for (size_t i = 0; !l && i < s->count; i++)
        if (s->all[i]->of == listener)
            l = s->all[i];
    struct jsonw *w = l ? log_begin(LOG_INFO, "listening") : NULL;
    if (!w)
        return;
    jsonw_strz(w, "address", l->text);
    log_end(w);
}

/* Mode and percentage are known as far as they can be: from here on events are taken. */
static void open_workers(struct proxy *p) {
    const struct conf *conf = p->rules->conf;
    if (p->worker_count == 0)
        return; /* the process ends */
    p->open = true;
    for (unsigned i = 0; i < p->worker_count; i++)
        worker_tell_open(p->workers[i]);
    for (size_t i = 0; i < conf->listener_count; i++)
        say_listening(p->sockets, i);
}

static bool make(struct proxy *p, struct conf *conf, struct err *err) {
    p->started_wall_us = clock_wall_us();
    p->metrics = metrics_new(metric_defs, METRICS_COUNT);
    p->slab = p->metrics ? metrics_slab(p->metrics) : NULL;
    p->resolver = resolver_new();
    p->rules = p->resolver ? rules_new(conf, p->resolver) : NULL;
    if (!p->slab || !p->rules) {
        err_set(err, "no memory or threads to start");
        return false;
    }
    return true;
}

struct proxy *proxy_start(struct conf *conf, struct store *store, struct journal *journal,
                          struct sockets *sockets, struct loop *loop, struct err *err) {
    struct proxy *p = calloc(1, sizeof *p);
    if (!p) {
        err_set(err, "no memory to start");
        return NULL;
    }
    p->store = store;
    p->journal = journal;
    p->sockets = sockets;
    p->loop = loop;
    breakers_init(&p->breakers);
    if (!make(p, conf, err) || !(p->recovery = recovery_run(p, err)) || !make_workers(p, err) ||
        !give_listeners(p, err))
        goto fail;
    p->client = store_client_new(store, loop);
    p->repin = repin_new(p);
    p->journal_client = journal ? journal_client_new(journal, loop) : NULL;
    bool clients = p->client && p->repin && (p->journal_client || !journal);
    p->steering = clients ? steering_new(p, open_workers) : NULL;
    if (!p->steering || !start_probes(p)) {
        err_set(err, "no memory to start");
        goto fail;
    }
    store_watch_start(&p->store_watch, store, loop);
    recovery_go_on(p->recovery);
    for (unsigned i = 0; i < p->worker_count; i++)
        if (!worker_start(p->workers[i], err))
            goto fail;
    return p;
fail:
    proxy_stop(p);
    return NULL;
}

/* ---- end ---- */

void proxy_drain(struct proxy *p) {
    if (atomic_exchange(&p->draining, true))
        return;
    for (unsigned i = 0; i < p->worker_count; i++)
        worker_tell_drain(p->workers[i]);
}

bool proxy_is_idle(struct proxy *p) {
    return atomic_load(&p->deliveries) == 0 && atomic_load(&p->recording) == 0 &&
           atomic_load(&p->connections) == 0 && atomic_load(&p->listening) == 0;
}

void proxy_stop(struct proxy *p) {
    if (!p)
        return;
    for (unsigned i = 0; i < p->worker_count; i++)
        worker_free(p->workers[i]);
    free(p->workers);
    p->workers = NULL;
    p->worker_count = 0; /* what the store answers below tells nobody any more */
    store_watch_stop(&p->store_watch);
    for (int side = 0; side < SIDES; side++)
        probe_free(p->probes[side]);
    if (p->client)
        store_client_free(p->client);
    journal_client_free(p->journal_client); /* what the store answered may have asked it */
    recovery_free(p->recovery);
    repin_free(p->repin);
    steering_free(p->steering);
    rules_unref(p->rules);
    resolver_free(p->resolver);
    metrics_free(p->metrics);
    breakers_free(&p->breakers);
    free(p);
}

/* ---- asked by admin ---- */

void proxy_reload(struct proxy *p, struct conf *conf) {
    struct rules *rules = rules_new(conf, p->resolver);
    if (!rules) {
        log_say(LOG_ERROR, "reload failed", "no memory; nothing was changed");
        return;
    }
    rules_unref(p->rules);
    p->rules = rules;
    if (p->journal)
        journal_reload(p->journal, conf);
    for (unsigned i = 0; i < p->worker_count; i++)
        if (!worker_tell_rules(p->workers[i], rules))
            log_say(LOG_ERROR, "reload failed",
                    "no memory for worker %u, it keeps the old configuration", i);
    if (!start_probes(p))
        log_say(LOG_ERROR, "reload failed", "no memory for health probes");
    log_say(LOG_INFO, "reloaded", "%s", conf->file);
}

const struct conf *proxy_conf(const struct proxy *p) {
    return p->rules->conf;
}
struct store *proxy_store(const struct proxy *p) {
    return p->store;
}
struct store_client *proxy_store_client(const struct proxy *p) {
    return p->client;
}
struct journal *proxy_journal(const struct proxy *p) {
    return p->journal;
}
struct journal_client *proxy_journal_client(const struct proxy *p) {
    return p->journal_client;
}
struct metrics *proxy_metrics(struct proxy *p) {
    breakers_count(p);
    return p->metrics;
}
uint64_t proxy_started_wall_us(const struct proxy *p) {
    return p->started_wall_us;
}

bool proxy_is_ready(struct proxy *p, struct err *err) {
    const struct conf *conf = p->rules->conf;
    struct store_state state;
    struct journal_state journal;
    if (atomic_load(&p->draining)) {
        err_set(err, "draining: the process is about to end");
        return false;
    }
    if (!p->open) {
        err_set(err, "mode and percentage have not been read yet");
        return false;
    }
    if (access(conf->directory, W_OK) != 0) {
        err_set(err, "directory %s is not writable", conf->directory);
        return false;
    }
    journal_state(p->journal, &journal);
    if (!journal.accepts) {
        err_set(err, "the journal takes no new events: %s", journal.problem);
        return false;
    }
    store_state(p->store, &state);
    if (!state.up && conf->when_down == WHEN_DOWN_REFUSE) {
        err_set(err, "the store is away and when_down is refuse: %s", state.problem);
        return false;
    }
    return true;
}

static double ms_at(struct metrics *m, enum side side, enum role role, double q) {
    return (double)metrics_quantile_us(m, METRIC_ATTEMPT_SECONDS, side, role, 0, q) / 1000;
}

void proxy_load(struct proxy *p, struct load_state *ret) {
    *ret = (struct load_state){
        .waiting = metrics_value(p->metrics, METRIC_WAITING, 0, 0, 0),
        .refused = metrics_value(p->metrics, METRIC_SHED, 0, 0, 0),
        .workers_refusing = metrics_value(p->metrics, METRIC_SHEDDING, 0, 0, 0),
    };
}

void proxy_backend_state(struct proxy *p, enum side side, struct backend_state *ret) {
    struct metrics *m = p->metrics;
    struct breaker breaker = breakers_look(p, side);
    memset(ret, 0, sizeof *ret);
    ret->breaker = breaker.state;
    memcpy(ret->breaker_reason, breaker.reason, sizeof ret->breaker_reason);
    ret->health = health_of(&p->health[side], clock_mono_us(), ret->reason, sizeof ret->reason);
    ret->in_flight = atomic_load(&p->in_flight[side][ROLE_OWNER]) +
                     atomic_load(&p->in_flight[side][ROLE_SHADOW]);
    for (int o = 0; o < OUTCOMES; o++) {
        ret->outcomes[o] =
            (uint64_t)metrics_value(m, METRIC_ATTEMPTS, side, ROLE_OWNER, (unsigned)o);
        ret->shadow_outcomes[o] =
            (uint64_t)metrics_value(m, METRIC_ATTEMPTS, side, ROLE_SHADOW, (unsigned)o);
        ret->attempts += ret->outcomes[o];
    }
    ret->success_rate =
        ret->attempts ? (double)ret->outcomes[OUTCOME_DONE] / (double)ret->attempts : 0;
    ret->p50_ms = ms_at(m, side, ROLE_OWNER, 0.5);
    ret->p99_ms = ms_at(m, side, ROLE_OWNER, 0.99);
    ret->shadow_p50_ms = ms_at(m, side, ROLE_SHADOW, 0.5);
    ret->shadow_p99_ms = ms_at(m, side, ROLE_SHADOW, 0.99);
}

void proxy_steering_state(struct proxy *p, struct steering_state *ret) {
    steering_state(p->steering, ret);
}

void proxy_change(struct proxy *p, struct change *change) {
    change->proxy = p;
    steering_change(p->steering, change);
}

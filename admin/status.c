/* What this instance does now: /v1/status, and Story 8.3's view of the same. */
#include <stdio.h>
#include <stdlib.h>

#include <pointsman/clock.h>
#include <pointsman/version.h>

#include "handlers.h"
#include "request.h"
#include "view.h"

#define TRANSITIONS 10
/* short: status is asked most where the store is away */
#define STATUS_TIMEOUT_MS 1000

struct status_ask {
    struct store_audit call;
    struct request *x;
    bool migration;
    struct audit_entry entries[TRANSITIONS];
};

static json_t *leg_view(uint64_t attempts, double success_rate, double p50, double p99) {
    bool any = attempts > 0;
    return json_pack("{s:o, s:o, s:o}", "success_rate", view_number(success_rate, any), "p50_ms",
                     view_number(p50, any), "p99_ms", view_number(p99, any));
}

static json_t *outcomes_view(const uint64_t outcomes[OUTCOMES]) {
    json_t *json = json_object();
    for (unsigned i = 0; json && i < OUTCOMES; i++)
        json_object_set_new(json, outcome_names[i], json_integer((json_int_t)outcomes[i]));
    return json;
}

static json_t *shadow_view(const struct backend_state *s) {
    uint64_t attempts = 0;
    for (unsigned i = 0; i < OUTCOMES; i++)
        attempts += s->shadow_outcomes[i];
    double rate = attempts ? (double)s->shadow_outcomes[OUTCOME_DONE] / (double)attempts : 0;
    json_t *json = leg_view(attempts, rate, s->shadow_p50_ms, s->shadow_p99_ms);
    json_object_set_new(json, "attempts", json_integer((json_int_t)attempts));
    json_object_set_new(json, "outcomes", outcomes_view(s->shadow_outcomes));
    return json;
}

static json_t *backend_view(struct proxy *proxy, enum side side, const struct backend_state *s) {
    json_t *json = leg_view(s->attempts, s->success_rate, s->p50_ms, s->p99_ms);
    json_t *head =
        json_pack("{s:o, s:o, s:s, s:o, s:s, s:o, s:I, s:I, s:o, s:o}", "name",
                  view_text(proxy_conf(proxy)->backends[side].name), "url",
                  view_text(proxy_conf(proxy)->backends[side].url.text), "health",
                  health_names[s->health], "health_reason", view_text(s->reason), "breaker",
                  breaker_state_names[s->breaker], "breaker_reason", view_text(s->breaker_reason),
                  "attempts", (json_int_t)s->attempts, "in_flight", (json_int_t)s->in_flight,
                  "outcomes", outcomes_view(s->outcomes), "shadow", shadow_view(s));
    if (head)
        json_object_update(head, json);
    json_decref(json);
    return head;
}

/* The difference is new minus legacy; null until both have done something. */
static json_t *performance_view(const struct backend_state states[SIDES]) {
    const struct backend_state *a = &states[SIDE_LEGACY];
    const struct backend_state *b = &states[SIDE_NEW];
    uint64_t both = a->attempts && b->attempts;
    return json_pack("{s:o, s:o, s:o}", "legacy",
                     leg_view(a->attempts, a->success_rate, a->p50_ms, a->p99_ms), "new",
                     leg_view(b->attempts, b->success_rate, b->p50_ms, b->p99_ms), "difference",
                     leg_view(both, b->success_rate - a->success_rate, b->p50_ms - a->p50_ms,
                              b->p99_ms - a->p99_ms));
}

/* null where the store does not tell. */
static json_t *transitions_view(const struct status_ask *ask) {
    if (ask->call.call.result != STORE_OK)
        return json_null();
    json_t *list = json_array();
    for (uint32_t i = 0; list && i < ask->call.ret_count; i++)
        json_array_append_new(list, view_transition(&ask->entries[i]));
    return list;
}

static json_t *store_view(struct proxy *proxy) {
    struct store_state s;
    store_state(proxy_store(proxy), &s);
    bool redis = proxy_conf(proxy)->store_kind == STORE_REDIS;
    json_t *json = json_pack("{s:s, s:b, s:b, s:I, s:I, s:I}", "kind", redis ? "redis" : "embedded",
                             "up", (int)s.up, "local", (int)s.local, "lost", (json_int_t)s.lost,
                             "forgot", (json_int_t)s.forgot, "published", (json_int_t)s.published);
    if (json && s.problem[0])
        json_object_set_new(json, "problem", view_text(s.problem));
    return json;
}

/* What lies on this instance's disk. In doubt is what is parked. */
static json_t *queue_view(struct proxy *proxy) {
    struct journal_state s;
    uint64_t now_us = clock_wall_us();
    journal_state(proxy_journal(proxy), &s);
    uint64_t pending = s.rows[ROW_QUEUED] + s.rows[ROW_SENDING];
    bool waits = s.oldest_wall_us && s.oldest_wall_us < now_us;
    double oldest_s = waits ? (double)(now_us - s.oldest_wall_us) / 1e6 : 0;
    json_t *json = json_pack(
        "{s:I, s:I, s:I, s:I, s:o, s:I, s:I, s:b, s:I}", "pending", (json_int_t)pending, "parked",
        (json_int_t)s.rows[ROW_PARKED], "dead", (json_int_t)s.rows[ROW_DEAD], "in_doubt",
        (json_int_t)s.rows[ROW_PARKED], "oldest_s", view_number(oldest_s, true), "bytes",
        (json_int_t)s.bytes, "max_bytes", (json_int_t)s.max_bytes, "accepting", (int)s.accepts,
        "damaged", (json_int_t)s.damaged);
    if (json && s.problem[0])
        json_object_set_new(json, "problem", view_text(s.problem));
    return json;
}

static json_t *load_view(struct proxy *proxy) {
    struct load_state s;
    proxy_load(proxy, &s);
    return json_pack("{s:I, s:I, s:I}", "waiting", (json_int_t)s.waiting, "refused",
                     (json_int_t)s.refused, "workers_refusing", (json_int_t)s.workers_refusing);
}

static json_t *control_view(const struct steering_state *s) {
    return json_pack("{s:b, s:o, s:b, s:b}", "invalid", (int)s->invalid, "problem",
                     s->invalid ? view_text(s->problem) : json_null(), "pending", (int)s->pending,
                     "known", (int)s->known);
}

static json_t *status_view(struct status_ask *ask) {
    struct proxy *proxy = ask->x->proxy;
    struct backend_state states[SIDES];
    struct steering_state steering;
    struct err why = {""};
    proxy_backend_state(proxy, SIDE_LEGACY, &states[SIDE_LEGACY]);
    proxy_backend_state(proxy, SIDE_NEW, &states[SIDE_NEW]);
    proxy_steering_state(proxy, &steering);
    bool ready = proxy_is_ready(proxy, &why);

    json_t *backends =
        json_pack("{s:o, s:o}", "legacy", backend_view(proxy, SIDE_LEGACY, &states[SIDE_LEGACY]),
                  "new", backend_view(proxy, SIDE_NEW, &states[SIDE_NEW]));
    json_t *instance = json_pack("{s:s, s:o, s:I, s:b, s:o}", "version", POINTSMAN_VERSION,
                                 "started", view_time(proxy_started_wall_us(proxy)), "workers",
                                 (json_int_t)proxy_conf(proxy)->workers, "ready", (int)ready,
                                 "not_ready_because", ready ? json_null() : view_text(why.text));
    return json_pack("{s:s, s:o, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "mode",
                     mode_names[steering.now.mode], "rollout_percentage",
                     view_percentage(steering.now.ppm), "epoch", (json_int_t)steering.now.epoch,
                     "store", store_view(proxy), "backends", backends, "performance",
                     performance_view(states), "queue", queue_view(proxy), "load", load_view(proxy),
                     "transitions", transitions_view(ask), "control", control_view(&steering),
                     "instance", instance);
}

/* "python_system_health", by configured names. */
static void add_system_health(json_t *json, struct proxy *proxy, enum side side,
                              const struct backend_state *s) {
    char key[256];
    snprintf(key, sizeof key, "%s_system_health", proxy_conf(proxy)->backends[side].name);
    if (json)
        json_object_set_new(json, key, json_string(health_names[s->health]));
}

static json_t *migration_view(struct status_ask *ask) {
    struct proxy *proxy = ask->x->proxy;
    struct backend_state states[SIDES];
    struct steering_state steering;
    proxy_backend_state(proxy, SIDE_LEGACY, &states[SIDE_LEGACY]);
    proxy_backend_state(proxy, SIDE_NEW, &states[SIDE_NEW]);
    proxy_steering_state(proxy, &steering);
    json_t *json =
        json_pack("{s:s, s:o, s:o, s:o}", "current_mode", mode_names[steering.now.mode],
                  "rollout_percentage", view_percentage(steering.now.ppm), "recent_transitions",
                  transitions_view(ask), "performance_comparison", performance_view(states));
    add_system_health(json, proxy, SIDE_LEGACY, &states[SIDE_LEGACY]);
    add_system_health(json, proxy, SIDE_NEW, &states[SIDE_NEW]);
    return json;
}

static void status_done(struct store_call *call) {
    struct status_ask *ask = call->arg;
    if (request_is_gone(ask->x))
        reply_problem(ask->x, 503, NULL, "pointsman stops");
    else
        reply_json(ask->x, 200, ask->migration ? migration_view(ask) : status_view(ask));
    free(ask);
}

static void status(struct request *x, bool migration) {
    struct status_ask *ask = calloc(1, sizeof *ask);
    if (!ask) {
        reply_problem(x, 503, NULL, "no memory");
        return;
    }
    ask->x = x;
    ask->migration = migration;
    ask->call.call.done = status_done;
    ask->call.call.arg = ask;
    ask->call.call.timeout_ms = STATUS_TIMEOUT_MS;
    ask->call.limit = TRANSITIONS;
    ask->call.changes = true;
    ask->call.ret_entries = ask->entries;
    store_audit(proxy_store_client(x->proxy), &ask->call);
}

void handle_status(struct request *x) {
    status(x, false);
}

void handle_migration_status(struct request *x) {
    status(x, true);
}

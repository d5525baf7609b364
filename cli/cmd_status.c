/* status: what this instance does now. */
#include <stdio.h>
#include <string.h>

#include <pointsman/domain.h>
#include <pointsman/router.h>

#include "api.h"
#include "show.h"
#include "table.h"

static void cell_number(struct table *t, const json_t *json, const char *name, double factor,
                        const char *unit) {
    const json_t *value = json_object_get(json, name);
    if (json_is_number(value))
        table_cell(t, "%.4g %s", json_number_value(value) * factor, unit);
    else
        table_cell(t, "–");
}

static void row_leg(struct table *t, const char *label, const char *name, const char *health,
                    const char *breaker, const json_t *leg) {
    table_cell(t, "%s", label);
    table_cell(t, "%s", name);
    table_cell(t, "%s", health);
    table_cell(t, "%s", breaker);
    table_count(t, (unsigned long long)api_int(leg, "attempts"));
    cell_number(t, leg, "success_rate", 100, "%");
    cell_number(t, leg, "p50_ms", 1, "ms");
    cell_number(t, leg, "p99_ms", 1, "ms");
}

static void show_backends(const json_t *backends) {
    static const char *const titles[] = {"BACKEND", "NAME", "HEALTH", "BREAKER",  "ATTEMPTS",
                                         "DONE",    "P50",  "P99",    "IN FLIGHT"};
    struct table t;
    const char *side;
    json_t *backend;
    table_init(&t, "llllrrrrr");
    for (unsigned i = 0; i < ARRAY_LEN(titles); i++)
        table_cell(&t, "%s", titles[i]);
    json_object_foreach((json_t *)backends, side, backend) {
        const json_t *shadow = json_object_get(backend, "shadow");
        row_leg(&t, side, api_text(backend, "name"), api_text(backend, "health"),
                api_text(backend, "breaker"), backend);
        table_count(&t, (unsigned long long)api_int(backend, "in_flight"));
        if (api_int(shadow, "attempts") == 0)
            continue;
        row_leg(&t, "  shadow", "", "", "", shadow);
        table_cell(&t, " ");
    }
    table_print(&t, stdout);
    json_object_foreach((json_t *)backends, side, backend) {
        if (strcmp(api_text(backend, "health"), health_names[HEALTH_GOOD]) != 0)
            printf("  %s is %s: %s\n", side, api_text(backend, "health"),
                   api_text(backend, "health_reason"));
        if (strcmp(api_text(backend, "breaker"), breaker_state_names[BREAKER_CLOSED]) != 0)
            printf("  %s's breaker is %s: %s\n", side, api_text(backend, "breaker"),
                   api_text(backend, "breaker_reason"));
    }
}

static void show_queue(const json_t *queue) {
    char pending[32];
    char doubt[32];
    char dead[32];
    char bytes[32];
    char max[32];
    count_print((unsigned long long)api_int(queue, "pending"), pending);
    count_print((unsigned long long)api_int(queue, "in_doubt"), doubt);
    count_print((unsigned long long)api_int(queue, "dead"), dead);
    show_bytes((double)api_int(queue, "bytes"), bytes);
    show_bytes((double)api_int(queue, "max_bytes"), max);
    printf("queue    %s pending", pending);
    if (api_int(queue, "pending"))
        printf(" (oldest %.0f s)", json_number_value(json_object_get(queue, "oldest_s")));
    printf(", %s in doubt, %s dead; %s of %s\n", doubt, dead, bytes, max);
}

static bool is(const json_t *json, const char *name) {
    return json_is_true(json_object_get(json, name));
}

static void show_warnings(const json_t *json) {
    const json_t *control = json_object_get(json, "control");
    const json_t *store = json_object_get(json, "store");
    const json_t *queue = json_object_get(json, "queue");
    const json_t *load = json_object_get(json, "load");
    const json_t *instance = json_object_get(json, "instance");
    if (is(control, "invalid"))
        printf("! what is set names nothing, the last good pair is in force: %s\n",
               api_text(control, "problem"));
    if (!is(control, "known"))
        printf("! the store was not read since the start: legacy_only until then\n");
    if (is(control, "pending"))
        printf("! the last move is in force here only and waits for the store\n");
    if (!is(store, "up"))
        printf("! the store is away: %s\n", api_text(store, "problem"));
    if (is(store, "local"))
        printf("! claims are by this instance alone (when_down: local)\n");
    if (api_int(load, "workers_refusing"))
        printf("! more requests come in than can be worked on: the excess is answered 503\n");
    if (!is(queue, "accepting"))
        printf("! the journal takes no new events: %s\n", api_text(queue, "problem"));
    else if (*api_text(queue, "problem"))
        printf("! the journal: %s\n", api_text(queue, "problem"));
    if (api_int(queue, "damaged"))
        printf("! %lld rows or files of the journal could not be read\n",
               (long long)api_int(queue, "damaged"));
    if (!is(instance, "ready"))
        printf("! not ready: %s\n", api_text(instance, "not_ready_because"));
}

int cmd_status(const struct args *args) {
    struct api_answer answer;
    bool over = false;
    if (!api_call(args, "GET", "/v1/status", NULL, &answer))
        return FAILED;
    int result = api_check(args, &answer, &over);
    if (over)
        return result;
    const json_t *json = answer.json;
    const json_t *store = json_object_get(json, "store");
    const json_t *instance = json_object_get(json, "instance");
    char started[32];
    char setting[96];
    show_when(instance, "started", started);
    show_setting(api_text(json, "mode"),
                 json_number_value(json_object_get(json, "rollout_percentage")), setting,
                 sizeof setting);
    printf("mode     %s (change %lld)\n", setting, (long long)api_int(json, "epoch"));
    printf("store    %s, %s\n", api_text(store, "kind"), is(store, "up") ? "up" : "away");
    show_queue(json_object_get(json, "queue"));
    printf("running  %s, %lld workers, since %s UTC\n", api_text(instance, "version"),
           (long long)api_int(instance, "workers"), started);
    show_warnings(json);
    printf("\n");
    show_backends(json_object_get(json, "backends"));
    const json_t *transitions = json_object_get(json, "transitions");
    if (json_array_size(transitions)) {
        printf("\n");
        show_transitions(transitions, stdout);
    }
    json_decref(answer.json);
    return DONE;
}

/* explain: why an event went where it went, or what the rules of now would do with an entity. */
#include <stdio.h>
#include <string.h>

#include <pointsman/domain.h>
#include <pointsman/steps.h>

#include "api.h"
#include "show.h"
#include "table.h"

/* The fraction of all buckets, as the percentage it is compared with. */
static double share_of(double bucket, double buckets) {
    return buckets > 0 ? bucket * 100 / buckets : 0;
}

/* `why` is the router's word for the rule. */
static void rule_sentence(const char *why, double bucket, double buckets, double percentage,
                          const char *mode, char *out, size_t cap) {
    double share = share_of(bucket, buckets);
    if (strcmp(why, "bucket") == 0)
        snprintf(out, cap, "its bucket %.0f of %.0f (%.4g %%) is %s %.10g %%", bucket, buckets,
                 share, share < percentage ? "below" : "not below", percentage);
    else if (strcmp(why, "mode") == 0)
        snprintf(out, cap, "mode %s alone decides", mode);
    else if (strcmp(why, "no_number") == 0)
        snprintf(out, cap, "it has no number, and bucket: modulo sends such to legacy");
    else
        snprintf(out, cap, "rule %s", why);
}

static void line(const char *label, const char *text) {
    printf("%-9s  %s\n", label, text);
}

/* What was decided when the event was claimed; all values are strings. */
static void show_decision(const json_t *json, double buckets) {
    const json_t *d = json_object_get(json, "decision");
    char rule[256];
    char text[512];
    double bucket = 0;
    double percentage = 0;
    if (json_object_size(d) == 0)
        return; /* only the journal knows it: it was never claimed */
    if (sscanf(api_text(d, "percentage"), "%lf", &percentage) != 1)
        percentage = 0;
    if (sscanf(api_text(d, "bucket"), "%lf", &bucket) != 1)
        bucket = 0;
    rule_sentence(api_text(d, "why"), bucket, buckets, percentage, api_text(d, "mode"), rule,
                  sizeof rule);
    snprintf(text, sizeof text, "mode %s at %.10g %% (change %s): %s", api_text(d, "mode"),
             percentage, api_text(d, "epoch"), rule);
    line(step_names[STEP_DECIDE], text);
}

static void show_leg(const char *side, const json_t *leg) {
    char text[512];
    char status[32] = "";
    if (!json_is_object(leg))
        return;
    if (json_is_integer(json_object_get(leg, "status")))
        snprintf(status, sizeof status, ", status %lld", (long long)api_int(leg, "status"));
    snprintf(text, sizeof text, "%s as %s: %s%s, attempt %lld, fence %lld", side,
             api_text(leg, "role"), api_text(leg, "state"), status,
             (long long)api_int(leg, "attempt"), (long long)api_int(leg, "fence"));
    line(step_names[STEP_FORWARD], text);
}

static void show_owner(const json_t *json) {
    const json_t *owner = json_object_get(json, "owner");
    char until[32];
    if (!json_is_object(owner))
        return;
    show_when(owner, "sticky_until", until);
    bool stays = json_is_string(json_object_get(owner, "sticky_until"));
    printf("%-9s  %s has %s: %lld attempts open, %s%s%s\n", "owner", api_text(owner, "owner"),
           api_text(json, "entity"), (long long)api_int(owner, "open"),
           stays ? "stays until " : "free when none is", stays ? until : "", stays ? " UTC" : "");
}

static void show_now(const json_t *json) {
    const json_t *now = json_object_get(json, "now");
    char rule[256];
    char text[768];
    if (!json_is_object(now)) {
        line("now", "decided by event id (rollout.key: event), not by entity");
        return;
    }
    rule_sentence(api_text(now, "why"), (double)api_int(now, "bucket"),
                  (double)api_int(now, "buckets"),
                  json_number_value(json_object_get(now, "percentage")), api_text(now, "mode"),
                  rule, sizeof rule);
    snprintf(text, sizeof text, "a new event would go to %s%s%s: %s", api_text(now, "backend"),
             json_is_true(json_object_get(now, "shadow")) ? " and, as shadow, to the other" : "",
             strcmp(api_text(now, "why"), "mode") == 0 ? "" : ", unless pinned or owned", rule);
    line("now", text);
}

/* What this instance's disk has of it. */
static void show_journal(const json_t *json) {
    const json_t *row = json_object_get(json, "journal");
    const char *backend = api_text(row, "backend");
    char text[512];
    char at[32];
    char due[64] = "";
    if (!json_is_object(row))
        return;
    show_when(row, "at", at);
    if (*api_text(row, "due")) {
        char when[32];
        show_when(row, "due", when);
        snprintf(due, sizeof due, ", due at %s UTC", when);
    }
    snprintf(text, sizeof text, "%s (%s) since %s UTC, %s%s, %lld tries%s", api_text(row, "state"),
             api_text(row, "reason"), at, *backend ? "for " : "for no backend yet", backend,
             (long long)api_int(row, "tries"), due);
    line("journal", text);
}

static void show_event(const json_t *json) {
    const json_t *legs = json_object_get(json, "legs");
    char at[32];
    char text[1024];
    show_when(json, "at", at);
    snprintf(text, sizeof text, "event %s of source %s, about %s", api_text(json, "event"),
             api_text(json, "source"), api_text(json, "entity"));
    line(step_names[STEP_IDENTIFY], text);
    show_decision(json, (double)api_int(json_object_get(json, "now"), "buckets"));
    snprintf(text, sizeof text, "first at %s UTC%s%s", at,
             *api_text(json, "pin") ? "; pinned to " : "", api_text(json, "pin"));
    line(step_names[STEP_CLAIM], text);
    for (unsigned side = 0; side < SIDES; side++)
        show_leg(side_names[side], json_object_get(legs, side_names[side]));
    show_journal(json);
    show_owner(json);
    show_now(json);
}

static void show_entity(const json_t *json, bool known) {
    if (known)
        show_owner(json);
    else
        printf("Neither an event nor an owner of \"%s\" is on record. As an entity:\n",
               api_text(json, "entity"));
    show_now(json);
}

static bool ask(const struct args *args, const char *prefix, struct api_answer *ret) {
    struct buf path;
    buf_init(&path, 8192);
    bool ok = false;
    if (api_path(&path, prefix, args->words[0], "") && api_path_source(&path, args))
        ok = api_call(args, "GET", buf_at(&path), NULL, ret);
    else
        fprintf(stderr, "pointsman: \"%.40s…\" is too long\n", args->words[0]);
    buf_free(&path);
    return ok;
}

int cmd_explain(const struct args *args) {
    struct api_answer answer;
    bool over = false;
    bool by_id = strlen(args->words[0]) <= EVENT_ID_MAX;
    if (by_id && !ask(args, "/v1/events/", &answer))
        return FAILED;
    if (by_id && answer.status == 404) {
        json_decref(answer.json);
        by_id = false;
    }
    if (!by_id && !ask(args, "/v1/entities/", &answer))
        return FAILED;
    /* nothing on record fails, though what would be is told all the same */
    bool known = by_id || json_is_object(json_object_get(answer.json, "owner"));
    int result = api_check(args, &answer, &over);
    if (!over && by_id)
        show_event(answer.json);
    else if (!over)
        show_entity(answer.json, known);
    if (!over)
        json_decref(answer.json);
    return known ? result : FAILED;
}

/* Changes of mode and percentage: what was asked for goes to the proxy, its answer to the client.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fields.h"
#include "handlers.h"
#include "request.h"
#include "view.h"

struct change_ask {
    struct change change;
    struct request *x;
    bool migration; /* answer as Story 8.3 words it … */
    bool rollback;  /* … which names the mode once more there */
};

/* What every change allows; mode is a member or part of the path. */
static const char *const with_mode[] = {"mode", "percentage", "reason", "force", NULL};
static const char *const without_mode[] = {"percentage", "reason", "force", NULL};
static const char *const reason_only[] = {"reason", NULL};

static json_t *change_view(const struct change_ask *ask) {
    struct steering_state steering;
    const struct control *now = &ask->change.now;
    if (ask->migration) {
        json_t *json = json_pack("{s:b, s:s}", "success", 1, "new_mode", mode_names[now->mode]);
        if (json && ask->rollback)
            json_object_set_new(json, "mode", json_string(mode_names[now->mode]));
        return json;
    }
    proxy_steering_state(ask->x->proxy, &steering);
    return json_pack("{s:s, s:o, s:I, s:b}", "mode", mode_names[now->mode], "rollout_percentage",
                     view_percentage(now->ppm), "epoch", (json_int_t)now->epoch, "pending",
                     (int)steering.pending);
}

static void change_done(struct change *change) {
    struct change_ask *ask = change->arg;
    struct request *x = ask->x;
    json_t *members = ask->migration ? json_pack("{s:b}", "success", 0) : NULL;
    if (request_is_gone(x))
        reply_problem(x, 503, members, "pointsman stops");
    else if (change->result == CHANGE_REFUSED)
        reply_problem(x, 409, members, "%s", change->err.text);
    else if (change->result == CHANGE_FAILED)
        reply_problem(x, 503, members, "%s", change->err.text);
    else {
        json_decref(members);
        reply_json(x, 200, change_view(ask));
    }
    free(ask);
}

static bool mode_of(const struct request *x, const char *text, enum mode *ret, struct err *err) {
    const struct conf *conf = proxy_conf(x->proxy);
    if (mode_parse(slice_of(text), conf, ret))
        return true;
    err_set(err,
            "\"%.64s\" is no mode; allowed are legacy_only (%s_only), new_only (%s_only), "
            "parallel, gradual, emergency_rollback",
            text, conf->backends[SIDE_LEGACY].name, conf->backends[SIDE_NEW].name);
    return false;
}

static bool change_fill(struct change_ask *ask, const json_t *fields, struct err *err) {
    struct change *c = &ask->change;
    return field_text(fields, "reason", c->reason, sizeof c->reason, err) &&
           field_bool(fields, "force", &c->force, err) &&
           field_percentage(fields, "percentage", &c->has_ppm, &c->ppm, err);
}

static struct change_ask *change_ask_new(struct request *x) {
    struct change_ask *ask = calloc(1, sizeof *ask);
    if (!ask)
        return NULL;
    ask->x = x;
    ask->change.arg = ask;
    ask->change.done = change_done;
    snprintf(ask->change.actor, sizeof ask->change.actor, "%s", x->from_cli ? "cli" : "api");
    return ask;
}

/* Force does not help here: it says how to move, not where to. */
static bool lacks_percentage(const struct change_ask *ask) {
    struct steering_state steering;
    if (ask->change.keep_mode || ask->change.has_ppm || ask->change.mode != MODE_GRADUAL)
        return false;
    proxy_steering_state(ask->x->proxy, &steering);
    return steering.now.ppm == 0;
}

static void change_submit(struct change_ask *ask) {
    struct change *c = &ask->change;
    if (lacks_percentage(ask)) {
        reply_problem(ask->x, 409, ask->migration ? json_pack("{s:b}", "success", 0) : NULL,
                      "gradual needs a percentage while it is 0");
        free(ask);
        return;
    }
    if (!c->reason[0])
        snprintf(c->reason, sizeof c->reason, "manual");
    proxy_change(ask->x->proxy, c);
}

/* `mode_text`: NULL where the mode is a member. */
static void change_mode(struct request *x, bool migration, const char *mode_text,
                        const char *const *allowed) {
    struct err err = {""};
    json_t *fields = NULL;
    char member[256] = "";
    struct change_ask *ask = change_ask_new(x);
    if (!ask) {
        reply_problem(x, 503, NULL, "no memory");
        return;
    }
    ask->migration = migration;
    ask->rollback = allowed == reason_only;
    bool ok = (migration ? fields_of_query(x, allowed, &fields, &err)
                         : fields_of_body(x, allowed, &fields, &err)) &&
              change_fill(ask, fields, &err) &&
              field_text(fields, "mode", member, sizeof member, &err) &&
              mode_of(x, mode_text ? mode_text : member, &ask->change.mode, &err);
    json_decref(fields);
    if (!ok) {
        reply_problem(x, 400, migration ? json_pack("{s:b}", "success", 0) : NULL, "%s", err.text);
        free(ask);
        return;
    }
    change_submit(ask);
}

void handle_mode(struct request *x) {
    change_mode(x, false, NULL, with_mode);
}

void handle_migration_mode(struct request *x) {
    change_mode(x, true, x->arg, without_mode);
}

void handle_rollback(struct request *x) {
    change_mode(x, false, mode_names[MODE_EMERGENCY_ROLLBACK], reason_only);
}

void handle_migration_rollback(struct request *x) {
    change_mode(x, true, mode_names[MODE_EMERGENCY_ROLLBACK], reason_only);
}

void handle_rollout(struct request *x) {
    struct err err = {""};
    json_t *fields = NULL;
    struct change_ask *ask = change_ask_new(x);
    if (!ask) {
        reply_problem(x, 503, NULL, "no memory");
        return;
    }
    ask->change.keep_mode = true;
    bool ok = fields_of_body(x, without_mode, &fields, &err) && change_fill(ask, fields, &err);
    json_decref(fields);
    if (ok && !ask->change.has_ppm) {
        err_set(&err, "\"percentage\" is missing");
        ok = false;
    }
    if (!ok) {
        reply_problem(x, 400, NULL, "%s", err.text);
        free(ask);
        return;
    }
    change_submit(ask);
}

/* Shows what the store keeps of an event or entity, and where its next event would go by the rules
 * of now. */
#include "record_view.h"

#include <stdio.h>
#include <string.h>

#include <pointsman/router.h>

#include "view.h"

static json_t *leg_view(const struct store_leg *leg) {
    if (leg->state == LEG_ABSENT)
        return json_null();
    return json_pack("{s:s, s:s, s:I, s:I, s:o, s:o}", "state", leg_state_names[leg->state], "role",
                     role_names[leg->role], "attempt", (json_int_t)leg->attempt, "fence",
                     (json_int_t)leg->fence, "status",
                     leg->status ? json_integer(leg->status) : json_null(), "until",
                     view_time(leg->until_wall_us));
}

/* "mode=gradual percentage=25 …" as an object of strings. */
static json_t *why_view(const char *why) {
    json_t *json = json_object();
    char key[64];
    char value[256];
    int used = 0;
    while (json && sscanf(why, " %63[^= ]=%255s%n", key, value, &used) == 2) {
        json_object_set_new(json, key, view_text(value));
        why += used;
    }
    return json;
}

/* The identity that the entity's text allows: owner/repository#number, as GitHub sources make it.
 */
static void identity_of(const char *entity, struct identity *ret) {
    struct identity id;
    memset(&id, 0, sizeof id);
    snprintf(id.entity, sizeof id.entity, "%s", entity);
    const char *slash = strchr(entity, '/');
    const char *hash = strrchr(entity, '#');
    if (slash) {
        int repository = hash ? (int)(hash - entity) : (int)strlen(entity);
        snprintf(id.repository, sizeof id.repository, "%.*s", repository, entity);
        snprintf(id.owner, sizeof id.owner, "%.*s", (int)(slash - entity), entity);
    }
    if (hash)
        id.has_number = slice_to_u64(slice_of(hash + 1), &id.number);
    *ret = id;
}

/* By mode, percentage and bucket of now; pin and owner of the entity come before it (DESIGN §3).
 * With rollout.key: event the id decides, which an entity does not have. */
static json_t *rule_view(struct proxy *proxy, const char *entity, const char *id) {
    const struct conf *conf = proxy_conf(proxy);
    struct steering_state steering;
    struct identity identity;
    if (conf->key == KEY_EVENT && !id)
        return json_null();
    identity_of(entity, &identity);
    if (id)
        snprintf(identity.id, sizeof identity.id, "%s", id);
    proxy_steering_state(proxy, &steering);
    struct decision d = decide(conf, &steering.now, &identity);
    return json_pack("{s:s, s:b, s:s, s:o, s:i, s:s, s:o}", "backend", side_name(d.side), "shadow",
                     (int)d.shadow, "why", why_names[d.why], "bucket",
                     d.bucket == BUCKET_NONE ? json_null() : json_integer(d.bucket), "buckets",
                     conf->bucket == BUCKET_MODULO ? 100 : (int)PPM_ALL, "mode",
                     mode_names[steering.now.mode], "percentage",
                     view_percentage(steering.now.ppm));
}

static json_t *entity_view(const struct store_look *look) {
    if (!look || !look->ret_has_entity)
        return json_null();
    return json_pack("{s:s, s:I, s:I, s:o, s:o}", "owner", side_name(look->ret_owner), "fence",
                     (json_int_t)look->ret_fence, "open", (json_int_t)look->ret_open, "lease_until",
                     view_time(look->ret_open ? look->ret_lease_wall_us : 0), "sticky_until",
                     view_time(look->ret_stick_wall_us));
}

json_t *record_event_view(struct proxy *proxy, const char *source, const char *id,
                          const struct store_look *look) {
    json_t *pin = look->ret_pin == SIDE_NONE ? json_null() : json_string(side_name(look->ret_pin));
    json_t *legs = json_pack("{s:o, s:o}", "legacy", leg_view(&look->ret_legs[SIDE_LEGACY]), "new",
                             leg_view(&look->ret_legs[SIDE_NEW]));
    return json_pack("{s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:s, s:o, s:o}", "event", view_text(id),
                     "source", source, "entity", view_text(look->ret_entity), "at",
                     view_time(look->ret_at_wall_us), "pin", pin, "legs", legs, "decision",
                     why_view(look->ret_why), "body_digest", look->ret_digest, "owner",
                     entity_view(look), "now", rule_view(proxy, look->ret_entity, id));
}

json_t *record_entity_view(struct proxy *proxy, const char *source, const char *entity,
                           const struct store_look *look) {
    return json_pack("{s:o, s:o, s:o, s:o}", "entity", view_text(entity), "source",
                     source ? json_string(source) : json_null(), "owner", entity_view(look), "now",
                     rule_view(proxy, entity, NULL));
}

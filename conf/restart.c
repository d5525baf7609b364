/* What a reload cannot change. */
#include "options.h"

static bool same_text(const char *a, const char *b) {
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_address(const struct conf_address *a, const struct conf_address *b) {
    return a->port == b->port && same_text(a->host, b->host);
}

static bool same_redis(const struct conf *a, const struct conf *b) {
    return same_text(a->redis.text, b->redis.text) && same_text(a->redis_user, b->redis_user) &&
           same_text(a->redis_password, b->redis_password);
}

static bool same_value(const struct option *o, const struct conf *now, const struct conf *next) {
    const void *a = (const char *)now + o->offset;
    const void *b = (const char *)next + o->offset;
    switch (o->type) {
    case OPTION_TEXT:
    case OPTION_TOKEN:
        return same_text(*(char *const *)a, *(char *const *)b);
    case OPTION_ADDRESS:
        return same_address(a, b);
    case OPTION_REDIS:
        return same_redis(now, next);
    default: /* numbers, words, flags */
        return memcmp(a, b, o->width) == 0;
    }
}

const char *conf_needs_restart(const struct conf *now, const struct conf *next) {
    for (size_t i = 0; i < option_count; i++) {
        const struct option *o = &options[i];
        /* those of a list have offsets of their own */
        if (o->effect == EFFECT_RESTART && !strchr(o->path, '[') && !same_value(o, now, next))
            return o->path;
    }
    bool same = now->listener_count == next->listener_count;
    for (size_t i = 0; same && i < now->listener_count; i++)
        same = same_address(&now->listeners[i], &next->listeners[i]);
    return same ? NULL : "listeners";
}

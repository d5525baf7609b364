/* Keeps what the clients of one process share about Redis. */
#include "redis_shared.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pointsman/clock.h>
#include <pointsman/digest.h>

#include "control_text.h"
#include "redis_lua.h"

static bool copy_text(char **to, const char *from) {
    *to = from ? strdup(from) : NULL;
    return !from || *to;
}

struct redis_shared *redis_shared_new(const struct conf *conf, struct err *err) {
    const char *prefix = conf->redis_prefix ? conf->redis_prefix : "pointsman:";
    struct redis_shared *s = calloc(1, sizeof(*s));
    if (!s) {
        err_set(err, "no memory for the Redis store");
        return NULL;
    }
    pthread_mutex_init(&s->lock, NULL);
    if (strlen(prefix) >= sizeof(s->names.prefix)) {
        err_set(err, "store.redis.prefix has %zu bytes, at most %zu are allowed", strlen(prefix),
                sizeof(s->names.prefix) - 1);
        goto failed;
    }
    control_copy(slice_of(prefix), s->names.prefix, sizeof(s->names.prefix));
    snprintf(s->names.version, sizeof(s->names.version), "%08x",
             (unsigned)digest_xxh3(redis_lua_text, strlen(redis_lua_text), 0));
    memcpy(s->names.instance, token_new().text, sizeof(s->names.instance));
    s->names.remember_ms = conf->remember_ms;
    s->names.sticky_ms = conf->sticky_ms;
    s->db = conf->redis_db;
    s->away_since_us = clock_mono_us();
    s->known = known_new();
    if (!s->known || !copy_text(&s->user, conf->redis_user) ||
        !copy_text(&s->password, conf->redis_password)) {
        err_set(err, "no memory for the Redis store");
        goto failed;
    }
    s->place = redis_place_new(conf->redis.host, conf->redis.port, err);
    if (!s->place)
        goto failed;
    return s;
failed:
    redis_shared_free(s);
    return NULL;
}

void redis_shared_free(struct redis_shared *s) {
    if (!s)
        return;
    failover_free(s->failover);
    redis_place_free(s->place);
    known_free(s->known);
    free(s->user);
    free(s->password);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

bool redis_shared_is_up(const struct redis_shared *s) {
    return atomic_load_explicit(&s->ready, memory_order_relaxed) > 0 && !redis_shared_troubled(s) &&
           clock_mono_us() >= atomic_load_explicit(&s->hold_end_us, memory_order_relaxed);
}

void redis_shared_state(struct redis_shared *s, struct store_state *ret) {
    uint64_t now_us = clock_mono_us();
    ret->local = s->failover && failover_is_local(s->failover);
    pthread_mutex_lock(&s->lock);
    bool held = now_us < s->hold_end_us;
    ret->up = s->ready && !held && !s->problem[0];
    ret->held = s->ready && held && !s->problem[0];
    ret->forgot = s->forgot;
    ret->lost = s->lost;
    ret->published = s->published;
    if (s->problem[0])
        memcpy(ret->problem, s->problem, sizeof(ret->problem));
    else if (!s->ready)
        snprintf(ret->problem, sizeof(ret->problem), "not connected yet");
    else if (held)
        snprintf(ret->problem, sizeof(ret->problem),
                 "the store forgot or is new: claims are held for %llu ms",
                 (unsigned long long)((s->hold_end_us - now_us + 999) / 1000));
    pthread_mutex_unlock(&s->lock);
}

void redis_shared_ready(struct redis_shared *s, bool ready) {
    pthread_mutex_lock(&s->lock);
    s->ready += ready ? 1 : (unsigned)-1;
    if (!s->ready)
        s->away_since_us = clock_mono_us();
    pthread_mutex_unlock(&s->lock);
}

uint64_t redis_shared_away_us(struct redis_shared *s, uint64_t now_us) {
    pthread_mutex_lock(&s->lock);
    uint64_t away_us = s->ready || now_us < s->away_since_us ? 0 : now_us - s->away_since_us;
    pthread_mutex_unlock(&s->lock);
    return away_us;
}

void redis_shared_published(struct redis_shared *s, uint64_t published, uint64_t lost) {
    pthread_mutex_lock(&s->lock);
    s->published += published;
    s->lost += lost;
    pthread_mutex_unlock(&s->lock);
}

void redis_shared_problem(struct redis_shared *s, const char *text, size_t len) {
    pthread_mutex_lock(&s->lock);
    control_copy(slice(text, len), s->problem, sizeof(s->problem));
    atomic_store_explicit(&s->troubled, len > 0, memory_order_relaxed);
    pthread_mutex_unlock(&s->lock);
}

bool redis_shared_troubled(const struct redis_shared *s) {
    return atomic_load_explicit(&s->troubled, memory_order_relaxed);
}

bool redis_shared_met(struct redis_shared *s, const char *incarnation, uint64_t hold_ms) {
    pthread_mutex_lock(&s->lock);
    if (strcmp(s->incarnation, incarnation) != 0) {
        s->forgot += s->incarnation[0] != '\0';
        control_copy(slice_of(incarnation), s->incarnation, sizeof(s->incarnation));
    }
    s->hold_end_us = hold_ms ? clock_mono_us() + hold_ms * 1000 : 0;
    bool missing = strcmp(s->put_back, incarnation) != 0;
    pthread_mutex_unlock(&s->lock);
    return missing;
}

void redis_shared_put_back(struct redis_shared *s, const char *incarnation, uint64_t written,
                           uint64_t left) {
    pthread_mutex_lock(&s->lock);
    s->lost += written;
    if (strcmp(s->put_back, incarnation) != 0) {
        s->lost += left;
        control_copy(slice_of(incarnation), s->put_back, sizeof(s->put_back));
    }
    pthread_mutex_unlock(&s->lock);
}

bool redis_shared_warn_once(struct redis_shared *s) {
    pthread_mutex_lock(&s->lock);
    bool first = !s->warned;
    s->warned = true;
    pthread_mutex_unlock(&s->lock);
    return first;
}

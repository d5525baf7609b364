/* A hash table of legs by token and side, and their order of last change. */
#include "known.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <pointsman/clock.h>

#define KNOWN_BUCKETS 16384

struct entry {
    struct entry *chain;         /* of its bucket */
    struct entry *older, *newer; /* of its list */
    bool ended;                  /* which list */
    bool unsaid;                 /* the store has not said yet that it has the outcome */
    enum side side;
    uint64_t at_wall_us;
    uint64_t lease_end_us; /* monotonic, as is stick_end_us */
    uint64_t stick_end_us;
    struct leg_record leg;
    size_t source_len, id_len, entity_len;
    char text[]; /* source, id, entity */
};

struct ends {
    struct entry *oldest, *newest;
    size_t count;
};

struct known {
    pthread_mutex_t lock;
    struct ends lists[2]; /* open, ended */
    uint64_t left;
    struct entry *buckets[KNOWN_BUCKETS];
};

struct known *known_new(void) {
    struct known *known = calloc(1, sizeof(*known));
    if (known)
        pthread_mutex_init(&known->lock, NULL);
    return known;
}

/* Tokens are random: their first digits are a hash. */
static struct entry **bucket(struct known *known, const char *token) {
    uint64_t hash = 0;
    for (int i = 0; i < 16; i++)
        hash = hash * 31 + (unsigned char)token[TOKEN_LEN - 1 - i];
    return &known->buckets[hash % KNOWN_BUCKETS];
}

static struct entry *find(struct known *known, const char *token, enum side side) {
    struct entry *e = *bucket(known, token);
    while (e && !(e->side == side && memcmp(e->leg.token, token, TOKEN_LEN) == 0))
        e = e->chain;
    return e;
}

static void list_remove(struct known *known, struct entry *e) {
    struct ends *ends = &known->lists[e->ended];
    *(e->older ? &e->older->newer : &ends->oldest) = e->newer;
    *(e->newer ? &e->newer->older : &ends->newest) = e->older;
    ends->count--;
}

static void list_append(struct known *known, struct entry *e, bool ended) {
    struct ends *ends = &known->lists[ended];
    e->ended = ended;
    e->newer = NULL;
    e->older = ends->newest;
    *(e->older ? &e->older->newer : &ends->oldest) = e;
    ends->newest = e;
    ends->count++;
}

static void entry_free(struct known *known, struct entry *e) {
    struct entry **at = bucket(known, e->leg.token);
    while (*at != e)
        at = &(*at)->chain;
    *at = e->chain;
    list_remove(known, e);
    free(e);
}

void known_free(struct known *known) {
    if (!known)
        return;
    for (int ended = 0; ended < 2; ended++) {
        while (known->lists[ended].oldest)
            entry_free(known, known->lists[ended].oldest);
    }
    pthread_mutex_destroy(&known->lock);
    free(known);
}

/* NULL: no memory; then the leg can not be put back, which is what `left` counts. */
static struct entry *entry_new(struct known *known, struct slice source, struct slice id,
                               struct slice entity, enum side side, const char *token) {
    struct entry *e = calloc(1, sizeof(*e) + source.len + id.len + entity.len + 1);
    if (!e) {
        known->left++;
        return NULL;
    }
    e->side = side;
    e->at_wall_us = clock_wall_us();
    e->source_len = source.len;
    e->id_len = id.len;
    e->entity_len = entity.len;
    if (source.len)
        memcpy(e->text, source.ptr, source.len);
    if (id.len)
        memcpy(e->text + source.len, id.ptr, id.len);
    if (entity.len)
        memcpy(e->text + source.len + id.len, entity.ptr, entity.len);
    memcpy(e->leg.token, token, TOKEN_LEN);
    struct entry **at = bucket(known, token);
    e->chain = *at;
    *at = e;
    return e;
}

static void claimed(struct known *known, const struct store_claim *c, enum side side,
                    enum role role) {
    if (find(known, c->token.text, side))
        return;
    struct entry *e = entry_new(known, c->source, c->id, c->entity, side, c->token.text);
    if (!e)
        return;
    e->lease_end_us = c->ret_until_us;
    e->leg.state = LEG_IN_FLIGHT;
    e->leg.role = role;
    e->leg.on_disk = role == ROLE_OWNER && c->on_disk;
    e->leg.attempt = role == ROLE_OWNER ? c->ret_attempt : 1;
    e->leg.fence = c->ret_fence;
    list_append(known, e, false);
}

void known_claimed(struct known *known, const struct store_claim *call) {
    pthread_mutex_lock(&known->lock);
    claimed(known, call, call->ret_side, ROLE_OWNER);
    if (call->ret_shadow)
        claimed(known, call, side_other(call->ret_side), ROLE_SHADOW);
    pthread_mutex_unlock(&known->lock);
}

void known_renewed(struct known *known, const struct store_renew *call) {
    pthread_mutex_lock(&known->lock);
    struct entry *e = find(known, call->token.text, call->side);
    if (e && call->ret_until_us > e->lease_end_us)
        e->lease_end_us = call->ret_until_us;
    if (e && call->on_disk)
        e->leg.on_disk = true;
    pthread_mutex_unlock(&known->lock);
}

void known_finished(struct known *known, const struct store_finish *c) {
    pthread_mutex_lock(&known->lock);
    struct entry *e = find(known, c->token.text, c->side);
    if (!e && c->outcome != OUTCOME_UNSENT) {
        e = entry_new(known, c->source, c->id, c->entity, c->side, c->token.text);
        if (e) {
            e->leg.role = c->role;
            e->leg.attempt = c->attempt;
            e->leg.fence = c->fence;
            list_append(known, e, true);
        }
    } else if (e) {
        bool final = e->leg.state != LEG_IN_FLIGHT && e->leg.state != LEG_IN_DOUBT;
        list_remove(known, e);
        list_append(known, e, true);
        e = final ? NULL : e;
    }
    if (e) {
        e->leg.state = record_state_of(c->outcome);
        e->leg.status = c->status;
        e->unsaid = true;
        e->stick_end_us = c->sticky_ms ? clock_mono_us() + c->sticky_ms * 1000 : 0;
    }
    while (known->lists[true].count > KNOWN_ENDED_MAX) {
        entry_free(known, known->lists[true].oldest);
        known->left++;
    }
    pthread_mutex_unlock(&known->lock);
}

void known_kept(struct known *known, const struct store_finish *c) {
    pthread_mutex_lock(&known->lock);
    struct entry *e = find(known, c->token.text, c->side);
    if (e)
        e->unsaid = false;
    pthread_mutex_unlock(&known->lock);
}

void known_dropped(struct known *known, struct slice source, struct slice id, enum side side,
                   const char *token) {
    pthread_mutex_lock(&known->lock);
    struct entry *e = find(known, token, side);
    if (e && slice_eq(source, slice(e->text, e->source_len)) &&
        slice_eq(id, slice(e->text + e->source_len, e->id_len)))
        entry_free(known, e);
    pthread_mutex_unlock(&known->lock);
}

static uint64_t ms_until(uint64_t end_us, uint64_t now_us) {
    return end_us > now_us ? (end_us - now_us + 999) / 1000 : 0;
}

static struct slice put_text(char **at, struct slice from) {
    if (from.len)
        memcpy(*at, from.ptr, from.len);
    *at += from.len;
    return slice(*at - from.len, from.len);
}

struct known_copy *known_copy_new(struct slice source, struct slice id, struct slice entity) {
    struct known_copy *copy = calloc(1, sizeof(*copy) + source.len + id.len + entity.len + 1);
    if (!copy)
        return NULL;
    copy->kept = true;
    char *at = copy->text;
    copy->call.source = put_text(&at, source);
    copy->call.id = put_text(&at, id);
    copy->call.entity = put_text(&at, entity);
    return copy;
}

static struct known_copy *copy_one(const struct entry *e, uint64_t now_us) {
    struct slice source = slice(e->text, e->source_len);
    struct slice id = slice(e->text + e->source_len, e->id_len);
    struct slice entity = slice(e->text + e->source_len + e->id_len, e->entity_len);
    struct known_copy *copy = known_copy_new(source, id, entity);
    if (!copy)
        return NULL;
    struct store_assert *c = &copy->call;
    c->side = e->side;
    c->pin = e->leg.role == ROLE_OWNER ? e->side : side_other(e->side);
    c->at_wall_us = e->at_wall_us;
    c->leg = e->leg;
    copy->kept = !e->unsaid;
    c->lease_left_ms = ms_until(e->lease_end_us, now_us);
    c->stick_left_ms = ms_until(e->stick_end_us, now_us);
    return copy;
}

bool known_copy(struct known *known, struct known_copy **ret, uint64_t *ret_left) {
    uint64_t now_us = clock_mono_us();
    struct known_copy *list = NULL, **end = &list;
    bool ok = true;
    pthread_mutex_lock(&known->lock);
    for (int ended = 1; ended >= 0; ended--) {
        for (struct entry *e = known->lists[ended].oldest; e && ok; e = e->newer) {
            *end = copy_one(e, now_us);
            ok = *end != NULL;
            if (ok)
                end = &(*end)->next;
        }
    }
    uint64_t left = known->left;
    pthread_mutex_unlock(&known->lock);
    if (!ok) {
        known_copy_free(list);
        return false;
    }
    *ret = list;
    *ret_left = left;
    return true;
}

void known_copy_free(struct known_copy *list) {
    while (list) {
        struct known_copy *next = list->next;
        free(list);
        list = next;
    }
}

void known_forget_left(struct known *known) {
    pthread_mutex_lock(&known->lock);
    known->left = 0;
    pthread_mutex_unlock(&known->lock);
}

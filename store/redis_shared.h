/* What the clients of one process share about Redis: where it is, what was learned of it, what is
 * known. Layer: store. */
#ifndef POINTSMAN_STORE_REDIS_SHARED_H
#define POINTSMAN_STORE_REDIS_SHARED_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <pointsman/compiler.h>
#include <pointsman/conf.h>
#include <pointsman/err.h>
#include <pointsman/store.h>

#include "failover.h"
#include "known.h"
#include "redis_cmd.h"
#include "redis_place.h"

struct redis_shared {
    struct redis_place *place;
    struct known *known;
    struct redis_names names; /* this and the next three never change */
    char *user;
    char *password;
    uint32_t db;
    struct failover *failover;               /* when_down: local; else NULL */
    pthread_mutex_t lock;                    /* what follows; atomics are read without it */
    char incarnation[REDIS_INCARNATION_MAX]; /* the last that any client saw; empty: none yet */
    char put_back[REDIS_INCARNATION_MAX];    /* the incarnation that has what is known */
    _Atomic unsigned ready;                  /* clients whose connection is */
    uint64_t away_since_us;                  /* monotonic: when the last of them left */
    _Atomic uint64_t hold_end_us;            /* monotonic: claims are held until then */
    uint64_t forgot;
    uint64_t lost;
    uint64_t published;
    bool warned;
    char problem[160];
    _Atomic bool troubled; /* there is a problem */
};

MUST_CHECK struct redis_shared *redis_shared_new(const struct conf *conf, struct err *err);
void redis_shared_free(struct redis_shared *s); /* NULL is allowed */
/* Whether a claim has a chance in Redis; no lock. */
bool redis_shared_is_up(const struct redis_shared *s);
void redis_shared_state(struct redis_shared *s, struct store_state *ret);

/* How long no client has been ready; 0: one is. */
uint64_t redis_shared_away_us(struct redis_shared *s, uint64_t now_us);
/* A client came to or left the ready state. */
void redis_shared_ready(struct redis_shared *s, bool ready);
/* Empty: there is none any more. */
void redis_shared_problem(struct redis_shared *s, const char *text, size_t len);
bool redis_shared_troubled(const struct redis_shared *s);
/* A greeting named the incarnation. True: what is known must be put back first. */
MUST_CHECK bool redis_shared_met(struct redis_shared *s, const char *incarnation, uint64_t hold_ms);
/* It was: `written` legs were missing. */
void redis_shared_put_back(struct redis_shared *s, const char *incarnation, uint64_t written,
                           uint64_t left);
void redis_shared_published(struct redis_shared *s, uint64_t published, uint64_t lost);
/* True for the first to ask. */
MUST_CHECK bool redis_shared_warn_once(struct redis_shared *s);

#endif

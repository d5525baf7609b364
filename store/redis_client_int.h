/* The inside of a client, for the files that make it up. Layer: store.
 *
 *   AWAY ──back-off──▶ CONNECTING ──▶ GREETING ──▶ PUTTING_BACK ──▶ PUBLISHING ──▶ READY
 *    ▲                                   ▲            forgotten        local mode's  │ forgot,
 * functions gone └──── connection lost, refused ─────┴───────────────────────────────────────────┘
 *
 * A call is either in `waiting` (to be sent when READY) or in flight. Every command in flight has a
 * place in the ring, in the order sent: Redis answers in that order. */
#ifndef POINTSMAN_STORE_REDIS_CLIENT_INT_H
#define POINTSMAN_STORE_REDIS_CLIENT_INT_H

#include <stdbool.h>
#include <stdint.h>

#include <pointsman/buf.h>
#include <pointsman/compiler.h>
#include <pointsman/loop.h>
#include <pointsman/store.h>

#include "embedded.h"
#include "embedded_export.h"
#include "known.h"
#include "redis_client.h"
#include "redis_cmd.h"
#include "redis_link.h"
#include "redis_shared.h"

struct redisReply;

#define REDIS_OPEN_MAX       10000 /* calls of a client; beyond: STORE_AWAY at once */
#define REDIS_FLIGHTS        16384 /* a power of two */
#define REDIS_FLIGHTS_CALLS  14000 /* the rest is for what the client sends for itself */
#define REDIS_PUT_BACK_MAX   1024  /* legs put back at a time */
#define REDIS_DEADLINE_US    1000000
#define REDIS_HEARTBEAT_US   500000
#define REDIS_TICK_US        25000
#define REDIS_RETRY_US       100000
#define REDIS_BACKOFF_MIN_US 20000
#define REDIS_BACKOFF_MAX_US 1000000

enum redis_state {
    REDIS_AWAY = 0,
    REDIS_CONNECTING,
    REDIS_GREETING,
    REDIS_PUTTING_BACK,
    REDIS_PUBLISHING,
    REDIS_READY
};

typedef void redis_take(struct redis_client *client, struct store_call *call,
                        const struct redisReply *reply);

struct flight {
    redis_take *take;        /* what is done with the reply */
    struct store_call *call; /* NULL: the client's own, or its time is over */
};

struct redis_client {
    enum redis_state state;
    struct redis_shared *shared;
    struct loop *loop;
    struct redis_link link;
    struct buf scratch;
    char incarnation[REDIS_INCARNATION_MAX]; /* that claims expect */
    struct store_call *waiting;
    struct store_call **waiting_end;
    struct store_call *refused; /* answered STORE_AWAY at the end of the turn */
    struct task refuse;
    unsigned open;
    uint32_t head, tail;  /* of the ring; tail - head are in flight */
    uint64_t progress_us; /* when the oldest in flight became so */
    uint64_t beat_us;     /* last heartbeat */
    uint64_t ahead_us;    /* Redis' clock less ours, by the last claim it granted; 0: not known */
    uint64_t retry_us;    /* what waits is not sent before; 0: at once */
    uint64_t backoff_us;
    uint64_t connect_us; /* AWAY: when to connect; CONNECTING: since when */
    bool said_why;       /* the problem is noted better than the link can say it */
    bool ending;
    struct timer tick;
    struct known_copy *put_back;       /* all of them … */
    struct known_copy *put_back_next;  /* … what is not yet sent */
    struct known_copy *put_back_asked; /* … and what the next answer is to */
    unsigned put_back_flying;
    uint64_t put_back_written;
    uint64_t put_back_refused; /* another token has the leg: both may have run */
    uint64_t put_back_left;
    struct embedded_port *port; /* of the local store; NULL: there is none */
    struct store_export export; /* the local store's while export_busy */
    bool export_busy;
    bool publishing; /* PUBLISHING: this client does it; else it waits for the one that does */
    struct flight flights[REDIS_FLIGHTS];
};

/* redis_client.c */
void redis_client_state(struct redis_client *c, enum redis_state state);
void redis_client_lose(struct redis_client *c, const char *why);
/* What was appended to link.out gets a place in the ring. */
void redis_client_sent(struct redis_client *c, redis_take *take, struct store_call *call);
void redis_client_trouble(struct redis_client *c, const char *text, size_t len);

/* redis_greet.c, redis_put_back.c: from connected, or from READY where Redis forgot something, to
 * READY. */
void redis_greet(struct redis_client *c);
void redis_greet_again(struct redis_client *c);
/* READY, but there is a problem: a write that is taken ends it. */
void redis_greet_probe(struct redis_client *c);
/* False: an error, and the connection ends with it. */
bool redis_greet_accepted(struct redis_client *c, const struct redisReply *reply);
/* After the greeting: what is known is put where it is missing. */
void redis_put_back(struct redis_client *c);
void redis_greet_stop(struct redis_client *c); /* the connection is gone */
/* Looks again whether another client has published. */
void redis_greet_enter(struct redis_client *c);
void redis_take_ping(struct redis_client *c, struct store_call *call,
                     const struct redisReply *reply);

#endif

/* A worker thread: its loop, its connections, its pools, its memory. Process-wide state hangs off
 * struct proxy. Layer: proxy. */
#ifndef POINTSMAN_WORKER_H
#define POINTSMAN_WORKER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include <pointsman/attempts.h>
#include <pointsman/conf.h>
#include <pointsman/digest.h>
#include <pointsman/journal.h>
#include <pointsman/loop.h>
#include <pointsman/metrics.h>
#include <pointsman/router.h>
#include <pointsman/store.h>

#include "exchange.h"
#include "gate.h"

#define SCRATCH_LEN   (128 * 1024) /* one read takes in at most this */
#define SPARE_OUT_MAX (16 * 1024)  /* of memory kept for the next reply */
#define SPARES        64           /* events whose memory is kept for the next ones */

struct conn;
struct delivery;
struct listener;
struct proxy;
struct queue;
struct resolver;

/* A configuration with what is made ready from it once; immutable and shared by all threads. */
struct rules {
    _Atomic int refs;
    struct conf *conf;
    struct target *targets[SIDES];
    struct verifier *verifiers[]; /* one per source */
};
/* Takes a reference of conf; NULL: no memory. */
MUST_CHECK struct rules *rules_new(struct conf *conf, struct resolver *resolver);
struct rules *rules_ref(struct rules *r);
void rules_unref(struct rules *r);

struct worker {
    struct proxy *proxy;
    unsigned index;
    pthread_t thread;
    bool started;
    struct loop *loop;
    struct store_client *store;
    struct json_parser *json;
    struct metrics_slab *metrics;
    struct attempts *attempts;
    struct journal_client *journal; /* NULL: there is none */
    struct queue *queue;            /* NULL likewise */
    uint64_t live_at_us;            /* when a sender's event last came */
    struct rules *rules;
    struct control control;
    char control_text[96]; /* the same for `explain`, made once per change */
    struct pool pools[SIDES][ROLES];
    LIST_HEAD(, listener) listeners;
    LIST_HEAD(, conn) conns;
    struct gate gate;                /* between conns and deliveries */
    LIST_HEAD(, delivery) under_way; /* detached ones too */
    STAILQ_HEAD(, delivery) unverified;
    struct task verify;
    struct hmac_lanes *lanes; /* NULL: signatures are checked one by one */
    bool listening;           /* told to accept */
    bool draining;
    struct timer last_accept; /* of a worker that drains */
    bool ended;               /* the thread is gone: nothing is started or asked for any more */
    struct buf spare_out;     /* for the next reply; no connection's */
    struct delivery *spares[SPARES]; /* memory for the next events */
    unsigned spare_count;
    char *conn_scratch;
    char *backend_scratch;
};

/* turn.c: what waits for the end of the turn. */
void turn_init(struct worker *w);
void turn_end(struct worker *w);

/* Everything but the thread; NULL: *err says why. */
MUST_CHECK struct worker *worker_new(struct proxy *proxy, unsigned index, struct rules *rules,
                                     struct err *err);
MUST_CHECK bool worker_start(struct worker *w, struct err *err);
/* Begins to accept. */
void worker_tell_open(struct worker *w);
/* Messages to the worker's thread; any thread. False: no memory. */
MUST_CHECK bool worker_tell_control(struct worker *w, const struct control *control);
MUST_CHECK bool worker_tell_rules(struct worker *w, struct rules *rules);
void worker_tell_drain(struct worker *w);
/* A connection was closed; the worker's own thread. */
void worker_conn_closed(struct worker *w);
/* Stops the loop, joins, frees. */
void worker_free(struct worker *w);

#endif

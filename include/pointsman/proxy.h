/* The running proxy as admin and CLI see it: workers, steering, backends' health. Layer: proxy. */
#ifndef POINTSMAN_PROXY_H
#define POINTSMAN_PROXY_H

#include <stdbool.h>
#include <stdint.h>

#include <pointsman/conf.h>
#include <pointsman/domain.h>
#include <pointsman/err.h>
#include <pointsman/journal.h>
#include <pointsman/loop.h>
#include <pointsman/metrics.h>
#include <pointsman/router.h>
#include <pointsman/sockets.h>
#include <pointsman/store.h>

struct proxy;

/* Settles what the last run left open, starts workers, which accept from `sockets` (open; outlives
 * the proxy), probes and steering.
 * Steering and probes run on `loop` (the admin thread's, not running yet or this thread's own).
 * Takes its own reference of conf. */
MUST_CHECK struct proxy *proxy_start(struct conf *conf, struct store *store,
                                     struct journal *journal, struct sockets *sockets,
                                     struct loop *loop, struct err *err);
/* Readiness off; for a second new connections and the next request of kept ones are still served,
 * then listeners and idle connections are closed; what is in flight may finish. Any thread. */
void proxy_drain(struct proxy *proxy);
/* True once nothing is in flight and every answer is out. Any thread. */
bool proxy_is_idle(struct proxy *proxy);
/* Ends the workers and frees everything; what is still in flight is cut off and settled by the next
 * boot. The loop's thread has ended or is the caller. */
void proxy_stop(struct proxy *proxy);

/* ---- all below: on the thread of `loop` ---- */

/* Takes a new configuration for everything but what needs a restart. */
void proxy_reload(struct proxy *proxy, struct conf *conf);
const struct conf *proxy_conf(const struct proxy *proxy);
struct store *proxy_store(const struct proxy *proxy);
struct store_client *proxy_store_client(const struct proxy *proxy);
struct journal *proxy_journal(const struct proxy *proxy);
struct journal_client *proxy_journal_client(const struct proxy *proxy);
struct metrics *proxy_metrics(struct proxy *proxy);
uint64_t proxy_started_wall_us(const struct proxy *proxy);

/* False: *err says what is missing (draining; the store unreadable while when_down is refuse). */
bool proxy_is_ready(struct proxy *proxy, struct err *err);

struct backend_state {
    enum health health;
    char reason[160]; /* why that health, for people */
    enum breaker_state breaker;
    char breaker_reason[160]; /* of its last change; empty: none yet */
    uint32_t in_flight;
    uint64_t outcomes[OUTCOMES]; /* of owner legs */
    uint64_t shadow_outcomes[OUTCOMES];
    uint64_t attempts;     /* of owner legs, ended */
    double success_rate;   /* done of attempts, 0..1; 0 where none */
    double p50_ms, p99_ms; /* of owner attempts; 0 where none */
    double shadow_p50_ms, shadow_p99_ms;
};
void proxy_backend_state(struct proxy *proxy, enum side side, struct backend_state *ret);

/* Of senders' requests, all workers together. */
struct load_state {
    int64_t waiting;          /* until a worker begins them */
    int64_t refused;          /* since the start, because there were too many */
    int64_t workers_refusing; /* that did so within the last second */
};
void proxy_load(struct proxy *proxy, struct load_state *ret);

struct steering_state {
    struct control now;
    bool known;        /* the store (or the disk) has been read since the start */
    bool invalid;      /* what is SET names nothing; `now` is the last good pair */
    char problem[512]; /* of invalid */
    bool pending;      /* a move towards legacy is in force here and waits for the store */
};
void proxy_steering_state(struct proxy *proxy, struct steering_state *ret);

enum change_result {
    CHANGE_OK = 0,
    CHANGE_REFUSED /* 409 */,
    CHANGE_FAILED /* 503: the store did not take it */
};
/* A change by API or CLI. Owned by the proxy until done runs on the same thread, once, never from
 * inside. */
struct change {
    void (*done)(struct change *change);
    void *arg;
    bool keep_mode; /* PUT /v1/rollout: only the percentage */
    enum mode mode;
    bool has_ppm; /* else the percentage stays (or is 0 after a rollback) */
    uint32_t ppm;
    bool force;
    char actor[64];
    char reason[513];
    enum change_result result;
    struct control now; /* after it */
    struct err err;     /* why it was refused or failed */
    /* the proxy's own */
    struct proxy *proxy;
    struct store_control_set set;
    unsigned tries;
};
void proxy_change(struct proxy *proxy, struct change *change);

#endif

/* What all threads of the process share: counters against limits, health of the backends. Layer:
 * proxy. */
#ifndef POINTSMAN_SHARED_H
#define POINTSMAN_SHARED_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <pointsman/metrics.h>
#include <pointsman/proxy.h>

#include "breakers.h"
#include "health.h"
#include "resolver.h"
#include "store_watch.h"

struct worker;
struct steering;
struct probe;
struct recovery;
struct repin;
struct rules;
struct sockets;

struct proxy {
    struct store *store;
    struct journal *journal;
    struct journal_client *journal_client; /* on `loop` */
    struct loop *loop;                     /* the admin thread's */
    struct store_client *client;
    struct metrics *metrics;
    struct metrics_slab *slab; /* of the admin thread */
    struct resolver *resolver;
    struct rules *rules; /* the newest; the loop's thread */
    struct worker **workers;
    unsigned worker_count;
    struct steering *steering;
    struct recovery *recovery;
    struct repin *repin;
    struct store_watch store_watch;
    struct probe *probes[SIDES];
    uint64_t started_wall_us;
    struct sockets *sockets;
    bool open; /* workers were told to accept */

    struct health_state health[SIDES];
    struct breakers breakers;
    atomic_uint in_flight[SIDES][ROLES]; /* attempts, against max_in_flight */
    atomic_ullong body_bytes;            /* against limits.in_flight */
    atomic_uint connections;             /* against limits.connections */
    atomic_uint listening;               /* workers that have listeners */
    atomic_uint deliveries;              /* in flight, detached ones too */
    atomic_uint recording;               /* outcomes the store has not taken yet */
    atomic_bool draining;
};

#endif

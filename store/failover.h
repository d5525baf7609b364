/* when_down: local. While no client reaches Redis, this process claims in a file of its own; what
 * it did there is put into Redis before anything is claimed in Redis again. Layer: store.
 *
 *   REMOTE ──no client ready for a second: seed the file with what is known──▶ LOCAL
 *     ▲                                                                          │ a client has
 * greeted Redis └── one client, the publisher, puts the file's legs into Redis ◀───────────┘
 *
 * Until that is done no client is READY: calls wait. What a process left in the file is published
 * by the next. */
#ifndef POINTSMAN_STORE_FAILOVER_H
#define POINTSMAN_STORE_FAILOVER_H

#include <stdbool.h>
#include <stdint.h>

#include <pointsman/compiler.h>
#include <pointsman/err.h>
#include <pointsman/store.h>

#include "embedded.h"

#define FAILOVER_AFTER_US 1000000

struct failover;
struct redis_shared;

MUST_CHECK struct failover *failover_new(const char *path, uint64_t remember_ms,
                                         struct redis_shared *shared, struct err *err);
void failover_free(struct failover *f); /* after every port is freed; NULL is allowed */
struct embedded *failover_store(struct failover *f);
bool failover_is_local(struct failover *f); /* any thread, no lock */

/* True: the call went to the file. */
MUST_CHECK bool failover_submit(struct failover *f, struct embedded_port *port,
                                struct store_call *call);
/* For clients that are not ready: goes local where it is time. True: it is local. */
MUST_CHECK bool failover_check(struct failover *f, struct embedded_port *port, uint64_t now_us);

enum failover_entry { ENTER_READY = 0, ENTER_PUBLISH, ENTER_WAIT };
/* A client could be ready. READY: it is, and was counted. PUBLISH: `publisher` must publish first.
 */
enum failover_entry failover_enter(struct failover *f, const void *publisher);
/* Everything was published; or the publisher's connection is gone (done false). */
void failover_published(struct failover *f, const void *publisher, bool done);

#endif

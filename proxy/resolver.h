/* Addresses of backends: a thread that asks the system's resolver, so that no loop ever blocks, and
 * keeps the last good answer. Layer: proxy. */
#ifndef POINTSMAN_RESOLVER_H
#define POINTSMAN_RESOLVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include <pointsman/compiler.h>

#define ADDRESSES_MAX 8

struct addresses {
    _Atomic int refs;
    unsigned count;
    struct sockaddr_storage at[ADDRESSES_MAX];
    socklen_t len[ADDRESSES_MAX];
};
void addresses_unref(struct addresses *a); /* NULL is allowed */

struct resolver;
/* NULL: no memory or no thread. */
MUST_CHECK struct resolver *resolver_new(void);
void resolver_free(struct resolver *r);

/* A name the resolver keeps up to date; any thread. A numeric address is known at once. The target
 * lives until target_unref. NULL: no memory. */
struct target;
MUST_CHECK struct target *target_new(struct resolver *r, const char *host, uint16_t port);
struct target *target_ref(struct target *t);
void target_unref(struct target *t); /* NULL is allowed */
/* The last good answer with a reference, or NULL where there never was one. Any thread. */
struct addresses *target_addresses(struct target *t);
/* Nothing could be reached: ask again soon. Any thread. */
void target_doubtful(struct target *t);

#endif

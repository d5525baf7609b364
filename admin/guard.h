/* Who may speak to the admin side: Host, Origin, Sec-Fetch-Site and the token. Pure. Layer: admin,
 * private. */
#ifndef ADMIN_GUARD_H
#define ADMIN_GUARD_H

#include <stdbool.h>
#include <stdint.h>

#include <pointsman/slice.h>

struct guard {
    const char *host;  /* of the admin address, an IP without brackets */
    uint16_t port;     /* the bound one */
    const char *token; /* NULL: none is asked for */
};

enum guard_verdict { GUARD_OK = 0, GUARD_HOST, GUARD_ORIGIN, GUARD_SITE, GUARD_VERDICTS };
/* One sentence each, for the 403. */
extern const char *const guard_texts[GUARD_VERDICTS];

/* Against pages of other sites that use a browser as their hand (cross-site requests, DNS
 * rebinding). Slices are the header's values, absent where there is none. No Host at all (HTTP/1.0)
 * never comes from a browser: allowed. */
enum guard_verdict guard_check(const struct guard *g, struct slice host, struct slice origin,
                               struct slice fetch_site);

/* Is `authorization` "Bearer <token>"? Always true without a token. Time does not depend on where
 * they differ. */
bool guard_token_ok(const struct guard *g, struct slice authorization);

#endif

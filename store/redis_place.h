/* Where Redis is: a socket's path or the last good address of a name. Looked up in a thread of its
 * own, so that no loop waits for DNS. Layer: store. */
#ifndef POINTSMAN_STORE_REDIS_PLACE_H
#define POINTSMAN_STORE_REDIS_PLACE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include <pointsman/compiler.h>
#include <pointsman/err.h>

struct redis_place;

/* host: a name, an address, or the absolute path of a Unix socket. A name that does not resolve now
 * is looked up again at each redis_place_refresh. */
MUST_CHECK struct redis_place *redis_place_new(const char *host, uint16_t port, struct err *err);
void redis_place_free(struct redis_place *place);
/* False: no address is known yet. Any thread. */
MUST_CHECK bool redis_place_get(struct redis_place *place, struct sockaddr_storage *ret,
                                socklen_t *ret_len);
/* Asks for a new look-up; returns at once. Any thread. */
void redis_place_refresh(struct redis_place *place);

#endif

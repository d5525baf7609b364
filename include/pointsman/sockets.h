/* The sockets a process listens on, whoever bound them: itself, systemd (LISTEN_FDS) or the process
 * it takes over from. Layer: proxy. */
#ifndef POINTSMAN_SOCKETS_H
#define POINTSMAN_SOCKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pointsman/compiler.h>
#include <pointsman/conf.h>
#include <pointsman/err.h>

struct sockets;

MUST_CHECK struct sockets *sockets_new(void); /* NULL: no memory */
/* Closes what is still open. After admin_stop and proxy_stop; NULL is allowed. */
void sockets_free(struct sockets *s);

/* Takes what LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES pass to this process, and removes the
 * variables. A socket named "admin" is only for the admin address. */
MUST_CHECK bool sockets_from_environment(struct sockets *s, struct err *err);
/* Takes one socket of the process before; `fd` is closed on failure too. */
MUST_CHECK bool sockets_inherit(struct sockets *s, int fd, bool admin, struct err *err);
/* Finds for every listener and for the admin address the sockets that came from outside, and binds
 * the others, one per worker. A socket from LISTEN_FDS that fits nothing is an error, one of the
 * process before is closed. Before proxy_start and admin_start, once. */
MUST_CHECK bool sockets_open(struct sockets *s, const struct conf *conf, struct err *err);

/* The admin address's socket; stays the set's. */
int sockets_admin(const struct sockets *s, uint16_t *ret_port);

struct socket_copy {
    int fd; /* the caller's */
    bool admin;
};
/* Copies of all of them, as the kernel's queues belong to whoever accepts next. False: they are
 * being closed, or there is no memory. The list is the caller's to free. Any thread. */
MUST_CHECK bool sockets_copy(struct sockets *s, struct socket_copy **ret, size_t *ret_count,
                             struct err *err);

#endif

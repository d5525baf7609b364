/* A listening socket and who uses it. Layer: proxy. */
#ifndef PROXY_SOCKETS_H
#define PROXY_SOCKETS_H

#include <pthread.h>

#include <pointsman/sockets.h>

#define SOCKET_OF_ADMIN SIZE_MAX
#define SOCKET_OF_NONE  (SIZE_MAX - 1) /* not known yet */

enum socket_origin { SOCKET_BOUND = 0, SOCKET_SYSTEMD, SOCKET_BEFORE };

struct listening {
    struct sockets *set;
    int fd;       /* -1: closed */
    int named_fd; /* its number in LISTEN_FDS, for messages */
    enum socket_origin origin;
    bool for_admin;
    size_t of; /* index of the listener, or SOCKET_OF_… */
    uint16_t port;
    char text[80];  /* bound address, for people */
    unsigned users; /* workers; under the set's mutex */
};

/* `all` does not change once it is open; descriptors are closed under the mutex. */
struct sockets {
    pthread_mutex_t mutex;
    struct listening **all;
    size_t count;
};

/* Adds a bound one; NULL: no memory. Takes over fd, also then. */
MUST_CHECK struct listening *sockets_add(struct sockets *s, int fd, size_t of);
/* Reads address and port of fd; false: no listening TCP socket. */
MUST_CHECK bool listening_look(struct listening *l);
/* Gives each that came from outside its listener; see sockets_open. */
MUST_CHECK bool sockets_match(struct sockets *s, const struct conf *conf, struct err *err);

void listening_use(struct listening *l);
/* The last one closes it. Any thread. */
void listening_leave(struct listening *l);

#endif

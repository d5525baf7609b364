/* Listening sockets and the acceptance of connections. */
#include "listener.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admission.h"
#include "conn.h"
#include "shared.h"
#include "sockets.h"
#include "worker.h"

#define BACKLOG 4096 /* the kernel lowers it to net.core.somaxconn */
/* A quarter more than a worker begins requests, so that some of an excess of new connections is
 * told so and the rest waits in the kernel's queue: to accept, refuse and close one costs much more
 * than to refuse on a kept connection. */
#define ACCEPTS_PER_TURN (ADMISSION_TAKES * 5 / 4)
#define SURPLUS_PART     16
#define PAUSE_US         50000 /* after the process ran out of descriptors */

struct listener {
    struct worker *worker;
    struct listening *socket; /* perhaps shared with other workers */
    struct watch watch;
    struct timer again;
    LIST_ENTRY(listener) entry;
};

static uint16_t port_of(int fd) {
    struct sockaddr_storage at;
    socklen_t len = sizeof at;
    char port[8] = "0";
    if (getsockname(fd, (struct sockaddr *)&at, &len) == 0)
        (void)getnameinfo((struct sockaddr *)&at, len, NULL, 0, port, sizeof port, NI_NUMERICSERV);
    return (uint16_t)strtoul(port, NULL, 10);
}

static int bind_to(const struct addrinfo *at, bool shared) {
    int fd = socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int on = 1;
    if (fd < 0)
        return -1;
    bool ok = setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
              (!shared || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0) &&
              bind(fd, at->ai_addr, at->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0;
    if (ok)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

/* Binds for a moment without sharing: with SO_REUSEPORT alone a second process could take half of
 * the connections unnoticed. Also finds a free port where 0 is asked for. */
static bool is_free(struct addrinfo *at, uint16_t *port) {
    int fd = bind_to(at, false);
    if (fd < 0)
        return false;
    *port = port_of(fd);
    close(fd);
    return true;
}

static void set_port(struct addrinfo *at, uint16_t port) {
    if (at->ai_family == AF_INET6)
        ((struct sockaddr_in6 *)(void *)at->ai_addr)->sin6_port = htons(port);
    else
        ((struct sockaddr_in *)(void *)at->ai_addr)->sin_port = htons(port);
}

int listener_bind(const struct conf_address *address, uint16_t *port, bool shared, bool more,
                  struct err *err) {
    char service[8];
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
                             .ai_socktype = SOCK_STREAM};
    struct addrinfo *at = NULL;
    snprintf(service, sizeof service, "%u", *port);
    if (getaddrinfo(address->host, service, &hints, &at) != 0) {
        err_set(err, "cannot listen on %s: not a numeric address", address->text);
        return -1;
    }
    int fd = -1;
    if (more || is_free(at, port)) {
        set_port(at, *port);
        fd = bind_to(at, shared);
    }
    freeaddrinfo(at);
    if (fd < 0)
        err_set(err, "cannot listen on %s: %s", address->text, strerror(errno));
    else
        *port = port_of(fd);
    return fd;
}

/* So many over the limit are told that they are, and no more than that. */
static unsigned surplus_of(unsigned limit) {
    unsigned part = limit / SURPLUS_PART;
    return part ? part : 1;
}

enum accepted { ACCEPTED = 0, ACCEPTED_ALL, ACCEPTED_NO_ROOM };

static enum accepted accept_one(struct listener *l) {
    struct worker *w = l->worker;
    struct sockaddr_storage from;
    socklen_t len = sizeof from;
    memset(&from, 0, sizeof from);
    int fd = accept4(l->socket->fd, (struct sockaddr *)&from, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM))
        return ACCEPTED_NO_ROOM;
    if (fd < 0)
        return errno == ECONNABORTED || errno == EINTR ? ACCEPTED : ACCEPTED_ALL;
    unsigned limit = w->rules->conf->limit_connections;
    unsigned open = atomic_fetch_add(&w->proxy->connections, 1);
    if (open >= limit + surplus_of(limit)) {
        atomic_fetch_sub(&w->proxy->connections, 1);
        close(fd);
    } else {
        conn_accept(w, fd, &from, open >= limit);
    }
    return ACCEPTED;
}

static void ready(void *arg, int what) {
    struct listener *l = arg;
    (void)what;
    for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
        enum accepted got = accept_one(l);
        if (got == ACCEPTED)
            continue;
        if (got == ACCEPTED_NO_ROOM) {
            watch_stop(&l->watch);
            timer_set(l->worker->loop, &l->again, PAUSE_US);
        }
        return;
    }
}

static void listen_again(void *arg) {
    struct listener *l = arg;
    if (!watch_set(&l->watch, WATCH_READ))
        timer_set(l->worker->loop, &l->again, PAUSE_US);
}

bool listener_add(struct worker *w, struct listening *socket) {
    struct listener *l = calloc(1, sizeof *l);
    if (!l)
        return false;
    l->worker = w;
    l->socket = socket;
    listening_use(socket);
    watch_init(&l->watch, w->loop, socket->fd, ready, l);
    timer_init(&l->again, listen_again, l);
    if (LIST_EMPTY(&w->listeners))
        atomic_fetch_add(&w->proxy->listening, 1);
    LIST_INSERT_HEAD(&w->listeners, l, entry);
    return true;
}

void listener_open_all(struct worker *w) {
    struct listener *l;
    w->listening = true;
    LIST_FOREACH (l, &w->listeners, entry)
        listen_again(l);
}

/* Closing a queue resets who waits in it. */
static void accept_rest(struct listener *l) {
    for (int i = 0; i < BACKLOG && accept_one(l) == ACCEPTED; i++)
        ;
}

void listener_finish_all(struct worker *w) {
    struct listener *l;
    if (w->listening)
        LIST_FOREACH (l, &w->listeners, entry)
            accept_rest(l);
    listener_close_all(w);
}

void listener_close_all(struct worker *w) {
    if (LIST_EMPTY(&w->listeners))
        return;
    while (!LIST_EMPTY(&w->listeners)) {
        struct listener *l = LIST_FIRST(&w->listeners);
        LIST_REMOVE(l, entry);
        watch_stop(&l->watch);
        timer_stop(&l->again);
        listening_leave(l->socket);
        free(l);
    }
    w->listening = false;
    atomic_fetch_sub(&w->proxy->listening, 1);
}

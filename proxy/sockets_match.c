/* Which listener a socket from outside belongs to: the one with its address. */
#include "sockets.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <pointsman/log.h>
#include <pointsman/text.h>

/* A socket on [::] that takes IPv4 too is what systemd makes of "ListenStream=8080"; it serves a
 * listener on 0.0.0.0. */
static bool is_dual(int fd) {
    int only_v6 = 1;
    socklen_t len = sizeof only_v6;
    return getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only_v6, &len) == 0 && !only_v6;
}

static bool has_host(const struct listening *l, const struct conf_address *address) {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } at;
    struct in_addr v4;
    struct in6_addr v6;
    socklen_t len = sizeof at;
    if (getsockname(l->fd, &at.any, &len) != 0)
        return false;
    bool want_v4 = inet_pton(AF_INET, address->host, &v4) == 1;
    if (want_v4 && at.any.sa_family == AF_INET)
        return at.v4.sin_addr.s_addr == v4.s_addr;
    if (want_v4)
        return v4.s_addr == htonl(INADDR_ANY) && IN6_IS_ADDR_UNSPECIFIED(&at.v6.sin6_addr) &&
               is_dual(l->fd);
    return inet_pton(AF_INET6, address->host, &v6) == 1 && at.any.sa_family == AF_INET6 &&
           memcmp(&at.v6.sin6_addr, &v6, sizeof v6) == 0;
}

/* The port under which `of` has sockets so far; 0: it has none. */
static uint16_t port_so_far(const struct sockets *s, size_t of) {
    for (size_t i = 0; i < s->count; i++)
        if (s->all[i]->of == of)
            return s->all[i]->port;
    return 0;
}

/* Where any port is asked for, the first port that comes counts, for all sockets that share it. */
static bool fits(const struct sockets *s, const struct listening *l,
                 const struct conf_address *address, size_t of, bool any_port) {
    if (any_port != (address->port == 0) || !has_host(l, address))
        return false;
    uint16_t so_far = port_so_far(s, of);
    return any_port ? so_far == 0 || so_far == l->port : address->port == l->port;
}

static size_t find(const struct sockets *s, const struct listening *l, const struct conf *conf) {
    for (size_t i = 0; !l->for_admin && i < conf->listener_count; i++)
        if (fits(s, l, &conf->listeners[i], i, false))
            return i;
    bool admin_free = port_so_far(s, SOCKET_OF_ADMIN) == 0;
    if (admin_free && (l->for_admin || l->origin == SOCKET_SYSTEMD) &&
        fits(s, l, &conf->admin, SOCKET_OF_ADMIN, false))
        return SOCKET_OF_ADMIN;
    if (l->for_admin)
        return admin_free && fits(s, l, &conf->admin, SOCKET_OF_ADMIN, true) ? SOCKET_OF_ADMIN
                                                                             : SOCKET_OF_NONE;
    for (size_t i = 0; i < conf->listener_count; i++) /* sockets of one port stay together */
        if (port_so_far(s, i) == l->port && fits(s, l, &conf->listeners[i], i, true))
            return i;
    for (size_t i = 0; i < conf->listener_count; i++)
        if (fits(s, l, &conf->listeners[i], i, true))
            return i;
    return SOCKET_OF_NONE;
}

static void say_unfit(const struct listening *l, const struct conf *conf, struct err *err) {
    struct text t;
    char allowed[256];
    text_begin(&t, allowed, sizeof allowed);
    for (size_t i = 0; i < conf->listener_count; i++) {
        text_put(&t, conf->listeners[i].text);
        text_put(&t, ", ");
    }
    text_put(&t, conf->admin.text);
    text_put(&t, " (admin)");
    err_set(err,
            "LISTEN_FDS passes descriptor %d, which listens on %s: no listener has this address; "
            "configured: %s",
            l->named_fd, l->text, allowed);
}

static bool is_same(const struct listening *a, const struct listening *b) {
    uint64_t one = 0, other = 0;
    socklen_t len = sizeof one, other_len = sizeof other;
    return getsockopt(a->fd, SOL_SOCKET, SO_COOKIE, &one, &len) == 0 &&
           getsockopt(b->fd, SOL_SOCKET, SO_COOKIE, &other, &other_len) == 0 && one == other;
}

static void drop(struct sockets *s, size_t at) {
    struct listening *l = s->all[at];
    close(l->fd);
    free(l);
    memmove(&s->all[at], &s->all[at + 1], (--s->count - at) * sizeof(struct listening *));
}

/* systemd and the process before may both pass the same socket. */
static void drop_doubles(struct sockets *s) {
    for (size_t i = 0; i < s->count; i++)
        for (size_t j = s->count - 1; j > i; j--)
            if (is_same(s->all[i], s->all[j]))
                drop(s, j);
}

bool sockets_match(struct sockets *s, const struct conf *conf, struct err *err) {
    drop_doubles(s);
    for (size_t i = 0; i < s->count;) {
        struct listening *l = s->all[i];
        l->of = find(s, l, conf);
        if (l->of != SOCKET_OF_NONE) {
            i++;
            continue;
        }
        if (l->origin == SOCKET_SYSTEMD) {
            say_unfit(l, conf, err);
            return false;
        }
        log_say(LOG_WARN, "address given up", "%s is no longer configured", l->text);
        drop(s, i);
    }
    return true;
}

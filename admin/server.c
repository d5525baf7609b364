/* Listens on the admin address and hands connections on; stops them all. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <pointsman/admin.h>
#include <pointsman/log.h>

#include "server.h"

#define ACCEPTS_PER_TURN 16
#define ACCEPT_AGAIN_US  200000

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static bool address_set(const struct conf_address *from, union address *ret, socklen_t *ret_len) {
    union address a;
    memset(&a, 0, sizeof a);
    if (inet_pton(AF_INET, from->host, &a.v4.sin_addr) == 1) {
        a.v4.sin_family = AF_INET;
        a.v4.sin_port = htons(from->port);
        *ret_len = sizeof a.v4;
    } else if (inet_pton(AF_INET6, from->host, &a.v6.sin6_addr) == 1) {
        a.v6.sin6_family = AF_INET6;
        a.v6.sin6_port = htons(from->port);
        *ret_len = sizeof a.v6;
    } else {
        return false;
    }
    *ret = a;
    return true;
}

static int listen_on(const struct conf_address *where, uint16_t *ret_port, struct err *err) {
    union address a;
    socklen_t len;
    int one = 1;
    if (!address_set(where, &a, &len)) {
        err_set(err, "admin address \"%s\" is no IP address and port", where->text);
        return -1;
    }
    int fd = socket(a.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        err_set(err, "admin socket: %s", strerror(errno));
        return -1;
    }
    socklen_t got = sizeof a;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0 ||
        bind(fd, &a.any, len) != 0 || listen(fd, 128) != 0 || getsockname(fd, &a.any, &got) != 0) {
        err_set(err, "can not listen on the admin address %s: %s", where->text, strerror(errno));
        close(fd);
        return -1;
    }
    *ret_port = ntohs(a.any.sa_family == AF_INET ? a.v4.sin_port : a.v6.sin6_port);
    return fd;
}

static void accept_again(void *arg) {
    struct admin *admin = arg;
    if (!watch_set(&admin->watch, WATCH_READ))
        timer_set(admin->loop, &admin->again, ACCEPT_AGAIN_US);
}

static void accept_ready(void *arg, int what) {
    struct admin *admin = arg;
    (void)what;
    for (unsigned i = 0; i < ACCEPTS_PER_TURN; i++) {
        int fd = accept4(admin->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EINTR || errno == ECONNABORTED)
                continue;
            if (errno != EAGAIN) {
                /* out of descriptors or memory: a level-triggered watch would spin */
                watch_stop(&admin->watch);
                timer_set(admin->loop, &admin->again, ACCEPT_AGAIN_US);
            }
            return;
        }
        if (admin->session_count >= SERVER_CONNECTIONS_MAX) {
            close(fd);
            continue;
        }
        int one = 1;
        if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) != 0) {
            close(fd);
            continue;
        }
        session_open(admin, fd);
    }
}

static void say_listening(const struct admin *admin) {
    bool v6 = strchr(admin->host, ':') != NULL;
    char text[INET6_ADDRSTRLEN + 16];
    snprintf(text, sizeof text, "%s%s%s:%u", v6 ? "[" : "", admin->host, v6 ? "]" : "",
             admin->guard.port);
    struct jsonw *w = log_begin(LOG_INFO, "admin listening");
    if (!w)
        return;
    jsonw_strz(w, "address", text);
    log_end(w);
}

struct admin *admin_start(struct proxy *proxy, struct loop *loop, const struct conf *conf,
                          struct err *err) {
    struct admin *admin = calloc(1, sizeof *admin);
    if (!admin) {
        err_set(err, "admin: no memory");
        return NULL;
    }
    admin->proxy = proxy;
    admin->loop = loop;
    timer_init(&admin->again, accept_again, admin);
    admin->host = strdup(conf->admin.host);
    admin->token = conf->admin_token ? strdup(conf->admin_token) : NULL;
    if (!admin->host || (conf->admin_token && !admin->token)) {
        err_set(err, "admin: no memory");
        admin->fd = -1;
        goto fail;
    }
    uint16_t port = 0;
    admin->fd = listen_on(&conf->admin, &port, err);
    if (admin->fd < 0)
        goto fail;
    admin->guard = (struct guard){admin->host, port, admin->token};
    watch_init(&admin->watch, loop, admin->fd, accept_ready, admin);
    if (!watch_set(&admin->watch, WATCH_READ)) {
        err_set(err, "admin: can not watch the listening socket");
        goto fail;
    }
    say_listening(admin);
    return admin;

fail:
    admin_stop(admin);
    return NULL;
}

void admin_stop(struct admin *admin) {
    if (!admin)
        return;
    timer_stop(&admin->again);
    if (admin->fd >= 0) {
        watch_stop(&admin->watch);
        close(admin->fd);
    }
    while (admin->sessions)
        session_close(admin->sessions, "the admin side stops");
    free(admin->host);
    free(admin->token);
    free(admin);
}

uint16_t admin_port(const struct admin *admin) {
    return admin->guard.port;
}

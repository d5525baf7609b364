/* Listens on the admin address and hands connections on; stops them all. */
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
                          const struct sockets *sockets, struct err *err) {
    struct admin *admin = calloc(1, sizeof *admin);
    if (!admin) {
        err_set(err, "admin: no memory");
        return NULL;
    }
    admin->proxy = proxy;
    admin->loop = loop;
    admin->fd = -1;
    timer_init(&admin->again, accept_again, admin);
    admin->host = strdup(conf->admin.host);
    admin->token = conf->admin_token ? strdup(conf->admin_token) : NULL;
    if (!admin->host || (conf->admin_token && !admin->token)) {
        err_set(err, "admin: no memory");
        goto fail;
    }
    uint16_t port = 0;
    admin->fd = sockets_admin(sockets, &port);
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
    if (admin->fd >= 0)
        watch_stop(&admin->watch);
    while (admin->sessions)
        session_close(admin->sessions, "the admin side stops");
    free(admin->host);
    free(admin->token);
    free(admin);
}

uint16_t admin_port(const struct admin *admin) {
    return admin->guard.port;
}

/* The set of listening sockets: filled at the start, copied for the process after, closed once. */
#include "sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <pointsman/log.h>

#include "listener.h"

struct sockets *sockets_new(void) {
    struct sockets *s = calloc(1, sizeof *s);
    if (s)
        pthread_mutex_init(&s->mutex, NULL);
    return s;
}

void sockets_free(struct sockets *s) {
    if (!s)
        return;
    for (size_t i = 0; i < s->count; i++) {
        if (s->all[i]->fd >= 0)
            close(s->all[i]->fd);
        free(s->all[i]);
    }
    free(s->all);
    pthread_mutex_destroy(&s->mutex);
    free(s);
}

bool listening_look(struct listening *l) {
    struct sockaddr_storage at;
    socklen_t len = sizeof at, int_len = sizeof(int);
    char host[64] = "?", port[8] = "0";
    int listens = 0;
    memset(&at, 0, sizeof at);
    if (getsockopt(l->fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &int_len) != 0 || !listens ||
        getsockname(l->fd, (struct sockaddr *)&at, &len) != 0 ||
        (at.ss_family != AF_INET && at.ss_family != AF_INET6) ||
        getnameinfo((struct sockaddr *)&at, len, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return false;
    l->port = (uint16_t)strtoul(port, NULL, 10);
    bool v6 = at.ss_family == AF_INET6;
    snprintf(l->text, sizeof l->text, "%s%s%s:%s", v6 ? "[" : "", host, v6 ? "]" : "", port);
    return true;
}

struct listening *sockets_add(struct sockets *s, int fd, size_t of) {
    struct listening *l = calloc(1, sizeof *l);
    struct listening **all =
        l ? realloc(s->all, (s->count + 1) * sizeof(struct listening *)) : NULL;
    if (!all) {
        free(l);
        close(fd);
        return NULL;
    }
    *l = (struct listening){.set = s, .fd = fd, .named_fd = fd, .of = of};
    s->all = all;
    s->all[s->count++] = l;
    return l;
}

bool sockets_inherit(struct sockets *s, int fd, bool admin, struct err *err) {
    struct listening *l = sockets_add(s, fd, SOCKET_OF_NONE);
    if (!l) {
        err_set(err, "no memory for listeners");
        return false;
    }
    l->origin = SOCKET_BEFORE;
    l->for_admin = admin;
    if (listening_look(l))
        return true;
    err_set(err, "the process before handed over something that is no listening TCP socket");
    return false;
}

/* ---- open ---- */

static bool bind_some(struct sockets *s, const struct conf_address *address, size_t of,
                      unsigned count, struct err *err) {
    uint16_t port = address->port;
    for (unsigned i = 0; i < count; i++) {
        int fd = listener_bind(address, &port, count > 1, i > 0, err);
        if (fd < 0)
            return false;
        struct listening *l = sockets_add(s, fd, of);
        if (!l || !listening_look(l)) {
            err_set(err, "no memory for listeners");
            return false;
        }
    }
    return true;
}

static bool is_open(const struct sockets *s, size_t of) {
    for (size_t i = 0; i < s->count; i++)
        if (s->all[i]->of == of)
            return true;
    return false;
}

bool sockets_open(struct sockets *s, const struct conf *conf, struct err *err) {
    size_t inherited = s->count;
    if (!sockets_match(s, conf, err))
        return false;
    if (inherited)
        log_say(LOG_INFO, "sockets inherited", "%zu of %zu are used", s->count, inherited);
    for (size_t i = 0; i < conf->listener_count; i++)
        if (!is_open(s, i) && !bind_some(s, &conf->listeners[i], i, conf->workers, err))
            return false;
    return is_open(s, SOCKET_OF_ADMIN) || bind_some(s, &conf->admin, SOCKET_OF_ADMIN, 1, err);
}

int sockets_admin(const struct sockets *s, uint16_t *ret_port) {
    for (size_t i = 0; i < s->count; i++) {
        if (s->all[i]->of == SOCKET_OF_ADMIN) {
            *ret_port = s->all[i]->port;
            return s->all[i]->fd;
        }
    }
    return -1;
}

/* ---- use ---- */

void listening_use(struct listening *l) {
    pthread_mutex_lock(&l->set->mutex);
    l->users++;
    pthread_mutex_unlock(&l->set->mutex);
}

void listening_leave(struct listening *l) {
    pthread_mutex_lock(&l->set->mutex);
    if (--l->users == 0) {
        close(l->fd);
        l->fd = -1;
    }
    pthread_mutex_unlock(&l->set->mutex);
}

static size_t copy_all(const struct sockets *s, struct socket_copy *to, struct err *err) {
    size_t i;
    for (i = 0; i < s->count; i++) {
        const struct listening *l = s->all[i];
        int fd = l->fd < 0 ? -1 : fcntl(l->fd, F_DUPFD_CLOEXEC, 3);
        if (fd < 0) {
            err_set(err, "%s: %s", l->text, l->fd < 0 ? "closed already" : strerror(errno));
            break;
        }
        to[i] = (struct socket_copy){fd, l->of == SOCKET_OF_ADMIN};
    }
    return i;
}

bool sockets_copy(struct sockets *s, struct socket_copy **ret, size_t *ret_count, struct err *err) {
    struct socket_copy *copies = calloc(s->count ? s->count : 1, sizeof *copies);
    if (!copies) {
        err_set(err, "no memory");
        return false;
    }
    pthread_mutex_lock(&s->mutex);
    size_t done = copy_all(s, copies, err);
    pthread_mutex_unlock(&s->mutex);
    if (done == s->count) {
        *ret = copies;
        *ret_count = done;
        return true;
    }
    while (done)
        close(copies[--done].fd);
    free(copies);
    return false;
}

/* Offers the listening sockets on <directory>/handover.sock, one asker at a time. */
#include "handover.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <pointsman/log.h>

#include "handover_wire.h"

#define ASKER_US UINT64_C(10000000) /* from the offer to "go" */

struct handover {
    struct loop *loop;
    struct sockets *sockets;
    char *directory;
    uint32_t drain_ms;
    void (*taken)(pid_t by, void *arg);
    void *arg;
    int fd;       /* listens; -1: the sockets were taken */
    int asker_fd; /* -1: nobody */
    struct ucred asker;
    struct watch watch; /* of fd, or of the asker */
    struct timer limit;
};

static void await_asker(struct handover *h);

static void asker_gone(struct handover *h) {
    watch_stop(&h->watch);
    timer_stop(&h->limit);
    close(h->asker_fd);
    h->asker_fd = -1;
    if (h->fd >= 0)
        await_asker(h);
}

static void asker_late(void *arg) {
    struct handover *h = arg;
    log_say(LOG_WARN, "handover", "process %d asked for the sockets and said no more; we go on",
            (int)h->asker.pid);
    asker_gone(h);
}

static bool send_some(int to, const char *text, size_t len, const struct socket_copy *copies,
                      size_t count) {
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(HANDOVER_FDS_MAX * sizeof(int))];
    } control;
    struct iovec piece = {(void *)text, len};
    struct msghdr message = {.msg_iov = &piece,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = CMSG_SPACE(count * sizeof(int))};
    memset(&control, 0, sizeof control);
    struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(count * sizeof(int));
    for (size_t i = 0; i < count; i++)
        memcpy(CMSG_DATA(rights) + i * sizeof(int), &copies[i].fd, sizeof(int));
    return sendmsg(to, &message, MSG_NOSIGNAL) == (ssize_t)len;
}

static bool send_all(const struct handover *h, const struct socket_copy *copies, size_t count) {
    char text[HANDOVER_TEXT];
    for (size_t at = 0; at < count;) {
        size_t some = count - at < HANDOVER_FDS_MAX ? count - at : HANDOVER_FDS_MAX;
        int len = snprintf(text, sizeof text, HANDOVER_FORMAT, h->drain_ms, count);
        for (size_t i = 0; i < some; i++)
            text[len++] = copies[at + i].admin ? 'a' : 'l';
        if (!send_some(h->asker_fd, text, (size_t)len, &copies[at], some))
            return false;
        at += some;
    }
    return true;
}

static bool offer(struct handover *h, struct err *err) {
    struct socket_copy *copies;
    size_t count;
    if (!sockets_copy(h->sockets, &copies, &count, err))
        return false;
    bool ok = send_all(h, copies, count);
    if (!ok)
        err_set(err, "%s", strerror(errno));
    for (size_t i = 0; i < count; i++)
        close(copies[i].fd);
    free(copies);
    return ok;
}

static void asker_says(void *arg, int what) {
    struct handover *h = arg;
    char word[8];
    (void)what;
    ssize_t n = recv(h->asker_fd, word, sizeof word, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n != (ssize_t)strlen(HANDOVER_GO) || memcmp(word, HANDOVER_GO, (size_t)n) != 0) {
        log_say(LOG_WARN, "handover", "process %d asked for the sockets and gave up; we go on",
                (int)h->asker.pid);
        asker_gone(h);
        return;
    }
    close(h->fd); /* whoever else asks from here on is refused at once */
    h->fd = -1;
    asker_gone(h);
    h->taken(h->asker.pid, h->arg);
}

static bool may_ask(int fd, struct ucred *ret) {
    socklen_t len = sizeof *ret;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, ret, &len) == 0 &&
           (ret->uid == geteuid() || ret->uid == 0);
}

static void asker_comes(void *arg, int what) {
    struct handover *h = arg;
    struct err err;
    (void)what;
    int fd = accept4(h->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return;
    if (!may_ask(fd, &h->asker)) {
        log_say(LOG_WARN, "handover",
                "refused: a process of user %u asks; allowed: user %u and root",
                (unsigned)h->asker.uid, (unsigned)geteuid());
        close(fd);
        return;
    }
    h->asker_fd = fd;
    watch_stop(&h->watch);
    watch_init(&h->watch, h->loop, fd, asker_says, h);
    timer_set(h->loop, &h->limit, ASKER_US);
    if (offer(h, &err) && watch_set(&h->watch, WATCH_READ))
        return;
    log_say(LOG_WARN, "handover", "the sockets could not be offered: %s", err.text);
    asker_gone(h);
}

static void await_asker(struct handover *h) {
    watch_init(&h->watch, h->loop, h->fd, asker_comes, h);
    if (!watch_set(&h->watch, WATCH_READ))
        log_say(LOG_ERROR, "handover", "no memory; this process can no longer be taken over");
}

struct handover *handover_new(struct loop *loop, struct sockets *sockets, const struct conf *conf,
                              void (*taken)(pid_t by, void *arg), void *arg, struct err *err) {
    struct handover *h = calloc(1, sizeof *h);
    char *directory = h ? strdup(conf->directory) : NULL;
    if (!directory) {
        free(h);
        err_set(err, "no memory");
        return NULL;
    }
    *h = (struct handover){.loop = loop,
                           .sockets = sockets,
                           .directory = directory,
                           .drain_ms = conf->drain_ms,
                           .taken = taken,
                           .arg = arg,
                           .asker_fd = -1};
    timer_init(&h->limit, asker_late, h);
    h->fd = handover_bind(directory);
    if (h->fd < 0) {
        err_set(err, "%s/handover.sock: %s", directory, strerror(errno));
        free(directory);
        free(h);
        return NULL;
    }
    await_asker(h);
    return h;
}

void handover_free(struct handover *h) {
    if (!h)
        return;
    watch_stop(&h->watch);
    timer_stop(&h->limit);
    if (h->asker_fd >= 0)
        close(h->asker_fd);
    if (h->fd >= 0)
        close(h->fd);
    handover_unlink(h->directory);
    free(h->directory);
    free(h);
}

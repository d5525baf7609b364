/* Asks on <directory>/handover.sock for the listening sockets of the process that runs there. */
#include "takeover.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <pointsman/log.h>

#include "handover_wire.h"

#define ANSWER_S  5
#define END_MS    5000  /* for a process that is dying to be gone */
#define MARGIN_MS 10000 /* for the old process to close store and journal after its drain */

struct offer {
    char text[HANDOVER_TEXT + 1];
    int fds[HANDOVER_FDS_MAX];
    size_t fd_count;
};

/* The length of the packet; 0: the other side ended; -1. */
static ssize_t receive(int from, struct offer *o) {
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(HANDOVER_FDS_MAX * sizeof(int))];
    } control;
    struct iovec piece = {o->text, sizeof o->text - 1};
    struct msghdr message = {.msg_iov = &piece,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
    ssize_t n = recvmsg(from, &message, MSG_CMSG_CLOEXEC);
    o->text[n > 0 ? n : 0] = '\0';
    o->fd_count = 0;
    if (n <= 0)
        return n;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        memcpy(&o->fds[o->fd_count], CMSG_DATA(c), count * sizeof(int));
        o->fd_count += count;
    }
    return n;
}

static bool drop_offer(struct offer *o) {
    while (o->fd_count)
        close(o->fds[--o->fd_count]);
    return false;
}

/* *total: sockets in all, as the packet says. */
static bool take_offer(struct offer *o, struct sockets *sockets, uint32_t *drain_ms, size_t *total,
                       struct err *err) {
    int kinds_at = -1;
    if (sscanf(o->text, HANDOVER_FORMAT "%n", drain_ms, total, &kinds_at) != 2 || kinds_at < 0 ||
        strlen(o->text + kinds_at) != o->fd_count || o->fd_count == 0) {
        err_set(err,
                "the running process offers its sockets in a way this version does not know: "
                "\"%.40s\" with %zu descriptors (its version is another, or it has too few free "
                "descriptors)",
                o->text, o->fd_count);
        return drop_offer(o);
    }
    while (o->fd_count) {
        int fd = o->fds[--o->fd_count];
        if (!sockets_inherit(sockets, fd, o->text[(size_t)kinds_at + o->fd_count] == 'a', err))
            return drop_offer(o);
    }
    return true;
}

static bool wait_for_end(pid_t pid) {
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (fd < 0)
        return errno == ESRCH;
    struct pollfd ended = {.fd = fd, .events = POLLIN};
    bool ok = poll(&ended, 1, END_MS) == 1;
    close(fd);
    return ok;
}

/* It was closed before all was offered: the process dies, or it refused. */
static enum takeover_answer closed(const struct takeover *t, struct err *err) {
    if (wait_for_end(t->pid))
        return TAKEOVER_NONE;
    err_set(err,
            "process %d, which runs here, did not hand over its sockets (its log says why); it "
            "runs on",
            (int)t->pid);
    return TAKEOVER_FAILED;
}

static enum takeover_answer take_all(struct takeover *t, struct sockets *sockets, struct err *err) {
    struct offer offer;
    size_t have = 0, total = 1;
    uint32_t drain_ms = 0;
    while (have < total) {
        ssize_t n = receive(t->fd, &offer);
        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0 || (n < 0 && errno == ECONNRESET))
            return closed(t, err);
        if (n < 0) {
            err_set(err, "process %d, which runs here, did not hand over its sockets in %d s: %s",
                    (int)t->pid, ANSWER_S, strerror(errno));
            return TAKEOVER_FAILED;
        }
        size_t got = offer.fd_count;
        if (!take_offer(&offer, sockets, &drain_ms, &total, err))
            return TAKEOVER_FAILED;
        have += got;
    }
    t->wait_ms = drain_ms + MARGIN_MS;
    return TAKEOVER_OFFER;
}

enum takeover_answer takeover_ask(const char *directory, struct sockets *sockets,
                                  struct takeover *ret, struct err *err) {
    struct takeover t = {.fd = handover_connect(directory, ANSWER_S)};
    struct ucred peer;
    socklen_t len = sizeof peer;
    if (t.fd < 0 && (errno == ENOENT || errno == ECONNREFUSED))
        return TAKEOVER_NONE;
    if (t.fd < 0 || getsockopt(t.fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0) {
        err_set(err, "%s/handover.sock: %s", directory, strerror(errno));
        if (t.fd >= 0)
            close(t.fd);
        return TAKEOVER_FAILED;
    }
    t.pid = peer.pid;
    enum takeover_answer answer = take_all(&t, sockets, err);
    if (answer == TAKEOVER_OFFER)
        *ret = t;
    else
        close(t.fd);
    return answer;
}

void takeover_drop(struct takeover *t) {
    close(t->fd);
    t->fd = -1;
}

void takeover_go(struct takeover *t) {
    (void)send(t->fd, HANDOVER_GO, strlen(HANDOVER_GO), MSG_NOSIGNAL);
    takeover_drop(t);
}

bool take_over(const struct conf *conf, struct sockets *sockets, uint32_t *ret_wait_ms,
               struct err *err) {
    struct takeover t = {.fd = -1};
    switch (takeover_ask(conf->directory, sockets, &t, err)) {
    case TAKEOVER_FAILED:
        return false;
    case TAKEOVER_NONE:
        log_say(LOG_INFO, "nothing to take over",
                "no process answers in %s: a start like any other", conf->directory);
        *ret_wait_ms = 0;
        return true;
    case TAKEOVER_OFFER:
        break;
    }
    if (!sockets_open(sockets, conf, err)) {
        takeover_drop(&t);
        return false;
    }
    log_say(LOG_INFO, "taking over", "from process %d, which may take up to %u ms to end",
            (int)t.pid, t.wait_ms);
    takeover_go(&t);
    *ret_wait_ms = t.wait_ms;
    return true;
}

/* Connects, reads, writes; knows nothing of what is said. */
#include "redis_link.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#define LINK_OUT_MAX (64u * 1024 * 1024)
#define LINK_READ    65536

static void ready(void *arg, int what);

static void flush_now(void *arg);

void redis_link_init(struct redis_link *link, struct loop *loop, const struct redis_link_ops *ops,
                     void *arg) {
    *link = (struct redis_link){.fd = -1, .loop = loop, .ops = ops, .arg = arg};
    task_init(&link->flush, flush_now, link);
    buf_init(&link->out, LINK_OUT_MAX);
}

static void drop(struct redis_link *link) {
    task_cancel(link->loop, &link->flush);
    if (link->fd >= 0) {
        watch_stop(&link->watch);
        close(link->fd);
        link->fd = -1;
    }
    if (link->reader)
        redisReaderFree(link->reader);
    link->reader = NULL;
    buf_reset(&link->out);
    link->state = LINK_CLOSED;
    link->doom = NULL;
}

void redis_link_free(struct redis_link *link) {
    drop(link);
    buf_free(&link->out);
}

void redis_link_close(struct redis_link *link, const char *why) {
    if (link->state == LINK_CLOSED)
        return;
    if (link->inside) {
        link->doom = link->doom ? link->doom : why;
        return;
    }
    drop(link);
    link->ops->down(link->arg, why);
}

/* The one way in which a callback's end is handled. False: the link is closed. */
static bool leave(struct redis_link *link) {
    link->inside = false;
    if (!link->doom)
        return true;
    redis_link_close(link, link->doom);
    return false;
}

bool redis_link_open(struct redis_link *link, const struct sockaddr_storage *to, socklen_t len,
                     const char **ret_why) {
    int fd = socket(to->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        *ret_why = "no socket";
        return false;
    }
    if (to->ss_family != AF_UNIX)
        (void)!setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    /* Once given up, nothing of it may arrive any more: its calls are repeated elsewhere. */
    (void)!setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
    if (connect(fd, (const struct sockaddr *)to, len) != 0 && errno != EINPROGRESS) {
        *ret_why = errno == ECONNREFUSED ? "connection refused" : "can not connect";
        close(fd);
        return false;
    }
    link->reader = redisReaderCreate();
    link->fd = fd;
    watch_init(&link->watch, link->loop, fd, ready, link);
    if (!link->reader || !watch_set(&link->watch, WATCH_WRITE)) {
        drop(link);
        *ret_why = "no memory";
        return false;
    }
    link->state = LINK_CONNECTING;
    return true;
}

void redis_link_flush(struct redis_link *link) {
    if (link->state == LINK_OPEN)
        task_later(link->loop, &link->flush);
}

static void flush_now(void *arg) {
    struct redis_link *link = arg;
    if (link->state != LINK_OPEN)
        return;
    while (buf_len(&link->out)) {
        ssize_t n = send(link->fd, buf_at(&link->out), buf_len(&link->out), MSG_NOSIGNAL);
        if (n > 0) {
            buf_consume(&link->out, (size_t)n);
        } else if (n < 0 && errno == EINTR) {
            continue;
        } else if (n < 0 && errno == EAGAIN) {
            break;
        } else {
            redis_link_close(link, "connection lost");
            return;
        }
    }
    if (!watch_set(&link->watch, buf_len(&link->out) ? WATCH_READ | WATCH_WRITE : WATCH_READ))
        redis_link_close(link, "no memory");
}

static void connected(struct redis_link *link) {
    int error = 0;
    socklen_t len = sizeof(error);
    if (getsockopt(link->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0 || error) {
        redis_link_close(link, error == ECONNREFUSED ? "connection refused" : "can not connect");
        return;
    }
    if (!watch_set(&link->watch, WATCH_READ)) {
        redis_link_close(link, "no memory");
        return;
    }
    link->state = LINK_OPEN;
    link->inside = true;
    link->ops->up(link->arg);
    (void)leave(link);
}

/* False: the link is closed. */
static bool take_replies(struct redis_link *link) {
    for (;;) {
        void *reply = NULL;
        if (redisReaderGetReply(link->reader, &reply) != REDIS_OK) {
            redis_link_close(link, "the answer is not Redis'");
            return false;
        }
        if (!reply)
            return true;
        link->inside = true;
        link->ops->reply(link->arg, reply);
        freeReplyObject(reply);
        if (!leave(link))
            return false;
    }
}

static void read_some(struct redis_link *link) {
    char bytes[LINK_READ];
    ssize_t n = recv(link->fd, bytes, sizeof(bytes), 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        redis_link_close(link, "connection lost");
        return;
    }
    if (redisReaderFeed(link->reader, bytes, (size_t)n) != REDIS_OK) {
        redis_link_close(link, "no memory");
        return;
    }
    (void)take_replies(link);
}

static void ready(void *arg, int what) {
    struct redis_link *link = arg;
    if (link->state == LINK_CONNECTING) {
        connected(link);
        return;
    }
    if (what & WATCH_READ)
        read_some(link);
    if ((what & WATCH_WRITE) && link->state == LINK_OPEN)
        flush_now(link);
}

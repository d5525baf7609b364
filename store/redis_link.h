/* One connection to Redis: a non-blocking socket, hiredis' reply parser, one write a loop turn.
 * Layer: store. */
#ifndef POINTSMAN_STORE_REDIS_LINK_H
#define POINTSMAN_STORE_REDIS_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include <pointsman/buf.h>
#include <pointsman/compiler.h>
#include <pointsman/loop.h>

struct redisReply;

/* up: connected. reply: the oldest command's answer, freed afterwards by the link. down: the
 * connection is gone, by itself or by redis_link_close from outside a callback; the last to be
 * called. */
struct redis_link_ops {
    void (*up)(void *arg);
    void (*reply)(void *arg, struct redisReply *reply);
    void (*down)(void *arg, const char *why);
};

enum redis_link_state { LINK_CLOSED = 0, LINK_CONNECTING, LINK_OPEN };

struct redis_link {
    enum redis_link_state state;
    bool inside;      /* a callback runs: closing waits for its end */
    const char *doom; /* why it is closed at the end of the callback */
    int fd;
    struct loop *loop;
    const struct redis_link_ops *ops;
    void *arg;
    struct watch watch;
    struct task flush;
    struct redisReader *reader;
    struct buf out;
};

void redis_link_init(struct redis_link *link, struct loop *loop, const struct redis_link_ops *ops,
                     void *arg);
/* Closes without calling down. */
void redis_link_free(struct redis_link *link);
/* `down` is called later where it can not be begun: false then, with *ret_why. */
MUST_CHECK bool redis_link_open(struct redis_link *link, const struct sockaddr_storage *to,
                                socklen_t len, const char **ret_why);
/* why is a string that stays. */
void redis_link_close(struct redis_link *link, const char *why);
/* What stands in link->out is written at the end of this turn. */
void redis_link_flush(struct redis_link *link);

#endif

/* What the store's tests share: a Redis of their own, a store over it or over a file, calls that
 * wait. Layer: tests. */
#ifndef POINTSMAN_TESTS_STORE_KIT_H
#define POINTSMAN_TESTS_STORE_KIT_H

#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <hiredis/hiredis.h>

#include <pointsman/clock.h>
#include <pointsman/conf.h>
#include <pointsman/loop.h>
#include <pointsman/store.h>

#include "../../store/store_ops.h"

#define KIT_TIMEOUT_MS 10000

struct kit {
    char directory[64];
    char socket[96];
    pid_t redis;
    const char *redis_args[8]; /* more of them, for the next start */
    enum store_kind kind;
    enum when_down when_down;
    struct loop *loop;
    struct store *store;
    struct store_client *client;
    struct timer timer;
};

static inline void kit_directory(struct kit *kit) {
    char directory[] = "/tmp/pm-store-XXXXXX";
    assert_non_null(mkdtemp(directory));
    snprintf(kit->directory, sizeof(kit->directory), "%s", directory);
    snprintf(kit->socket, sizeof(kit->socket), "%s/redis.sock", directory);
}

static inline redisContext *kit_connect(const struct kit *kit) {
    redisContext *c = redisConnectUnix(kit->socket);
    assert_non_null(c);
    if (c->err)
        fail_msg("%s: %s", kit->socket, c->errstr);
    return c;
}

/* Reads what Redis says until it says this; fails after ten seconds. */
static inline void kit_redis_await(int fd, const char *text) {
    char said[16384];
    size_t len = 0;
    struct pollfd can_read = {.fd = fd, .events = POLLIN};
    said[0] = '\0';
    while (!strstr(said, text)) {
        if (poll(&can_read, 1, 10000) != 1)
            fail_msg("redis-server does not say \"%s\": %s", text, said);
        ssize_t n = read(fd, said + len, sizeof(said) - 1 - len);
        if (n <= 0)
            fail_msg("redis-server ended: %s", said);
        len += (size_t)n;
        said[len] = '\0';
    }
}

static inline void kit_redis_start_until(struct kit *kit, const char *text) {
    const char *args[24] = {"redis-server", "--port", "0",     "--unixsocket", kit->socket,
                            "--save",       "",       "--dir", kit->directory};
    for (size_t i = 0, n = 9; i < 8 && kit->redis_args[i]; i++)
        args[n++] = kit->redis_args[i];
    int says[2];
    assert_int_equal(pipe2(says, O_CLOEXEC), 0);
    kit->redis = fork();
    assert_true(kit->redis >= 0);
    if (kit->redis == 0) {
        /* A test that fails half-way must not leave it behind. */
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || dup2(says[1], STDOUT_FILENO) < 0)
            _exit(126);
        execvp("redis-server", (char **)args);
        _exit(127);
    }
    close(says[1]);
    kit_redis_await(says[0], text);
    close(says[0]); /* Redis ignores SIGPIPE: what it says later is dropped */
}

static inline void kit_redis_start(struct kit *kit) {
    kit_redis_start_until(kit, "ready to accept connections");
}

static inline void kit_redis_stop(struct kit *kit) {
    if (kit->redis <= 0)
        return;
    kill(kit->redis, SIGKILL);
    waitpid(kit->redis, NULL, 0);
    kit->redis = 0;
    unlink(kit->socket);
}

/* One command, by a connection of the test's own; must not be refused. */
static inline redisReply *kit_redis_reply(const struct kit *kit, const char *format, ...) {
    redisContext *c = kit_connect(kit);
    va_list args;
    va_start(args, format);
    redisReply *reply = redisvCommand(c, format, args);
    va_end(args);
    assert_non_null(reply);
    if (reply->type == REDIS_REPLY_ERROR)
        fail_msg("%s: %s", format, reply->str);
    redisFree(c);
    return reply;
}

#define kit_redis(...) freeReplyObject(kit_redis_reply(__VA_ARGS__))

static inline struct conf kit_conf(const struct kit *kit) {
    struct conf conf = {.store_kind = kit->kind,
                        .directory = (char *)kit->directory,
                        .when_down = kit->when_down,
                        .remember_ms = 72ull * 3600 * 1000,
                        .claims = true,
                        .redis_prefix = (char *)"pointsman:",
                        .sticky_ms = 30 * 60 * 1000};
    conf.redis.host = (char *)kit->socket;
    return conf;
}

static inline void kit_open(struct kit *kit) {
    struct conf conf = kit_conf(kit);
    struct err err;
    kit->loop = loop_new();
    assert_non_null(kit->loop);
    kit->store = store_open(&conf, &err);
    if (!kit->store)
        fail_msg("%s", err.text);
    kit->client = store_client_new(kit->store, kit->loop);
    assert_non_null(kit->client);
}

static inline void kit_close(struct kit *kit) {
    store_client_free(kit->client);
    store_close(kit->store);
    loop_free(kit->loop);
    kit->client = NULL;
}

static inline int kit_remove_one(const char *path, const struct stat *st, int kind,
                                 struct FTW *ftw) {
    (void)st;
    (void)kind;
    (void)ftw;
    return remove(path);
}

static inline void kit_remove(struct kit *kit) {
    nftw(kit->directory, kit_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* ---- calls that wait ---- */

static inline void kit_done(struct store_call *call) {
    struct kit *kit = call->arg;
    loop_stop(kit->loop);
}

static inline void kit_fire(void *arg) {
    struct kit *kit = arg;
    loop_stop(kit->loop);
}

/* Turns the loop for a while: what the client does by itself happens. */
static inline void kit_turn(struct kit *kit, uint64_t us) {
    timer_init(&kit->timer, kit_fire, kit);
    timer_set(kit->loop, &kit->timer, us);
    loop_run(kit->loop);
    timer_stop(&kit->timer);
}

#define KIT_CALL(kit, submit, c)                                                                   \
    do {                                                                                           \
        (c)->call.done = kit_done;                                                                 \
        (c)->call.arg = (kit);                                                                     \
        if (!(c)->call.timeout_ms)                                                                 \
            (c)->call.timeout_ms = KIT_TIMEOUT_MS;                                                 \
        submit((kit)->client, c);                                                                  \
        loop_run((kit)->loop);                                                                     \
    } while (0)

static inline void kit_claim(struct kit *kit, struct store_claim *c) {
    KIT_CALL(kit, store_claim, c);
}

/* Claims one event again and again until the store no longer holds claims. */
static inline void kit_wait_hold(struct kit *kit) {
    uint64_t end_us = clock_mono_us() + 10000000;
    for (;;) {
        struct store_claim c = {.source = slice_of("kit"),
                                .id = slice_of("hold"),
                                .entity = slice_of("hold"),
                                .token = token_new(),
                                .lease_ms = 1};
        kit_claim(kit, &c);
        if (c.call.result != STORE_HOLD)
            return;
        assert_true(clock_mono_us() < end_us);
        kit_turn(kit, c.ret_ms_left * 1000);
    }
}

#endif

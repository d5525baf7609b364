/* Steering alone: the loop of the admin thread, a store, no worker; and what it logs. Layer: tests.
 */
#ifndef POINTSMAN_TESTS_RIG_STEERING_H
#define POINTSMAN_TESTS_RIG_STEERING_H

#include <fcntl.h>

#include <pointsman/log.h>

#include "../../proxy/control_file.h"
#include "../../proxy/repin.h"
#include "../../proxy/steering.h"
#include "rig.h"

struct wheelhouse {
    char directory[64];
    struct loop *loop;
    struct proxy *proxy;
    unsigned first;     /* times it said that it has read, or could not */
    int said[2];        /* what it logged */
    const char *socket; /* of a Redis; NULL: the embedded store */
};

static struct wheelhouse *wheelhouse_now; /* whose callbacks run */

static inline void wheelhouse_first(struct proxy *proxy) {
    (void)proxy;
    wheelhouse_now->first++;
}

static inline void wheelhouse_turn(struct wheelhouse *h) {
    rig_turn_loop(h->loop);
    sched_yield();
}

#define WHEELHOUSE_UNTIL(h, condition)                                                             \
    do {                                                                                           \
        uint64_t until_us = rig_real_us(CLOCK_MONOTONIC) + RIG_REAL_US;                            \
        while (!(condition)) {                                                                     \
            if (rig_real_us(CLOCK_MONOTONIC) > until_us)                                           \
                fail_msg("waited in vain for: %s", #condition);                                    \
            wheelhouse_turn(h);                                                                    \
        }                                                                                          \
    } while (0)

static inline struct steering_state wheelhouse_state(const struct wheelhouse *h) {
    struct steering_state state;
    steering_state(h->proxy->steering, &state);
    return state;
}

/* `store`, `rollout`: YAML; the directory stays, so that a wheelhouse can be opened again. */
static inline void wheelhouse_open(struct wheelhouse *h, const char *store, const char *rollout) {
    char text[1024];
    snprintf(text, sizeof text,
             "listeners: [{address: \"127.0.0.1:0\"}]\nworkers: 1\n"
             "store: {directory: %s, %s}\n%s"
             "backends:\n  legacy: {url: \"http://a\", name: typescript}\n"
             "  new: {url: \"http://b\", name: python}\nsources: [{path: /w, secrets: none}]\n",
             h->directory, store, rollout);
    struct conf *conf = rig_load(text);
    if (h->socket) {
        free(conf->redis.host);
        conf->redis.host = strdup(h->socket);
    }
    assert_int_equal(pipe2(h->said, O_CLOEXEC | O_NONBLOCK), 0);
    assert_true(log_start(h->said[1], LOG_INFO, 65536));
    h->loop = loop_new();
    h->proxy = rig_proxy_new(conf);
    conf_unref(conf);
    h->proxy->loop = h->loop;
    h->proxy->client = store_client_new(h->proxy->store, h->loop);
    assert_non_null(h->proxy->client);
    h->proxy->repin = repin_new(h->proxy);
    assert_non_null(h->proxy->repin);
    h->first = 0;
    wheelhouse_now = h;
    h->proxy->steering = steering_new(h->proxy, wheelhouse_first);
    assert_non_null(h->proxy->steering);
    assert_int_equal(h->first, 0);
}

/* How often it logged a line with this text; ends the log. */
static inline unsigned wheelhouse_close(struct wheelhouse *h, const char *logged) {
    static char text[65536];
    unsigned count = 0;
    atomic_store(&rig_hurry_us, 0);
    store_client_free(h->proxy->client);
    steering_free(h->proxy->steering);
    repin_free(h->proxy->repin);
    rig_proxy_free(h->proxy);
    loop_free(h->loop);
    log_stop();
    close(h->said[1]);
    ssize_t n = read(h->said[0], text, sizeof text - 1);
    close(h->said[0]);
    text[n > 0 ? n : 0] = '\0';
    for (const char *at = text; logged && (at = strstr(at, logged)) != NULL; at++)
        count++;
    return count;
}

static inline void assert_control(const struct wheelhouse *h, enum mode mode, uint32_t ppm) {
    struct steering_state s = wheelhouse_state(h);
    if (s.now.mode != mode || s.now.ppm != ppm)
        fail_msg("%s at %u, not %s at %u", mode_names[s.now.mode], s.now.ppm, mode_names[mode],
                 ppm);
}

static inline void wheelhouse_answered(struct store_call *call) {
    *(bool *)call->arg = true;
}

static inline struct store_control_get wheelhouse_get(struct wheelhouse *h) {
    bool done = false;
    struct store_control_get g = {
        .call = {.done = wheelhouse_answered, .arg = &done, .timeout_ms = 60000}};
    store_control_get(h->proxy->client, &g);
    WHEELHOUSE_UNTIL(h, done);
    assert_int_equal(g.call.result, STORE_OK);
    return g;
}

/* So many polls have been answered, judged and, where that asks for it, written: the store answers
 * a client in order. */
static inline void wheelhouse_polls(struct wheelhouse *h, unsigned polls) {
    for (unsigned i = 0; i < polls; i++) {
        atomic_fetch_add(&rig_offset_us, 160000);
        wheelhouse_turn(h);
        (void)wheelhouse_get(h);
        (void)wheelhouse_get(h);
    }
}

/* The newest entries; how many there are. */
static inline unsigned wheelhouse_audit(struct wheelhouse *h, struct audit_entry entries[8]) {
    bool done = false;
    struct store_audit a = {
        .call = {.done = wheelhouse_answered, .arg = &done, .timeout_ms = 60000},
        .limit = 8,
        .ret_entries = entries};
    store_audit(h->proxy->client, &a);
    WHEELHOUSE_UNTIL(h, done);
    assert_int_equal(a.call.result, STORE_OK);
    return a.ret_count;
}

/* What another instance does. */
static inline void wheelhouse_set(struct wheelhouse *h, enum mode mode, uint32_t ppm) {
    struct store_control_get g = wheelhouse_get(h);
    bool done = false;
    struct store_control_set s = {
        .call = {.done = wheelhouse_answered, .arg = &done, .timeout_ms = 60000},
        .expected_epoch = g.ret_has_good ? g.ret_epoch : 0,
        .mode = mode,
        .ppm = ppm,
        .actor = slice_of("other"),
        .reason = slice_of("because"),
        .evidence = slice_of("")};
    store_control_set(h->proxy->client, &s);
    WHEELHOUSE_UNTIL(h, done);
    assert_int_equal(s.call.result, STORE_OK);
}

static inline void wheelhouse_changed(struct change *change) {
    *(bool *)change->arg = true;
}

static inline struct change wheelhouse_change(struct wheelhouse *h, enum mode mode, int64_t ppm,
                                              bool force) {
    bool done = false;
    struct change c = {.done = wheelhouse_changed,
                       .arg = &done,
                       .mode = mode,
                       .has_ppm = ppm >= 0,
                       .ppm = ppm >= 0 ? (uint32_t)ppm : 0,
                       .force = force,
                       .actor = "api",
                       .reason = "a test"};
    proxy_change(h->proxy, &c);
    assert_false(done); /* never from inside */
    WHEELHOUSE_UNTIL(h, done);
    return c;
}

#define EMBEDDED "kind: embedded"
#define REDIS    "kind: redis, redis: {url: \"redis://127.0.0.1:1\"}"

#endif

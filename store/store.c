/* Opens the configured store and hands each call to it. */
#include <pointsman/store.h>

#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pointsman/clock.h>

#include "embedded.h"
#include "failover.h"
#include "lock.h"
#include "record.h"
#include "redis_client.h"
#include "redis_shared.h"
#include "store_ops.h"

struct store {
    int lock_fd;
    struct embedded *embedded;  /* either this … */
    struct redis_shared *redis; /* … or this */
};

struct store_client {
    struct store *store;
    struct loop *loop;
    struct embedded_port *port;
    struct redis_client *redis;
    struct store_call *refused; /* answered at the end of the turn */
    struct task answer;
};

struct store *store_open_within(const struct conf *conf, uint32_t wait_ms, struct err *err) {
    struct store *store = calloc(1, sizeof(*store));
    char path[PATH_MAX];
    if (!store) {
        err_set(err, "no memory for the store");
        return NULL;
    }
    store->lock_fd = lock_take(conf->directory, wait_ms, err);
    if (store->lock_fd < 0)
        goto failed;
    if (conf->store_kind == STORE_REDIS) {
        store->redis = redis_shared_new(conf, err);
        if (!store->redis)
            goto failed;
        if (conf->when_down != WHEN_DOWN_LOCAL)
            return store;
    }
    const char *name = store->redis ? "local.db" : "store.db";
    if (snprintf(path, sizeof(path), "%s/%s", conf->directory, name) >= (int)sizeof(path)) {
        err_set(err, "store.directory is too long: %s", conf->directory);
        goto failed;
    }
    if (store->redis)
        store->redis->failover = failover_new(path, conf->remember_ms, store->redis, err);
    else
        store->embedded = embedded_open(path, conf->remember_ms, err);
    if (store->redis ? !store->redis->failover : !store->embedded)
        goto failed;
    return store;
failed:
    store_close(store);
    return NULL;
}

struct store *store_open(const struct conf *conf, struct err *err) {
    return store_open_within(conf, 0, err);
}

void store_close(struct store *store) {
    if (!store)
        return;
    redis_shared_free(store->redis);
    embedded_close(store->embedded);
    lock_drop(store->lock_fd);
    free(store);
}

bool store_is_up(const struct store *store) {
    if (!store->redis)
        return embedded_is_up(store->embedded);
    struct failover *f = store->redis->failover;
    return f && failover_is_local(f) ? embedded_is_up(failover_store(f))
                                     : redis_shared_is_up(store->redis);
}

void store_state(struct store *store, struct store_state *ret) {
    *ret = (struct store_state){.up = false};
    if (store->redis)
        redis_shared_state(store->redis, ret);
    else
        ret->up = embedded_up(store->embedded, ret->problem, sizeof(ret->problem));
}

static void answer_refused(void *arg) {
    struct store_client *client = arg;
    struct store_call *call = client->refused;
    client->refused = NULL;
    while (call) {
        struct store_call *next = call->next;
        call->result = STORE_AWAY;
        call->done(call);
        call = next;
    }
}

struct store_client *store_client_new(struct store *store, struct loop *loop) {
    struct store_client *client = calloc(1, sizeof(*client));
    if (!client)
        return NULL;
    client->store = store;
    client->loop = loop;
    task_init(&client->answer, answer_refused, client);
    if (store->redis)
        client->redis = redis_client_new(store->redis, loop);
    else
        client->port = embedded_port_new(store->embedded, loop, NULL, NULL);
    if (!client->redis && !client->port) {
        free(client);
        return NULL;
    }
    return client;
}

void store_client_free(struct store_client *client) {
    if (!client)
        return;
    task_cancel(client->loop, &client->answer);
    redis_client_free(client->redis);
    embedded_port_free(client->port);
    answer_refused(client);
    free(client);
}

static void submit(struct store_client *client, struct store_call *call, enum call_kind kind) {
    call->kind = kind;
    call->next = NULL;
    call->deadline_us = clock_mono_us() + (uint64_t)call->timeout_ms * 1000;
    if (client->redis)
        redis_client_submit(client->redis, call);
    else
        embedded_submit(client->port, call);
}

static bool fits(struct slice source, struct slice id, struct slice entity) {
    return source.len <= SOURCE_NAME_MAX && id.len <= EVENT_ID_MAX && entity.len <= ENTITY_MAX;
}

/* What no store could keep is answered as if it could not be reached. */
static void submit_if(struct store_client *client, struct store_call *call, enum call_kind kind,
                      bool sane) {
    if (sane) {
        submit(client, call, kind);
        return;
    }
    call->next = client->refused;
    client->refused = call;
    task_later(client->loop, &client->answer);
}

static bool has_token(const struct token *token) {
    return strnlen(token->text, sizeof(token->text)) == TOKEN_LEN;
}

static uint64_t lease_end_us(uint64_t lease_ms) {
    return clock_mono_us() + (lease_ms > RECORD_SPAN_MAX_MS ? RECORD_SPAN_MAX_MS : lease_ms) * 1000;
}

void store_claim(struct store_client *client, struct store_claim *call) {
    call->ret_until_us = lease_end_us(call->lease_ms);
    submit_if(client, &call->call, CALL_CLAIM,
              fits(call->source, call->id, call->entity) && has_token(&call->token) &&
                  call->side < SIDES);
}

void store_renew(struct store_client *client, struct store_renew *call) {
    call->ret_until_us = lease_end_us(call->lease_ms);
    submit_if(client, &call->call, CALL_RENEW,
              fits(call->source, call->id, call->entity) && has_token(&call->token) &&
                  call->side < SIDES);
}

void store_finish(struct store_client *client, struct store_finish *call) {
    submit_if(client, &call->call, CALL_FINISH,
              fits(call->source, call->id, call->entity) && has_token(&call->token) &&
                  call->side < SIDES);
}

void store_assert(struct store_client *client, struct store_assert *call) {
    submit_if(client, &call->call, CALL_ASSERT, fits(call->source, call->id, call->entity));
}

void store_release(struct store_client *client, struct store_release *call) {
    submit_if(client, &call->call, CALL_RELEASE, fits(call->source, slice("", 0), call->entity));
}

void store_settle(struct store_client *client, struct store_settle *call) {
    submit_if(client, &call->call, CALL_SETTLE, fits(call->source, call->id, slice("", 0)));
}

void store_look(struct store_client *client, struct store_look *call) {
    call->ret_has_event = false;
    call->ret_has_entity = false;
    submit_if(client, &call->call, CALL_LOOK, fits(call->source, call->id, call->entity));
}

void store_control_get(struct store_client *client, struct store_control_get *call) {
    submit(client, &call->call, CALL_CONTROL_GET);
}

void store_control_set(struct store_client *client, struct store_control_set *call) {
    submit(client, &call->call, CALL_CONTROL_SET);
}

void store_note(struct store_client *client, struct store_note *call) {
    submit(client, &call->call, CALL_NOTE);
}

void store_audit(struct store_client *client, struct store_audit *call) {
    call->ret_count = 0;
    submit(client, &call->call, CALL_AUDIT);
}

/* A worker thread: made, told of changes, drained, ended. */
#include "worker.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include <pointsman/text.h>

#include "conn.h"
#include "delivery.h"
#include "listener.h"
#include "queue.h"
#include "shared.h"

#define ATTEMPT_SLOTS 4096

struct rules *rules_new(struct conf *conf, struct resolver *resolver) {
    struct rules *r = calloc(1, sizeof *r + conf->source_count * sizeof r->verifiers[0]);
    if (!r)
        return NULL;
    r->refs = 1;
    r->conf = conf_ref(conf);
    for (int side = 0; side < SIDES; side++) {
        r->targets[side] =
            target_new(resolver, conf->backends[side].url.host, conf->backends[side].url.port);
        if (!r->targets[side]) {
            rules_unref(r);
            return NULL;
        }
    }
    for (size_t i = 0; i < conf->source_count; i++) {
        r->verifiers[i] = verifier_new(&conf->sources[i]);
        if (!r->verifiers[i]) {
            rules_unref(r);
            return NULL;
        }
    }
    return r;
}

struct rules *rules_ref(struct rules *r) {
    r->refs++;
    return r;
}

void rules_unref(struct rules *r) {
    if (!r || --r->refs > 0)
        return;
    for (size_t i = 0; i < r->conf->source_count; i++)
        verifier_free(r->verifiers[i]);
    for (int side = 0; side < SIDES; side++)
        target_unref(r->targets[side]);
    conf_unref(r->conf);
    free(r);
}

static struct http_limits answer_limits(const struct conf *conf) {
    return (struct http_limits){conf->limit_headers, 0, conf->limit_header_count};
}

static void make_pools(struct worker *w) {
    const struct conf *conf = w->rules->conf;
    for (int side = 0; side < SIDES; side++)
        for (int role = 0; role < ROLES; role++)
            pool_init(&w->pools[side][role], w->loop, target_ref(w->rules->targets[side]),
                      (uint64_t)conf->backends[side].idle_ms * 1000, answer_limits(conf),
                      w->backend_scratch, SCRATCH_LEN);
}

static void set_control(struct worker *w, const struct control *control) {
    struct text t;
    char percentage[16];
    w->control = *control;
    percentage_print(control->ppm, percentage);
    text_begin(&t, w->control_text, sizeof w->control_text);
    text_put(&t, "mode=");
    text_put(&t, mode_names[control->mode]);
    text_put(&t, " percentage=");
    text_put(&t, percentage);
    text_put(&t, " epoch=");
    text_put_u64(&t, control->epoch);
}

static void accept_last(void *arg) {
    listener_finish_all(arg);
}

struct worker *worker_new(struct proxy *proxy, unsigned index, struct rules *rules,
                          struct err *err) {
    struct worker *w = calloc(1, sizeof *w);
    if (!w) {
        err_set(err, "no memory for worker %u", index);
        return NULL;
    }
    w->proxy = proxy;
    w->index = index;
    w->rules = rules_ref(rules);
    LIST_INIT(&w->listeners);
    LIST_INIT(&w->conns);
    LIST_INIT(&w->under_way);
    buf_init(&w->spare_out, SPARE_OUT_MAX);
    turn_init(w);
    timer_init(&w->last_accept, accept_last, w);
    gate_init(&w->gate, w);
    w->conn_scratch = malloc(SCRATCH_LEN);
    w->backend_scratch = malloc(SCRATCH_LEN);
    w->loop = loop_new();
    w->json = json_parser_new();
    w->metrics = metrics_slab(proxy->metrics);
    if (!w->conn_scratch || !w->backend_scratch || !w->loop || !w->json || !w->metrics) {
        err_set(err, "no memory or descriptors for worker %u", index);
        goto fail;
    }
    w->store = store_client_new(proxy->store, w->loop);
    if (!w->store) {
        err_set(err, "no memory for the store client of worker %u", index);
        goto fail;
    }
    w->attempts = attempts_open(rules->conf->directory, index, ATTEMPT_SLOTS, err);
    if (!w->attempts)
        goto fail;
    if (proxy->journal) {
        w->journal = journal_client_new(proxy->journal, w->loop);
        w->queue = w->journal ? queue_new(w) : NULL;
        if (!w->queue) {
            err_set(err, "no memory for the journal's client of worker %u", index);
            goto fail;
        }
    }
    make_pools(w);
    set_control(w, &(struct control){MODE_LEGACY_ONLY, 0, 0});
    return w;
fail:
    worker_free(w);
    return NULL;
}

static void *run(void *arg) {
    struct worker *w = arg;
    loop_run(w->loop);
    return NULL;
}

bool worker_start(struct worker *w, struct err *err) {
    w->started = pthread_create(&w->thread, NULL, run, w) == 0;
    if (!w->started)
        err_set(err, "cannot start the thread of worker %u", w->index);
    return w->started;
}

/* ---- messages ---- */

struct worker_message {
    struct message message;
    struct worker *worker;
    struct control control;
    struct rules *rules;
};

static struct worker_message *message_new(struct worker *w, void (*run_it)(struct message *)) {
    struct worker_message *m = calloc(1, sizeof *m);
    if (!m)
        return NULL;
    m->message.run = run_it;
    m->worker = w;
    return m;
}

static void take_control(struct message *message) {
    struct worker_message *m = CONTAINER_OF(message, struct worker_message, message);
    set_control(m->worker, &m->control);
    queue_changed(m->worker);
    free(m);
}

bool worker_tell_control(struct worker *w, const struct control *control) {
    struct worker_message *m = message_new(w, take_control);
    if (!m)
        return false;
    m->control = *control;
    loop_post(w->loop, &m->message);
    return true;
}

static void take_rules(struct message *message) {
    struct worker_message *m = CONTAINER_OF(message, struct worker_message, message);
    struct worker *w = m->worker;
    rules_unref(w->rules);
    w->rules = m->rules;
    for (int side = 0; side < SIDES; side++)
        for (int role = 0; role < ROLES; role++)
            pool_retarget(&w->pools[side][role], target_ref(w->rules->targets[side]),
                          (uint64_t)w->rules->conf->backends[side].idle_ms * 1000,
                          answer_limits(w->rules->conf));
    queue_changed(w);
    free(m);
}

bool worker_tell_rules(struct worker *w, struct rules *rules) {
    struct worker_message *m = message_new(w, take_rules);
    if (!m)
        return false;
    m->rules = rules_ref(rules);
    loop_post(w->loop, &m->message);
    return true;
}

/* Senders that were not told yet get a moment: what is on its way on a kept connection, or waits in
 * the kernel's queue, is served, with "Connection: close". */
static void drain(struct message *message) {
    struct worker_message *m = CONTAINER_OF(message, struct worker_message, message);
    struct worker *w = m->worker;
    struct conn *c;
    w->draining = true;
    queue_close(w);
    LIST_FOREACH (c, &w->conns, entry)
        conn_drain(c);
    timer_set(w->loop, &w->last_accept, LIST_EMPTY(&w->conns) ? 0 : CONN_GRACE_US);
    free(m);
}

void worker_conn_closed(struct worker *w) {
    if (w->draining && LIST_EMPTY(&w->conns))
        timer_set(w->loop, &w->last_accept, 0);
}

static void open_listeners(struct message *message) {
    struct worker_message *m = CONTAINER_OF(message, struct worker_message, message);
    if (!m->worker->draining)
        listener_open_all(m->worker);
    queue_open(m->worker);
    free(m);
}

void worker_tell_open(struct worker *w) {
    struct worker_message *m = message_new(w, open_listeners);
    if (m)
        loop_post(w->loop, &m->message);
}

void worker_tell_drain(struct worker *w) {
    struct worker_message *m = message_new(w, drain);
    if (m)
        loop_post(w->loop, &m->message);
}

void worker_free(struct worker *w) {
    if (!w)
        return;
    if (w->started) {
        loop_stop_soon(w->loop);
        pthread_join(w->thread, NULL);
    }
    w->ended = true;
    listener_close_all(w);
    while (!LIST_EMPTY(&w->conns))
        conn_close(LIST_FIRST(&w->conns), CONN_END_STOP);
    gate_clear(&w->gate);
    if (w->store)
        store_client_free(w->store);
    if (w->journal)
        journal_client_free(w->journal);
    turn_end(w);
    delivery_discard_all(w);
    queue_free(w->queue);
    for (int side = 0; side < SIDES; side++)
        for (int role = 0; role < ROLES; role++)
            pool_clear(&w->pools[side][role]);
    attempts_close(w->attempts);
    json_parser_free(w->json);
    if (w->loop)
        loop_free(w->loop);
    rules_unref(w->rules);
    buf_free(&w->spare_out);
    free(w->conn_scratch);
    free(w->backend_scratch);
    free(w);
}

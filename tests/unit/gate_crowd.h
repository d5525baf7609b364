/* A crowd of senders before a worker's gate. Layer: tests. */
#ifndef POINTSMAN_TESTS_GATE_CROWD_H
#define POINTSMAN_TESTS_GATE_CROWD_H

#include "../../proxy/gate.h"
#include "rig.h"

#define CROWD 200

static const struct rig_conf plain = {.mode = MODE_LEGACY_ONLY};

static inline void start(struct rig *r, const struct rig_conf *conf) {
    rig_start(r, conf);
    r->stubs[SIDE_LEGACY].answer = OK_ANSWER;
}

static inline int64_t metric(const struct rig *r, enum metric m) {
    return metrics_value(r->proxy->metrics, m, 0, 0, 0);
}

struct crowd {
    struct sender of[CROWD];
};

/* Everybody has sent an event before the worker looks. */
static inline void gather(struct rig *r, struct crowd *all) {
    for (int i = 0; i < CROWD; i++) {
        struct sockaddr_storage from = {.ss_family = AF_INET};
        struct sender *s = &all->of[i];
        char id[16];
        *s = (struct sender){.fd = -1};
        buf_init(&s->got, STUB_MAX);
        int accepted = rig_connect(&s->fd);
        atomic_fetch_add(&r->proxy->connections, 1);
        conn_accept(r->worker, accepted, &from, false);
        snprintf(id, sizeof id, "e%d", i);
        const char *text = rig_event(id, (unsigned)i);
        assert_int_equal(send(s->fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
    }
}

/* Waits until everybody has an answer; how many were refused. */
static inline unsigned hear(struct rig *r, struct crowd *all) {
    unsigned refused = 0;
    for (int i = 0; i < CROWD; i++) {
        struct http_head head;
        struct slice body = {0};
        RIG_UNTIL(r, (rig_read(&all->of[i]), sender_answer(&all->of[i], &head, &body)));
        assert_true(head.status == 200 || head.status == 503);
        refused += head.status == 503;
    }
    return refused;
}

static inline void leave(struct crowd *all) {
    for (int i = 0; i < CROWD; i++) {
        sender_reset(&all->of[i]);
        buf_free(&all->of[i].got);
    }
}

/* Turns until everybody was let in, refused or put into the queue; how many waited at most. */
static inline int64_t look_at_all(struct rig *r) {
    int64_t most = 0, known;
    do {
        rig_turn(r);
        int64_t waiting = metric(r, METRIC_WAITING);
        most = waiting > most ? waiting : most;
        known = waiting + metric(r, METRIC_IN_FLIGHT) + metric(r, METRIC_SHED) +
                metrics_value(r->proxy->metrics, METRIC_ANSWERS, ANSWER_BACKEND, 0, 0);
    } while (known < CROWD);
    return most;
}

#endif

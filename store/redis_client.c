/* Sends calls, takes answers, reconnects, and repeats what was in flight until its time is over. */
#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <string.h>

#include <pointsman/clock.h>

#include "redis_client_int.h"
#include "store_ops.h"

static redis_take take_call;

static uint32_t flying(const struct redis_client *c) {
    return c->tail - c->head;
}

void redis_client_sent(struct redis_client *c, redis_take *take, struct store_call *call) {
    if (!flying(c))
        c->progress_us = clock_mono_us();
    c->flights[c->tail++ & (REDIS_FLIGHTS - 1)] = (struct flight){take, call};
    redis_link_flush(&c->link);
}

void redis_client_trouble(struct redis_client *c, const char *text, size_t len) {
    redis_shared_problem(c->shared, text, len);
}

void redis_client_lose(struct redis_client *c, const char *why) {
    redis_link_close(&c->link, why);
}

static void tick_soon(struct redis_client *c) {
    if (!timer_is_set(&c->tick) || c->tick.at_us > loop_now_us(c->loop) + REDIS_TICK_US)
        timer_set(c->loop, &c->tick, REDIS_TICK_US);
}

/* ---- answering ---- */

/* What an answer, of Redis or of the local store, says about legs. */
static void learn(void *arg, struct store_call *call) {
    struct redis_client *c = arg;
    if (call->kind == CALL_FINISH && call->result == STORE_STALE) {
        struct store_finish *f = (struct store_finish *)(void *)call;
        known_dropped(c->shared->known, f->source, f->id, f->side, f->token.text);
    } else if (call->kind == CALL_CLAIM &&
               (call->result == STORE_GRANTED || call->result == STORE_MINE)) {
        known_claimed(c->shared->known, (struct store_claim *)(void *)call);
    } else if (call->kind == CALL_RENEW && call->result == STORE_OK) {
        known_renewed(c->shared->known, (struct store_renew *)(void *)call);
    }
}

static void answer(struct redis_client *c, struct store_call *call) {
    c->open--;
    learn(c, call);
    if (call->kind == CALL_FINISH && call->result == STORE_OK)
        known_kept(c->shared->known, (struct store_finish *)(void *)call);
    call->done(call);
}

static void answer_refused(void *arg) {
    struct redis_client *c = arg;
    while (c->refused) {
        struct store_call *call = c->refused;
        c->refused = call->next;
        call->result = STORE_AWAY;
        answer(c, call);
    }
}

static void refuse(struct redis_client *c, struct store_call *call) {
    call->next = c->refused;
    c->refused = call;
    task_later(c->loop, &c->refuse);
}

/* ---- sending ---- */

static void wait_list(struct redis_client *c, struct store_call *call) {
    call->next = NULL;
    *c->waiting_end = call;
    c->waiting_end = &call->next;
}

static void send_call(struct redis_client *c, struct store_call *call) {
    uint64_t store_us = c->ahead_us ? loop_now_us(c->loop) + c->ahead_us : 0;
    if (flying(c) < REDIS_FLIGHTS_CALLS &&
        redis_cmd(&c->shared->names, c->incarnation, store_us, call, &c->scratch, &c->link.out))
        redis_client_sent(c, take_call, call);
    else
        refuse(c, call);
}

static void send_waiting(struct redis_client *c) {
    struct store_call *call = c->waiting;
    c->waiting = NULL;
    c->waiting_end = &c->waiting;
    c->retry_us = 0;
    while (call) {
        struct store_call *next = call->next;
        send_call(c, call);
        call = next;
    }
}

void redis_client_submit(struct redis_client *c, struct store_call *call) {
    if (call->kind == CALL_FINISH)
        known_finished(c->shared->known, (struct store_finish *)(void *)call);
    if (c->port && c->state != REDIS_READY && failover_submit(c->shared->failover, c->port, call))
        return;
    c->open++;
    if (c->open > REDIS_OPEN_MAX)
        refuse(c, call);
    else if (c->state == REDIS_READY)
        send_call(c, call);
    else
        wait_list(c, call);
    tick_soon(c);
}

/* ---- states ---- */

static void plan_connection(struct redis_client *c) {
    uint64_t jitter;
    random_bytes(&jitter, sizeof(jitter));
    c->connect_us = clock_mono_us() + c->backoff_us * 3 / 4 + jitter % (c->backoff_us / 2);
    c->backoff_us =
        c->backoff_us * 2 < REDIS_BACKOFF_MAX_US ? c->backoff_us * 2 : REDIS_BACKOFF_MAX_US;
}

void redis_client_state(struct redis_client *c, enum redis_state state) {
    enum redis_state was = c->state;
    if (was == state)
        return;
    c->state = state;
    if (was == REDIS_READY)
        redis_shared_ready(c->shared, false);
    if (state == REDIS_READY) {
        c->backoff_us = REDIS_BACKOFF_MIN_US;
        c->beat_us = clock_mono_us();
        if (redis_shared_troubled(c->shared))
            redis_greet_probe(c);
        send_waiting(c);
    } else if (state == REDIS_AWAY) {
        plan_connection(c);
        tick_soon(c);
    } else if (state == REDIS_CONNECTING) {
        c->connect_us = clock_mono_us();
    }
}

static void connect_now(struct redis_client *c) {
    struct sockaddr_storage address;
    socklen_t len;
    const char *why = "the name of Redis' host does not resolve";
    redis_client_state(c, REDIS_CONNECTING);
    if (redis_place_get(c->shared->place, &address, &len) &&
        redis_link_open(&c->link, &address, len, &why))
        return;
    redis_client_trouble(c, why, strlen(why));
    redis_place_refresh(c->shared->place);
    redis_client_state(c, REDIS_AWAY);
}

static void link_up(void *arg) {
    redis_greet(arg);
}

/* Whether they were executed is not known: all are repeated, in their order, before what waits. */
static void link_down(void *arg, const char *why) {
    struct redis_client *c = arg;
    struct store_call *first = NULL, **end = &first;
    for (; flying(c); c->head++) {
        struct store_call *call = c->flights[c->head & (REDIS_FLIGHTS - 1)].call;
        if (!call)
            continue;
        *end = call;
        end = &call->next;
    }
    *end = c->waiting;
    if (!c->waiting)
        c->waiting_end = end;
    c->waiting = first;
    if (!first)
        c->waiting_end = &c->waiting;
    c->ahead_us = 0;
    redis_greet_stop(c);
    if (c->said_why)
        c->said_why = false;
    else if (!c->ending)
        redis_client_trouble(c, why, strlen(why));
    redis_place_refresh(c->shared->place);
    redis_client_state(c, REDIS_AWAY);
}

/* ---- replies ---- */

static void take_call(struct redis_client *c, struct store_call *call,
                      const struct redisReply *reply) {
    if (!call)
        return;
    uint64_t until_us;
    enum redis_said said = redis_reply(call, reply, &until_us);
    if (until_us)
        c->ahead_us = until_us - ((struct store_claim *)(void *)call)->ret_until_us;
    if (said == SAID_ANSWER) {
        if (call->kind == CALL_CLAIM && redis_shared_troubled(c->shared))
            redis_client_trouble(c, "", 0); /* other calls are taken also when claims are not */
        answer(c, call);
        return;
    }
    if (reply->type == REDIS_REPLY_ERROR && said != SAID_UNLOADED)
        redis_client_trouble(c, reply->str, reply->len);
    if (said == SAID_NONSENSE) {
        refuse(c, call);
        return;
    }
    wait_list(c, call);
    if (said == SAID_LATER && !c->port) {
        c->retry_us = clock_mono_us() + REDIS_RETRY_US;
        tick_soon(c);
    } else if (said == SAID_ELSEWHERE || said == SAID_LATER) {
        c->said_why = true;
        redis_client_lose(c, "Redis refuses calls");
    } else {
        redis_greet_again(c);
    }
}

static void link_reply(void *arg, struct redisReply *reply) {
    struct redis_client *c = arg;
    if (!flying(c)) {
        redis_client_lose(c, "an answer that nobody asked for");
        return;
    }
    struct flight flight = c->flights[c->head++ & (REDIS_FLIGHTS - 1)];
    c->progress_us = loop_now_us(c->loop);
    flight.take(c, flight.call, reply);
}

/* ---- time ---- */

/* Calls whose own time is over; those in flight leave their place behind. */
static void end_late(struct redis_client *c, uint64_t now_us) {
    struct store_call *call = c->waiting;
    c->waiting = NULL;
    c->waiting_end = &c->waiting;
    while (call) {
        struct store_call *next = call->next;
        if (call->deadline_us <= now_us)
            refuse(c, call);
        else
            wait_list(c, call);
        call = next;
    }
    for (uint32_t i = c->head; i != c->tail; i++) {
        struct flight *flight = &c->flights[i & (REDIS_FLIGHTS - 1)];
        if (flight->call && flight->call->deadline_us <= now_us) {
            refuse(c, flight->call);
            flight->call = NULL;
        }
    }
}

static void beat(struct redis_client *c, uint64_t now_us) {
    if (now_us - c->beat_us < REDIS_HEARTBEAT_US)
        return;
    c->beat_us = now_us;
    if (redis_cmd_ping(&c->shared->names, &c->link.out))
        redis_client_sent(c, redis_take_ping, NULL);
    if (redis_shared_troubled(c->shared))
        redis_greet_probe(c);
}

/* What waits for Redis goes to the local store; mode and percentage are not for one instance to
 * change alone. */
static void go_local(struct redis_client *c) {
    struct store_call *call = c->waiting;
    c->waiting = NULL;
    c->waiting_end = &c->waiting;
    while (call) {
        struct store_call *next = call->next;
        if (failover_submit(c->shared->failover, c->port, call))
            c->open--;
        else
            refuse(c, call);
        call = next;
    }
}

static void tick(void *arg) {
    struct redis_client *c = arg;
    uint64_t now_us = clock_mono_us();
    end_late(c, now_us);
    if (c->state == REDIS_AWAY && now_us >= c->connect_us)
        connect_now(c);
    else if (c->state == REDIS_CONNECTING && now_us - c->connect_us > REDIS_DEADLINE_US)
        redis_client_lose(c, "no connection within a second");
    else if (flying(c) && now_us > c->progress_us + REDIS_DEADLINE_US)
        redis_client_lose(c, "no answer for a second");
    if (c->state == REDIS_READY) {
        beat(c, now_us);
        if (c->waiting && now_us >= c->retry_us)
            send_waiting(c);
    }
    if (c->state == REDIS_PUBLISHING && !c->publishing)
        redis_greet_enter(c);
    if (c->port && c->state != REDIS_READY && failover_check(c->shared->failover, c->port, now_us))
        go_local(c);
    bool idle = c->state == REDIS_READY && !c->open && !flying(c);
    timer_set(c->loop, &c->tick, idle ? REDIS_HEARTBEAT_US : REDIS_TICK_US);
}

/* ---- life ---- */

struct redis_client *redis_client_new(struct redis_shared *shared, struct loop *loop) {
    static const struct redis_link_ops ops = {link_up, link_reply, link_down};
    struct redis_client *c = calloc(1, sizeof(*c));
    if (!c)
        return NULL;
    c->shared = shared;
    c->loop = loop;
    c->backoff_us = REDIS_BACKOFF_MIN_US;
    c->waiting_end = &c->waiting;
    redis_link_init(&c->link, loop, &ops, c);
    buf_init(&c->scratch, 64 * 1024);
    task_init(&c->refuse, answer_refused, c);
    timer_init(&c->tick, tick, c);
    if (shared->failover) {
        c->port = embedded_port_new(failover_store(shared->failover), loop, learn, c);
        if (!c->port) {
            free(c);
            return NULL;
        }
    }
    connect_now(c);
    timer_set(loop, &c->tick, REDIS_TICK_US);
    return c;
}

void redis_client_free(struct redis_client *c) {
    if (!c)
        return;
    c->ending = true;
    redis_client_lose(c, "the client ends");
    embedded_port_free(c->port);
    for (struct store_call *call = c->waiting; call;) {
        struct store_call *next = call->next;
        refuse(c, call);
        call = next;
    }
    task_cancel(c->loop, &c->refuse);
    answer_refused(c);
    timer_stop(&c->tick);
    redis_link_free(&c->link);
    buf_free(&c->scratch);
    free(c);
}

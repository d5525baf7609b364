/* The greeting: who we are, whether writes are taken, the functions, the incarnation. */
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <string.h>

#include <pointsman/clock.h>
#include <pointsman/log.h>

#include "control_text.h"
#include "redis_client_int.h"

static redis_take take_greeting, take_probe, take_memory, take_loaded, take_incarnation;

static void ask(struct redis_client *c, redis_take *take, bool built) {
    if (!built) {
        redis_client_lose(c, "no memory");
        return;
    }
    redis_client_sent(c, take, NULL);
}

static void say(struct redis_client *c, redis_take *take, const struct slice *words,
                unsigned count) {
    ask(c, take, redis_cmd_words(words, count, &c->link.out));
}

bool redis_greet_accepted(struct redis_client *c, const struct redisReply *reply) {
    if (reply->type != REDIS_REPLY_ERROR)
        return true;
    redis_client_trouble(c, reply->str, reply->len);
    c->said_why = true;
    redis_client_lose(c, "Redis refused the greeting");
    return false;
}

/* Where this process can go on alone, a Redis that takes no writes is none: out of memory, a
 * replica. */
static void ask_for_a_write(struct redis_client *c, redis_take *take) {
    char key[sizeof(c->shared->names.prefix) + 16];
    snprintf(key, sizeof(key), "%sprobe", c->shared->names.prefix);
    const struct slice words[] = {slice_of("SET"), slice_of(key), slice_of("1"), slice_of("PX"),
                                  slice_of("1000")};
    say(c, take, words, ARRAY_LEN(words));
}

void redis_greet_probe(struct redis_client *c) {
    ask_for_a_write(c, take_probe);
}

static void ask_incarnation(struct redis_client *c) {
    ask(c, take_incarnation,
        redis_cmd_incarnation(&c->shared->names, token_new().text, &c->link.out));
}

/* All of these are sent at once: their answers carry nothing but a refusal. */
void redis_greet(struct redis_client *c) {
    const struct redis_shared *s = c->shared;
    char db[16];
    redis_client_state(c, REDIS_GREETING);
    if (s->password) {
        const struct slice words[] = {slice_of("AUTH"), slice_of(s->user ? s->user : s->password),
                                      slice_of(s->password)};
        say(c, take_greeting, words, s->user ? 3 : 2);
    }
    if (s->db) {
        snprintf(db, sizeof(db), "%u", s->db);
        const struct slice words[] = {slice_of("SELECT"), slice_of(db)};
        say(c, take_greeting, words, 2);
    }
    const struct slice name[] = {slice_of("CLIENT"), slice_of("SETNAME"), slice_of("pointsman")};
    say(c, take_greeting, name, 3);
    const struct slice info[] = {slice_of("INFO"), slice_of("memory")};
    say(c, take_memory, info, 2);
    if (s->failover)
        ask_for_a_write(c, take_greeting);
    ask_incarnation(c);
}

void redis_greet_again(struct redis_client *c) {
    if (c->state != REDIS_READY)
        return;
    redis_client_state(c, REDIS_GREETING);
    ask_incarnation(c);
}

static void take_greeting(struct redis_client *c, struct store_call *call,
                          const struct redisReply *reply) {
    (void)call;
    redis_greet_accepted(c, reply);
}

static void take_probe(struct redis_client *c, struct store_call *call,
                       const struct redisReply *reply) {
    (void)call;
    if (reply->type == REDIS_REPLY_ERROR && redis_error_kind(reply) == SAID_LATER && !c->port)
        redis_client_trouble(c, reply->str, reply->len);
    else if (redis_greet_accepted(c, reply) && c->state == REDIS_READY)
        redis_client_trouble(c, "", 0);
}

/* Evicted records would be claimed again. Not fatal: memory may never fill. */
static void take_memory(struct redis_client *c, struct store_call *call,
                        const struct redisReply *reply) {
    (void)call;
    if (!redis_greet_accepted(c, reply) || reply->type != REDIS_REPLY_STRING)
        return;
    bool unlimited = strstr(reply->str, "\nmaxmemory:0\r") != NULL;
    bool kept = strstr(reply->str, "maxmemory_policy:noeviction") != NULL;
    if (!unlimited && !kept && redis_shared_warn_once(c->shared))
        log_say(LOG_WARN, "redis may evict claims",
                "maxmemory is set and maxmemory-policy is not noeviction: an evicted claim lets an "
                "event run twice");
}

static void take_loaded(struct redis_client *c, struct store_call *call,
                        const struct redisReply *reply) {
    (void)call;
    bool there = reply->type == REDIS_REPLY_ERROR && strstr(reply->str, "already exists");
    if (!there && !redis_greet_accepted(c, reply))
        return;
    ask_incarnation(c);
}

/* A Redis without memory loads no functions, but runs those that end what it holds. */
static void take_incarnation(struct redis_client *c, struct store_call *call,
                             const struct redisReply *reply) {
    (void)call;
    if (redis_error_kind(reply) == SAID_UNLOADED) {
        ask(c, take_loaded, redis_cmd_load(&c->shared->names, &c->link.out));
        return;
    }
    if (!redis_greet_accepted(c, reply))
        return;
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 ||
        reply->element[0]->type != REDIS_REPLY_STRING ||
        reply->element[1]->type != REDIS_REPLY_INTEGER ||
        reply->element[0]->len >= sizeof(c->incarnation)) {
        redis_client_lose(c, "the incarnation is not readable");
        return;
    }
    const char *text = reply->element[0]->str;
    control_copy(slice_of(text), c->incarnation, sizeof(c->incarnation));
    bool missing = redis_shared_met(c->shared, text, (uint64_t)reply->element[1]->integer);
    if (!missing) {
        redis_greet_enter(c);
        return;
    }
    redis_put_back(c);
}

void redis_take_ping(struct redis_client *c, struct store_call *call,
                     const struct redisReply *reply) {
    (void)call;
    if (reply->type == REDIS_REPLY_ERROR) {
        if (!redis_greet_accepted(c, reply))
            return;
    }
    if (reply->type != REDIS_REPLY_STRING || strcmp(reply->str, c->incarnation) != 0)
        redis_greet_again(c);
}

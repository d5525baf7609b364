/* Between the greeting and READY: puts back what Redis forgot, then what was done in local mode. */
#include <hiredis/hiredis.h>
#include <string.h>

#include "failover.h"
#include "redis_client_int.h"
#include "store_ops.h"

static redis_take take_put_back;

static void end_list(struct redis_client *c) {
    known_copy_free(c->put_back);
    c->put_back = NULL;
    c->put_back_next = NULL;
    c->put_back_asked = NULL;
    c->put_back_flying = 0;
    c->put_back_written = 0;
    c->put_back_refused = 0;
    c->put_back_left = 0;
}

static void ask_file(struct redis_client *c, enum call_kind kind,
                     void (*done)(struct store_call *call)) {
    c->export.call =
        (struct store_call){.kind = kind, .done = done, .arg = c, .deadline_us = UINT64_MAX};
    c->export_busy = true;
    embedded_submit(c->port, &c->export.call);
}

static void put_back_more(struct redis_client *c);

/* False: the file failed, or the connection went away meanwhile. */
static bool file_answered(struct redis_client *c, const struct store_call *call) {
    c->export_busy = false;
    if (!c->publishing)
        return false;
    if (call->result == STORE_OK)
        return true;
    redis_client_lose(c, "the local store can not be read");
    return false;
}

static void page_ready(struct store_call *call) {
    struct redis_client *c = call->arg;
    struct known_copy *list = call->result == STORE_OK ? c->export.ret_list : NULL;
    if (!file_answered(c, call)) {
        known_copy_free(list);
        return;
    }
    c->put_back = list;
    c->put_back_next = list;
    c->put_back_asked = list;
    put_back_more(c);
}

static void cleared(struct store_call *call) {
    struct redis_client *c = call->arg;
    if (!file_answered(c, call))
        return;
    c->publishing = false;
    failover_published(c->shared->failover, c, true);
    redis_greet_enter(c);
}

static void end_page(struct redis_client *c) {
    redis_shared_published(c->shared, c->put_back_written, c->put_back_refused);
    end_list(c);
    if (c->export.ret_more)
        ask_file(c, CALL_EXPORT, page_ready);
    else
        ask_file(c, CALL_CLEAR, cleared);
}

static void end_put_back(struct redis_client *c) {
    redis_shared_put_back(c->shared, c->incarnation, c->put_back_written + c->put_back_refused,
                          c->put_back_left);
    known_forget_left(c->shared->known);
    end_list(c);
    redis_greet_enter(c);
}

static void put_back_more(struct redis_client *c) {
    while (c->put_back_next && c->put_back_flying < REDIS_PUT_BACK_MAX) {
        struct known_copy *copy = c->put_back_next;
        copy->call.call.kind = CALL_ASSERT;
        if (!redis_cmd(&c->shared->names, c->incarnation, 0, &copy->call.call, &c->scratch,
                       &c->link.out)) {
            redis_client_lose(c, "no memory");
            return;
        }
        c->put_back_next = copy->next;
        c->put_back_flying++;
        redis_client_sent(c, take_put_back, NULL);
    }
    if (c->put_back_flying)
        return;
    if (c->publishing)
        end_page(c);
    else
        end_put_back(c);
}

static void take_put_back(struct redis_client *c, struct store_call *call,
                          const struct redisReply *reply) {
    (void)call;
    if (!redis_greet_accepted(c, reply))
        return;
    c->put_back_flying--;
    bool words = reply->type == REDIS_REPLY_STRING;
    c->put_back_written += words && c->put_back_asked->kept && strcmp(reply->str, "K 1") == 0;
    c->put_back_refused += words && strcmp(reply->str, "S") == 0;
    c->put_back_asked = c->put_back_asked->next;
    put_back_more(c);
}

void redis_put_back(struct redis_client *c) {
    redis_client_state(c, REDIS_PUTTING_BACK);
    if (!known_copy(c->shared->known, &c->put_back, &c->put_back_left)) {
        redis_client_lose(c, "no memory");
        return;
    }
    /* After a restart the old records may well be there: then only what was missing counts. */
    if (strstr(c->incarnation, " restarted"))
        c->put_back_left = 0;
    c->put_back_next = c->put_back;
    c->put_back_asked = c->put_back;
    put_back_more(c);
}

void redis_greet_enter(struct redis_client *c) {
    struct failover *f = c->shared->failover;
    enum failover_entry entry = ENTER_READY;
    if (f)
        entry = failover_enter(f, c);
    else
        redis_shared_ready(c->shared, true);
    redis_client_state(c, entry == ENTER_READY ? REDIS_READY : REDIS_PUBLISHING);
    if (entry != ENTER_PUBLISH)
        return;
    if (c->export_busy) { /* of a connection before this one: its turn comes with a later tick */
        failover_published(f, c, false);
        return;
    }
    c->publishing = true;
    c->export.after_len = 0;
    ask_file(c, CALL_EXPORT, page_ready);
}

void redis_greet_stop(struct redis_client *c) {
    end_list(c);
    if (!c->publishing)
        return;
    c->publishing = false;
    failover_published(c->shared->failover, c, false);
}

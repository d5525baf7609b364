/* Decides between Redis and the local file, for all clients of the process at once. */
#include "failover.h"

#include <pthread.h>
#include <stdlib.h>

#include <pointsman/clock.h>

#include "known.h"
#include "redis_shared.h"
#include "store_ops.h"

enum failover_mode { FAILOVER_REMOTE = 0, FAILOVER_LOCAL };

struct failover {
    struct redis_shared *shared;
    struct embedded *local;
    pthread_mutex_t lock;            /* what follows; taken before the file's queue */
    _Atomic enum failover_mode mode; /* is read without the lock, too */
    bool unpublished;                /* the file may hold what Redis lacks */
    const void *publisher;
};

struct failover *failover_new(const char *path, uint64_t remember_ms, struct redis_shared *shared,
                              struct err *err) {
    struct failover *f = calloc(1, sizeof(*f));
    if (!f) {
        err_set(err, "no memory for the local store");
        return NULL;
    }
    f->local = embedded_open(path, remember_ms, err);
    if (!f->local) {
        free(f);
        return NULL;
    }
    f->shared = shared;
    f->unpublished = true;
    pthread_mutex_init(&f->lock, NULL);
    return f;
}

void failover_free(struct failover *f) {
    if (!f)
        return;
    embedded_close(f->local);
    pthread_mutex_destroy(&f->lock);
    free(f);
}

struct embedded *failover_store(struct failover *f) {
    return f->local;
}

bool failover_is_local(struct failover *f) {
    return f->mode == FAILOVER_LOCAL;
}

bool failover_submit(struct failover *f, struct embedded_port *port, struct store_call *call) {
    bool control = call->kind == CALL_CONTROL_GET || call->kind == CALL_CONTROL_SET ||
                   call->kind == CALL_AUDIT || call->kind == CALL_NOTE;
    pthread_mutex_lock(&f->lock);
    bool local = f->mode == FAILOVER_LOCAL && !control;
    if (local) {
        embedded_submit(port, call);
        embedded_hand_on(port); /* before a publisher asks for what is in the file */
    }
    pthread_mutex_unlock(&f->lock);
    return local;
}

static void seeded(struct store_call *call) {
    free(call->arg);
}

/* Before the first local claim, in the queue of the file. False: no memory, and no local claims
 * then. */
static bool seed(struct failover *f, struct embedded_port *port) {
    struct known_copy *list, *next;
    uint64_t left;
    if (!known_copy(f->shared->known, &list, &left))
        return false;
    for (; list; list = next) {
        next = list->next;
        struct store_call *call = &list->call.call;
        call->kind = CALL_ASSERT;
        call->done = seeded;
        call->arg = list;
        call->deadline_us = UINT64_MAX;
        embedded_submit(port, call);
    }
    embedded_hand_on(port);
    return true;
}

bool failover_check(struct failover *f, struct embedded_port *port, uint64_t now_us) {
    pthread_mutex_lock(&f->lock);
    if (f->mode == FAILOVER_REMOTE && !f->publisher &&
        redis_shared_away_us(f->shared, now_us) >= FAILOVER_AFTER_US && seed(f, port)) {
        f->mode = FAILOVER_LOCAL;
        f->unpublished = true;
    }
    bool local = f->mode == FAILOVER_LOCAL;
    pthread_mutex_unlock(&f->lock);
    return local;
}

enum failover_entry failover_enter(struct failover *f, const void *publisher) {
    enum failover_entry entry = ENTER_WAIT;
    pthread_mutex_lock(&f->lock);
    if (!f->unpublished) {
        redis_shared_ready(f->shared, true);
        entry = ENTER_READY;
    } else if (!f->publisher) {
        f->publisher = publisher;
        f->mode = FAILOVER_REMOTE;
        entry = ENTER_PUBLISH;
    }
    pthread_mutex_unlock(&f->lock);
    return entry;
}

void failover_published(struct failover *f, const void *publisher, bool done) {
    pthread_mutex_lock(&f->lock);
    if (f->publisher == publisher) {
        f->publisher = NULL;
        if (done)
            f->unpublished = false;
    }
    pthread_mutex_unlock(&f->lock);
}

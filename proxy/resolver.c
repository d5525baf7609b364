/* The resolver's thread: getaddrinfo on a schedule and on demand, the last good answer is kept. */
#include "resolver.h"

#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>

#include <pointsman/clock.h>
#include <pointsman/log.h>

#define REFRESH_US (30 * 1000000ull)
#define AGAIN_US   1000000ull /* after a failure, and the least distance of two asks on demand */

struct target {
    LIST_ENTRY(target) entry;
    struct resolver *resolver;
    int refs; /* guarded by the resolver's mutex, as all below */
    char host[256];
    char port[8];
    bool numeric;
    bool failing;
    uint64_t due_us;
    uint64_t asked_us;
    struct addresses *now;
};

struct resolver {
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    pthread_t thread;
    bool stop;
    LIST_HEAD(, target) targets;
};

void addresses_unref(struct addresses *a) {
    if (a && --a->refs == 0)
        free(a);
}

static struct addresses *ask(const char *host, const char *port, int flags) {
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = flags};
    struct addrinfo *list = NULL;
    if (getaddrinfo(host, port, &hints, &list) != 0)
        return NULL;
    struct addresses *a = calloc(1, sizeof *a);
    for (struct addrinfo *i = list; a && i && a->count < ADDRESSES_MAX; i = i->ai_next) {
        memcpy(&a->at[a->count], i->ai_addr, i->ai_addrlen);
        a->len[a->count++] = i->ai_addrlen;
    }
    freeaddrinfo(list);
    if (a)
        a->refs = 1;
    return a;
}

static void target_free(struct target *t) {
    LIST_REMOVE(t, entry);
    addresses_unref(t->now);
    free(t);
}

/* Called with the mutex held; gives it up while the system is asked. */
static void refresh(struct resolver *r, struct target *t) {
    t->refs++;
    pthread_mutex_unlock(&r->mutex);
    struct addresses *found = ask(t->host, t->port, 0);
    pthread_mutex_lock(&r->mutex);
    uint64_t now = clock_mono_us();
    t->asked_us = now;
    t->due_us = now + (found ? REFRESH_US : AGAIN_US);
    if (found) {
        addresses_unref(t->now);
        t->now = found;
    }
    if (t->failing != !found)
        log_say(found ? LOG_INFO : LOG_WARN, found ? "name resolved" : "name not resolved", "%s",
                t->host);
    t->failing = !found;
    if (--t->refs == 0)
        target_free(t);
}

static struct target *most_due(struct resolver *r) {
    struct target *first = NULL, *t;
    LIST_FOREACH (t, &r->targets, entry)
        if (!t->numeric && (!first || t->due_us < first->due_us))
            first = t;
    return first;
}

static void wait_at_most(struct resolver *r, uint64_t us) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    uint64_t ns = (uint64_t)until.tv_nsec + us * 1000;
    until.tv_sec += (time_t)(ns / 1000000000);
    until.tv_nsec = (long)(ns % 1000000000);
    pthread_cond_timedwait(&r->wake, &r->mutex, &until);
}

static void *resolver_run(void *arg) {
    struct resolver *r = arg;
    pthread_mutex_lock(&r->mutex);
    while (!r->stop) {
        struct target *t = most_due(r);
        uint64_t now = clock_mono_us();
        if (t && t->due_us <= now) {
            refresh(r, t);
        } else if (!t) {
            pthread_cond_wait(&r->wake, &r->mutex);
        } else {
            wait_at_most(r, t->due_us - now);
        }
    }
    pthread_mutex_unlock(&r->mutex);
    return NULL;
}

struct resolver *resolver_new(void) {
    struct resolver *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&r->wake, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_init(&r->mutex, NULL);
    LIST_INIT(&r->targets);
    if (pthread_create(&r->thread, NULL, resolver_run, r) != 0) {
        pthread_cond_destroy(&r->wake);
        pthread_mutex_destroy(&r->mutex);
        free(r);
        return NULL;
    }
    return r;
}

void resolver_free(struct resolver *r) {
    if (!r)
        return;
    pthread_mutex_lock(&r->mutex);
    r->stop = true;
    pthread_cond_signal(&r->wake);
    pthread_mutex_unlock(&r->mutex);
    pthread_join(r->thread, NULL);
    pthread_cond_destroy(&r->wake);
    pthread_mutex_destroy(&r->mutex);
    free(r);
}

struct target *target_new(struct resolver *r, const char *host, uint16_t port) {
    struct target *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->resolver = r;
    t->refs = 1;
    snprintf(t->host, sizeof t->host, "%s", host);
    snprintf(t->port, sizeof t->port, "%u", port);
    t->now = ask(t->host, t->port, AI_NUMERICHOST | AI_NUMERICSERV);
    t->numeric = t->now != NULL;
    pthread_mutex_lock(&r->mutex);
    LIST_INSERT_HEAD(&r->targets, t, entry);
    pthread_cond_signal(&r->wake);
    pthread_mutex_unlock(&r->mutex);
    return t;
}

struct target *target_ref(struct target *t) {
    pthread_mutex_lock(&t->resolver->mutex);
    t->refs++;
    pthread_mutex_unlock(&t->resolver->mutex);
    return t;
}

void target_unref(struct target *t) {
    if (!t)
        return;
    struct resolver *r = t->resolver;
    pthread_mutex_lock(&r->mutex);
    if (--t->refs == 0)
        target_free(t);
    pthread_mutex_unlock(&r->mutex);
}

struct addresses *target_addresses(struct target *t) {
    pthread_mutex_lock(&t->resolver->mutex);
    struct addresses *a = t->now;
    if (a)
        a->refs++;
    pthread_mutex_unlock(&t->resolver->mutex);
    return a;
}

void target_doubtful(struct target *t) {
    if (t->numeric)
        return;
    pthread_mutex_lock(&t->resolver->mutex);
    uint64_t soon = t->asked_us + AGAIN_US;
    if (soon < t->due_us)
        t->due_us = soon;
    pthread_cond_signal(&t->resolver->wake);
    pthread_mutex_unlock(&t->resolver->mutex);
}

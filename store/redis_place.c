/* Keeps the address of Redis, refreshed by a helper thread where it is a name. */
#include "redis_place.h"

#include <netdb.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

struct redis_place {
    char *host;
    char port[8];
    bool has_thread; /* the host is a name */
    pthread_t thread;
    pthread_mutex_t lock; /* what follows */
    pthread_cond_t asked;
    bool wanted;
    bool stop;
    struct sockaddr_storage address;
    socklen_t len; /* 0: not known */
};

static bool look_up(const char *host, const char *port, int flags, struct sockaddr_storage *ret,
                    socklen_t *ret_len) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = flags | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    if (getaddrinfo(host, port, &hints, &found) != 0)
        return false;
    memcpy(ret, found->ai_addr, found->ai_addrlen);
    *ret_len = found->ai_addrlen;
    freeaddrinfo(found);
    return true;
}

static void look_up_name(struct redis_place *place) {
    struct sockaddr_storage address;
    socklen_t len;
    if (!look_up(place->host, place->port, 0, &address, &len))
        return; /* the last good one stays */
    pthread_mutex_lock(&place->lock);
    place->address = address;
    place->len = len;
    pthread_mutex_unlock(&place->lock);
}

static void *thread_main(void *arg) {
    struct redis_place *place = arg;
    for (;;) {
        pthread_mutex_lock(&place->lock);
        while (!place->wanted && !place->stop)
            pthread_cond_wait(&place->asked, &place->lock);
        bool stop = place->stop;
        pthread_mutex_unlock(&place->lock);
        if (stop)
            return NULL;
        look_up_name(place);
        pthread_mutex_lock(&place->lock);
        place->wanted = false;
        pthread_mutex_unlock(&place->lock);
    }
}

static bool take_path(struct redis_place *place, struct err *err) {
    struct sockaddr_un *un = (struct sockaddr_un *)&place->address;
    size_t len = strlen(place->host);
    if (len >= sizeof(un->sun_path)) {
        err_set(err, "store.redis.url: the socket's path has %zu bytes, at most %zu are allowed",
                len, sizeof(un->sun_path) - 1);
        return false;
    }
    un->sun_family = AF_UNIX;
    memcpy(un->sun_path, place->host, len + 1);
    place->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + 1);
    return true;
}

struct redis_place *redis_place_new(const char *host, uint16_t port, struct err *err) {
    struct redis_place *place = calloc(1, sizeof(*place));
    if (place)
        place->host = strdup(host);
    if (!place || !place->host) {
        free(place);
        err_set(err, "no memory for the Redis store");
        return NULL;
    }
    snprintf(place->port, sizeof(place->port), "%u", port);
    pthread_mutex_init(&place->lock, NULL);
    pthread_cond_init(&place->asked, NULL);
    if (host[0] == '/') {
        if (take_path(place, err))
            return place;
        goto failed;
    }
    if (look_up(host, place->port, AI_NUMERICHOST, &place->address, &place->len))
        return place;
    look_up_name(place);
    int rc = pthread_create(&place->thread, NULL, thread_main, place);
    if (rc == 0) {
        place->has_thread = true;
        return place;
    }
    err_set(err, "no thread to look up %s: %s", host, strerror(rc));
failed:
    redis_place_free(place);
    return NULL;
}

void redis_place_free(struct redis_place *place) {
    if (!place)
        return;
    if (place->has_thread) {
        pthread_mutex_lock(&place->lock);
        place->stop = true;
        pthread_cond_signal(&place->asked);
        pthread_mutex_unlock(&place->lock);
        pthread_join(place->thread, NULL);
    }
    pthread_cond_destroy(&place->asked);
    pthread_mutex_destroy(&place->lock);
    free(place->host);
    free(place);
}

bool redis_place_get(struct redis_place *place, struct sockaddr_storage *ret, socklen_t *ret_len) {
    pthread_mutex_lock(&place->lock);
    bool known = place->len > 0;
    if (known) {
        *ret = place->address;
        *ret_len = place->len;
    }
    pthread_mutex_unlock(&place->lock);
    return known;
}

void redis_place_refresh(struct redis_place *place) {
    if (!place->has_thread)
        return;
    pthread_mutex_lock(&place->lock);
    place->wanted = true;
    pthread_cond_signal(&place->asked);
    pthread_mutex_unlock(&place->lock);
}

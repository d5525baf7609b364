/* They are watched only to see whether the server closes them. */
#include "idle.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct idle {
    struct idles *all;
    struct watch watch;
};

struct idles {
    unsigned count, closed;
    struct idle idle[];
};

static void hang_up(struct idle *idle) {
    watch_stop(&idle->watch);
    close(idle->watch.fd);
    idle->watch.fd = -1;
}

static void on_ready(void *arg, int what) {
    struct idle *idle = arg;
    char bytes[64];
    (void)what;
    if (recv(idle->watch.fd, bytes, sizeof bytes, MSG_DONTWAIT) > 0)
        return;
    hang_up(idle);
    idle->all->closed++;
}

static bool open_one(struct idle *idle, struct loop *loop, unsigned port) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    watch_init(&idle->watch, loop, fd, on_ready, idle);
    return fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0 &&
           watch_set(&idle->watch, WATCH_READ);
}

struct idles *idles_open(struct loop *loop, unsigned port, unsigned count) {
    struct idles *all = calloc(1, sizeof *all + count * sizeof all->idle[0]);
    bool good = all != NULL;
    while (good && all->count < count) {
        struct idle *idle = &all->idle[all->count++];
        idle->all = all;
        good = open_one(idle, loop, port);
    }
    if (good)
        return all;
    idles_free(all);
    return NULL;
}

unsigned idles_closed(const struct idles *all) {
    return all->closed;
}

void idles_free(struct idles *all) {
    for (unsigned i = 0; all && i < all->count; i++)
        if (all->idle[i].watch.fd >= 0)
            hang_up(&all->idle[i]);
    free(all);
}

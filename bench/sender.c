/* One connection's round: write a delivery, read its answer, count it, write the next. */
#include "sender.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <unistd.h>

#include <pointsman/clock.h>
#include <pointsman/digest.h>
#include <pointsman/http.h>

#define ANSWER_MAX 16384
#define TICK_NS    500000

enum sender_state {
    SENDER_IDLE = 0, /* connected, between two deliveries */
    SENDER_BUSY,     /* a delivery is on its way and not answered */
    SENDER_CLOSED,   /* its answer could not be used; the run has failed */
};

struct sender {
    struct senders *all;
    struct watch watch;
    int fd; /* -1: closed */
    enum sender_state state;
    uint64_t began_us;
    char id[40]; /* of the delivery under way */
    struct iovec parts[3];
    unsigned next_part;
    size_t got;  /* bytes of the answer */
    size_t seen; /* of which the parser has judged */
    char answer[ANSWER_MAX];
};

struct senders {
    struct loop *loop;
    const struct payload *payload;
    struct counts *counts;
    bool finishing;
    unsigned busy;
    uint32_t run;  /* makes ids unique over runs */
    uint64_t sent; /* and within one */
    struct pace pace;
    uint64_t start_us;
    struct watch clock; /* of a rate: a timerfd, -1 without */
    unsigned connections;
    struct sender sender[];
};

static void set_state(struct sender *s, enum sender_state next) {
    struct senders *all = s->all;
    all->busy += (next == SENDER_BUSY);
    all->busy -= (s->state == SENDER_BUSY);
    s->state = next;
    if (!all->busy && (all->finishing || next == SENDER_CLOSED))
        loop_stop(all->loop);
}

static void give_up(struct sender *s) {
    s->all->counts->broken++;
    watch_stop(&s->watch);
    close(s->fd);
    s->fd = -1;
    set_state(s, SENDER_CLOSED);
}

static void write_rest(struct sender *s) {
    while (s->next_part < ARRAY_LEN(s->parts)) {
        struct msghdr message = {.msg_iov = s->parts + s->next_part,
                                 .msg_iovlen = ARRAY_LEN(s->parts) - s->next_part};
        ssize_t n = sendmsg(s->fd, &message, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            break;
        if (n < 0) {
            give_up(s);
            return;
        }
        size_t left = (size_t)n;
        while (s->next_part < ARRAY_LEN(s->parts) && left >= s->parts[s->next_part].iov_len)
            left -= s->parts[s->next_part++].iov_len;
        if (left) {
            s->parts[s->next_part].iov_base = (char *)s->parts[s->next_part].iov_base + left;
            s->parts[s->next_part].iov_len -= left;
        }
    }
    bool all_written = s->next_part == ARRAY_LEN(s->parts);
    if (!watch_set(&s->watch, all_written ? WATCH_READ : WATCH_READ | WATCH_WRITE))
        give_up(s);
}

static struct iovec part(struct slice bytes) {
    return (struct iovec){(void *)(uintptr_t)bytes.ptr, bytes.len};
}

/* Issues come in an order that looks random and gives each the same share (Weyl sequence). */
static const struct buf *next_back(const struct senders *all) {
    uint32_t spread = (uint32_t)(all->sent * UINT64_C(2654435769));
    return &all->payload->backs[((uint64_t)spread * all->payload->count) >> 32];
}

/* Ids come in no order, as senders' do, so that an index over them is hit all over. It is one to
 * one (splitmix64). */
static uint64_t scattered(uint64_t nth) {
    nth = (nth ^ (nth >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    nth = (nth ^ (nth >> 27)) * UINT64_C(0x94d049bb133111eb);
    return nth ^ (nth >> 31);
}

static uint64_t planned_us(const struct senders *all, uint64_t nth) {
    return all->pace.rate ? all->start_us + nth * 1000000 / all->pace.rate : clock_mono_us();
}

static bool is_time(const struct senders *all) {
    return !all->finishing && (!all->pace.rate || planned_us(all, all->sent) <= clock_mono_us());
}

static void begin(struct sender *s) {
    struct senders *all = s->all;
    int len = snprintf(s->id, sizeof s->id, "%08x-%016llx", all->run,
                       (unsigned long long)scattered(all->sent));
    s->parts[0] = part(buf_slice(&all->payload->front));
    s->parts[1] = part(slice(s->id, (size_t)len));
    s->parts[2] = part(buf_slice(next_back(all)));
    s->next_part = 0;
    s->got = s->seen = 0;
    s->began_us = planned_us(all, all->sent++);
    if (all->sent == all->pace.count)
        all->finishing = true;
    set_state(s, SENDER_BUSY);
    write_rest(s);
}

static void answered(struct sender *s, unsigned status) {
    struct counts *counts = s->all->counts;
    histogram_add(&counts->latency, clock_mono_us() - s->began_us);
    if (status / 100 == 2) {
        counts->good++;
        counts->queued += (status == 202);
    } else {
        counts->other++;
        counts->last_other = status;
    }
    set_state(s, SENDER_IDLE);
    if (is_time(s->all))
        begin(s);
}

static void judge(struct sender *s) {
    static const struct http_limits limits = {ANSWER_MAX, 0, HTTP_HEADERS_MAX};
    struct http_head head;
    struct http_problem problem;
    enum http_parse result =
        http_parse_response(s->answer, s->got, s->seen, false, &limits, &head, &problem);
    if (result == HTTP_MORE) {
        s->seen = s->got;
        return;
    }
    bool countable = result == HTTP_OK && head.keep_alive && head.status >= 200 &&
                     (head.framing == HTTP_NO_BODY || head.framing == HTTP_LENGTH);
    size_t whole = head.size + (head.framing == HTTP_LENGTH ? head.length : 0);
    if (!countable || s->next_part < ARRAY_LEN(s->parts) || whole > ANSWER_MAX || s->got > whole)
        give_up(s);
    else if (s->got == whole)
        answered(s, head.status);
}

static void on_ready(void *arg, int what) {
    struct sender *s = arg;
    if (what & WATCH_WRITE)
        write_rest(s);
    if (s->state == SENDER_CLOSED || !(what & WATCH_READ))
        return;
    ssize_t n = recv(s->fd, s->answer + s->got, sizeof s->answer - s->got, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0 || s->state != SENDER_BUSY) {
        give_up(s);
        return;
    }
    s->got += (size_t)n;
    judge(s);
}

static bool open_one(struct sender *s, unsigned port) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int on = 1;
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (s->fd < 0)
        return false;
    watch_init(&s->watch, s->all->loop, s->fd, on_ready, s);
    return connect(s->fd, (struct sockaddr *)&to, sizeof to) == 0 &&
           setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0 &&
           fcntl(s->fd, F_SETFL, O_NONBLOCK) == 0;
}

static void on_tick(void *arg, int what) {
    struct senders *all = arg;
    uint64_t ticks;
    (void)what;
    (void)!read(all->clock.fd, &ticks, sizeof ticks);
    for (unsigned i = 0; i < all->connections && is_time(all); i++)
        if (all->sender[i].state == SENDER_IDLE)
            begin(&all->sender[i]);
}

static bool start_clock(struct senders *all) {
    const struct itimerspec every = {{0, TICK_NS}, {0, TICK_NS}};
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    watch_init(&all->clock, all->loop, fd, on_tick, all);
    return fd >= 0 && timerfd_settime(fd, 0, &every, NULL) == 0 &&
           watch_set(&all->clock, WATCH_READ);
}

struct senders *senders_new(struct loop *loop, const struct payload *payload, unsigned port,
                            unsigned connections, struct pace pace, struct counts *counts) {
    struct senders *all = calloc(1, sizeof *all + connections * sizeof all->sender[0]);
    if (!all)
        return NULL;
    all->loop = loop;
    all->payload = payload;
    all->counts = counts;
    all->pace = pace;
    all->clock.fd = -1;
    random_bytes(&all->run, sizeof all->run);
    for (unsigned i = 0; i < connections; i++) {
        struct sender *s = &all->sender[all->connections++];
        s->all = all;
        if (!open_one(s, port)) {
            fprintf(stderr, "load: 127.0.0.1:%u: %s\n", port, strerror(errno));
            senders_free(all);
            return NULL;
        }
    }
    if (pace.rate && !start_clock(all)) {
        fprintf(stderr, "load: no timer: %s\n", strerror(errno));
        senders_free(all);
        return NULL;
    }
    return all;
}

uint32_t senders_run(const struct senders *all) {
    return all->run;
}

void senders_start(struct senders *all) {
    all->start_us = clock_mono_us();
    for (unsigned i = 0; i < all->connections && is_time(all); i++)
        begin(&all->sender[i]);
}

void senders_finish(struct senders *all) {
    all->finishing = true;
    if (!all->busy)
        loop_stop(all->loop);
}

void senders_free(struct senders *all) {
    if (!all)
        return;
    if (all->clock.fd >= 0) {
        watch_stop(&all->clock);
        close(all->clock.fd);
    }
    for (unsigned i = 0; i < all->connections; i++) {
        struct sender *s = &all->sender[i];
        if (s->fd < 0)
            continue;
        watch_stop(&s->watch);
        close(s->fd);
    }
    free(all);
}

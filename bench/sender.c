/* One connection's round: write a delivery, read its answer, count it, write the next. */
#include "sender.h"

#include <arpa/inet.h>
#include <errno.h>
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
#include <pointsman/http.h>

#define ANSWER_MAX 4096   /* of an answer's head, and of what is looked at of its body */
#define AGAIN_US   100000 /* without a rate: the pause after a connection broke */

enum sender_state {
    SENDER_CLOSED = 0, /* no descriptor */
    SENDER_IDLE,       /* connected, between two deliveries */
    SENDER_BUSY,       /* a delivery is on its way, its answer is awaited */
    SENDER_LONG,       /* the answer does not fit: its rest is dropped */
};

struct answer {
    unsigned status;
    bool retry_after;
    bool duplicate;
    bool keep_alive;
};

struct sender {
    struct senders *all;
    struct watch watch;
    int fd; /* -1: closed */
    enum sender_state state;
    struct counts *counts; /* of the delivery under way */
    uint64_t began_us;
    char id[SCHEDULE_ID_MAX];
    struct iovec parts[4];
    unsigned next_part;
    size_t got;    /* bytes of the answer */
    size_t seen;   /* of which the parser has judged */
    uint64_t left; /* of a long answer: bytes to come */
    struct answer answer;
    char data[ANSWER_MAX];
};

struct senders {
    struct loop *loop;
    const struct payload *payload;
    struct schedule *schedule;
    const struct distribution *distribution;
    struct sender_options options;
    struct counts *counts;
    bool finishing;
    unsigned busy;
    uint64_t sent;
    struct watch clock; /* a timerfd; -1 without a rate */
    uint64_t armed_us;  /* when it fires; 0: not set */
    struct timer again;
    unsigned free_count; /* senders without a delivery, the last one freed on top */
    struct sender **free;
    struct sender sender[];
};

static void dispatch(struct senders *all);

/* ---- states ---- */

static bool is_busy(enum sender_state state) {
    return state == SENDER_BUSY || state == SENDER_LONG;
}

static void set_state(struct sender *s, enum sender_state next) {
    struct senders *all = s->all;
    bool was = is_busy(s->state), is = is_busy(next);
    s->state = next;
    all->busy += is;
    all->busy -= was;
    if (was && !is)
        all->free[all->free_count++] = s;
    if (!all->busy && all->finishing)
        loop_stop(all->loop);
}

static void hang_up(struct sender *s) {
    if (s->fd >= 0) {
        watch_stop(&s->watch);
        close(s->fd);
    }
    s->fd = -1;
    set_state(s, SENDER_CLOSED);
}

static void give_up(struct sender *s) {
    struct senders *all = s->all;
    s->counts->broken++;
    hang_up(s);
    timer_set(all->loop, &all->again, AGAIN_US);
}

/* ---- a delivery ---- */

/* An answer can come before all was written, and stays readable when the connection was reset. */
static void write_rest(struct sender *s) {
    int what = WATCH_READ;
    while (s->next_part < ARRAY_LEN(s->parts)) {
        struct msghdr message = {.msg_iov = s->parts + s->next_part,
                                 .msg_iovlen = ARRAY_LEN(s->parts) - s->next_part};
        ssize_t n = sendmsg(s->fd, &message, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            what |= WATCH_WRITE;
        if (n < 0)
            break;
        size_t left = (size_t)n;
        while (s->next_part < ARRAY_LEN(s->parts) && left >= s->parts[s->next_part].iov_len)
            left -= s->parts[s->next_part++].iov_len;
        if (left) {
            s->parts[s->next_part].iov_base = (char *)s->parts[s->next_part].iov_base + left;
            s->parts[s->next_part].iov_len -= left;
        }
    }
    if (!watch_set(&s->watch, what))
        give_up(s);
}

static struct iovec part(struct slice bytes) {
    return (struct iovec){(void *)(uintptr_t)bytes.ptr, bytes.len};
}

static void on_ready(void *arg, int what);

/* It connects meanwhile: until then nothing can be written. */
static bool open_one(struct sender *s) {
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)s->all->options.port)};
    const int on = 1;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (s->fd < 0)
        return false;
    watch_init(&s->watch, s->all->loop, s->fd, on_ready, s);
    return setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0 &&
           (connect(s->fd, (struct sockaddr *)&to, sizeof to) == 0 || errno == EINPROGRESS);
}

static void begin(struct sender *s) {
    struct senders *all = s->all;
    uint64_t nth = all->sent++, event = schedule_event(all->schedule, nth);
    unsigned entity = distribution_entity(all->distribution, event);
    schedule_id(all->schedule, event, s->id);
    s->parts[0] = part(buf_slice(&all->payload->front));
    s->parts[1] = part(slice_of(s->id));
    s->parts[2] = part(buf_slice(&all->payload->backs[entity]));
    s->parts[3] = part(buf_slice(&all->payload->padding));
    s->next_part = 0;
    s->got = s->seen = 0;
    s->answer = (struct answer){0};
    s->began_us = all->schedule->rate ? schedule_due_us(all->schedule, nth) : clock_mono_us();
    s->counts = all->counts;
    s->counts->sent++;
    s->counts->repeated += event != nth;
    all->finishing |= all->sent == all->options.count;
    set_state(s, SENDER_BUSY);
    if (s->fd >= 0 || open_one(s))
        write_rest(s);
    else
        give_up(s);
}

/* ---- its answer ---- */

static void answered(struct sender *s) {
    struct counts *counts = s->counts;
    const struct answer *a = &s->answer;
    uint64_t took_us = clock_mono_us() - s->began_us;
    counts->ok += a->status / 100 == 2 && a->status != 202 && !a->duplicate;
    counts->accepted += a->status == 202 && !a->duplicate;
    counts->duplicate += a->duplicate;
    if (a->status / 100 == 2) {
        histogram_add(&counts->latency, took_us);
    } else if (a->status == 503) {
        counts->refused++;
        counts->retry_after += a->retry_after;
        histogram_add(&counts->refused_latency, took_us);
    } else {
        counts->other++;
        counts->last_other = a->status;
    }
    if (a->keep_alive && !s->all->options.new_connections && s->next_part == ARRAY_LEN(s->parts))
        set_state(s, SENDER_IDLE);
    else
        hang_up(s);
    dispatch(s->all);
}

/* SENDER_BUSY: a head, and what follows it, as far as it fits. */
static void judge(struct sender *s) {
    static const struct http_limits limits = {ANSWER_MAX, 0, HTTP_HEADERS_MAX};
    static const char duplicate[] = "\"status\":\"duplicate\"";
    struct http_head head;
    struct http_problem problem;
    enum http_parse result =
        http_parse_response(s->data, s->got, s->seen, false, &limits, &head, &problem);
    if (result == HTTP_MORE) {
        s->seen = s->got;
        return;
    }
    uint64_t whole = head.size + (head.framing == HTTP_LENGTH ? head.length : 0);
    if (result != HTTP_OK || head.status < 200 || s->got > whole ||
        (head.framing != HTTP_NO_BODY && head.framing != HTTP_LENGTH)) {
        give_up(s);
        return;
    }
    s->seen = 0; /* a whole head is parsed again */
    s->answer = (struct answer){.status = head.status,
                                .retry_after = http_header(&head, "Retry-After").ptr != NULL,
                                .keep_alive = head.keep_alive};
    if (s->got == whole) {
        s->answer.duplicate =
            memmem(s->data + head.size, whole - head.size, duplicate, sizeof duplicate - 1) != NULL;
        answered(s);
    } else if (whole > ANSWER_MAX) {
        s->left = whole - s->got;
        set_state(s, SENDER_LONG);
    }
}

static void drop(struct sender *s) {
    size_t most = s->left < ((size_t)1 << 20) ? (size_t)s->left : (size_t)1 << 20;
    ssize_t n = recv(s->fd, NULL, most, MSG_TRUNC);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        give_up(s);
        return;
    }
    s->left -= (uint64_t)n;
    if (!s->left)
        answered(s);
}

static void on_ready(void *arg, int what) {
    struct sender *s = arg;
    if (what & WATCH_WRITE)
        write_rest(s);
    if (s->fd < 0 || !(what & WATCH_READ))
        return;
    if (s->state == SENDER_LONG) {
        drop(s);
        return;
    }
    ssize_t n = recv(s->fd, s->data + s->got, sizeof s->data - s->got, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (s->state == SENDER_IDLE) { /* the server is free to close it */
        hang_up(s);
    } else if (n <= 0) {
        give_up(s);
    } else {
        s->got += (size_t)n;
        judge(s);
    }
}

/* ---- when ---- */

static bool is_due(const struct senders *all) {
    if (all->finishing)
        return false;
    if (!all->schedule->rate)
        return !timer_is_set(&all->again);
    return schedule_due_us(all->schedule, all->sent) <= clock_mono_us();
}

static void arm(struct senders *all) {
    uint64_t at_us = schedule_due_us(all->schedule, all->sent);
    struct itimerspec at = {
        .it_value = {(time_t)(at_us / 1000000), (long)(at_us % 1000000) * 1000}};
    if (at_us != all->armed_us && timerfd_settime(all->clock.fd, TFD_TIMER_ABSTIME, &at, NULL) == 0)
        all->armed_us = at_us;
}

/* Where no connection is free, the next one that is will ask again. */
static void dispatch(struct senders *all) {
    while (all->free_count && is_due(all))
        begin(all->free[--all->free_count]);
    if (all->schedule->rate && all->free_count && !all->finishing)
        arm(all);
}

static void on_tick(void *arg, int what) {
    struct senders *all = arg;
    uint64_t ticks;
    (void)what;
    (void)!read(all->clock.fd, &ticks, sizeof ticks);
    all->armed_us = 0;
    dispatch(all);
}

static void on_again(void *arg) {
    dispatch(arg);
}

static bool start_clock(struct senders *all) {
    int fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    watch_init(&all->clock, all->loop, fd, on_tick, all);
    return fd >= 0 && watch_set(&all->clock, WATCH_READ);
}

/* ---- all of them ---- */

struct senders *senders_new(struct loop *loop, const struct payload *payload,
                            struct schedule *schedule, const struct distribution *distribution,
                            const struct sender_options *options) {
    struct senders *all = calloc(1, sizeof *all + options->connections * sizeof all->sender[0]);
    if (!all)
        return NULL;
    *all = (struct senders){.loop = loop,
                            .payload = payload,
                            .schedule = schedule,
                            .distribution = distribution,
                            .options = *options};
    all->clock.fd = -1;
    timer_init(&all->again, on_again, all);
    all->free = calloc(options->connections, sizeof(struct sender *));
    bool good = all->free && (!schedule->rate || start_clock(all));
    for (unsigned i = options->connections; i-- > 0;) {
        struct sender *s = &all->sender[i];
        s->all = all;
        s->fd = -1;
        if (good)
            all->free[all->free_count++] = s;
    }
    if (!good) {
        fprintf(stderr, "load: 127.0.0.1:%u: %s\n", options->port, strerror(errno));
        senders_free(all);
        return NULL;
    }
    return all;
}

void senders_count(struct senders *all, struct counts *counts) {
    all->counts = counts;
}

void senders_start(struct senders *all) {
    all->schedule->start_us = clock_mono_us();
    dispatch(all);
}

void senders_finish(struct senders *all) {
    uint64_t now_us = clock_mono_us(), due = all->sent;
    if (all->schedule->rate && !all->finishing)
        due = schedule_due(all->schedule, now_us);
    if (all->options.count && (due > all->options.count || !all->schedule->rate))
        due = all->options.count;
    for (uint64_t nth = all->sent; nth < due; nth++) {
        all->counts->unsent++;
        if (all->schedule->rate)
            histogram_add(&all->counts->latency, now_us - schedule_due_us(all->schedule, nth));
    }
    all->finishing = true;
    if (!all->busy)
        loop_stop(all->loop);
}

void senders_free(struct senders *all) {
    if (!all)
        return;
    timer_stop(&all->again);
    if (all->clock.fd >= 0) {
        watch_stop(&all->clock);
        close(all->clock.fd);
    }
    for (unsigned i = 0; i < all->options.connections; i++)
        if (all->sender[i].fd >= 0) {
            watch_stop(&all->sender[i].watch);
            close(all->sender[i].fd);
        }
    free(all->free);
    free(all);
}

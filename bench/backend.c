/* The ledger: legacy and new in one process. It answers events as it was told and counts their ids,
 * so that a run can show that each was done, at the right side, once. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <pointsman/clock.h>
#include <pointsman/http.h>
#include <pointsman/loop.h>
#include <pointsman/slice.h>

#include "backend_options.h"
#include "due.h"
#include "ledger.h"
#include "schedule.h"

#define HEAD_MAX   16384
#define ROOM       131072 /* read at once */
#define DROP_MAX   (1u << 20)
#define LEDGER_MAX (16u << 20) /* of its JSON */

enum peer_state {
    PEER_HEAD = 0, /* a head is awaited */
    PEER_BODY,     /* the rest of the body is dropped */
    PEER_WAIT,     /* all is here, the answer is not due */
    PEER_ANSWER,   /* the answer is being written */
    PEER_GONE,     /* closed while its answer was not due; freed when it is */
};

struct server;

struct side { /* a listener */
    struct server *server;
    struct watch watch;
    int name;
};

struct peer {
    struct side *side;
    struct watch watch;
    int fd;
    enum peer_state state;
    uint64_t left; /* bytes of the body to come, or of the answer to write */
    bool error;    /* this event is answered with one */
    size_t got;    /* of a head that is not complete */
    char head[HEAD_MAX];
};

struct server {
    struct loop *loop;
    struct side sides[LEDGER_SIDES];
    struct ledger ledger;
    struct due due;
    struct watch clock; /* a timerfd, set to the first answer that is due */
    uint64_t armed_us;
    struct backend_options options;
    uint64_t counted;
    struct buf done, failed; /* whole answers */
    char room[ROOM];
};

static void hang_up(struct peer *p) {
    watch_stop(&p->watch);
    close(p->fd);
    if (p->state == PEER_WAIT)
        p->state = PEER_GONE;
    else
        free(p);
}

/* ---- answers ---- */

static void write_answer(struct peer *p) {
    struct server *s = p->side->server;
    const struct buf *answer = p->error ? &s->failed : &s->done;
    ssize_t n = send(p->fd, buf_at(answer) + buf_len(answer) - p->left, p->left,
                     MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n > 0)
        p->left -= (uint64_t)n;
    if (!p->left)
        p->state = PEER_HEAD;
    if ((n < 0 && errno != EAGAIN) || !watch_set(&p->watch, p->left ? WATCH_WRITE : WATCH_READ))
        hang_up(p);
}

static void answer(struct peer *p) {
    const struct server *s = p->side->server;
    p->state = PEER_ANSWER;
    p->left = buf_len(p->error ? &s->failed : &s->done);
    write_answer(p);
}

static void arm(struct server *s) {
    uint64_t at_us = due_next_us(&s->due);
    struct itimerspec at = {
        .it_value = {(time_t)(at_us / 1000000), (long)(at_us % 1000000) * 1000}};
    if (at_us && at_us != s->armed_us &&
        timerfd_settime(s->clock.fd, TFD_TIMER_ABSTIME, &at, NULL) == 0)
        s->armed_us = at_us;
}

static void on_due(void *arg, int what) {
    struct server *s = arg;
    uint64_t ticks, now_us = clock_mono_us();
    (void)what;
    (void)!read(s->clock.fd, &ticks, sizeof ticks);
    s->armed_us = 0;
    while (due_next_us(&s->due) && due_next_us(&s->due) <= now_us) {
        struct peer *p = due_take(&s->due);
        if (p->state == PEER_GONE)
            free(p);
        else
            answer(p);
    }
    arm(s);
}

static void wait_or_answer(struct peer *p) {
    struct server *s = p->side->server;
    if (!s->options.latency_most_us) {
        answer(p);
        return;
    }
    uint64_t spread = s->options.latency_most_us - s->options.latency_least_us;
    uint64_t after_us = s->options.latency_least_us + schedule_scatter(s->counted) % (spread + 1);
    p->state = PEER_WAIT;
    due_add(&s->due, clock_mono_us() + after_us, p);
    arm(s);
}

/* The whole ledger, by a call that waits: nobody asks for it while it is measured. */
static void answer_ledger(const struct peer *p) {
    struct buf body;
    char head[128];
    buf_init(&body, LEDGER_MAX);
    bool good = ledger_write(&p->side->server->ledger, &body);
    int n = snprintf(head, sizeof head,
                     "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"
                     "Content-Length: %zu\r\n\r\n",
                     buf_len(&body));
    if (!good || send(p->fd, head, (size_t)n, MSG_NOSIGNAL) != n ||
        send(p->fd, buf_at(&body), buf_len(&body), MSG_NOSIGNAL) != (ssize_t)buf_len(&body))
        fputs("backend: nobody waited for the counts\n", stderr);
    buf_free(&body);
}

/* ---- requests ---- */

/* False: the connection is of no use any more. */
static bool count(struct peer *p, const struct http_head *head) {
    struct server *s = p->side->server;
    struct slice id = http_header(head, "X-Pointsman-Event");
    if (!id.ptr)
        id = http_header(head, "X-GitHub-Delivery");
    if (!id.ptr)
        return false;
    s->counted++;
    p->error = schedule_scatter(s->counted ^ UINT64_C(1) << 40) % 100 < s->options.errors;
    ledger_note(&s->ledger,
                &(struct ledger_request){.side = p->side->name,
                                         .id = id,
                                         .entity = http_header(head, "X-Bench-Entity"),
                                         .error = p->error},
                clock_mono_us());
    return true;
}

/* A head, maybe with its body, in `room`. False: the connection is of no use any more. */
static bool judge(struct peer *p, size_t len) {
    static const struct http_limits limits = {HEAD_MAX, 8192, HTTP_HEADERS_MAX};
    struct server *s = p->side->server;
    struct http_head head;
    struct http_problem problem;
    enum http_parse result = http_parse_request(s->room, len, 0, &limits, &head, &problem);
    if (result == HTTP_MORE && len < HEAD_MAX) {
        memcpy(p->head, s->room, len);
        p->got = len;
        return true;
    }
    p->got = 0;
    if (result != HTTP_OK || head.framing == HTTP_CHUNKED)
        return false;
    if (slice_is(head.method, "GET") && slice_is(head.path, "/")) {
        answer_ledger(p);
        return false;
    }
    uint64_t body = head.framing == HTTP_LENGTH ? head.length : 0;
    if (len - head.size > body)
        return false;
    p->error = false;
    if (!slice_is(head.method, "GET") && !count(p, &head))
        return false;
    p->left = body - (len - head.size);
    p->state = PEER_BODY;
    if (!p->left)
        wait_or_answer(p);
    return true;
}

static void on_ready(void *arg, int what) {
    struct peer *p = arg;
    struct server *s = p->side->server;
    if (p->state == PEER_ANSWER && (what & WATCH_WRITE)) {
        write_answer(p);
        return;
    }
    ssize_t n;
    if (p->state == PEER_BODY) {
        n = recv(p->fd, NULL, p->left < DROP_MAX ? p->left : DROP_MAX, MSG_DONTWAIT | MSG_TRUNC);
    } else {
        memcpy(s->room, p->head, p->got);
        n = recv(p->fd, s->room + p->got, sizeof s->room - p->got, MSG_DONTWAIT);
    }
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0 || p->state == PEER_WAIT || p->state == PEER_ANSWER) {
        hang_up(p);
    } else if (p->state == PEER_BODY) {
        p->left -= (uint64_t)n;
        if (!p->left)
            wait_or_answer(p);
    } else if (!judge(p, p->got + (size_t)n)) {
        hang_up(p);
    }
}

static void on_connection(void *arg, int what) {
    struct side *side = arg;
    const int on = 1;
    (void)what;
    struct peer *p = malloc(sizeof *p);
    if (!p)
        abort();
    p->side = side;
    p->state = PEER_HEAD;
    p->got = 0;
    p->fd = accept4(side->watch.fd, NULL, NULL, SOCK_CLOEXEC);
    watch_init(&p->watch, side->server->loop, p->fd, on_ready, p);
    if (p->fd < 0)
        free(p);
    else if (setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0 ||
             !watch_set(&p->watch, WATCH_READ))
        hang_up(p);
}

/* ---- start ---- */

/* The body is made as long as asked for, if that is longer than what must be in it. */
static bool make_answer(struct buf *out, unsigned status, const char *body, uint64_t len) {
    size_t least = strlen(body), pad = len > least + 13 ? len - least - 13 : 0;
    buf_init(out, BACKEND_ANSWER_MAX + 4096);
    bool good = buf_printf(out,
                           "HTTP/1.1 %u %s\r\nContent-Type: application/json\r\n"
                           "Content-Length: %zu\r\n\r\n%.*s",
                           status, http_reason(status), pad ? least + 13 + pad : least,
                           (int)least - 1, body) &&
                (!pad || buf_puts(out, ",\"padding\":\""));
    good = good && buf_reserve(out, pad + 2);
    if (good && pad) {
        memset(buf_room(out), 'x', pad);
        buf_commit(out, pad);
    }
    return good && buf_puts(out, pad ? "\"}" : "}");
}

static bool start_side(struct server *s, int name, uint64_t port) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    const int on = 1;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    struct side *side = &s->sides[name];
    side->server = s;
    side->name = name;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    watch_init(&side->watch, s->loop, fd, on_connection, side);
    return fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
           bind(fd, (struct sockaddr *)&at, sizeof at) == 0 && listen(fd, SOMAXCONN) == 0 &&
           watch_set(&side->watch, WATCH_READ);
}

static bool start_clock(struct server *s) {
    int fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    watch_init(&s->clock, s->loop, fd, on_due, s);
    return fd >= 0 && watch_set(&s->clock, WATCH_READ);
}

int main(int argc, char **argv) {
    static struct server s;
    struct rlimit files;
    backend_options_read(&s.options, argc, argv);
    ledger_init(&s.ledger, s.options.percentage);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    s.loop = loop_new();
    if (!s.loop || !make_answer(&s.done, 200, "{\"status\":\"ok\"}", s.options.answer_len) ||
        !make_answer(&s.failed, (unsigned)s.options.error_status, "{\"status\":\"failed\"}", 0) ||
        !start_clock(&s) || !start_side(&s, LEDGER_LEGACY, s.options.ports[LEDGER_LEGACY]) ||
        !start_side(&s, LEDGER_NEW, s.options.ports[LEDGER_NEW])) {
        perror("backend");
        return 1;
    }
    loop_run(s.loop);
    return 0;
}

/* The backend of the journal's measurements: answers every event at once and counts their ids. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <pointsman/clock.h>
#include <pointsman/digest.h>
#include <pointsman/http.h>
#include <pointsman/loop.h>

#define ROOM      65536 /* of one request */
#define RUN_LEN   8     /* ids begin with the run of the load generator that made them */
#define RUNS_MAX  16
#define CAP_LEAST 65536

struct ids { /* hashes, open addressing; 0: free */
    uint64_t *slots;
    size_t cap, used;
};

struct run {
    char name[RUN_LEN + 1];
    uint64_t requests, distinct;
    uint64_t first_us, last_us; /* monotonic */
};

struct server {
    struct loop *loop;
    struct watch watch;
    struct ids ids;
    struct run runs[RUNS_MAX];
    unsigned run_count;
};

struct peer {
    struct server *server;
    struct watch watch;
    int fd;
    size_t got;
    char data[ROOM];
};

/* ---- ids ---- */

static bool put(struct ids *ids, uint64_t hash) {
    size_t at = hash & (ids->cap - 1);
    for (; ids->slots[at]; at = (at + 1) & (ids->cap - 1))
        if (ids->slots[at] == hash)
            return false;
    ids->slots[at] = hash;
    ids->used++;
    return true;
}

static void grow(struct ids *ids) {
    struct ids grown = {.cap = ids->cap ? 2 * ids->cap : CAP_LEAST};
    grown.slots = calloc(grown.cap, sizeof *grown.slots);
    if (!grown.slots)
        abort();
    for (size_t i = 0; i < ids->cap; i++)
        if (ids->slots[i])
            (void)put(&grown, ids->slots[i]);
    free(ids->slots);
    *ids = grown;
}

/* True: it is the first time. */
static bool is_new(struct ids *ids, struct slice id) {
    if (2 * ids->used >= ids->cap)
        grow(ids);
    return put(ids, digest_xxh3(id.ptr, id.len, 0) | 1);
}

static struct run *run_of(struct server *s, struct slice id) {
    char name[RUN_LEN + 1] = "";
    memcpy(name, id.ptr, id.len < RUN_LEN ? id.len : RUN_LEN);
    for (unsigned i = 0; i < s->run_count; i++)
        if (strcmp(s->runs[i].name, name) == 0)
            return &s->runs[i];
    if (s->run_count == RUNS_MAX)
        return &s->runs[RUNS_MAX - 1];
    struct run *run = &s->runs[s->run_count++];
    memcpy(run->name, name, sizeof name);
    run->first_us = clock_mono_us();
    return run;
}

static void count(struct server *s, struct slice id) {
    struct run *run = run_of(s, id);
    run->requests++;
    run->distinct += is_new(&s->ids, id);
    run->last_us = clock_mono_us();
}

/* ---- answers ---- */

static bool write_all(int fd, const char *data, size_t len) {
    return send(fd, data, len, MSG_NOSIGNAL) == (ssize_t)len;
}

/* A line for each run: name, requests, distinct ids, µs from its first to its last. */
static void answer_counts(const struct peer *p) {
    char body[RUNS_MAX * 96], head[128];
    int len = 0;
    for (unsigned i = 0; i < p->server->run_count; i++) {
        const struct run *r = &p->server->runs[i];
        len += snprintf(body + len, sizeof body - (size_t)len, "%s %llu %llu %llu\n", r->name,
                        (unsigned long long)r->requests, (unsigned long long)r->distinct,
                        (unsigned long long)(r->last_us - r->first_us));
    }
    int n = snprintf(head, sizeof head,
                     "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n", len);
    if (!write_all(p->fd, head, (size_t)n) || !write_all(p->fd, body, (size_t)len))
        fputs("backend: nobody waited for the counts\n", stderr);
}

static bool answer(const struct peer *p, const struct http_head *head) {
    static const char done[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                               "Content-Length: 15\r\n\r\n{\"status\":\"ok\"}";
    if (slice_is(head->method, "GET")) {
        answer_counts(p);
        return false;
    }
    struct slice id = http_header(head, "X-Pointsman-Event");
    if (!id.ptr)
        return false;
    count(p->server, id);
    return write_all(p->fd, done, sizeof done - 1);
}

/* False: the connection is of no use any more. */
static bool judge(struct peer *p) {
    static const struct http_limits limits = {ROOM, 8192, HTTP_HEADERS_MAX};
    struct http_head head;
    struct http_problem problem;
    enum http_parse result = http_parse_request(p->data, p->got, 0, &limits, &head, &problem);
    if (result == HTTP_MORE)
        return p->got < ROOM;
    size_t whole =
        result == HTTP_OK ? head.size + (head.framing == HTTP_LENGTH ? head.length : 0) : ROOM;
    if (result == HTTP_BAD || whole >= ROOM || p->got > whole)
        return false;
    if (p->got < whole)
        return true;
    p->got = 0;
    return answer(p, &head);
}

/* ---- connections ---- */

static void hang_up(struct peer *p) {
    watch_stop(&p->watch);
    close(p->fd);
    free(p);
}

static void on_ready(void *arg, int what) {
    struct peer *p = arg;
    (void)what;
    ssize_t n = recv(p->fd, p->data + p->got, sizeof p->data - p->got, MSG_DONTWAIT);
    if (n > 0)
        p->got += (size_t)n;
    if (n <= 0 || !judge(p))
        hang_up(p);
}

static void on_connection(void *arg, int what) {
    struct server *s = arg;
    const int on = 1;
    (void)what;
    struct peer *p = calloc(1, sizeof *p);
    if (!p)
        abort();
    p->server = s;
    p->fd = accept4(s->watch.fd, NULL, NULL, SOCK_CLOEXEC);
    watch_init(&p->watch, s->loop, p->fd, on_ready, p);
    if (p->fd < 0)
        free(p);
    else if (setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0 ||
             !watch_set(&p->watch, WATCH_READ))
        hang_up(p);
}

int main(int argc, char **argv) {
    struct server s = {.loop = loop_new()};
    struct sockaddr_in at = {.sin_family = AF_INET};
    const int on = 1;
    uint64_t port = 0;
    if (argc != 2 || !slice_to_u64(slice_of(argv[1]), &port) || port > UINT16_MAX) {
        fputs("usage: backend PORT\nPOST counts X-Pointsman-Event, GET tells the counts.\n",
              stderr);
        return 2;
    }
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    at.sin_port = htons((uint16_t)port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    watch_init(&s.watch, s.loop, fd, on_connection, &s);
    if (!s.loop || fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(fd, (struct sockaddr *)&at, sizeof at) != 0 || listen(fd, SOMAXCONN) != 0 ||
        !watch_set(&s.watch, WATCH_READ)) {
        perror("backend");
        return 1;
    }
    loop_run(s.loop);
    return 0;
}

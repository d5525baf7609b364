/* A backend of the demo: takes deliveries, works for some milliseconds, answers JSON, counts. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <pointsman/buf.h>
#include <pointsman/digest.h>
#include <pointsman/http.h>
#include <pointsman/loop.h>

#define IN_MAX (1024 * 1024)

static const struct http_limits limits = {64 * 1024, 8192, HTTP_HEADERS_MAX};

struct backend {
    const char *name;
    unsigned least_ms;
    unsigned most_ms;
    struct loop *loop;
    unsigned received;
    int fd;
    struct watch watch;
};

/* One request at a time; what is read ahead stays in `in`. */
struct session {
    struct backend *backend;
    int fd;
    bool working; /* the timer is set, its answer comes next */
    struct watch watch;
    struct timer work;
    struct task reap;
    struct buf in;
    struct http_head head;
};

static void session_reap(void *arg) {
    struct session *s = arg;
    buf_free(&s->in);
    free(s);
}

static void session_close(struct session *s) {
    timer_stop(&s->work);
    watch_stop(&s->watch);
    close(s->fd);
    task_later(s->backend->loop, &s->reap);
}

/* Answers are small; a peer that does not take one at once is not worth waiting for in a demo. */
static bool session_answer(struct session *s, const char *json) {
    char text[512];
    int n = snprintf(text, sizeof text,
                     "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                     "Content-Length: %zu\r\n\r\n%s",
                     strlen(json), json);
    if (n > 0 && send(s->fd, text, (size_t)n, MSG_NOSIGNAL) == n)
        return true;
    session_close(s);
    return false;
}

static unsigned random_below(unsigned n) {
    uint32_t r;
    random_bytes(&r, sizeof r);
    return (unsigned)((uint64_t)r * n >> 32);
}

/* True: a whole request is there; deliveries are worked on, the rest is answered at once. */
static bool session_take(struct session *s) {
    struct http_problem problem;
    char json[200];
    if (s->working || buf_len(&s->in) == 0)
        return false;
    enum http_parse parsed =
        http_parse_request(buf_at(&s->in), buf_len(&s->in), 0, &limits, &s->head, &problem);
    if (parsed == HTTP_BAD || (parsed == HTTP_OK && s->head.framing == HTTP_CHUNKED)) {
        session_close(s);
        return false;
    }
    size_t whole = s->head.size + (s->head.framing == HTTP_LENGTH ? (size_t)s->head.length : 0);
    if (parsed == HTTP_MORE || buf_len(&s->in) < whole)
        return false;
    bool delivery = slice_is(s->head.method, "POST");
    bool count = slice_is(s->head.path, "/received");
    buf_consume(&s->in, whole);
    if (delivery) {
        const struct backend *b = s->backend;
        unsigned ms = b->least_ms + random_below(b->most_ms - b->least_ms + 1);
        s->working = true;
        timer_set(b->loop, &s->work, ms * UINT64_C(1000));
        return false;
    }
    if (count)
        snprintf(json, sizeof json, "{\"received\":%u}", s->backend->received);
    return session_answer(s, count ? json : "{\"status\":\"ok\"}");
}

static void session_worked(void *arg) {
    struct session *s = arg;
    char json[200];
    s->working = false;
    s->backend->received++;
    snprintf(json, sizeof json, "{\"status\":\"workflow_started\",\"workflow_id\":\"%s-%06u\"}",
             s->backend->name, s->backend->received);
    bool open = session_answer(s, json);
    while (open && session_take(s))
        ;
}

static void session_ready(void *arg, int what) {
    struct session *s = arg;
    (void)what;
    ssize_t n = -1;
    if (buf_reserve(&s->in, 16384))
        n = recv(s->fd, buf_room(&s->in), buf_room_len(&s->in), 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        session_close(s);
        return;
    }
    buf_commit(&s->in, (size_t)n);
    while (session_take(s))
        ;
}

static void accept_ready(void *arg, int what) {
    struct backend *b = arg;
    (void)what;
    int fd = accept4(b->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct session *s = fd < 0 ? NULL : calloc(1, sizeof *s);
    if (!s) {
        if (fd >= 0)
            close(fd);
        return;
    }
    s->backend = b;
    s->fd = fd;
    buf_init(&s->in, IN_MAX);
    timer_init(&s->work, session_worked, s);
    task_init(&s->reap, session_reap, s);
    watch_init(&s->watch, b->loop, fd, session_ready, s);
    if (!watch_set(&s->watch, WATCH_READ))
        session_close(s);
}

/* On a free port of loopback; the port is printed for who started us. */
static bool backend_listen(struct backend *b) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    b->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (b->fd < 0 || bind(b->fd, (struct sockaddr *)&a, len) != 0 || listen(b->fd, 256) != 0 ||
        getsockname(b->fd, (struct sockaddr *)&a, &len) != 0)
        return false;
    watch_init(&b->watch, b->loop, b->fd, accept_ready, b);
    printf("%u\n", ntohs(a.sin_port));
    return fflush(stdout) == 0 && watch_set(&b->watch, WATCH_READ);
}

int main(int argc, char **argv) {
    struct backend b = {0};
    uint64_t least = 0;
    uint64_t most = 0;
    if (argc != 4 || !slice_to_u64(slice_of(argv[2]), &least) ||
        !slice_to_u64(slice_of(argv[3]), &most) || least > most || most > 60000) {
        fprintf(stderr, "usage: backend NAME LEAST_MS MOST_MS\n");
        return 2;
    }
    b.name = argv[1];
    b.least_ms = (unsigned)least;
    b.most_ms = (unsigned)most;
    b.loop = loop_new();
    if (!b.loop || !backend_listen(&b)) {
        fprintf(stderr, "backend %s: %s\n", b.name, strerror(errno));
        return 1;
    }
    loop_run(b.loop);
    return 0;
}

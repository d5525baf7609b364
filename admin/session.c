/* One connection to the admin side: reads a request, lets its handler work, writes the answer. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <pointsman/log.h>

#include "server.h"

#define READ_SIZE 8192
#define IN_MAX    (SERVER_HEAD_MAX + READ_SIZE)

static const struct {
    int watch;
    uint32_t limit_s; /* 0: handlers have deadlines of their own */
} state_rules[SESSION_STATES] = {
    [SESSION_HEAD] = {WATCH_READ, 30},
    [SESSION_BODY] = {WATCH_READ, 10},
    [SESSION_WAITING] = {0, 0},
    [SESSION_WRITING] = {0, 30}, /* tries at once, then watches */
    [SESSION_LINGER] = {WATCH_READ, 2},
    [SESSION_ORPHAN] = {0, 0},
    [SESSION_CLOSED] = {0, 0},
};

static const struct http_limits head_limits = {SERVER_HEAD_MAX, REQUEST_TARGET_MAX, 64};

/* The only place that changes the state of a connection that is open. */
static void session_enter(struct session *c, enum session_state state) {
    c->state = state;
    if (state_rules[state].limit_s)
        timer_set(c->loop, &c->limit, state_rules[state].limit_s * UINT64_C(1000000));
    else
        timer_stop(&c->limit);
    if (!watch_set(&c->watch, state_rules[state].watch))
        session_close(c, "can not watch the socket");
}

static void session_reap(void *arg) {
    struct session *c = arg;
    buf_free(&c->in);
    buf_free(&c->out);
    buf_free(&c->x.body);
    free(c);
}

void session_close(struct session *c, const char *reason) {
    if (c->state == SESSION_CLOSED || c->state == SESSION_ORPHAN)
        return;
    struct jsonw *w = log_begin(LOG_DEBUG, "admin connection closed");
    if (w) {
        jsonw_strz(w, "reason", reason);
        log_end(w);
    }
    timer_stop(&c->limit);
    task_cancel(c->loop, &c->turn);
    watch_stop(&c->watch);
    close(c->fd);
    c->fd = -1;
    *c->prev = c->next;
    if (c->next)
        c->next->prev = c->prev;
    c->admin->session_count--;
    c->admin = NULL;
    bool handled = c->state == SESSION_WAITING;
    c->state = handled ? SESSION_ORPHAN : SESSION_CLOSED;
    if (!handled)
        task_later(c->loop, &c->reap);
}

bool request_is_gone(const struct request *x) {
    return CONTAINER_OF(x, struct session, x)->state == SESSION_ORPHAN;
}

void request_answer(struct request *x, unsigned status, const char *content_type,
                    const char *header_lines, struct slice body) {
    struct session *c = CONTAINER_OF(x, struct session, x);
    if (c->state == SESSION_ORPHAN) {
        c->state = SESSION_CLOSED;
        task_later(c->loop, &c->reap);
        return;
    }
    bool ok =
        buf_printf(&c->out,
                   "HTTP/1.1 %u %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
                   "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n%s%s\r\n",
                   status, http_reason(status), content_type, body.len,
                   header_lines ? header_lines : "", c->keep_alive ? "" : "Connection: close\r\n");
    if (ok && !x->head)
        ok = buf_append_slice(&c->out, body);
    if (!ok) {
        c->state = SESSION_WRITING;
        session_close(c, "no memory for the answer");
        return;
    }
    session_enter(c, SESSION_WRITING);
    if (c->state == SESSION_WRITING)
        task_later(c->loop, &c->turn);
}

/* Answers before the whole request was read; what is left of it can not be told from the next. */
static void session_refuse(struct session *c, unsigned status, const char *header_lines,
                           const char *detail) {
    c->keep_alive = false;
    reply_problem_with(&c->x, status, header_lines, NULL, detail);
}

static bool starts_with(struct slice text, const char *start) {
    size_t n = strlen(start);
    return text.len >= n && memcmp(text.ptr, start, n) == 0;
}

/* Copies what outlives the read buffer, then asks guard, table and token. True: go on with the
 * body. */
static bool session_take_head(struct session *c) {
    const struct http_head *h = &c->head;
    struct request *x = &c->x;
    x->head = slice_is(h->method, "HEAD");
    x->from_cli = starts_with(http_header(h, "User-Agent"), "pointsman-cli/");
    if (h->path.len)
        memcpy(x->target, h->path.ptr, h->path.len);
    x->path_len = h->path.len;
    if (h->query.len)
        memcpy(x->target + x->path_len, h->query.ptr, h->query.len);
    x->query_len = h->query.len;
    c->keep_alive = h->keep_alive;
    c->framing = h->framing;
    c->body_left = h->framing == HTTP_LENGTH ? h->length : 0;
    http_chunks_init(&c->chunks);
    buf_reset(&x->body);

    enum guard_verdict verdict = guard_check(&c->admin->guard, h->host, http_header(h, "Origin"),
                                             http_header(h, "Sec-Fetch-Site"));
    struct slice arg = {0};
    char allow[ROUTE_ALLOW_MAX];
    char lines[ROUTE_ALLOW_MAX + 16];
    if (verdict != GUARD_OK) {
        session_refuse(c, 403, NULL, guard_texts[verdict]);
        return false;
    }
    switch (route_find(h->method, request_path(x), &x->route, &arg, allow)) {
    case ROUTE_FOUND:
        break;
    case ROUTE_NO_PATH:
        session_refuse(c, 404, NULL, "there is nothing at this path of the admin API");
        return false;
    case ROUTE_NO_METHOD:
        snprintf(lines, sizeof lines, "Allow: %s\r\n", allow);
        session_refuse(c, 405, lines, "this path knows other methods; see Allow");
        return false;
    }
    if (!x->route->open && !guard_token_ok(&c->admin->guard, http_header(h, "Authorization"))) {
        session_refuse(c, 401, "WWW-Authenticate: Bearer realm=\"pointsman\"\r\n",
                       "the token of the configuration (admin.token) is needed: "
                       "Authorization: Bearer …");
        return false;
    }
    if (!percent_decode(arg, false, x->arg, sizeof x->arg)) {
        session_refuse(c, 400, NULL, "the path has a broken %-escape, a NUL or is too long");
        return false;
    }
    if (c->body_left > REQUEST_BODY_MAX) {
        session_refuse(c, 413, NULL, "a body of at most 512 KiB is allowed");
        return false;
    }
    return true;
}

/* True: the state changed, look again. */
static bool session_read_head(struct session *c) {
    struct http_problem problem = {400, ""};
    if (buf_len(&c->in) == 0)
        return false;
    switch (http_parse_request(buf_at(&c->in), buf_len(&c->in), c->seen, &head_limits, &c->head,
                               &problem)) {
    case HTTP_MORE:
        c->seen = buf_len(&c->in);
        return false;
    case HTTP_BAD:
        c->x.head = false;
        session_refuse(c, problem.status, NULL, problem.detail);
        return true;
    case HTTP_OK:
        break;
    }
    c->seen = 0;
    bool go_on = session_take_head(c);
    bool ask =
        c->head.expect_continue && c->framing != HTTP_NO_BODY && buf_len(&c->in) == c->head.size;
    buf_consume(&c->in, c->head.size);
    if (!go_on)
        return true;
    if (ask && !buf_puts(&c->out, "HTTP/1.1 100 Continue\r\n\r\n")) {
        session_close(c, "no memory");
        return true;
    }
    session_enter(c, SESSION_BODY);
    return true;
}

static bool session_run_handler(struct session *c) {
    session_enter(c, SESSION_WAITING);
    if (c->state == SESSION_WAITING)
        c->x.route->run(&c->x);
    return true;
}

static bool session_read_body(struct session *c) {
    struct slice in = buf_slice(&c->in);
    struct slice data = in;
    size_t used = 0;
    struct http_problem problem = {400, ""};
    bool complete = false;
    if (c->framing == HTTP_CHUNKED) {
        switch (http_chunks_feed(&c->chunks, in.ptr, in.len, &used, &data, &problem)) {
        case HTTP_BAD:
            session_refuse(c, problem.status, NULL, problem.detail);
            return true;
        case HTTP_OK:
            complete = true;
            break;
        case HTTP_MORE:
            break;
        }
    } else {
        used = in.len < c->body_left ? in.len : (size_t)c->body_left;
        data.len = used;
        c->body_left -= used;
        complete = c->body_left == 0;
    }
    if (!buf_append_slice(&c->x.body, data)) {
        session_refuse(c, 413, NULL, "a body of at most 512 KiB is allowed");
        return true;
    }
    buf_consume(&c->in, used);
    return complete ? session_run_handler(c) : used > 0;
}

/* False: the connection is closed or must wait. */
static bool session_flush(struct session *c) {
    while (buf_len(&c->out)) {
        ssize_t n = send(c->fd, buf_at(&c->out), buf_len(&c->out), MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN) {
            if (!watch_set(&c->watch, state_rules[c->state].watch | WATCH_WRITE))
                session_close(c, "can not watch the socket");
            return false;
        }
        if (n < 0) {
            session_close(c, strerror(errno));
            return false;
        }
        buf_consume(&c->out, (size_t)n);
    }
    buf_free(&c->out); /* a metrics page is large and rare */
    return true;
}

static void session_turn(void *arg) {
    struct session *c = arg;
    for (bool again = true; again;) {
        again = false;
        switch (c->state) {
        case SESSION_HEAD:
            again = session_read_head(c);
            break;
        case SESSION_BODY:
            again = session_flush(c) && session_read_body(c);
            break;
        case SESSION_WRITING:
            if (!session_flush(c))
                break;
            session_enter(c, c->keep_alive ? SESSION_HEAD : SESSION_LINGER);
            again = c->state == SESSION_HEAD;
            if (c->state == SESSION_LINGER && shutdown(c->fd, SHUT_WR) != 0)
                session_close(c, "answered");
            break;
        case SESSION_LINGER:
        case SESSION_WAITING:
        case SESSION_ORPHAN:
        case SESSION_CLOSED:
        case SESSION_STATES:
            break;
        }
    }
}

static void session_ready(void *arg, int what) {
    struct session *c = arg;
    if ((what & WATCH_READ) && state_rules[c->state].watch) {
        if (c->state == SESSION_LINGER)
            buf_reset(&c->in);
        if (!buf_reserve(&c->in, READ_SIZE)) {
            session_close(c, "no memory");
            return;
        }
        ssize_t n = recv(c->fd, buf_room(&c->in), buf_room_len(&c->in), 0);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            n = 0;
        else if (n <= 0) {
            session_close(c, n == 0 ? "the client closed" : strerror(errno));
            return;
        }
        buf_commit(&c->in, (size_t)n);
    }
    session_turn(c);
}

static void session_too_slow(void *arg) {
    struct session *c = arg;
    if (c->state == SESSION_BODY || (c->state == SESSION_HEAD && buf_len(&c->in))) {
        session_refuse(c, 408, NULL, "the request did not arrive in time");
        return;
    }
    session_close(c, c->state == SESSION_WRITING ? "the answer was not taken in time" : "idle");
}

void session_open(struct admin *admin, int fd) {
    struct session *c = calloc(1, sizeof *c);
    if (!c) {
        close(fd);
        return;
    }
    c->admin = admin;
    c->loop = admin->loop;
    c->x.proxy = admin->proxy;
    c->fd = fd;
    c->next = admin->sessions;
    c->prev = &admin->sessions;
    if (c->next)
        c->next->prev = &c->next;
    admin->sessions = c;
    admin->session_count++;
    buf_init(&c->in, IN_MAX);
    buf_init(&c->out, REQUEST_ANSWER_MAX + 4096);
    buf_init(&c->x.body, REQUEST_BODY_MAX);
    watch_init(&c->watch, c->loop, fd, session_ready, c);
    timer_init(&c->limit, session_too_slow, c);
    task_init(&c->turn, session_turn, c);
    task_init(&c->reap, session_reap, c);
    session_enter(c, SESSION_HEAD);
}

/* Connects, sends one request and reads its answer, with one deadline over all of it. */
#include "client.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <pointsman/clock.h>

#define ANSWER_MAX (16 * 1024 * 1024)
#define HEAD_MAX   (64 * 1024)
#define READ_SIZE  (16 * 1024)

struct link {
    int fd;
    uint64_t deadline_us;
};

/* Such would end the request line. */
static bool has_space(const char *text) {
    for (; *text; text++) {
        if ((unsigned char)*text <= ' ' || *text == 0x7f)
            return true;
    }
    return false;
}

bool client_url_parse(const char *text, struct client_url *ret, struct err *err) {
    static const char scheme[] = "http://";
    struct client_url url = {.port = "80"};
    const char *at = strncmp(text, scheme, strlen(scheme)) == 0 ? text + strlen(scheme) : text;
    size_t len = strcspn(at, "/?#");
    const char *path = at + len;
    bool bracket = at[0] == '[';
    size_t host = bracket ? strcspn(at, "]") : strcspn(at, ":/?#");
    const char *rest = at + host + (bracket && at[host] == ']');
    uint64_t port = 80;
    bool ok = (!bracket || at[host] == ']') && !strstr(at, "://") && !has_space(at) &&
              len < sizeof url.authority && host > bracket && host - bracket < sizeof url.host &&
              strlen(path) < sizeof url.path && (*path == 0 || *path == '/') &&
              !strpbrk(path, "?#") && !memchr(at, '@', len) && rest <= path;
    if (ok && rest < path) {
        size_t digits = (size_t)(path - rest) - 1;
        ok = *rest == ':' && digits < sizeof url.port &&
             slice_to_u64(slice(rest + 1, digits), &port) && port > 0 && port < 65536;
    }
    if (!ok) {
        err_set(err, "\"%.200s\" is no URL like http://127.0.0.1:9180", text);
        return false;
    }
    memcpy(url.authority, at, len);
    memcpy(url.host, at + bracket, host - bracket);
    snprintf(url.port, sizeof url.port, "%u", (unsigned)port);
    snprintf(url.path, sizeof url.path, "%s", path);
    *ret = url;
    return true;
}

/* False: the deadline passed. */
static bool link_wait(const struct link *link, short what) {
    for (;;) {
        uint64_t now = clock_mono_us();
        if (now >= link->deadline_us)
            return false;
        struct pollfd p = {.fd = link->fd, .events = what};
        int n = poll(&p, 1, (int)((link->deadline_us - now) / 1000) + 1);
        if (n > 0)
            return true;
        if (n < 0 && errno != EINTR)
            return false;
    }
}

/* 0, or the errno of this address. */
static int link_try(struct link *link, const struct addrinfo *a) {
    int error = 0;
    socklen_t len = sizeof error;
    link->fd = socket(a->ai_family, a->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, a->ai_protocol);
    if (link->fd < 0)
        return errno;
    if (connect(link->fd, a->ai_addr, a->ai_addrlen) == 0)
        return 0;
    if (errno != EINPROGRESS)
        error = errno;
    else if (!link_wait(link, POLLOUT))
        error = ETIMEDOUT;
    else if (getsockopt(link->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
        error = errno;
    if (error) {
        close(link->fd);
        link->fd = -1;
    }
    return error;
}

static bool link_open(struct link *link, const struct client_url *url, struct err *err) {
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    int failed = getaddrinfo(url->host, url->port, &hints, &list);
    if (failed) {
        err_set(err, "%s: %s", url->host, gai_strerror(failed));
        return false;
    }
    int error = ECONNREFUSED;
    for (struct addrinfo *a = list; a && error; a = a->ai_next)
        error = link_try(link, a);
    freeaddrinfo(list);
    if (error)
        err_set(err, "%s: %s", url->authority, strerror(error));
    return error == 0;
}

static bool link_write(struct link *link, struct slice data, struct err *err) {
    while (data.len) {
        ssize_t n = send(link->fd, data.ptr, data.len, MSG_NOSIGNAL);
        if (n > 0) {
            data = slice(data.ptr + n, data.len - (size_t)n);
        } else if (errno == EAGAIN) {
            if (!link_wait(link, POLLOUT)) {
                err_set(err, "the request was not taken in time");
                return false;
            }
        } else if (errno == EPIPE || errno == ECONNRESET) {
            return true; /* the answer may be there all the same */
        } else if (errno != EINTR) {
            err_set(err, "%s", strerror(errno));
            return false;
        }
    }
    return true;
}

/* Appends what arrives. *ret_end: the other side is done. */
static bool link_read(struct link *link, struct buf *in, bool *ret_end, struct err *err) {
    for (;;) {
        if (!buf_reserve(in, READ_SIZE)) {
            err_set(err, "the answer is longer than 16 MiB");
            return false;
        }
        ssize_t n = recv(link->fd, buf_room(in), buf_room_len(in), 0);
        if (n >= 0) {
            buf_commit(in, (size_t)n);
            *ret_end = n == 0;
            return true;
        }
        if (errno == EAGAIN) {
            if (!link_wait(link, POLLIN)) {
                err_set(err, "no answer in time");
                return false;
            }
        } else if (errno != EINTR) {
            err_set(err, "%s", strerror(errno));
            return false;
        }
    }
}

/* Copies the content behind the head as far as it is there. OK: it is complete. */
static enum http_parse body_take(struct client_answer *answer, bool end, struct err *err) {
    struct http_problem problem = {0, ""};
    struct http_chunks chunks;
    struct slice rest = buf_slice(&answer->raw);
    rest = slice(rest.ptr + answer->head.size, rest.len - answer->head.size);
    enum http_parse result = HTTP_MORE;
    bool fits = true;
    buf_reset(&answer->body);
    switch (answer->head.framing) {
    case HTTP_NO_BODY:
        return HTTP_OK;
    case HTTP_LENGTH:
        if (rest.len < answer->head.length)
            return HTTP_MORE;
        fits = buf_append(&answer->body, rest.ptr, (size_t)answer->head.length);
        result = HTTP_OK;
        break;
    case HTTP_UNTIL_CLOSE:
        if (!end)
            return HTTP_MORE;
        fits = buf_append_slice(&answer->body, rest);
        result = HTTP_OK;
        break;
    case HTTP_CHUNKED:
        http_chunks_init(&chunks);
        for (size_t used = 1; result == HTTP_MORE && used && fits;) {
            struct slice data = {0};
            result = http_chunks_feed(&chunks, rest.ptr, rest.len, &used, &data, &problem);
            fits = result == HTTP_BAD || buf_append_slice(&answer->body, data);
            rest = slice(rest.ptr + used, rest.len - used);
        }
        break;
    }
    if (!fits || result == HTTP_BAD) {
        err_set(err, "the answer can not be read: %s", fits ? problem.detail : "too long");
        return HTTP_BAD;
    }
    return result;
}

static bool answer_read(struct link *link, bool to_head, struct client_answer *answer,
                        struct err *err) {
    static const struct http_limits limits = {HEAD_MAX, HEAD_MAX, HTTP_HEADERS_MAX};
    struct http_problem problem = {0, ""};
    bool end = false;
    for (;;) {
        enum http_parse parsed = HTTP_MORE;
        if (buf_len(&answer->raw))
            parsed = http_parse_response(buf_at(&answer->raw), buf_len(&answer->raw), 0, to_head,
                                         &limits, &answer->head, &problem);
        if (parsed == HTTP_OK && answer->head.status < 200) {
            buf_consume(&answer->raw, answer->head.size);
            continue;
        }
        if (parsed == HTTP_OK)
            parsed = body_take(answer, end, err);
        else if (parsed == HTTP_BAD)
            err_set(err, "the answer is no HTTP: %s", problem.detail);
        if (parsed != HTTP_MORE)
            return parsed == HTTP_OK;
        if (end) {
            err_set(err, "the connection was closed before the answer was complete");
            return false;
        }
        if (!link_read(link, &answer->raw, &end, err))
            return false;
    }
}

bool client_send(const struct client_url *url, const struct client_request *request,
                 struct client_answer *ret, struct err *err) {
    struct link link = {-1, clock_mono_us() + request->timeout_ms * UINT64_C(1000)};
    struct client_answer answer;
    struct buf out;
    buf_init(&out, 64 * 1024);
    buf_init(&answer.raw, ANSWER_MAX);
    buf_init(&answer.body, ANSWER_MAX);
    const char *root = *url->path || *request->path ? "" : "/";
    bool ok = link_open(&link, url, err);
    if (ok && !buf_printf(&out,
                          "%s %s%s%s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n%s"
                          "Content-Length: %zu\r\n\r\n",
                          request->method, root, url->path, request->path, url->authority,
                          request->header_lines, request->body.len)) {
        err_set(err, "the request's head is too long");
        ok = false;
    }
    ok = ok && link_write(&link, buf_slice(&out), err) && link_write(&link, request->body, err) &&
         answer_read(&link, strcmp(request->method, "HEAD") == 0, &answer, err);
    buf_free(&out);
    if (link.fd >= 0)
        close(link.fd);
    if (!ok) {
        client_answer_free(&answer);
        return false;
    }
    *ret = answer;
    return true;
}

void client_answer_free(struct client_answer *answer) {
    buf_free(&answer->raw);
    buf_free(&answer->body);
}

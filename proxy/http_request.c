/* Parses the head of a request: request line, Host, and what its fields say (RFC 9112 §3). */
#include <arpa/inet.h>

#include "http_parse.h"

#define METHOD_MAX      32 /* bytes; no registered method has more than 17 */
#define EMPTY_LINES_MAX 2  /* before the request line, RFC 9112 §2.2 */

/* Where the request line begins. */
static size_t skip_empty_lines(const char *data, size_t len) {
    size_t at = 0;

    while (at < 2 * EMPTY_LINES_MAX && at + 1 < len && data[at] == '\r' && data[at + 1] == '\n')
        at += 2;
    return at;
}

/* What is no HTTP at all (TLS, a scan) shows in its first bytes: no need to wait for the end of a
 * line. */
static enum http_parse check_method(const char *data, size_t len, size_t start,
                                    struct http_problem *problem) {
    const char *p = data + start;
    size_t n = 0, have = len - start;

    while (n < have && n <= METHOD_MAX && http_is(p[n], HTTP_TOKEN))
        n++;
    if (n > METHOD_MAX)
        return http_bad(problem, 501, "no method has a name that long");
    if (n == have || (n > 0 && p[n] == ' '))
        return HTTP_OK;
    if (n == 0 && p[0] == '\r' && have == 1)
        return HTTP_OK;
    return http_bad(problem, 400, "a request begins with a method and one space");
}

static bool is_port(struct slice s) {
    uint64_t port;

    return s.len == 0 || (s.len <= 5 && slice_to_u64(s, &port) && port <= 65535);
}

/* Bytes of the "[address]" that s begins with; 0 if it does not. */
static size_t ipv6_len(struct slice s) {
    char text[INET6_ADDRSTRLEN];
    struct in6_addr address;
    const char *close = memchr(s.ptr, ']', s.len);
    size_t len = close ? (size_t)(close - s.ptr - 1) : 0;

    if (len == 0 || len >= sizeof(text))
        return 0;
    memcpy(text, s.ptr + 1, len);
    text[len] = '\0';
    return inet_pton(AF_INET6, text, &address) == 1 ? len + 2 : 0;
}

/* uri-host [":" port] (RFC 9110 §7.2). Names and addresses need no percent sign and no sub-delims;
 * those are read in different ways, so they are refused. */
static bool is_authority(struct slice s) {
    size_t n = 0;

    if (s.len && s.ptr[0] == '[') {
        n = ipv6_len(s);
    } else {
        while (n < s.len && http_is(s.ptr[n], HTTP_HOST))
            n++;
    }
    if (n == 0)
        return false;
    return n == s.len || (s.ptr[n] == ':' && is_port(slice(s.ptr + n + 1, s.len - n - 1)));
}

/* `s`: "/path?query", or what follows an authority: there the path may be empty. */
static void split_path(struct slice s, struct http_head *ret) {
    const char *mark = s.len ? memchr(s.ptr, '?', s.len) : NULL;
    size_t len = mark ? (size_t)(mark - s.ptr) : s.len;

    ret->path = slice(s.ptr, len);
    ret->query = mark ? slice(mark + 1, s.len - len - 1) : slice(NULL, 0);
}

static enum http_parse absolute_form(struct slice target, struct http_head *ret,
                                     struct http_problem *problem) {
    size_t scheme = 0;

    if (target.len >= 7 && slice_iis(slice(target.ptr, 7), "http://"))
        scheme = 7;
    else if (target.len >= 8 && slice_iis(slice(target.ptr, 8), "https://"))
        scheme = 8;
    if (scheme == 0)
        return http_bad(problem, 400, "the target is neither a path nor an http address");

    struct slice rest = slice(target.ptr + scheme, target.len - scheme);
    size_t n = 0;
    while (n < rest.len && rest.ptr[n] != '/' && rest.ptr[n] != '?')
        n++;
    ret->host = slice(rest.ptr, n);
    if (!is_authority(ret->host))
        return http_bad(problem, 400, "the host in the target is malformed");
    split_path(slice(rest.ptr + n, rest.len - n), ret);
    if (ret->path.len == 0)
        ret->path = slice(target.ptr + scheme - 1, 1); /* the slash before the host: "/" it is */
    return HTTP_OK;
}

static enum http_parse read_target(struct slice target, struct http_head *ret,
                                   struct http_problem *problem) {
    ret->target = target;
    ret->host = ret->query = slice(NULL, 0);
    if (slice_is(ret->method, "CONNECT"))
        return http_bad(problem, 501, "CONNECT is not offered here");
    if (target.ptr[0] == '/') {
        split_path(target, ret);
        return HTTP_OK;
    }
    if (!slice_is(target, "*"))
        return absolute_form(target, ret, problem);
    if (!slice_is(ret->method, "OPTIONS"))
        return http_bad(problem, 400, "the target * is for OPTIONS only");
    ret->path = target;
    return HTTP_OK;
}

static enum http_parse request_line(struct slice line, const struct http_limits *limits,
                                    struct http_head *ret, struct http_problem *problem) {
    const char *end = line.ptr + line.len;
    const char *first = memchr(line.ptr, ' ', line.len);
    const char *second = first ? memchr(first + 1, ' ', (size_t)(end - first - 1)) : NULL;

    if (!second || second == first + 1)
        return http_bad(problem, 400,
                        "a request line is method, target and version with one space between");
    if (http_version_parse(slice(second + 1, (size_t)(end - second - 1)), &ret->minor, problem) !=
        HTTP_OK)
        return HTTP_BAD;

    struct slice target = slice(first + 1, (size_t)(second - first - 1));
    if (target.len > limits->target)
        return http_bad(problem, 414, "the request target is longer than the limit");
    if (!http_all(target, HTTP_TARGET))
        return http_bad(problem, 400, "a character in the target that has to be percent-encoded");
    ret->method = slice(line.ptr, (size_t)(first - line.ptr));
    return read_target(target, ret, problem);
}

/* The bytes in which a request line must have ended, counted from its start. */
static size_t line_max(const struct http_limits *limits) {
    size_t frame = METHOD_MAX + sizeof("  HTTP/1.1\r\n") - 1;

    return limits->target < SIZE_MAX - frame ? limits->target + frame : SIZE_MAX;
}

static bool line_too_long(const struct http_reader *r) {
    size_t end = http_reader_end(r), max = line_max(r->limits);
    bool reached = max <= end - r->start || r->len >= r->limits->head;

    if (max > end - r->start)
        max = end - r->start;
    /* Bytes seen before that reached so far had a line end in them, or that call had said 414. */
    return reached && r->seen < r->start + max && !memchr(r->data + r->start, '\n', max);
}

static enum http_parse finish(struct http_head *head, struct http_problem *problem) {
    struct http_control control;

    http_control_read(head, &control);
    if (control.hosts > 1)
        return http_bad(problem, 400, "more than one Host");
    if (control.hosts == 0 && head->minor >= 1)
        return http_bad(problem, 400, "Host is missing");
    if (control.hosts && !is_authority(control.host))
        return http_bad(problem, 400, "Host is malformed");
    if (!head->host.ptr)
        head->host = control.host;
    if (http_framing_read(head, &control, problem) != HTTP_OK)
        return HTTP_BAD;
    /* HTTP/1.0 knows no 100 (RFC 9110 §10.1.1), and without a body nobody waits for one. */
    head->expect_continue =
        control.expect_continue && head->minor >= 1 && head->framing != HTTP_NO_BODY;
    head->status = 0;
    head->reason = slice(NULL, 0);
    return HTTP_OK;
}

enum http_parse http_parse_request(const char *data, size_t len, size_t seen,
                                   const struct http_limits *limits, struct http_head *ret,
                                   struct http_problem *problem) {
    struct http_reader r = {data, len, seen, 0, limits, request_line};
    size_t end = http_reader_end(&r);

    if (len == 0)
        return HTTP_MORE;
    r.start = skip_empty_lines(data, end);
    if (check_method(data, end, r.start, problem) != HTTP_OK)
        return HTTP_BAD;
    if (line_too_long(&r))
        return http_bad(problem, 414, "the request line is longer than the limit");
    enum http_parse result = http_head_read(&r, ret, problem);
    return result == HTTP_OK ? finish(ret, problem) : result;
}

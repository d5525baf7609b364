/* Parses the head of a backend's response; what is ambiguous is refused, so that it counts as in
 * doubt. */
#include "http_parse.h"

static enum http_parse status_line(struct slice line, const struct http_limits *limits,
                                   struct http_head *ret, struct http_problem *problem) {
    const char *p = line.ptr;

    (void)limits;
    if (line.len < 12 || p[8] != ' ' || (line.len > 12 && p[12] != ' '))
        return http_bad(problem, 502, "a status line is version, three digits and a reason");
    if (http_version_parse(slice(p, 8), &ret->minor, problem) != HTTP_OK)
        return HTTP_BAD;
    if (p[9] < '1' || p[9] > '9' || p[10] < '0' || p[10] > '9' || p[11] < '0' || p[11] > '9')
        return http_bad(problem, 502, "a status has three digits, 100 to 999");
    ret->status =
        (unsigned)(p[9] - '0') * 100 + (unsigned)(p[10] - '0') * 10 + (unsigned)(p[11] - '0');
    if (ret->status == 101)
        return http_bad(problem, 502, "status 101, but nobody asked for another protocol");
    /* Some servers leave out the space before an empty reason; nothing hangs on it. */
    ret->reason = line.len > 12 ? slice(p + 13, line.len - 13) : slice(p + 12, 0);
    if (!http_all(ret->reason, HTTP_VALUE))
        return http_bad(problem, 502, "a control character in the reason");
    return HTTP_OK;
}

/* RFC 9112 §6.3. */
static enum http_parse finish(struct http_head *head, bool to_head, struct http_problem *problem) {
    struct http_control control;
    bool bodiless = head->status < 200 || head->status == 204;

    http_control_read(head, &control);
    if (http_framing_read(head, &control, problem) != HTTP_OK)
        return HTTP_BAD;
    /* It announces what it must not send, and may send it: those bytes must not be the next answer.
     */
    if (bodiless && head->framing != HTTP_NO_BODY)
        head->keep_alive = false;
    if (bodiless || head->status == 304 || to_head) {
        head->framing = HTTP_NO_BODY;
        head->length = 0;
    } else if (!control.codings && !control.lengths) {
        head->framing = HTTP_UNTIL_CLOSE;
        head->keep_alive = false;
    }
    head->method = head->target = head->path = head->query = head->host = slice(NULL, 0);
    head->expect_continue = false;
    return HTTP_OK;
}

enum http_parse http_parse_response(const char *data, size_t len, size_t seen, bool to_head,
                                    const struct http_limits *limits, struct http_head *ret,
                                    struct http_problem *problem) {
    static const char prefix[] = "HTTP/1.";
    struct http_reader r = {data, len, seen, 0, limits, status_line};
    size_t known = http_reader_end(&r);
    enum http_parse result;

    if (len == 0)
        return HTTP_MORE;
    if (known > sizeof(prefix) - 1)
        known = sizeof(prefix) - 1;
    if (memcmp(data, prefix, known) != 0)
        result = http_bad(problem, 502, "a response begins with HTTP/1.0 or HTTP/1.1");
    else
        result = http_head_read(&r, ret, problem);
    if (result == HTTP_OK)
        result = finish(ret, to_head, problem);
    if (result == HTTP_BAD)
        problem->status = 502; /* whatever it is, it is the backend's fault */
    return result;
}

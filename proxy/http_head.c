/* Reads the lines of a head: start line, fields, the empty line; with limits and resumable. */
#include "http_parse.h"

const unsigned char http_classes[256] = {
    /* clang-format off */
    0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, /* 0x00 */
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* 0x10 */
    2, 7, 6, 3, 7, 7, 7, 7, 6, 6, 7, 7, 6, 15, 15, 6, /* 0x20 */
    15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 6, 6, 6, 6, 6, 6, /* 0x30 */
    6, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, /* 0x40 */
    15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 6, 6, 6, 7, 15, /* 0x50 */
    7, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, /* 0x60 */
    15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 6, 7, 6, 15, 0, /* 0x70 */
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, /* 0x80 */
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, /* 0x90 */
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, /* 0xa0 */
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, /* 0xb0 */
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, /* 0xc0 */
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, /* 0xd0 */
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, /* 0xe0 */
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, /* 0xf0 */
    /* clang-format on */
};

bool http_all(struct slice s, enum http_class class) {
    for (size_t i = 0; i < s.len; i++)
        if (!http_is(s.ptr[i], class))
            return false;
    return true;
}

enum http_parse http_version_parse(struct slice text, unsigned *ret_minor,
                                   struct http_problem *problem) {
    const char *p = text.ptr;

    if (text.len != 8 || memcmp(p, "HTTP/", 5) != 0 || p[5] < '0' || p[5] > '9' || p[6] != '.' ||
        p[7] < '0' || p[7] > '9')
        return http_bad(problem, 400, "the HTTP version is malformed: it is HTTP/1.0 or HTTP/1.1");
    if (p[5] != '1' || p[7] > '1')
        return http_bad(problem, 505, "only HTTP/1.0 and HTTP/1.1 are spoken here");
    *ret_minor = (unsigned)(p[7] - '0');
    return HTTP_OK;
}

static enum http_parse unfinished(const struct http_reader *r, struct http_problem *problem) {
    if (r->len >= r->limits->head)
        return http_bad(problem, 431, "the head is longer than the limit");
    return HTTP_MORE;
}

/* `from`: the start of a line. Too many fields are counted, not stored, and only complained about
 * at the end: a resumed call does not know how many came before, and must give the same answer. */
static enum http_parse read_lines(const struct http_reader *r, size_t from, struct http_head *ret,
                                  struct http_problem *problem) {
    const char *p = r->data + from, *end = r->data + http_reader_end(r);
    unsigned max = r->limits->count < HTTP_HEADERS_MAX ? r->limits->count : HTTP_HEADERS_MAX;
    unsigned count = 0;
    struct http_header spare;

    for (;;) {
        const char *nl = memchr(p, '\n', (size_t)(end - p));
        if (!nl)
            return unfinished(r, problem);
        if (nl == p || nl[-1] != '\r')
            return http_bad(problem, 400, "a line ends with a bare LF: lines end with CRLF");

        struct slice line = slice(p, (size_t)(nl - 1 - p));
        enum http_parse result;
        if (p == r->data + r->start) {
            result = r->start_line(line, r->limits, ret, problem);
        } else if (line.len == 0) {
            ret->header_count = count;
            ret->size = (size_t)(nl + 1 - r->data);
            break;
        } else {
            result = http_field_parse(line, count < max ? &ret->headers[count] : &spare, problem);
            count++;
        }
        if (result != HTTP_OK)
            return result;
        p = nl + 1;
    }
    if (count > max)
        return http_bad(problem, 431, "there are more header fields than the limit");
    return HTTP_OK;
}

enum http_parse http_head_read(const struct http_reader *r, struct http_head *ret,
                               struct http_problem *problem) {
    size_t end = http_reader_end(r);
    size_t from = r->start;

    /* Going back to the start of the open line only when a line end came keeps dribbled heads
     * linear. */
    if (r->seen > r->start && r->seen <= end) {
        if (!memchr(r->data + r->seen, '\n', end - r->seen))
            return unfinished(r, problem);
        const char *nl = memrchr(r->data + r->start, '\n', r->seen - r->start);
        from = nl ? (size_t)(nl + 1 - r->data) : r->start;
    }
    enum http_parse result = read_lines(r, from, ret, problem);
    if (result == HTTP_OK && from != r->start)
        result = read_lines(r, r->start, ret, problem);
    return result;
}

/* What must hold for every head and every chunked body, whatever its bytes. */
#ifndef POINTSMAN_TESTS_FUZZ_HTTP_CHECK_H
#define POINTSMAN_TESTS_FUZZ_HTTP_CHECK_H

#include <stdio.h>

#include "../http_replay.h"

static inline void check(bool holds, const char *what) {
    if (holds)
        return;
    fprintf(stderr, "does not hold: %s\n", what);
    abort();
}

static inline void check_inside(const struct replay_result *r, struct slice s) {
    check(s.ptr || s.len == 0, "an absent slice is empty");
    check(!s.ptr || (s.ptr >= r->base && s.ptr + s.len <= r->base + r->head.size),
          "slices lie in the head");
    for (size_t i = 0; i < s.len; i++)
        check(s.ptr[i] != '\r' && s.ptr[i] != '\n' && s.ptr[i] != '\0',
              "no slice holds a line end or NUL");
}

static inline void check_ok(enum replay_kind kind, const struct replay *m,
                            const struct replay_result *r) {
    const struct http_head *h = &r->head;
    unsigned lengths = 0, codings = 0;

    check(h->size <= m->len && h->size <= m->limits->head && h->size >= 4, "size within limits");
    check(memcmp(r->base + h->size - 4, "\r\n\r\n", 4) == 0, "a head ends with an empty line");
    check(h->header_count <= m->limits->count && h->header_count <= HTTP_HEADERS_MAX, "count");
    for (unsigned i = 0; i < h->header_count; i++) {
        struct slice name = h->headers[i].name;
        check(name.len > 0 && h->headers[i].value.ptr, "a field has name and value");
        lengths += slice_iis(name, "Content-Length");
        codings += slice_iis(name, "Transfer-Encoding");
        check_inside(r, h->headers[i].name);
        check_inside(r, h->headers[i].value);
    }
    check_inside(r, h->method);
    check_inside(r, h->target);
    check_inside(r, h->path);
    check_inside(r, h->query);
    check_inside(r, h->host);
    check_inside(r, h->reason);
    check(lengths + codings <= 1, "one framing field at most");
    check(h->minor <= 1 && (h->framing != HTTP_CHUNKED || (codings && h->minor)), "chunked");
    check((h->framing == HTTP_LENGTH) == (h->length > 0) && (!h->length || lengths), "length");
    check(h->framing != HTTP_UNTIL_CLOSE || (kind == REPLAY_RESPONSE && !h->keep_alive), "close");
    if (kind == REPLAY_REQUEST) {
        check(h->path.len > 0 && h->target.len <= m->limits->target, "a request has a path");
        check(h->host.len > 0 || h->minor == 0, "a request has a host");
    } else {
        check(h->status >= 100 && h->status <= 999 && h->status != 101, "status");
        check(kind == REPLAY_RESPONSE || h->framing == HTTP_NO_BODY, "HEAD has no body");
    }
}

static inline void check_head(enum replay_kind kind, const char *data, size_t size) {
    static const struct http_limits limits[] = {{16384, 8192, 100}, {160, 16, 4}, {40, 100, 100}};

    if (size > 1024)
        return;
    for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
        struct replay m = {kind, &limits[i], data, size};
        struct replay_result r;
        const char *difference = replay_head(&m, &r);
        if (difference)
            fprintf(stderr, "cut differently, %s differs\n", difference);
        check(!difference, "every cut gives the same answer");
        check(r.parse != HTTP_BAD || (r.problem.status >= 400 && *r.problem.detail), "problem");
        check(r.parse != HTTP_MORE || size < limits[i].head, "the limit ends the waiting");
        if (r.parse == HTTP_OK)
            check_ok(kind, &m, &r);
        replay_clear(&r);
    }
}

static inline void check_body(const char *data, size_t size) {
    struct replay_body r;

    if (size > 1024)
        return;
    const char *difference = replay_body(data, size, &r);
    check(!difference, "every cut gives the same content and answer");
    check(r.used <= size && r.content_len <= r.used, "no more than there was");
    check(r.parse != HTTP_MORE || r.used == size, "while more is wanted all is taken");
    check(r.parse != HTTP_BAD || (r.problem.status >= 400 && *r.problem.detail), "problem");
    check(r.parse != HTTP_OK || memcmp(data + r.used - 2, "\r\n", 2) == 0,
          "a body ends with an empty line");
    free(r.content);
}

#endif

/* Feeds one message whole, byte by byte and cut in two, and says where the answers differ. For
 * tests and fuzzing. */
#ifndef POINTSMAN_TESTS_HTTP_REPLAY_H
#define POINTSMAN_TESTS_HTTP_REPLAY_H

#include <stdlib.h>

#include <pointsman/http.h>

enum replay_kind { REPLAY_REQUEST = 0, REPLAY_RESPONSE, REPLAY_RESPONSE_TO_HEAD };

struct replay {
    enum replay_kind kind;
    const struct http_limits *limits;
    const char *data;
    size_t len;
};

struct replay_result {
    enum http_parse parse;
    const char *base; /* what head's slices point into, freed by replay_clear() */
    struct http_head head;
    struct http_problem problem;
};

static inline void replay_clear(struct replay_result *r) {
    free((void *)(uintptr_t)r->base);
    r->base = NULL;
}

/* Each call gets a copy of just `len` bytes, so that a sanitizer sees every byte read behind them.
 */
static inline void replay_parse(const struct replay *m, size_t len, size_t seen,
                                struct replay_result *ret) {
    char *copy = malloc(len ? len : 1);

    if (!copy)
        abort();
    if (len)
        memcpy(copy, m->data, len);
    memset(&ret->head, 0xa5, sizeof(ret->head)); /* what is not set must not look set */
    ret->base = copy;
    ret->problem = (struct http_problem){0, ""};
    if (m->kind == REPLAY_REQUEST)
        ret->parse = http_parse_request(copy, len, seen, m->limits, &ret->head, &ret->problem);
    else
        ret->parse = http_parse_response(copy, len, seen, m->kind == REPLAY_RESPONSE_TO_HEAD,
                                         m->limits, &ret->head, &ret->problem);
}

static inline bool replay_same_slice(struct slice a, const struct replay_result *in_a,
                                     struct slice b, const struct replay_result *in_b) {
    if (!a.ptr || !b.ptr)
        return !a.ptr && !b.ptr && a.len == 0 && b.len == 0;
    return a.len == b.len && a.ptr - in_a->base == b.ptr - in_b->base;
}

/* NULL: the same; else what differs. */
static inline const char *replay_compare(const struct replay_result *a,
                                         const struct replay_result *b) {
    const struct http_head *x = &a->head, *y = &b->head;

    if (a->parse != b->parse)
        return "the answer";
    if (a->problem.status != b->problem.status || strcmp(a->problem.detail, b->problem.detail) != 0)
        return "the problem";
    if (a->parse != HTTP_OK)
        return NULL;
    if (!replay_same_slice(x->method, a, y->method, b) ||
        !replay_same_slice(x->target, a, y->target, b) ||
        !replay_same_slice(x->path, a, y->path, b) ||
        !replay_same_slice(x->query, a, y->query, b) ||
        !replay_same_slice(x->host, a, y->host, b) ||
        !replay_same_slice(x->reason, a, y->reason, b))
        return "a slice of the start line";
    if (x->status != y->status || x->minor != y->minor || x->keep_alive != y->keep_alive ||
        x->framing != y->framing || x->length != y->length || x->size != y->size ||
        x->expect_continue != y->expect_continue || x->header_count != y->header_count)
        return "a number or a flag";
    for (unsigned i = 0; i < x->header_count; i++)
        if (!replay_same_slice(x->headers[i].name, a, y->headers[i].name, b) ||
            !replay_same_slice(x->headers[i].value, a, y->headers[i].value, b) ||
            x->headers[i].id != y->headers[i].id || x->headers[i].traits != y->headers[i].traits)
            return "a header";
    return NULL;
}

/* As a connection does it: up to `cut` bytes first, then `stride` more at a time. */
static inline void replay_fed(const struct replay *m, size_t cut, size_t stride,
                              struct replay_result *ret) {
    size_t len = cut, seen = 0;

    for (;;) {
        replay_parse(m, len, seen, ret);
        if (ret->parse != HTTP_MORE || len == m->len)
            return;
        replay_clear(ret);
        seen = len;
        len = m->len - len < stride ? m->len : len + stride;
    }
}

/* *ret: the answer to the whole, to be cleared by the caller. NULL: every way of feeding gave it.
 */
static inline const char *replay_head(const struct replay *m, struct replay_result *ret) {
    const char *difference = NULL;
    struct replay_result other;

    replay_parse(m, m->len, 0, ret);
    for (size_t cut = 0; cut <= m->len && !difference; cut++) {
        replay_fed(m, cut, m->len, &other);
        difference = replay_compare(ret, &other);
        replay_clear(&other);
    }
    for (size_t stride = 1; stride <= 3 && !difference; stride += 2) {
        replay_fed(m, 0, stride, &other);
        difference = replay_compare(ret, &other);
        replay_clear(&other);
    }
    return difference;
}

/* ---- chunked bodies ---- */
struct replay_body {
    enum http_parse parse;
    size_t used;
    char *content; /* freed by the caller */
    size_t content_len;
    struct http_problem problem;
};

static inline void replay_chunk_run(struct http_chunks *c, const char *data, size_t len,
                                    struct replay_body *ret) {
    for (size_t used = 1; ret->parse == HTTP_MORE && used != 0 && len > 0;) {
        struct slice run = {NULL, 0};
        char *copy = malloc(len);
        if (!copy)
            abort();
        memcpy(copy, data, len);
        ret->parse = http_chunks_feed(c, copy, len, &used, &run, &ret->problem);
        if (ret->parse == HTTP_BAD)
            used = 0;
        else if (run.len)
            memcpy(ret->content + ret->content_len, run.ptr, run.len);
        ret->content_len += run.len;
        ret->used += used;
        data += used;
        len -= used;
        free(copy);
    }
}

static inline void replay_chunks(const char *data, size_t len, size_t cut, size_t stride,
                                 struct replay_body *ret) {
    struct http_chunks c;

    http_chunks_init(&c);
    *ret = (struct replay_body){HTTP_MORE, 0, malloc(len + 1), 0, {0, ""}};
    if (!ret->content)
        abort();
    replay_chunk_run(&c, data, cut, ret);
    for (size_t at = cut; at < len && ret->parse == HTTP_MORE; at += stride)
        replay_chunk_run(&c, data + at, len - at < stride ? len - at : stride, ret);
}

static inline bool replay_same_body(const struct replay_body *a, const struct replay_body *b) {
    if (a->parse != b->parse || a->content_len != b->content_len ||
        memcmp(a->content, b->content, a->content_len) != 0)
        return false;
    if (a->parse == HTTP_BAD) /* how much of the last piece was fine is not told */
        return a->problem.status == b->problem.status &&
               strcmp(a->problem.detail, b->problem.detail) == 0;
    return a->used == b->used;
}

/* As replay_head(), for a body. */
static inline const char *replay_body(const char *data, size_t len, struct replay_body *ret) {
    bool same = true;

    replay_chunks(data, len, len, 1, ret);
    for (size_t cut = 0; cut <= len + 1 && same; cut++) {
        struct replay_body other;
        if (cut <= len)
            replay_chunks(data, len, cut, len + 1, &other);
        else
            replay_chunks(data, len, 0, 1, &other);
        same = replay_same_body(ret, &other);
        free(other.content);
    }
    return same ? NULL : "the answer, the problem or the content";
}

#endif

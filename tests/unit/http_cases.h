/* Tables of heads for the tests of the HTTP parsers; every case is fed in every way of cutting it.
 */
#ifndef POINTSMAN_TESTS_UNIT_HTTP_CASES_H
#define POINTSMAN_TESTS_UNIT_HTTP_CASES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../http_replay.h"

static const struct http_limits usual_limits = {16384, 8192, 100};

/* Bytes and their count; a NUL may be among them. */
#define BYTES(text)                                                                                \
    { text, sizeof(text) - 1 }

struct bad_case {
    struct slice bytes;
    unsigned status;
    const char *detail; /* a part of it */
};

struct good_case {
    struct slice bytes;
    enum http_framing framing;
    uint64_t length;
    bool keep_alive;
    unsigned minor;
};

static inline void replay_ok(enum replay_kind kind, struct slice bytes,
                             const struct http_limits *limits, struct replay_result *ret) {
    struct replay m = {kind, limits, bytes.ptr, bytes.len};
    const char *difference = replay_head(&m, ret);

    if (difference)
        fail_msg("cut differently, %s differs: %.*s", difference, SLICE_ARG(bytes));
}

/* Also with bytes behind the head, which must not change anything. */
static inline void expect_bad(enum replay_kind kind, const struct bad_case *cases, size_t count) {
    for (size_t i = 0; i < count; i++) {
        struct replay_result r;
        replay_ok(kind, cases[i].bytes, &usual_limits, &r);
        if (r.parse != HTTP_BAD || r.problem.status != cases[i].status ||
            !strstr(r.problem.detail, cases[i].detail))
            fail_msg("case %zu: answer %d, %u \"%s\", not %u \"%s\": %.*s", i, (int)r.parse,
                     r.problem.status, r.problem.detail, cases[i].status, cases[i].detail,
                     SLICE_ARG(cases[i].bytes));
        replay_clear(&r);
    }
}

static inline void expect_good(enum replay_kind kind, const struct good_case *cases, size_t count) {
    for (size_t i = 0; i < count; i++) {
        struct replay_result r;
        replay_ok(kind, cases[i].bytes, &usual_limits, &r);
        const struct http_head *h = &r.head;
        if (r.parse != HTTP_OK || h->framing != cases[i].framing || h->length != cases[i].length ||
            h->keep_alive != cases[i].keep_alive || h->minor != cases[i].minor ||
            h->size != cases[i].bytes.len)
            fail_msg(
                "case %zu: answer %d \"%s\", framing %d, length %llu, keep-alive %d, minor %u, "
                "size %zu: %.*s",
                i, (int)r.parse, r.problem.detail, (int)h->framing, (unsigned long long)h->length,
                h->keep_alive, h->minor, h->size, SLICE_ARG(cases[i].bytes));
        replay_clear(&r);
    }
}

static inline void assert_slice(struct slice s, const char *expect) {
    if (!expect)
        assert_null(s.ptr);
    else if (!s.ptr || !slice_is(s, expect))
        fail_msg("\"%.*s\", not \"%s\"", SLICE_ARG(s), expect);
}

#endif

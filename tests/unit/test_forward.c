/* The request a backend gets: what of the sender's is kept, what is ours, and where it goes. */
#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../../proxy/delivery.h"
#include "../../proxy/shared.h"
#include "../../proxy/worker.h"

#define PEER "198.51.100.7"

/* An event between its head and its leg: no loop, no socket. */
struct made {
    struct conf conf;
    struct rules rules;
    struct delivery d;
    struct leg leg;
    char text[64 * 1024]; /* what the backend would be sent, of the head */
};

static struct conf_url url(const char *host, uint16_t port, const char *path) {
    return (struct conf_url){.host = (char *)host, .port = port, .path = (char *)path};
}

/* `lines`: header lines of the request besides Host. */
static bool keep(struct made *m, const char *start, const char *lines) {
    struct http_limits limits = {32 * 1024, 8192, 100};
    struct http_problem problem;
    static struct http_head head;
    static char request[32 * 1024];
    memset(m, 0, sizeof *m);
    m->conf.backends[SIDE_LEGACY].url = url("127.0.0.1", 9001, "");
    m->rules.conf = &m->conf;
    m->d.rules = &m->rules;
    m->d.body = blob_new(16);
    m->d.body->len = 11;
    buf_init(&m->d.head, 40 * 1024);
    buf_init(&m->d.target, 16 * 1024);
    snprintf(request, sizeof request, "%s HTTP/1.1\r\nHost: hooks.example:8080\r\n%s\r\n", start,
             lines);
    if (http_parse_request(request, strlen(request), 0, &limits, &head, &problem) != HTTP_OK)
        fail_msg("%s: %s", lines, problem.detail);
    return forward_keep(&m->d, &head, PEER);
}

static const char *sent(struct made *m) {
    m->leg.delivery = &m->d;
    m->leg.attempt = 3;
    m->leg.fence = 1700000000000001;
    if (!m->d.id.id[0])
        snprintf(m->d.id.id, sizeof m->d.id.id, "72d3162e");
    buf_init(&m->leg.x.request, sizeof m->text - 1);
    assert_true(forward_head(&m->leg));
    memcpy(m->text, buf_at(&m->leg.x.request), buf_len(&m->leg.x.request));
    m->text[buf_len(&m->leg.x.request)] = '\0';
    return m->text;
}

static void drop(struct made *m) {
    buf_free(&m->leg.x.request);
    buf_free(&m->d.head);
    buf_free(&m->d.target);
    blob_unref(m->d.body);
}

static unsigned count(const char *text, const char *part) {
    unsigned n = 0;
    for (const char *at = text; (at = strcasestr(at, part)) != NULL; at++)
        n++;
    return n;
}

struct header_case {
    const char *lines;
    const char *has;   /* a whole line; NULL: nothing is asked */
    const char *lacks; /* NULL: nothing is asked */
};

static const struct header_case cases[] = {
    /* kept as they came, in any case of letters, duplicates too */
    {"User-Agent: GitHub-Hookshot/1\r\n", "User-Agent: GitHub-Hookshot/1", NULL},
    {"X-Hub-Signature-256: sha256=ab\r\n", "X-Hub-Signature-256: sha256=ab", NULL},
    {"X-GitHub-Delivery: d1\r\n", "X-GitHub-Delivery: d1", NULL},
    {"Content-Type: application/json\r\n", "Content-Type: application/json", NULL},
    {"Cookie: a\r\nCookie: b\r\n", "Cookie: a\r\nCookie: b", NULL},
    {"x-EMPTY:\r\n", "x-EMPTY: ", NULL},
    /* of this hop only */
    {"Connection: X-Mine, close\r\nX-Mine: 1\r\n", NULL, "X-Mine"},
    {"Connection: close\r\n", NULL, "\nConnection:"},
    {"Keep-Alive: timeout=5\r\n", NULL, "Keep-Alive"},
    {"TE: trailers\r\n", NULL, "\nTE:"},
    {"Upgrade: h2c\r\n", NULL, "Upgrade"},
    {"Proxy-Authorization: x\r\n", NULL, "Proxy-Authorization"},
    {"Transfer-Encoding: chunked\r\n", NULL, "Transfer-Encoding"},
    {"Expect: 100-continue\r\nContent-Length: 11\r\n", NULL, "Expect"},
    /* what identifies the event cannot be nominated away */
    {"Connection: X-GitHub-Event\r\nX-GitHub-Event: issues\r\n", "X-GitHub-Event: issues", NULL},
    /* ours alone */
    {"X-Pointsman-Role: shadow\r\n", "X-Pointsman-Role: owner", "shadow"},
    {"x-pointsman-anything: 1\r\n", NULL, "anything"},
    {"X-Pointsmanish: 1\r\n", "X-Pointsmanish: 1", NULL},
    {"Idempotency-Key: \"theirs\"\r\n", "Idempotency-Key: \"72d3162e\"", "theirs"},
    {"Content-Length: 7\r\n", "Content-Length: 11", "Content-Length: 7"},
    /* lists are added to */
    {"", "X-Forwarded-For: " PEER, NULL},
    {"X-Forwarded-For: 10.0.0.1\r\n", "X-Forwarded-For: 10.0.0.1, " PEER, NULL},
    {"x-forwarded-for: 10.0.0.1\r\nX-Forwarded-For: 10.0.0.2\r\n",
     "X-Forwarded-For: 10.0.0.1, 10.0.0.2, " PEER, NULL},
    {"", "Via: 1.1 pointsman", NULL},
    {"Via: 1.0 a\r\nX-Other: 1\r\nVia: 1.1 b, 1.1 c\r\n", "Via: 1.0 a, 1.1 b, 1.1 c, 1.1 pointsman",
     NULL},
    {"X-Forwarded-For:\r\nVia:\r\n", "Via: 1.1 pointsman", NULL},
    {"X-Forwarded-Host: evil\r\nX-Forwarded-Proto: gopher\r\n",
     "X-Forwarded-Proto: http\r\nX-Forwarded-Host: hooks.example:8080", "evil"},
    {"traceparent: 00-11-22-01\r\n", "traceparent: 00-11-22-01", NULL},
    {"traceparent:\r\n", NULL, "traceparent: 00-"},
};

static void each_header_is_kept_dropped_or_ours(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct made m;
        char line[256];
        assert_true(keep(&m, "POST /w", cases[i].lines));
        const char *text = sent(&m);
        snprintf(line, sizeof line, "\r\n%s\r\n", cases[i].has ? cases[i].has : "");
        if ((cases[i].has && !strstr(text, line)) ||
            (cases[i].lacks && count(text, cases[i].lacks)))
            fail_msg("%s: not \"%s\", or \"%s\", in:\n%s", cases[i].lines, cases[i].has,
                     cases[i].lacks, text);
        assert_string_equal(text + strlen(text) - 4, "\r\n\r\n");
        assert_int_equal(count(text, "\r\n\r\n"), 1);
        static const char *const once[] = {"\nContent-Length:", "\nHost:", "\nIdempotency-Key:",
                                           "\ntraceparent:",    "\nVia:",  "\nX-Forwarded-For:"};
        for (size_t k = 0; k < ARRAY_LEN(once); k++)
            if (count(text, once[k]) != 1)
                fail_msg("%s: %u of %s in:\n%s", cases[i].lines, count(text, once[k]), once[k] + 1,
                         text);
        drop(&m);
    }
}

static void the_attempt_is_described(void **state) {
    (void)state;
    struct made m;
    assert_true(keep(&m, "POST /w", ""));
    m.leg.side = SIDE_NEW;
    m.leg.role = ROLE_SHADOW;
    m.conf.backends[SIDE_NEW].url = url("10.0.0.9", 80, "");
    assert_non_null(strstr(sent(&m), "X-Pointsman-Event: 72d3162e\r\nX-Pointsman-Role: shadow\r\n"
                                     "X-Pointsman-Backend: new\r\nX-Pointsman-Attempt: 3\r\n"
                                     "X-Pointsman-Fence: 1700000000000001\r\n"));
    drop(&m);
}

static void a_trace_is_begun_where_none_came(void **state) {
    (void)state;
    char first[56];
    for (int i = 0; i < 2; i++) {
        struct made m;
        assert_true(keep(&m, "POST /w", ""));
        const char *at = strstr(sent(&m), "\r\ntraceparent: 00-");
        assert_non_null(at);
        at += strlen("\r\ntraceparent: ");
        assert_int_equal(strspn(at + 3, "0123456789abcdef"), 32);
        assert_int_equal(strspn(at + 36, "0123456789abcdef"), 16);
        assert_memory_equal(at + 35, "-", 1);
        assert_memory_equal(at + 52, "-01\r\n", 5);
        assert_int_not_equal(strspn(at + 3, "0"), 32);
        assert_int_not_equal(strspn(at + 36, "0"), 16);
        if (i == 0)
            memcpy(first, at, 55);
        else
            assert_memory_not_equal(first, at, 55);
        drop(&m);
    }
}

static void the_idempotency_key_is_quoted(void **state) {
    (void)state;
    struct made m;
    assert_true(keep(&m, "POST /w", ""));
    snprintf(m.d.id.id, sizeof m.d.id.id, "a\\b\"c\\d");
    assert_non_null(strstr(sent(&m), "\r\nIdempotency-Key: \"a\\\\b\\\"c\\\\d\"\r\n"));
    drop(&m);
}

static void the_target_is_appended_to_the_backends_path(void **state) {
    (void)state;
    static const struct {
        const char *start, *host, *path;
        uint16_t port;
        const char *sent;
    } targets[] = {
        {"POST /w", "127.0.0.1", "", 9001, "POST /w HTTP/1.1\r\nHost: 127.0.0.1:9001\r\n"},
        {"POST /w?", "b", "", 80, "POST /w? HTTP/1.1\r\nHost: b:80\r\n"},
        {"POST /w?a=b&c=%20", "b", "/base", 80,
         "POST /base/w?a=b&c=%20 HTTP/1.1\r\nHost: b:80\r\n"},
        {"POST http://hooks.example:8080/w?q", "b", "/base", 80,
         "POST /base/w?q HTTP/1.1\r\nHost: b:80\r\n"},
        {"POST /w", "::1", "/x/y", 1, "POST /x/y/w HTTP/1.1\r\nHost: [::1]:1\r\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
        struct made m;
        assert_true(keep(&m, targets[i].start, ""));
        m.conf.backends[SIDE_LEGACY].url = url(targets[i].host, targets[i].port, targets[i].path);
        const char *text = sent(&m);
        if (strncmp(text, targets[i].sent, strlen(targets[i].sent)) != 0)
            fail_msg("%s: %s", targets[i].start, text);
        drop(&m);
    }
}

static void a_backends_own_headers_replace_the_senders(void **state) {
    (void)state;
    struct made m;
    struct conf_pair own[] = {{(char *)"Authorization", (char *)"Bearer t"},
                              {(char *)"user-agent", (char *)"pm"}};
    assert_true(keep(&m, "POST /w",
                     "authorization: Basic x\r\nUser-Agent: GitHub\r\nUser-Agent-More: kept\r\n"));
    m.conf.backends[SIDE_LEGACY].headers = own;
    m.conf.backends[SIDE_LEGACY].header_count = 2;
    const char *text = sent(&m);
    assert_int_equal(count(text, "\nauthorization:"), 1);
    assert_int_equal(count(text, "\nuser-agent:"), 1);
    assert_non_null(strstr(text, "\r\nAuthorization: Bearer t\r\nuser-agent: pm\r\n"));
    assert_non_null(strstr(text, "\r\nUser-Agent-More: kept\r\n"));
    drop(&m);
}

static void what_the_router_reads_is_found_in_the_kept_head(void **state) {
    (void)state;
    struct made m;
    assert_true(keep(&m, "POST /w",
                     "x-github-event: issues\r\nX-GITHUB-DELIVERY: d-1\r\nX-GitHub-Hook-ID: 42\r\n"
                     "Content-Type: application/json; charset=utf-8\r\n"
                     "X-Hub-Signature-256:   sha256=00  \r\n"));
    assert_true(slice_is(m.d.headers.type, "issues"));
    assert_true(slice_is(m.d.headers.delivery, "d-1"));
    assert_true(slice_is(m.d.headers.hook, "42"));
    assert_true(slice_is(m.d.headers.content_type, "application/json; charset=utf-8"));
    assert_true(slice_is(m.d.signature, "sha256=00"));
    assert_false(m.d.ambiguous || m.d.two_signatures);
    drop(&m);
    assert_true(keep(&m, "POST /w", "X-Hub-Signature-256:\r\n"));
    assert_non_null(m.d.signature.ptr); /* empty, which is not the same as missing */
    assert_int_equal(m.d.signature.len, 0);
    assert_null(m.d.headers.type.ptr);
    drop(&m);
}

static void what_stands_twice_is_ambiguous(void **state) {
    (void)state;
    static const struct {
        const char *lines;
        bool ambiguous, two_signatures;
    } twice[] = {
        {"X-GitHub-Event: a\r\nx-github-event: a\r\n", true, false},
        {"X-GitHub-Delivery: a\r\nX-GitHub-Delivery: b\r\n", true, false},
        {"X-GitHub-Hook-ID: 1\r\nX-GitHub-Hook-ID: 1\r\n", true, false},
        {"Content-Type: a/b\r\nContent-Type: c/d\r\n", true, false},
        {"X-Hub-Signature-256: a\r\nX-Hub-Signature-256: b\r\n", false, true},
        {"X-Hub-Signature: a\r\nX-Hub-Signature: b\r\n", false, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(twice); i++) {
        struct made m;
        assert_true(keep(&m, "POST /w", twice[i].lines));
        assert_int_equal(m.d.ambiguous, twice[i].ambiguous);
        assert_int_equal(m.d.two_signatures, twice[i].two_signatures);
        drop(&m);
    }
}

static void a_head_that_does_not_fit_is_said(void **state) {
    (void)state;
    struct made m;
    static char lines[20000];
    memset(lines, 'a', sizeof lines - 1);
    memcpy(lines, "A: ", 3);
    memcpy(lines + sizeof lines - 3, "\r\n", 2);
    assert_true(keep(&m, "POST /w", lines));
    m.leg.delivery = &m.d;
    buf_init(&m.leg.x.request, 10000);
    assert_false(forward_head(&m.leg));
    drop(&m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_header_is_kept_dropped_or_ours),
        cmocka_unit_test(the_attempt_is_described),
        cmocka_unit_test(a_trace_is_begun_where_none_came),
        cmocka_unit_test(the_idempotency_key_is_quoted),
        cmocka_unit_test(the_target_is_appended_to_the_backends_path),
        cmocka_unit_test(a_backends_own_headers_replace_the_senders),
        cmocka_unit_test(what_the_router_reads_is_found_in_the_kept_head),
        cmocka_unit_test(what_stands_twice_is_ambiguous),
        cmocka_unit_test(a_head_that_does_not_fit_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

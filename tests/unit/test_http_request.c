/* Request lines, targets and Host: what is taken, what is refused, and with which status. */
#include <stdio.h>

#include "http_cases.h"

#define REST " HTTP/1.1\r\nHost: a\r\n\r\n"

static void start_lines_that_are_refused(void **state) {
    (void)state;
    static const struct bad_case cases[] = {
        {BYTES(" GET / HTTP/1.1\r\nHost: a\r\n\r\n"), 400, "begins with a method"},
        {BYTES("G\xc3\x84T /" REST), 400, "begins with a method"},
        {BYTES("G(T /" REST), 400, "begins with a method"},
        {BYTES("GET\t/" REST), 400, "begins with a method"},
        {BYTES("GET\r\n\r\n"), 400, "begins with a method"},
        {BYTES("\x16\x03\x01\x02\x00\x01\x00"), 400, "begins with a method"},
        {BYTES("\nGET /" REST), 400, "begins with a method"},
        {BYTES("\r\rGET /" REST), 400, "begins with a method"},
        {BYTES("\r\n\r\n\r\nGET /" REST), 400, "begins with a method"},
        {BYTES("\r\n\r\n GET /" REST), 400, "begins with a method"},
        {BYTES("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG /" REST), 501, "method"},
        {BYTES("GET  /" REST), 400, "one space between"},
        {BYTES("GET /\r\n\r\n"), 400, "one space between"},
        {BYTES("GET " REST), 400, "one space between"},
        {BYTES("GET / \r\n\r\n"), 400, "version is malformed"},
        {BYTES("GET /  HTTP/1.1\r\n\r\n"), 400, "version is malformed"},
        {BYTES("GET / HTTP/1.1 \r\n\r\n"), 400, "version is malformed"},
        {BYTES("GET /a b" REST), 400, "version is malformed"},
        {BYTES("GET / http/1.1\r\n\r\n"), 400, "version is malformed"},
        {BYTES("GET / HTTP/1\r\n\r\n"), 400, "version is malformed"},
        {BYTES("GET / HTTP/1.10\r\n\r\n"), 400, "version is malformed"},
        {BYTES("GET / HTTP/1,1\r\n\r\n"), 400, "version is malformed"},
        {BYTES("GET / HTTP/+1.1\r\n\r\n"), 400, "version is malformed"},
        {BYTES("GET / HTTP/1.9\r\nHost: a\r\n\r\n"), 505, "HTTP/1.0 and HTTP/1.1"},
        {BYTES("GET / HTTP/2.0\r\nHost: a\r\n\r\n"), 505, "HTTP/1.0 and HTTP/1.1"},
        {BYTES("GET / HTTP/0.9\r\nHost: a\r\n\r\n"), 505, "HTTP/1.0 and HTTP/1.1"},
        {BYTES("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 505, "HTTP/1.0 and HTTP/1.1"},
        {BYTES("GET / HTTP/1.1\nHost: a\n\n"), 400, "bare LF"},
        {BYTES("GET /\r HTTP/1.1\r\nHost: a\r\n\r\n"), 400, "percent-encoded"},
        {BYTES("GET / HTTP/1.1\r\r\nHost: a\r\n\r\n"), 400, "version is malformed"},
    };
    expect_bad(REPLAY_REQUEST, cases, ARRAY_LEN(cases));
}

static void targets_that_are_refused(void **state) {
    (void)state;
    static const struct bad_case cases[] = {
        {BYTES("GET /\x80" REST), 400, "percent-encoded"},
        {BYTES("GET /\xc3\xa4" REST), 400, "percent-encoded"},
        {BYTES("GET /\t" REST), 400, "percent-encoded"},
        {BYTES("GET /\x01" REST), 400, "percent-encoded"},
        {BYTES("GET /\x7f" REST), 400, "percent-encoded"},
        {BYTES("GET /a\0b" REST), 400, "percent-encoded"},
        {BYTES("GET /a#b" REST), 400, "percent-encoded"},
        {BYTES("GET *" REST), 400, "OPTIONS only"},
        {BYTES("OPTIONS **" REST), 400, "neither a path"},
        {BYTES("CONNECT a:443" REST), 501, "CONNECT"},
        {BYTES("CONNECT /" REST), 501, "CONNECT"},
        {BYTES("GET a:443" REST), 400, "neither a path"},
        {BYTES("GET a/b" REST), 400, "neither a path"},
        {BYTES("GET ?a" REST), 400, "neither a path"},
        {BYTES("GET ftp://a/" REST), 400, "neither a path"},
        {BYTES("GET http:/a" REST), 400, "neither a path"},
        {BYTES("GET http://" REST), 400, "host in the target"},
        {BYTES("GET http:///x" REST), 400, "host in the target"},
        {BYTES("GET http://u@a/" REST), 400, "host in the target"},
        {BYTES("GET http://a:x/" REST), 400, "host in the target"},
    };
    expect_bad(REPLAY_REQUEST, cases, ARRAY_LEN(cases));
}

static void hosts_that_are_refused(void **state) {
    (void)state;
#define HOST(text) BYTES("GET / HTTP/1.1\r\nHost:" text "\r\n\r\n"), 400, "Host is malformed"
    static const struct bad_case cases[] = {
        {BYTES("GET / HTTP/1.1\r\n\r\n"), 400, "Host is missing"},
        {BYTES("GET http://a/ HTTP/1.1\r\n\r\n"), 400, "Host is missing"},
        {BYTES("GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n"), 400, "more than one Host"},
        {BYTES("GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n"), 400, "more than one Host"},
        {HOST("")},
        {HOST("a b")},
        {HOST("a,b")},
        {HOST("a/b")},
        {HOST("a@b")},
        {HOST("a?b")},
        {HOST("a\\b")},
        {HOST("\xc3\xa4")},
        {HOST("%61")},
        {HOST(":80")},
        {HOST("a:65536")},
        {HOST("a:000080")},
        {HOST("a:8a")},
        {HOST("a:80:80")},
        {HOST("a:-1")},
        {HOST("[]")},
        {HOST("[::1")},
        {HOST("[1.2.3.4]")},
        {HOST("[a]")},
        {HOST("[::1]x")},
        {HOST("[fe80::1%1]")},
        {HOST("http://a")},
        {HOST("<a>")},
    };
    expect_bad(REPLAY_REQUEST, cases, ARRAY_LEN(cases));
#undef HOST
}

static void hosts_that_are_taken(void **state) {
    (void)state;
    static const char *const hosts[] = {
        "a",
        "hooks.example.com",
        "a_b-c.d~e",
        "127.0.0.1:8080",
        "a:",
        "a:0",
        "a:65535",
        "[::1]",
        "[::1]:80",
        "[2001:db8::7]:443",
        "[::ffff:1.2.3.4]",
    };
    for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
        char bytes[128];
        struct replay_result r;
        int len =
            snprintf(bytes, sizeof(bytes), "GET / HTTP/1.1\r\nhOST:\t%s \t\r\n\r\n", hosts[i]);
        replay_ok(REPLAY_REQUEST, slice(bytes, (size_t)len), &usual_limits, &r);
        assert_int_equal(r.parse, HTTP_OK);
        assert_slice(r.head.host, hosts[i]);
        replay_clear(&r);
    }
}

struct target_case {
    const char *start, *method, *target, *path, *query, *host;
};

static void a_target_is_split_into_path_query_and_host(void **state) {
    (void)state;
    static const struct target_case cases[] = {
        {"GET / HTTP/1.1", "GET", "/", "/", NULL, "h"},
        {"POST /a/b?c=d&e HTTP/1.1", "POST", "/a/b?c=d&e", "/a/b", "c=d&e", "h"},
        {"GET /? HTTP/1.1", "GET", "/?", "/", "", "h"},
        {"GET /a?b?c HTTP/1.1", "GET", "/a?b?c", "/a", "b?c", "h"},
        {"GET //x/y HTTP/1.1", "GET", "//x/y", "//x/y", NULL, "h"},
        {"GET /a%20b/../{x}|\"^` HTTP/1.1", "GET", "/a%20b/../{x}|\"^`", "/a%20b/../{x}|\"^`", NULL,
         "h"},
        {"OPTIONS * HTTP/1.1", "OPTIONS", "*", "*", NULL, "h"},
        {"x!#$%&'*+-.^_`|~9 / HTTP/1.1", "x!#$%&'*+-.^_`|~9", "/", "/", NULL, "h"},
        {"GET http://o:81/a?b HTTP/1.1", "GET", "http://o:81/a?b", "/a", "b", "o:81"},
        {"GET HTTPS://o/ HTTP/1.1", "GET", "HTTPS://o/", "/", NULL, "o"},
        {"GET http://o HTTP/1.1", "GET", "http://o", "/", NULL, "o"},
        {"GET http://o?q/r HTTP/1.1", "GET", "http://o?q/r", "/", "q/r", "o"},
        {"GET http://[::1]:8/x HTTP/1.1", "GET", "http://[::1]:8/x", "/x", NULL, "[::1]:8"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char bytes[256];
        struct replay_result r;
        int len = snprintf(bytes, sizeof(bytes), "%s\r\nHost: h\r\n\r\n", cases[i].start);
        replay_ok(REPLAY_REQUEST, slice(bytes, (size_t)len), &usual_limits, &r);
        assert_int_equal(r.parse, HTTP_OK);
        assert_slice(r.head.method, cases[i].method);
        assert_slice(r.head.target, cases[i].target);
        assert_slice(r.head.path, cases[i].path);
        assert_slice(r.head.query, cases[i].query);
        assert_slice(r.head.host, cases[i].host);
        assert_int_equal(r.head.size, len);
        replay_clear(&r);
    }
}

static void http_1_0_needs_no_host(void **state) {
    (void)state;
    static const struct good_case cases[] = {
        {BYTES("GET / HTTP/1.0\r\n\r\n"), HTTP_NO_BODY, 0, false, 0},
        {BYTES("GET / HTTP/1.0\r\nHost: a\r\n\r\n"), HTTP_NO_BODY, 0, false, 0},
    };
    expect_good(REPLAY_REQUEST, cases, ARRAY_LEN(cases));
    struct replay_result r;
    replay_ok(REPLAY_REQUEST, cases[0].bytes, &usual_limits, &r);
    assert_slice(r.head.host, NULL);
    replay_clear(&r);
}

static void up_to_two_empty_lines_before_a_request_are_skipped(void **state) {
    (void)state;
    static const struct good_case cases[] = {
        {BYTES("\r\nGET /" REST), HTTP_NO_BODY, 0, true, 1},
        {BYTES("\r\n\r\nGET /" REST), HTTP_NO_BODY, 0, true, 1},
    };
    expect_good(REPLAY_REQUEST, cases, ARRAY_LEN(cases));
}

static void a_head_ends_where_it_ends_whatever_follows(void **state) {
    (void)state;
    static const char bytes[] = "GET /" REST "GET /\n\0\x80";
    struct replay_result r;
    replay_ok(REPLAY_REQUEST, slice(bytes, sizeof(bytes) - 1), &usual_limits, &r);
    assert_int_equal(r.parse, HTTP_OK);
    assert_int_equal(r.head.size, sizeof("GET /" REST) - 1);
    replay_clear(&r);
}

static void what_is_no_http_is_refused_at_its_first_byte(void **state) {
    (void)state;
    static const char tls[] = "\x16", spaces[] = " ", cut[] = "GET /hook HTT";
    struct replay_result r;
    replay_parse(&(struct replay){REPLAY_REQUEST, &usual_limits, tls, 1}, 1, 0, &r);
    assert_int_equal(r.parse, HTTP_BAD);
    replay_clear(&r);
    replay_parse(&(struct replay){REPLAY_REQUEST, &usual_limits, spaces, 1}, 1, 0, &r);
    assert_int_equal(r.parse, HTTP_BAD);
    replay_clear(&r);
    replay_ok(REPLAY_REQUEST, slice_of(cut), &usual_limits, &r);
    assert_int_equal(r.parse, HTTP_MORE);
    replay_clear(&r);
}

static void only_100_continue_of_http_1_1_with_a_body_is_expected(void **state) {
    (void)state;
    static const struct {
        const char *start, *fields;
        bool expects;
    } cases[] = {
        {"POST / HTTP/1.1", "Expect: 100-continue\r\nContent-Length: 1\r\n", true},
        {"POST / HTTP/1.1", "expect: 100-Continue\r\nTransfer-Encoding: chunked\r\n", true},
        {"POST / HTTP/1.1", "Expect: x, 100-continue\r\nContent-Length: 1\r\n", true},
        {"POST / HTTP/1.1", "Expect: 100-continue\r\nContent-Length: 0\r\n", false},
        {"POST / HTTP/1.0", "Expect: 100-continue\r\nContent-Length: 1\r\n", false},
        {"POST / HTTP/1.1", "Expect: 200-ok\r\nContent-Length: 1\r\n", false},
        {"POST / HTTP/1.1", "Content-Length: 1\r\n", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char bytes[256];
        struct replay_result r;
        int len = snprintf(bytes, sizeof(bytes), "%s\r\nHost: h\r\n%s\r\n", cases[i].start,
                           cases[i].fields);
        replay_ok(REPLAY_REQUEST, slice(bytes, (size_t)len), &usual_limits, &r);
        assert_int_equal(r.parse, HTTP_OK);
        assert_int_equal(r.head.expect_continue, cases[i].expects);
        replay_clear(&r);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(start_lines_that_are_refused),
        cmocka_unit_test(targets_that_are_refused),
        cmocka_unit_test(hosts_that_are_refused),
        cmocka_unit_test(hosts_that_are_taken),
        cmocka_unit_test(a_target_is_split_into_path_query_and_host),
        cmocka_unit_test(http_1_0_needs_no_host),
        cmocka_unit_test(up_to_two_empty_lines_before_a_request_are_skipped),
        cmocka_unit_test(a_head_ends_where_it_ends_whatever_follows),
        cmocka_unit_test(what_is_no_http_is_refused_at_its_first_byte),
        cmocka_unit_test(only_100_continue_of_http_1_1_with_a_body_is_expected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

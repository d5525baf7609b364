/* Heads of backends' responses: what is refused, where the body ends, what connection can be used
 * again. */
#include "http_cases.h"

#define OK_1_1(fields)         BYTES("HTTP/1.1 200 OK\r\n" fields "\r\n")
#define OK_1_0(fields)         BYTES("HTTP/1.0 200 OK\r\n" fields "\r\n")
#define STATUS(status, fields) BYTES("HTTP/1.1 " status "\r\n" fields "\r\n")

static void status_lines_that_are_refused(void **state) {
    (void)state;
    static const struct bad_case cases[] = {
        {BYTES("\r\nHTTP/1.1 200 OK\r\n\r\n"), 502, "begins with HTTP"},
        {BYTES("\nHTTP/1.1 200 OK\r\n\r\n"), 502, "begins with HTTP"},
        {BYTES("ICY 200 OK\r\n\r\n"), 502, "begins with HTTP"},
        {BYTES("http/1.1 200 OK\r\n\r\n"), 502, "begins with HTTP"},
        {BYTES("HTTP/2.0 200 OK\r\n\r\n"), 502, "begins with HTTP"},
        {BYTES("HTTP/0.9 200 OK\r\n\r\n"), 502, "begins with HTTP"},
        {BYTES("HTTP/1.2 200 OK\r\n\r\n"), 502, "only HTTP/1.0 and HTTP/1.1"},
        {BYTES("HTTP/1.x 200 OK\r\n\r\n"), 502, "version is malformed"},
        {BYTES("HTTP/1.1\r\n\r\n"), 502, "status line"},
        {BYTES("HTTP/1.1  200 OK\r\n\r\n"), 502, "three digits"},
        {BYTES("HTTP/1.1\t200 OK\r\n\r\n"), 502, "status line"},
        {BYTES("HTTP/1.10 200 OK\r\n\r\n"), 502, "status line"},
        {BYTES("HTTP/1.1 20\r\n\r\n"), 502, "status line"},
        {BYTES("HTTP/1.1 20 OK\r\n\r\n"), 502, "three digits"},
        {BYTES("HTTP/1.1 2000 OK\r\n\r\n"), 502, "status line"},
        {BYTES("HTTP/1.1 200\tOK\r\n\r\n"), 502, "status line"},
        {BYTES("HTTP/1.1 099 OK\r\n\r\n"), 502, "three digits"},
        {BYTES("HTTP/1.1 2x0 OK\r\n\r\n"), 502, "three digits"},
        {BYTES("HTTP/1.1 +20 OK\r\n\r\n"), 502, "three digits"},
        {BYTES("HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n"), 502, "101"},
        {BYTES("HTTP/1.1 200 O\0K\r\n\r\n"), 502, "in the reason"},
        {BYTES("HTTP/1.1 200 O\rK\r\n\r\n"), 502, "in the reason"},
        {BYTES("HTTP/1.1 200 OK\n\n"), 502, "bare LF"},
    };
    expect_bad(REPLAY_RESPONSE, cases, ARRAY_LEN(cases));
}

static void ambiguous_responses_are_refused(void **state) {
    (void)state;
    static const struct bad_case cases[] = {
        {OK_1_1("Content-Length : 2\r\n"), 502, "before the colon"},
        {OK_1_1("A: b\r\n c\r\n"), 502, "folded"},
        {OK_1_1(" A: b\r\n"), 502, "folded"},
        {OK_1_1("A: b\nC: d\r\n"), 502, "bare LF"},
        {OK_1_1("A: \0\r\n"), 502, "control character"},
        {OK_1_1("Content-Length: 2\r\nTransfer-Encoding: chunked\r\n"), 502, "in one message"},
        {OK_1_1("Content-Length: 2\r\nContent-Length: 2\r\n"), 502, "more than one"},
        {OK_1_1("Content-Length: 2, 2\r\n"), 502, "one decimal number"},
        {OK_1_1("Content-Length: +2\r\n"), 502, "one decimal number"},
        {OK_1_1("Content-Length: 18446744073709551618\r\n"), 502, "one decimal number"},
        {OK_1_1("Transfer-Encoding: gzip, chunked\r\n"), 502, "only transfer coding"},
        {OK_1_1("Transfer-Encoding: gzip\r\n"), 502, "only transfer coding"},
        {OK_1_1("Transfer-Encoding: identity\r\n"), 502, "identity"},
        {OK_1_1("Transfer-Encoding: chunked, chunked\r\n"), 502, "after chunked"},
        {OK_1_0("Transfer-Encoding: chunked\r\n"), 502, "HTTP/1.0"},
        {STATUS("204 No Content", "Content-Length: 0\r\nContent-Length: 0\r\n"), 502, "more than"},
        {STATUS("304 x", "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n"), 502, "in one"},
        {STATUS("100 Continue", "Content-Length: x\r\n"), 502, "one decimal number"},
    };
    expect_bad(REPLAY_RESPONSE, cases, ARRAY_LEN(cases));
    expect_bad(REPLAY_RESPONSE_TO_HEAD, cases, ARRAY_LEN(cases));
}

static void a_body_ends_by_the_order_of_rfc_9112(void **state) {
    (void)state;
    static const struct good_case cases[] = {
        {OK_1_1("Content-Length: 2\r\n"), HTTP_LENGTH, 2, true, 1},
        {OK_1_1("Content-Length: 0\r\n"), HTTP_NO_BODY, 0, true, 1},
        {OK_1_1("Transfer-Encoding: Chunked\r\n"), HTTP_CHUNKED, 0, true, 1},
        {OK_1_1(""), HTTP_UNTIL_CLOSE, 0, false, 1},
        {OK_1_1("Connection: keep-alive\r\n"), HTTP_UNTIL_CLOSE, 0, false, 1},
        {OK_1_1("Content-Length: 2\r\nConnection: x, Close\r\n"), HTTP_LENGTH, 2, false, 1},
        {OK_1_0(""), HTTP_UNTIL_CLOSE, 0, false, 0},
        {OK_1_0("Connection: keep-alive\r\n"), HTTP_UNTIL_CLOSE, 0, false, 0},
        {OK_1_0("Content-Length: 2\r\n"), HTTP_LENGTH, 2, false, 0},
        {OK_1_0("Content-Length: 2\r\nConnection: Keep-Alive\r\n"), HTTP_LENGTH, 2, true, 0},
        {OK_1_0("Content-Length: 0\r\nConnection: Keep-Alive\r\n"), HTTP_NO_BODY, 0, true, 0},
        {STATUS("100 Continue", ""), HTTP_NO_BODY, 0, true, 1},
        {STATUS("103 Early Hints", "Link: x\r\n"), HTTP_NO_BODY, 0, true, 1},
        {STATUS("204 No Content", ""), HTTP_NO_BODY, 0, true, 1},
        {STATUS("204 No Content", "Content-Length: 0\r\n"), HTTP_NO_BODY, 0, true, 1},
        {STATUS("204 No Content", "Connection: close\r\n"), HTTP_NO_BODY, 0, false, 1},
        {STATUS("304 Not Modified", "Content-Length: 9\r\n"), HTTP_NO_BODY, 0, true, 1},
        {STATUS("304 Not Modified", "Transfer-Encoding: chunked\r\n"), HTTP_NO_BODY, 0, true, 1},
        {STATUS("999 x", "Content-Length: 9\r\n"), HTTP_LENGTH, 9, true, 1},
    };
    expect_good(REPLAY_RESPONSE, cases, ARRAY_LEN(cases));
}

static void a_response_to_head_has_no_body_whatever_it_announces(void **state) {
    (void)state;
    static const struct good_case cases[] = {
        {OK_1_1("Content-Length: 2\r\n"), HTTP_NO_BODY, 0, true, 1},
        {OK_1_1("Transfer-Encoding: chunked\r\n"), HTTP_NO_BODY, 0, true, 1},
        {OK_1_1(""), HTTP_NO_BODY, 0, true, 1},
        {OK_1_1("Connection: close\r\n"), HTTP_NO_BODY, 0, false, 1},
        {OK_1_0(""), HTTP_NO_BODY, 0, false, 0},
    };
    expect_good(REPLAY_RESPONSE_TO_HEAD, cases, ARRAY_LEN(cases));
}

/* A backend that announces a body where there is none may send it too: those bytes must not become
 * the answer to the next event. */
static void a_forbidden_body_ends_the_connection(void **state) {
    (void)state;
    static const struct good_case cases[] = {
        {STATUS("204 No Content", "Content-Length: 2\r\n"), HTTP_NO_BODY, 0, false, 1},
        {STATUS("204 No Content", "Transfer-Encoding: chunked\r\n"), HTTP_NO_BODY, 0, false, 1},
        {STATUS("100 Continue", "Content-Length: 2\r\n"), HTTP_NO_BODY, 0, false, 1},
    };
    expect_good(REPLAY_RESPONSE, cases, ARRAY_LEN(cases));
}

static void status_and_reason_are_read(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        unsigned status;
        const char *reason;
    } cases[] = {
        {"HTTP/1.1 200 OK\r\n\r\n", 200, "OK"},
        {"HTTP/1.1 503 Service  \xc3\xa4 \t\r\n\r\n", 503, "Service  \xc3\xa4 \t"},
        {"HTTP/1.1 200 \r\n\r\n", 200, ""},
        {"HTTP/1.1 299\r\n\r\n", 299, ""},
        {"HTTP/1.1 999 x\r\n\r\n", 999, "x"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct replay_result r;
        replay_ok(REPLAY_RESPONSE, slice_of(cases[i].bytes), &usual_limits, &r);
        assert_int_equal(r.parse, HTTP_OK);
        assert_int_equal(r.head.status, cases[i].status);
        assert_slice(r.head.reason, cases[i].reason);
        replay_clear(&r);
    }
}

static void an_interim_head_leaves_what_follows_alone(void **state) {
    (void)state;
    static const char first[] = "HTTP/1.1 100 Continue\r\n\r\n";
    static const char both[] = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n";
    struct replay_result r;
    replay_ok(REPLAY_RESPONSE, slice_of(both), &usual_limits, &r);
    assert_int_equal(r.parse, HTTP_OK);
    assert_int_equal(r.head.status, 100);
    assert_int_equal(r.head.size, sizeof(first) - 1);
    replay_clear(&r);
}

static void a_response_has_limits_too(void **state) {
    (void)state;
    static const char head[] = "HTTP/1.1 200 OK\r\nA: b\r\nC: d\r\n\r\n";
    struct http_limits fits = {sizeof(head) - 1, 1, 2}, small = {sizeof(head) - 2, 1, 2};
    struct http_limits few = {1000, 1, 1};
    struct replay_result r;
    replay_ok(REPLAY_RESPONSE, slice_of(head), &fits, &r);
    assert_int_equal(r.parse, HTTP_OK);
    replay_clear(&r);
    replay_ok(REPLAY_RESPONSE, slice_of(head), &small, &r);
    assert_int_equal(r.parse, HTTP_BAD);
    assert_int_equal(r.problem.status, 502);
    replay_clear(&r);
    replay_ok(REPLAY_RESPONSE, slice_of(head), &few, &r);
    assert_int_equal(r.parse, HTTP_BAD);
    replay_clear(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(status_lines_that_are_refused),
        cmocka_unit_test(ambiguous_responses_are_refused),
        cmocka_unit_test(a_body_ends_by_the_order_of_rfc_9112),
        cmocka_unit_test(a_response_to_head_has_no_body_whatever_it_announces),
        cmocka_unit_test(a_forbidden_body_ends_the_connection),
        cmocka_unit_test(status_and_reason_are_read),
        cmocka_unit_test(an_interim_head_leaves_what_follows_alone),
        cmocka_unit_test(a_response_has_limits_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

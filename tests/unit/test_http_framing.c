/* Where the body of a request ends and whether its connection stays; what is ambiguous is refused.
 */
#include "http_cases.h"

#define V1_1(fields) BYTES("POST / HTTP/1.1\r\nHost: a\r\n" fields "\r\n")
#define V1_0(fields) BYTES("POST / HTTP/1.0\r\nHost: a\r\n" fields "\r\n")

static void lengths_that_are_refused(void **state) {
    (void)state;
    static const struct bad_case cases[] = {
        {V1_1("Content-Length: 2\r\nContent-Length: 3\r\n"), 400, "more than one"},
        {V1_1("Content-Length: 2\r\ncontent-length: 2\r\n"), 400, "more than one"},
        {V1_1("Content-Length:\r\nContent-Length: 2\r\n"), 400, "more than one"},
        {V1_1("Content-Length: 2, 2\r\n"), 400, "one decimal number"},
        {V1_1("Content-Length: 2,\r\n"), 400, "one decimal number"},
        {V1_1("Content-Length: +2\r\n"), 400, "one decimal number"},
        {V1_1("Content-Length: -2\r\n"), 400, "one decimal number"},
        {V1_1("Content-Length: -0\r\n"), 400, "one decimal number"},
        {V1_1("Content-Length: 2 2\r\n"), 400, "one decimal number"},
        {V1_1("Content-Length: 0x2\r\n"), 400, "one decimal number"},
        {V1_1("Content-Length: 2.0\r\n"), 400, "one decimal number"},
        {V1_1("Content-Length: 1e1\r\n"), 400, "one decimal number"},
        {V1_1("Content-Length: \"2\"\r\n"), 400, "one decimal number"},
        {V1_1("Content-Length: 1_0\r\n"), 400, "one decimal number"},
        {V1_1("Content-Length: \xc2\xb2\r\n"), 400, "one decimal number"},
        {V1_1("Content-Length:\r\n"), 400, "one decimal number"},
        {V1_1("Content-Length: 18446744073709551616\r\n"), 400, "one decimal number"},
        {V1_1("Content-Length: 18446744073709551618\r\n"), 400, "one decimal number"},
        {V1_1("Content-Length: 99999999999999999999\r\n"), 400, "one decimal number"},
        {V1_1("Content-Length: 000000000000000000002\r\n"), 400, "one decimal number"},
    };
    expect_bad(REPLAY_REQUEST, cases, ARRAY_LEN(cases));
}

static void codings_that_are_refused(void **state) {
    (void)state;
    static const struct bad_case cases[] = {
        {V1_1("Content-Length: 2\r\nTransfer-Encoding: chunked\r\n"), 400, "in one message"},
        {V1_1("Transfer-Encoding: chunked\r\nContent-Length: 2\r\n"), 400, "in one message"},
        {V1_1("Transfer-Encoding: identity\r\nContent-Length: 2\r\n"), 400, "in one message"},
        {V1_1("Transfer-Encoding:\r\nContent-Length: 2\r\n"), 400, "in one message"},
        {V1_0("Transfer-Encoding: chunked\r\n"), 400, "HTTP/1.0"},
        {V1_0("Transfer-Encoding: identity\r\n"), 400, "HTTP/1.0"},
        {V1_0("Transfer-Encoding: chunked\r\nContent-Length: 2\r\n"), 400, "HTTP/1.0"},
        {V1_1("Transfer-Encoding: identity\r\n"), 400, "identity"},
        {V1_1("Transfer-Encoding: identity, chunked\r\n"), 400, "identity"},
        {V1_1("Transfer-Encoding: chunked, chunked\r\n"), 400, "after chunked"},
        {V1_1("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), 400,
         "after chunked"},
        {V1_1("Transfer-Encoding: chunked, identity\r\n"), 400, "after chunked"},
        {V1_1("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n"), 400,
         "after chunked"},
        {V1_1("Transfer-Encoding: chunked, gzip\r\n"), 400, "after chunked"},
        {V1_1("Transfer-Encoding: chunked,\r\n"), 400, "after chunked"},
        {V1_1("Transfer-Encoding: , chunked\r\n"), 400, "malformed"},
        {V1_1("Transfer-Encoding:\r\n"), 400, "malformed"},
        {V1_1("Transfer-Encoding: \"chunked\"\r\n"), 400, "malformed"},
        {V1_1("Transfer-Encoding: chunked;q=1\r\n"), 400, "malformed"},
        {V1_1("Transfer-Encoding: chunked foo\r\n"), 400, "malformed"},
        {V1_1("Transfer-Encoding: chunked\xa0\r\n"), 400, "malformed"},
        {V1_1("Transfer-Encoding: gzip\r\n"), 501, "only transfer coding"},
        {V1_1("Transfer-Encoding: gzip, chunked\r\n"), 501, "only transfer coding"},
        {V1_1("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n"), 501, "only transfer"},
        {V1_1("Transfer-Encoding: xchunked\r\n"), 501, "only transfer coding"},
        {V1_1("Transfer-Encoding: chunke\r\n"), 501, "only transfer coding"},
    };
    expect_bad(REPLAY_REQUEST, cases, ARRAY_LEN(cases));
}

static void the_body_ends_where_length_or_chunks_say(void **state) {
    (void)state;
    static const struct good_case cases[] = {
        {V1_1(""), HTTP_NO_BODY, 0, true, 1},
        {V1_1("Content-Length: 0\r\n"), HTTP_NO_BODY, 0, true, 1},
        {V1_1("Content-Length: 2\r\n"), HTTP_LENGTH, 2, true, 1},
        {V1_1("content-length:\t 002 \r\n"), HTTP_LENGTH, 2, true, 1},
        {V1_1("Content-Length: 18446744073709551615\r\n"), HTTP_LENGTH, UINT64_MAX, true, 1},
        {V1_0("Content-Length: 2\r\n"), HTTP_LENGTH, 2, false, 0},
        {V1_1("Transfer-Encoding: chunked\r\n"), HTTP_CHUNKED, 0, true, 1},
        {V1_1("TRANSFER-ENCODING:CHUNKED\t\r\n"), HTTP_CHUNKED, 0, true, 1},
        {V1_1("X-Content-Length: 7\r\nContent-Lengthx: 8\r\n"), HTTP_NO_BODY, 0, true, 1},
    };
    expect_good(REPLAY_REQUEST, cases, ARRAY_LEN(cases));
}

static void connection_options_are_a_list_in_any_case(void **state) {
    (void)state;
    static const struct good_case cases[] = {
        {V1_1("Connection: close\r\n"), HTTP_NO_BODY, 0, false, 1},
        {V1_1("Connection: CLOSE\r\n"), HTTP_NO_BODY, 0, false, 1},
        {V1_1("Connection: foo,\t, Close ,bar\r\n"), HTTP_NO_BODY, 0, false, 1},
        {V1_1("Connection: foo\r\nConnection: close\r\n"), HTTP_NO_BODY, 0, false, 1},
        {V1_1("Connection: closed, xclose, close;x\r\n"), HTTP_NO_BODY, 0, true, 1},
        {V1_1("Connection:\r\n"), HTTP_NO_BODY, 0, true, 1},
        {V1_1("Connection: keep-alive, close\r\n"), HTTP_NO_BODY, 0, false, 1},
        {V1_1("Proxy-Connection: close\r\n"), HTTP_NO_BODY, 0, true, 1},
        {V1_0(""), HTTP_NO_BODY, 0, false, 0},
        {V1_0("Connection: Keep-Alive\r\n"), HTTP_NO_BODY, 0, true, 0},
        {V1_0("Connection: x, keep-alive\r\n"), HTTP_NO_BODY, 0, true, 0},
        {V1_0("Connection: keep-alive\r\nConnection: close\r\n"), HTTP_NO_BODY, 0, false, 0},
        {V1_0("Proxy-Connection: keep-alive\r\n"), HTTP_NO_BODY, 0, false, 0},
    };
    expect_good(REPLAY_REQUEST, cases, ARRAY_LEN(cases));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lengths_that_are_refused),
        cmocka_unit_test(codings_that_are_refused),
        cmocka_unit_test(the_body_ends_where_length_or_chunks_say),
        cmocka_unit_test(connection_options_are_a_list_in_any_case),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Lines and limits of a head: line ends, field syntax, and how much of each there may be. */
#include <stdio.h>

#include "http_cases.h"

#define START      "POST / HTTP/1.1\r\nHost: a\r\n"
#define LINE(text) BYTES(START text "\r\n\r\n")

static void header_lines_that_are_refused(void **state) {
    (void)state;
    static const struct bad_case cases[] = {
        {LINE("Content-Length : 2"), 400, "before the colon"},
        {LINE("Content-Length\t: 2"), 400, "before the colon"},
        {LINE("A b: c"), 400, "before the colon"},
        {LINE(": a"), 400, "empty name"},
        {LINE(":"), 400, "empty name"},
        {LINE("A"), 400, "no colon"},
        {LINE("A:\x01 and more than eight bytes"), 400, "control character"},
        {LINE("A\xc3\xa4: b"), 400, "not allowed"},
        {LINE("A(b): c"), 400, "not allowed"},
        {LINE("A\0b: c"), 400, "not allowed"},
        {LINE("A\rb: c"), 400, "not allowed"},
        {LINE("\x7f: c"), 400, "not allowed"},
        {LINE("A: b\r\n c"), 400, "folded"},
        {LINE("A: b\r\n\tc"), 400, "folded"},
        {LINE("Transfer-Encoding:\r\n chunked"), 400, "folded"},
        {LINE("A: b\r\n "), 400, "folded"},
        {BYTES("GET / HTTP/1.1\r\n Host: a\r\n\r\n"), 400, "folded"},
        {BYTES("GET / HTTP/1.1\r\n\tHost: a\r\n\r\n"), 400, "folded"},
        {BYTES("GET / HTTP/1.1\r\n \r\nHost: a\r\n\r\n"), 400, "folded"},
        {LINE("A: b\0c"), 400, "control character"},
        {LINE("A: b\rc"), 400, "control character"},
        {LINE("A: b\r"), 400, "control character"},
        {LINE("A: \x01"), 400, "control character"},
        {LINE("A: \x1f"), 400, "control character"},
        {LINE("A: \x7f"), 400, "control character"},
        {LINE("A: 1234567\x7f"
              "89abcdef"),
         400, "control character"},
        {LINE("A: 12345678\x0b"
              "9"),
         400, "control character"},
        {LINE("A:\t1234567\t\x0c"
              "9"),
         400, "control character"},
        {LINE("Transfer-Encoding: \x0b"
              "chunked"),
         400, "control character"},
        {LINE("Content-Length: \x0b"
              "2"),
         400, "control character"},
        {BYTES(START "A: b\n\r\n"), 400, "bare LF"},
        {BYTES(START "A: b\n\n"), 400, "bare LF"},
        {BYTES(START "\n"), 400, "bare LF"},
        {BYTES(START "\r\r\n"), 400, "not allowed"},
        {BYTES(START "A: b\r\n\n"), 400, "bare LF"},
    };
    expect_bad(REPLAY_REQUEST, cases, ARRAY_LEN(cases));
}

/* Each of the 256 bytes at each place of an eight-byte step. */
static void a_value_holds_every_byte_but_control_characters(void **state) {
    (void)state;
    for (int byte = 0; byte < 256; byte++)
        for (size_t at = 0; at < 19; at++) {
            char line[] = "A: xxxxxxxxxxxxxxxxxxx";
            struct http_header field;
            struct http_limits limits = {16384, 8192, 100};
            char bytes[128];
            line[3 + at] = (char)byte;
            size_t len = (size_t)snprintf(bytes, sizeof(bytes), "GET / HTTP/1.0\r\n");
            memcpy(bytes + len, line, sizeof(line) - 1);
            memcpy(bytes + len + sizeof(line) - 1, "\r\n\r\n", 4);
            len += sizeof(line) - 1 + 4;

            struct http_head head;
            struct http_problem problem;
            bool allowed = byte == '\t' || (byte >= 0x20 && byte != 0x7f);
            enum http_parse result = http_parse_request(bytes, len, 0, &limits, &head, &problem);
            assert_int_equal(result, allowed ? HTTP_OK : HTTP_BAD);
            if (!allowed)
                continue;
            field = head.headers[0];
            bool trimmed = (byte == ' ' || byte == '\t') && (at == 0 || at == 18);
            assert_int_equal(field.value.len, trimmed ? 18 : 19);
        }
}

static void values_lose_the_white_space_around_them(void **state) {
    (void)state;
    static const char bytes[] = START "A:b\r\nB: \t b c\t \r\nC:\r\nD: \t \r\nA: 2:3\r\n\r\n";
    struct replay_result r;
    replay_ok(REPLAY_REQUEST, slice_of(bytes), &usual_limits, &r);
    assert_int_equal(r.parse, HTTP_OK);
    assert_int_equal(r.head.header_count, 6);
    assert_slice(r.head.headers[1].value, "b");
    assert_slice(r.head.headers[2].value, "b c");
    assert_slice(r.head.headers[3].value, "");
    assert_slice(r.head.headers[4].value, "");
    assert_slice(r.head.headers[5].name, "A");
    assert_slice(r.head.headers[5].value, "2:3");
    replay_clear(&r);
}

/* `text` fed under these limits: the answer and its status. */
static void expect_limit(const char *text, struct http_limits limits, enum http_parse parse,
                         unsigned status) {
    struct replay_result r;
    replay_ok(REPLAY_REQUEST, slice_of(text), &limits, &r);
    if (r.parse != parse || r.problem.status != status)
        fail_msg("answer %d, status %u \"%s\": %s", (int)r.parse, r.problem.status,
                 r.problem.detail, text);
    replay_clear(&r);
}

static void a_head_of_just_the_limit_passes_and_one_byte_more_is_431(void **state) {
    (void)state;
    static const char head[] = START "A: b\r\n\r\n";
    size_t len = sizeof(head) - 1;
    expect_limit(head, (struct http_limits){len, 100, 10}, HTTP_OK, 0);
    expect_limit(head, (struct http_limits){len - 1, 100, 10}, HTTP_BAD, 431);
    expect_limit(START "A: b\r\n", (struct http_limits){len, 100, 10}, HTTP_MORE, 0);
    expect_limit(START "A: bcd", (struct http_limits){len - 1, 100, 10}, HTTP_MORE, 0);
    expect_limit(START "A: bcde", (struct http_limits){len - 1, 100, 10}, HTTP_BAD, 431);
    expect_limit(START "A: bcde", (struct http_limits){len - 2, 100, 10}, HTTP_BAD, 431);
    expect_limit(START "A : bcdefghijk", (struct http_limits){len - 1, 100, 10}, HTTP_BAD, 431);
    expect_limit(START "A : b\r\n", (struct http_limits){len - 1, 100, 10}, HTTP_BAD, 400);
}

static void a_field_more_than_the_count_is_431(void **state) {
    (void)state;
    static const char head[] = START "A: b\r\nB: c\r\n\r\n";
    expect_limit(head, (struct http_limits){1000, 100, 3}, HTTP_OK, 0);
    expect_limit(head, (struct http_limits){1000, 100, 2}, HTTP_BAD, 431);
    expect_limit(head, (struct http_limits){1000, 100, 0}, HTTP_BAD, 431);
    expect_limit(START "A: b\r\nB: c\r\n :\r\n\r\n", (struct http_limits){1000, 100, 2}, HTTP_BAD,
                 400);
}

static void no_limit_lets_more_fields_in_than_fit(void **state) {
    (void)state;
    char text[1024] = "GET / HTTP/1.0\r\n";
    for (unsigned i = 0; i < HTTP_HEADERS_MAX; i++)
        memcpy(text + 16 + 4 * i, "A:\r\n", 4);
    memcpy(text + 16 + 4 * HTTP_HEADERS_MAX, "\r\n", 3);
    expect_limit(text, (struct http_limits){5000, 100, 1000}, HTTP_OK, 0);
    memcpy(text + 16 + 4 * HTTP_HEADERS_MAX, "A:\r\n\r\n", 7);
    expect_limit(text, (struct http_limits){5000, 100, 1000}, HTTP_BAD, 431);
}

static void a_target_longer_than_the_limit_is_414(void **state) {
    (void)state;
    struct http_limits limits = {1000, 10, 10};
    expect_limit("GET /234567890 HTTP/1.0\r\n\r\n", limits, HTTP_OK, 0);
    expect_limit("GET /2345678901 HTTP/1.0\r\n\r\n", limits, HTTP_BAD, 414);
    /* The longest method and target there may be: 32 + 1 + 10 + 1 + 8 + 2 bytes. */
    expect_limit("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEF /234567890 HTTP/1.0\r\n\r\n", limits, HTTP_OK,
                 0);
    expect_limit("GET /2345678901234567890123456789012345678901234567890", limits, HTTP_BAD, 414);
    expect_limit("GET /234567890123456789012345678901234567890123456789", limits, HTTP_MORE, 0);
    expect_limit("\r\nGET /234567890123456789012345678901234567890123456789", limits, HTTP_MORE, 0);
    expect_limit("GET /a", (struct http_limits){6, 8192, 10}, HTTP_BAD, 414);
    expect_limit("GET /", (struct http_limits){6, 8192, 10}, HTTP_MORE, 0);
    expect_limit("GET /a", (struct http_limits){6, SIZE_MAX, 10}, HTTP_BAD, 414);
    expect_limit("GET /", (struct http_limits){1000, SIZE_MAX, 10}, HTTP_MORE, 0);
}

/* 1 MiB byte by byte; were the open line searched from its start each time, this would take
 * minutes. */
static void a_dribbled_head_costs_linear_time(void **state) {
    (void)state;
    static char text[1 << 20];
    struct http_limits limits = {sizeof(text) + 1, 8192, 100};
    struct http_problem problem;
    struct http_head head;

    memset(text, 'a', sizeof(text));
    memcpy(text, START, sizeof(START) - 1);
    for (size_t len = 1; len <= sizeof(text); len++)
        assert_int_equal(http_parse_request(text, len, len - 1, &limits, &head, &problem),
                         HTTP_MORE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(header_lines_that_are_refused),
        cmocka_unit_test(a_value_holds_every_byte_but_control_characters),
        cmocka_unit_test(values_lose_the_white_space_around_them),
        cmocka_unit_test(a_head_of_just_the_limit_passes_and_one_byte_more_is_431),
        cmocka_unit_test(a_field_more_than_the_count_is_431),
        cmocka_unit_test(no_limit_lets_more_fields_in_than_fit),
        cmocka_unit_test(a_target_longer_than_the_limit_is_414),
        cmocka_unit_test(a_dribbled_head_costs_linear_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Chunked bodies: content comes out however they are cut; odd framing is refused; overhead is
 * bounded. */
#include "http_cases.h"

struct chunks_case {
    struct slice bytes;
    const char *content; /* so far, if the body is not complete */
    size_t used;
    enum http_parse parse;
};

static void content_comes_out_and_framing_does_not(void **state) {
    (void)state;
    static const struct chunks_case cases[] = {
        {BYTES("0\r\n\r\n"), "", 5, HTTP_OK},
        {BYTES("2\r\nab\r\n0\r\n\r\n"), "ab", 12, HTTP_OK},
        {BYTES("1\r\na\r\n3\r\nbcd\r\n0\r\n\r\n"), "abcd", 19, HTTP_OK},
        {BYTES("a\r\n0123456789\r\nA\r\nabcdefghij\r\n000\r\n\r\n"), "0123456789abcdefghij", 37,
         HTTP_OK},
        {BYTES("0000000000000002\r\nab\r\n0000000000000000\r\n\r\n"), "ab", 42, HTTP_OK},
        {BYTES("4\r\n\r\n\r\n\r\n0\r\n\r\n"), "\r\n\r\n", 14, HTTP_OK},
        {BYTES("2;x=y\r\nab\r\n0\r\n\r\n"), "ab", 16, HTTP_OK},
        {BYTES("2;x\r\nab\r\n0;y;z=1;q=\"a;\\\"\\\\b\"\r\n\r\n"), "ab", 32, HTTP_OK},
        {BYTES("2; x=y; z\r\nab\r\n0\r\n\r\n"), "ab", 20, HTTP_OK},
        {BYTES("2;q=\"\"\r\nab\r\n0\r\n\r\n"), "ab", 17, HTTP_OK},
        {BYTES("0\r\nA: b\r\nContent-Length: 5\r\nX:\r\n\r\n"), "", 34, HTTP_OK},
        {BYTES("0\r\n\r\nGET / HTTP/1.1"), "", 5, HTTP_OK},
        {BYTES("0\r\n\r\n0\r\n\r\n"), "", 5, HTTP_OK},
        {BYTES(""), "", 0, HTTP_MORE},
        {BYTES("2"), "", 1, HTTP_MORE},
        {BYTES("2\r\na"), "a", 4, HTTP_MORE},
        {BYTES("2\r\nab\r\n"), "ab", 7, HTTP_MORE},
        {BYTES("0\r\n"), "", 3, HTTP_MORE},
        {BYTES("0\r\n\r"), "", 4, HTTP_MORE},
        {BYTES("ffffffffffffffff\r\nab"), "ab", 20, HTTP_MORE},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct replay_body r;
        const char *difference = replay_body(cases[i].bytes.ptr, cases[i].bytes.len, &r);
        if (difference || r.parse != cases[i].parse || r.used != cases[i].used ||
            !slice_is(slice(r.content, r.content_len), cases[i].content))
            fail_msg("case %zu: %s; answer %d \"%s\", %zu used, \"%.*s\"", i,
                     difference ? difference : "same", (int)r.parse, r.problem.detail, r.used,
                     (int)r.content_len, r.content);
        free(r.content);
    }
}

static void bodies_that_are_refused(void **state) {
    (void)state;
    static const struct bad_case cases[] = {
        {BYTES("0x2\r\nab\r\n0\r\n\r\n"), 400, "chunk size is hex"},
        {BYTES("2 \r\nab\r\n0\r\n\r\n"), 400, "chunk size is hex"},
        {BYTES("2 ;x\r\nab\r\n0\r\n\r\n"), 400, "chunk size is hex"},
        {BYTES(" 2\r\nab\r\n0\r\n\r\n"), 400, "chunk size is hex"},
        {BYTES("+2\r\nab\r\n0\r\n\r\n"), 400, "chunk size is hex"},
        {BYTES("-2\r\nab\r\n0\r\n\r\n"), 400, "chunk size is hex"},
        {BYTES("2_0\r\nab\r\n"), 400, "chunk size is hex"},
        {BYTES("g\r\n"), 400, "chunk size is hex"},
        {BYTES("\x0b"
               "2\r\nab\r\n0\r\n\r\n"),
         400, "chunk size is hex"},
        {BYTES("\r\n"), 400, "chunk size is hex"},
        {BYTES(";x\r\n"), 400, "chunk size is hex"},
        {BYTES("\n"), 400, "chunk size is hex"},
        {BYTES("2\nab\r\n0\r\n\r\n"), 400, "chunk size is hex"},
        {BYTES("2\0\r\nab"), 400, "chunk size is hex"},
        {BYTES("00000000000000002\r\nab\r\n"), 400, "16 digits"},
        {BYTES("10000000000000002\r\nab\r\n"), 400, "16 digits"},
        {BYTES("2\r\rab\r\n"), 400, "bare CR"},
        {BYTES("2\rab\r\n"), 400, "bare CR"},
        {BYTES("2\r\nab0\r\n\r\n"), 400, "not followed by CRLF"},
        {BYTES("2\r\nabXX0\r\n\r\n"), 400, "not followed by CRLF"},
        {BYTES("2\r\nabX\n0\r\n\r\n"), 400, "not followed by CRLF"},
        {BYTES("2\r\nab\n0\r\n\r\n"), 400, "not followed by CRLF"},
        {BYTES("2\r\nab\r0\r\n\r\n"), 400, "not followed by CRLF"},
        {BYTES("2\r\nabc\r\n0\r\n\r\n"), 400, "not followed by CRLF"},
        {BYTES("2;\r\nab\r\n0\r\n\r\n"), 400, "extension"},
        {BYTES("2;;x\r\nab\r\n"), 400, "extension"},
        {BYTES("2;x y\r\nab\r\n"), 400, "extension"},
        {BYTES("2;x=\r\nab\r\n"), 400, "extension"},
        {BYTES("2;x\nab\r\n0\r\n\r\n"), 400, "extension"},
        {BYTES("2;x=\"\r\n\"\r\nab\r\n"), 400, "extension"},
        {BYTES("2;x=\"\\\r\n\"\r\nab\r\n"), 400, "extension"},
        {BYTES("2;x=\"a\"b\r\nab\r\n"), 400, "extension"},
        {BYTES("2;x=\0\r\nab\r\n"), 400, "extension"},
        {BYTES("2;x=a=b\r\nab\r\n"), 400, "extension"},
        {BYTES("2;x\r\r\nab\r\n"), 400, "bare CR"},
        {BYTES("0\r\n\n"), 400, "trailer line begins"},
        {BYTES("0\r\n a: b\r\n\r\n"), 400, "trailer line begins"},
        {BYTES("0\r\n: b\r\n\r\n"), 400, "trailer line begins"},
        {BYTES("0\r\nab"
               "\r\n\r\n"),
         400, "colon"},
        {BYTES("0\r\na : b\r\n\r\n"), 400, "colon"},
        {BYTES("0\r\na: b\n\r\n"), 400, "in a trailer"},
        {BYTES("0\r\na: \0\r\n\r\n"), 400, "in a trailer"},
        {BYTES("0\r\na: b\rc\r\n\r\n"), 400, "bare CR"},
        {BYTES("0\r\n\rx"), 400, "bare CR"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct replay_body r;
        const char *difference = replay_body(cases[i].bytes.ptr, cases[i].bytes.len, &r);
        if (difference || r.parse != HTTP_BAD || r.problem.status != cases[i].status ||
            !strstr(r.problem.detail, cases[i].detail))
            fail_msg("case %zu: %s; answer %d, %u \"%s\", not \"%s\"", i,
                     difference ? difference : "same", (int)r.parse, r.problem.status,
                     r.problem.detail, cases[i].detail);
        free(r.content);
    }
}

/* Feeds all of it; what came of the last piece. */
static enum http_parse feed(struct http_chunks *c, const char *data, size_t len,
                            struct http_problem *problem) {
    enum http_parse result = HTTP_MORE;

    while (len > 0 && result == HTTP_MORE) {
        struct slice run;
        size_t used;
        result = http_chunks_feed(c, data, len, &used, &run, problem);
        if (result == HTTP_BAD)
            break;
        data += used;
        len -= used;
    }
    return result;
}

/* The number of copies of `part` that are taken behind `first`; `max` if all are. */
static size_t taken(const char *first, const char *part, size_t max, struct http_problem *problem) {
    struct http_chunks c;
    size_t n = 0;

    http_chunks_init(&c);
    *problem = (struct http_problem){0, ""};
    assert_int_equal(feed(&c, first, strlen(first), problem), HTTP_MORE);
    while (n < max && feed(&c, part, strlen(part), problem) == HTTP_MORE)
        n++;
    return n;
}

static void extensions_and_trailers_are_bounded(void **state) {
    (void)state;
    struct http_problem problem;

    assert_in_range(taken("1;", "x", 1 << 20, &problem), 16000, 16384);
    assert_int_equal(problem.status, 400);
    assert_in_range(taken("0\r\n", "a:b\r\n", 1 << 20, &problem), 3200, 3300);
    assert_int_equal(problem.status, 431);
    assert_in_range(taken("0\r\na:", "b", 1 << 20, &problem), 16000, 16384);
    assert_int_equal(problem.status, 431);
}

static void many_small_chunks_pass_but_not_with_long_extensions(void **state) {
    (void)state;
    struct http_problem problem;

    assert_int_equal(taken("", "1\r\na\r\n", 100000, &problem), 100000);
    assert_int_equal(taken("", "1;ext=12345\r\na\r\n", 100000, &problem), 100000);
    assert_int_equal(taken("", "14;ext=1234567890123456789012345678901\r\n01234567890123456789\r\n",
                           100000, &problem),
                     100000);
    assert_in_range(taken("", "1;ext=1234567890123456789012345678901\r\na\r\n", 100000, &problem),
                    500, 1000);
    assert_int_equal(problem.status, 400);
}

static void an_ended_body_takes_nothing_more(void **state) {
    (void)state;
    struct http_chunks c;
    struct http_problem problem;
    struct slice run;
    size_t used = 9;

    http_chunks_init(&c);
    assert_int_equal(feed(&c, "0\r\n\r\n", 5, &problem), HTTP_OK);
    assert_int_equal(http_chunks_feed(&c, "0\r\n", 3, &used, &run, &problem), HTTP_OK);
    assert_int_equal(used, 0);
    assert_int_equal(run.len, 0);
}

static void one_call_gives_one_run_of_content(void **state) {
    (void)state;
    static const char bytes[] = "2\r\nab\r\n2\r\ncd\r\n0\r\n\r\n";
    struct http_chunks c;
    struct http_problem problem;
    struct slice run;
    size_t used;

    http_chunks_init(&c);
    assert_int_equal(http_chunks_feed(&c, bytes, 19, &used, &run, &problem), HTTP_MORE);
    assert_int_equal(used, 5);
    assert_slice(run, "ab");
    assert_ptr_equal(run.ptr, bytes + 3);
    assert_int_equal(http_chunks_feed(&c, bytes + 5, 14, &used, &run, &problem), HTTP_MORE);
    assert_slice(run, "cd");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(content_comes_out_and_framing_does_not),
        cmocka_unit_test(bodies_that_are_refused),
        cmocka_unit_test(extensions_and_trailers_are_bounded),
        cmocka_unit_test(many_small_chunks_pass_but_not_with_long_extensions),
        cmocka_unit_test(an_ended_body_takes_nothing_more),
        cmocka_unit_test(one_call_gives_one_run_of_content),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The JSON writer: shape, escapes, UTF-8 repair, and the end of the buffer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include <pointsman/digest.h>
#include <pointsman/jsonw.h>

static void assert_text(const struct buf *b, const char *expect) {
    assert_int_equal(buf_len(b), strlen(expect));
    assert_memory_equal(buf_at(b), expect, strlen(expect));
}

static void commas_stand_between_members_only(void **state) {
    (void)state;
    struct buf b;
    struct jsonw w;
    buf_init(&b, 4096);
    jsonw_begin(&w, &b);
    jsonw_object(&w, "empty");
    jsonw_close(&w);
    jsonw_object(&w, "full");
    jsonw_u64(&w, "one", 1);
    jsonw_object(&w, "inner");
    jsonw_close(&w);
    jsonw_str(&w, "absent", slice(NULL, 0));
    jsonw_close(&w);
    jsonw_raw(&w, "raw", slice_of("[1,2]"));
    jsonw_strz(&w, "none", NULL);
    jsonw_strz(&w, "blank", "");
    jsonw_end(&w);
    assert_false(w.failed);
    assert_text(&b, "{\"empty\":{},\"full\":{\"one\":1,\"inner\":{},\"absent\":null},"
                    "\"raw\":[1,2],\"none\":null,\"blank\":\"\"}");
    buf_free(&b);
}

static void integers_keep_their_limits(void **state) {
    (void)state;
    struct buf b;
    struct jsonw w;
    buf_init(&b, 4096);
    jsonw_begin(&w, &b);
    jsonw_u64(&w, "a", 0);
    jsonw_u64(&w, "b", UINT64_MAX);
    jsonw_end(&w);
    assert_text(&b, "{\"a\":0,\"b\":18446744073709551615}");
    buf_free(&b);
}

static void thousandths_are_written_with_three_decimals(void **state) {
    (void)state;
    static const struct {
        uint64_t thousandths;
        const char *text;
    } cases[] = {
        {0, "0.000"},    {7, "0.007"},      {999, "0.999"},
        {1000, "1.000"}, {12050, "12.050"}, {UINT64_MAX, "18446744073709551.615"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf b;
        struct jsonw w;
        buf_init(&b, 4096);
        jsonw_begin(&w, &b);
        jsonw_milli(&w, slice_of("k"), cases[i].thousandths);
        jsonw_end(&w);
        struct slice got = slice(buf_at(&b) + 5, buf_len(&b) - 6);
        if (!slice_is(got, cases[i].text))
            fail_msg("%s: %.*s", cases[i].text, SLICE_ARG(got));
        buf_free(&b);
    }
}

#define BAD "\xef\xbf\xbd"

static void strings_are_escaped_and_repaired(void **state) {
    (void)state;
    static const struct {
        const char *in;
        const char *out;
    } cases[] = {
        {"plain text longer than eight bytes", "plain text longer than eight bytes"},
        {"1234567\"", "1234567\\\""},
        {"12345678\\9", "12345678\\\\9"},
        {"\b\f\n\r\t", "\\b\\f\\n\\r\\t"},
        {"\x01\x1f\x7f", "\\u0001\\u001f\x7f"},
        {"\xc3\xa4\xe2\x82\xac\xf0\x9f\x9a\x82", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x9a\x82"},
        {"\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf", "\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf"},
        {"a\x80z", "a" BAD "z"},               /* continuation without a start */
        {"\xc0\xaf", BAD BAD},                 /* overlong */
        {"\xc1\xbf", BAD BAD},                 /* overlong */
        {"\xe0\x9f\xbf", BAD BAD BAD},         /* overlong */
        {"\xf0\x8f\xbf\xbf", BAD BAD BAD BAD}, /* overlong */
        {"\xed\xa0\x80", BAD BAD BAD},         /* surrogate */
        {"\xf4\x90\x80\x80", BAD BAD BAD BAD}, /* above U+10FFFF */
        {"\xf5\x80\x80\x80", BAD BAD BAD BAD}, /* above U+10FFFF */
        {"\xff\xfe", BAD BAD},                 /* never in UTF-8 */
        {"\xe2\x82", BAD BAD},                 /* cut */
        {"\xe2\x82Z\xf0\x9f\x9a", BAD BAD "Z" BAD BAD BAD},
        {"\xc3\xc3\xa4", BAD "\xc3\xa4"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf b;
        struct jsonw w;
        buf_init(&b, 4096);
        jsonw_begin(&w, &b);
        jsonw_strz(&w, "k", cases[i].in);
        jsonw_end(&w);
        struct slice got = slice(buf_at(&b) + 6, buf_len(&b) - 8);
        if (!slice_is(got, cases[i].out))
            fail_msg("case %zu: %.*s", i, SLICE_ARG(got));
        buf_free(&b);
    }
}

/* Texts are copied by words: of any length, and with the odd byte anywhere. */
static void no_byte_escapes_a_look_wherever_it_stands(void **state) {
    (void)state;
    static const struct {
        char odd;
        const char *written;
    } cases[] = {{'x', "x"}, {'"', "\\\""}, {'\\', "\\\\"}, {'\x1f', "\\u001f"}, {'\x80', BAD}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        for (size_t len = 1; len <= 40; len++) {
            for (size_t place = 0; place < len; place++) {
                char text[64], expect[64];
                for (size_t n = 0; n < len; n++)
                    text[n] = (char)('a' + n % 26);
                text[place] = cases[i].odd;
                snprintf(expect, sizeof expect, "{\"k\":\"%.*s%s%.*s\"}", (int)place, text,
                         cases[i].written, (int)(len - place - 1), text + place + 1);
                struct buf b;
                struct jsonw w;
                buf_init(&b, 4096);
                jsonw_begin(&w, &b);
                jsonw_str(&w, "k", slice(text, len));
                jsonw_end(&w);
                assert_text(&b, expect);
                buf_free(&b);
            }
        }
    }
}

static void a_nul_byte_inside_is_escaped(void **state) {
    (void)state;
    struct buf b;
    struct jsonw w;
    buf_init(&b, 4096);
    jsonw_begin(&w, &b);
    jsonw_str(&w, "k", slice("a\0b", 3));
    jsonw_end(&w);
    assert_text(&b, "{\"k\":\"a\\u0000b\"}");
    buf_free(&b);
}

static void any_bytes_become_json_that_jansson_reads(void **state) {
    (void)state;
    uint64_t seed;
    random_bytes(&seed, sizeof seed);
    print_message("seed %llu\n", (unsigned long long)seed);
    for (uint64_t round = 0; round < 3000; round++) {
        uint8_t bytes[64];
        for (size_t i = 0; i < sizeof bytes; i += 8) {
            uint64_t part = digest_xxh3(&i, sizeof i, seed + round);
            memcpy(bytes + i, &part, 8);
        }
        for (size_t i = 0; i < sizeof bytes && round % 2; i++)
            bytes[i] =
                bytes[i] % 3 ? (uint8_t) "\xe0\xa0\x80\xf4\x8f\xc2\xed\x9f"[bytes[i] & 7] : 'x';
        struct buf b;
        struct jsonw w;
        buf_init(&b, 4096);
        jsonw_begin(&w, &b);
        jsonw_str(&w, "k", slice(bytes, sizeof bytes));
        jsonw_end(&w);
        assert_false(w.failed);
        json_t *parsed = json_loadb(buf_at(&b), buf_len(&b), JSON_ALLOW_NUL, NULL);
        assert_non_null(parsed);
        json_decref(parsed);
        buf_free(&b);
    }
}

static void a_full_buffer_is_reported_and_never_passed(void **state) {
    (void)state;
    for (size_t max = 0; max < 20; max++) {
        struct buf b;
        struct jsonw w;
        buf_init(&b, max);
        jsonw_begin(&w, &b);
        jsonw_strz(&w, "key", "0123456789");
        jsonw_end(&w);
        assert_int_equal(w.failed, max < strlen("{\"key\":\"0123456789\"}"));
        assert_true(buf_len(&b) <= max);
        buf_free(&b);
    }
}

static void what_did_not_fail_is_whole(void **state) {
    (void)state;
    static const char whole[] = "{\"o\":{\"n\":12,\"t\":0.345,\"e\":{}},\"k\":\"\\\"\",\"r\":[]}";
    for (size_t max = 0; max < 2 * sizeof whole; max++) {
        struct buf b;
        struct jsonw w;
        buf_init(&b, max);
        jsonw_begin(&w, &b);
        jsonw_object(&w, "o");
        jsonw_u64(&w, "n", 12);
        jsonw_milli(&w, slice_of("t"), 345);
        jsonw_object(&w, "e");
        jsonw_close(&w);
        jsonw_close(&w);
        jsonw_strz(&w, "k", "\"");
        jsonw_raw(&w, "r", slice_of("[]"));
        jsonw_end(&w);
        assert_true(buf_len(&b) <= max);
        if (!w.failed)
            assert_text(&b, whole);
        assert_true(w.failed || max >= sizeof whole - 1);
        assert_true(!w.failed || max < 2 * sizeof whole - 1);
        buf_free(&b);
    }
}

static void the_longest_numbers_stay_in_the_buffer(void **state) {
    (void)state;
    static const char whole[] = "{\"n\":18446744073709551615,\"t\":18446744073709551.615}";
    for (size_t max = 0; max < 2 * sizeof whole; max++) {
        struct buf b;
        struct jsonw w;
        buf_init(&b, max);
        jsonw_begin(&w, &b);
        jsonw_u64(&w, "n", UINT64_MAX);
        jsonw_milli(&w, slice_of("t"), UINT64_MAX);
        jsonw_end(&w);
        assert_true(buf_len(&b) <= max);
        if (!w.failed)
            assert_text(&b, whole);
        buf_free(&b);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commas_stand_between_members_only),
        cmocka_unit_test(integers_keep_their_limits),
        cmocka_unit_test(thousandths_are_written_with_three_decimals),
        cmocka_unit_test(strings_are_escaped_and_repaired),
        cmocka_unit_test(no_byte_escapes_a_look_wherever_it_stands),
        cmocka_unit_test(a_nul_byte_inside_is_escaped),
        cmocka_unit_test(any_bytes_become_json_that_jansson_reads),
        cmocka_unit_test(a_full_buffer_is_reported_and_never_passed),
        cmocka_unit_test(what_did_not_fail_is_whole),
        cmocka_unit_test(the_longest_numbers_stay_in_the_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Slices: comparison, trimming, numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pointsman/compiler.h>
#include <pointsman/slice.h>

static void equal_slices_have_equal_bytes_and_lengths(void **state) {
    (void)state;
    assert_true(slice_is(slice_of("abc"), "abc"));
    assert_false(slice_is(slice_of("abc"), "ab"));
    assert_false(slice_is(slice_of("abc"), "abd"));
    assert_true(slice_eq(slice("a\0b", 3), slice("a\0b", 3)));
    assert_false(slice_eq(slice("a\0b", 3), slice("a\0c", 3)));
    assert_true(slice_eq(slice(NULL, 0), slice_of("")));
}

static void case_is_ignored_for_ascii_letters_only(void **state) {
    (void)state;
    assert_true(slice_iis(slice_of("Content-LENGTH"), "content-length"));
    assert_false(slice_iis(slice_of("content-length"), "content_length"));
    assert_false(slice_iis(slice_of("[a"), "{a")); /* 0x20 apart, no letters */
    assert_false(slice_iis(slice_of("@"), "`"));
    assert_false(slice_iis(slice_of("\xc4"), "\xe4"));
    assert_false(slice_iis(slice_of("a"), "ab"));
    assert_true(slice_ieq(slice(NULL, 0), slice_of("")));
}

static int lower(int c) {
    return c >= 'A' && c <= 'Z' ? c + 0x20 : c;
}

/* Every pair of bytes at every place, in texts shorter and longer than the steps they are compared
 * in. */
static void texts_of_any_length_compare_byte_by_byte(void **state) {
    (void)state;
    static const size_t lens[] = {1, 7, 8, 11, 16, 19};
    for (size_t i = 0; i < ARRAY_LEN(lens); i++)
        for (size_t at = 0; at < lens[i]; at++)
            for (int byte = 0; byte < 256 * 256; byte++) {
                char one[] = "Zz@[`{\x7f\x80"
                             "Aa?Mm/:-_zZ",
                     two[] = "zZ@[`{\x7f\x80"
                             "aA?mM/:-_Zz";
                int a = byte / 256, b = byte % 256;
                one[at] = (char)a;
                two[at] = (char)b;
                bool same = slice_ieq(slice(one, lens[i]), slice(two, lens[i]));
                if (same != (lower(a) == lower(b)))
                    fail_msg("%#x and %#x at %zu of %zu", a, b, at, lens[i]);
            }
}

static void trimming_takes_both_ends_and_nothing_inside(void **state) {
    (void)state;
    static const struct {
        const char *in;
        const char *ows;
        const char *space;
    } cases[] = {
        {"", "", ""},
        {" \t ", "", ""},
        {"a", "a", "a"},
        {" \ta b\t ", "a b", "a b"},
        {"\r\n a\v\f", "\r\n a\v\f", "a"},
        {"\x1f"
         "a\x0e",
         "\x1f"
         "a\x0e",
         "\x1f"
         "a\x0e"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_true(slice_is(slice_trim_ows(slice_of(cases[i].in)), cases[i].ows));
        assert_true(slice_is(slice_trim_space(slice_of(cases[i].in)), cases[i].space));
    }
    assert_null(slice_trim_space(slice(NULL, 0)).ptr); /* absent stays absent */
    assert_non_null(slice_trim_space(slice_of(" ")).ptr);
}

static void numbers_are_digits_that_fit(void **state) {
    (void)state;
    static const struct {
        const char *in;
        uint64_t value;
    } good[] = {
        {"0", 0},
        {"7", 7},
        {"007", 7},
        {"18446744073709551615", UINT64_MAX},
        {"0000000000000000000000042", 42},
    };
    static const char *const bad[] = {
        "",
        "-1",
        "+1",
        " 1",
        "1 ",
        "1a",
        "0x1",
        "1.0",
        "18446744073709551616",
        "18446744073709551620",
        "99999999999999999999",
    };
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        uint64_t value = 1;
        assert_true(slice_to_u64(slice_of(good[i].in), &value));
        assert_int_equal(value, good[i].value);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        uint64_t value = 99;
        assert_false(slice_to_u64(slice_of(bad[i]), &value));
        assert_int_equal(value, 99);
    }
    uint64_t value;
    assert_false(slice_to_u64(slice(NULL, 0), &value));
    assert_false(slice_to_u64(slice("1\0", 2), &value));
}

static void hex_digits_have_values_in_either_case(void **state) {
    (void)state;
    static const char digits[] = "0123456789abcdef", upper[] = "0123456789ABCDEF";
    for (int i = 0; i < 16; i++) {
        assert_int_equal(hex_value(digits[i]), i);
        assert_int_equal(hex_value(upper[i]), i);
    }
    for (const char *c = "/:@G`g \x80"; *c; c++)
        assert_int_equal(hex_value(*c), -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_slices_have_equal_bytes_and_lengths),
        cmocka_unit_test(case_is_ignored_for_ascii_letters_only),
        cmocka_unit_test(texts_of_any_length_compare_byte_by_byte),
        cmocka_unit_test(trimming_takes_both_ends_and_nothing_inside),
        cmocka_unit_test(numbers_are_digits_that_fit),
        cmocka_unit_test(hex_digits_have_values_in_either_case),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

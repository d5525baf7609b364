/* Texts in fixed room. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <pointsman/text.h>

static void numbers_print_as_printf_prints_them(void **state) {
    (void)state;
    static const uint64_t values[] = {
        0,         7, 9, 10, 99, 100, 101, 999, 1000, 1005, 12345, 1795235295288620, UINT64_MAX - 1,
        UINT64_MAX};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        char digits[U64_DIGITS], wanted[32];
        size_t len = u64_print(values[i], digits);
        snprintf(wanted, sizeof wanted, "%llu", (unsigned long long)values[i]);
        assert_int_equal(len, strlen(wanted));
        assert_memory_equal(digits, wanted, len);
    }
}

static void pieces_stand_one_behind_the_other(void **state) {
    (void)state;
    char out[32];
    struct text t;
    text_begin(&t, out, sizeof out);
    assert_string_equal(out, "");
    text_put(&t, "a/b#");
    text_put_u64(&t, 7);
    text_put_slice(&t, slice("!?", 1));
    assert_string_equal(out, "a/b#7!");
    assert_false(t.cut);
}

static void what_does_not_fit_is_cut_and_said(void **state) {
    (void)state;
    char out[6] = "?????";
    struct text t;
    text_begin(&t, out, 5);
    text_put(&t, "abcd");
    assert_false(t.cut);
    text_put(&t, "");
    assert_false(t.cut);
    text_put_u64(&t, 5);
    assert_true(t.cut);
    assert_string_equal(out, "abcd");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_print_as_printf_prints_them),
        cmocka_unit_test(pieces_stand_one_behind_the_other),
        cmocka_unit_test(what_does_not_fit_is_cut_and_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Texts in fixed room. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <pointsman/text.h>

static void assert_prints(uint64_t value) {
    char digits[U64_DIGITS], wanted[32];
    size_t len = u64_print(value, digits);
    snprintf(wanted, sizeof wanted, "%llu", (unsigned long long)value);
    assert_int_equal(len, strlen(wanted));
    assert_memory_equal(digits, wanted, len);
}

static void numbers_print_as_printf_prints_them(void **state) {
    (void)state;
    for (uint64_t value = 0; value < 12345; value++)
        assert_prints(value);
    assert_prints(1795235295288620);
    /* Around every number from which on there is a digit or a bit more. */
    for (int around = -1; around <= 1; around++) {
        for (uint64_t ten = 10; ten <= UINT64_MAX / 10; ten *= 10)
            assert_prints(ten + (uint64_t)around);
        assert_prints(UINT64_C(10000000000000000000) + (uint64_t)around);
        for (int bit = 0; bit < 64; bit++)
            assert_prints((UINT64_C(1) << bit) + (uint64_t)around);
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

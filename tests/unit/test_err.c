/* Error messages: bounded, and nobody has to want one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <pointsman/err.h>

static void a_message_is_formatted(void **state) {
    (void)state;
    struct err err;
    err_set(&err, "line %d: found \"%s\"", 3, "x");
    assert_string_equal(err.text, "line 3: found \"x\"");
}

static void a_message_too_long_is_cut_and_ends(void **state) {
    (void)state;
    struct err err;
    char big[2 * sizeof err.text];
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    err_set(&err, "%s", big);
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
}

static void nobody_has_to_want_the_message(void **state) {
    (void)state;
    err_set(NULL, "%d", 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_is_formatted),
        cmocka_unit_test(a_message_too_long_is_cut_and_ends),
        cmocka_unit_test(nobody_has_to_want_the_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

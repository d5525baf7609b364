/* Reason phrases by status. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pointsman/http.h>

static void every_status_in_use_has_its_phrase(void **state) {
    (void)state;
    assert_string_equal(http_reason(100), "Continue");
    assert_string_equal(http_reason(200), "OK");
    assert_string_equal(http_reason(202), "Accepted");
    assert_string_equal(http_reason(404), "Not Found");
    assert_string_equal(http_reason(413), "Content Too Large");
    assert_string_equal(http_reason(431), "Request Header Fields Too Large");
    assert_string_equal(http_reason(511), "Network Authentication Required");
}

static void an_unknown_status_has_an_empty_one(void **state) {
    (void)state;
    assert_string_equal(http_reason(0), "");
    assert_string_equal(http_reason(299), "");
    assert_string_equal(http_reason(999), "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_status_in_use_has_its_phrase),
        cmocka_unit_test(an_unknown_status_has_an_empty_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

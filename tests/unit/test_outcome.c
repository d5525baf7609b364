/* What a status means for the attempt, over all of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pointsman/router.h>

static void each_status_has_the_outcome_the_design_names(void **state) {
    (void)state;
    uint16_t not_done[] = {408, 425, 429, 500, 503};
    const struct conf_backend backend = {.not_done = not_done,
                                         .not_done_count = ARRAY_LEN(not_done)};
    for (unsigned status = 100; status <= 999; status++) {
        enum outcome wanted = OUTCOME_IN_DOUBT;
        if (status / 100 == 2)
            wanted = OUTCOME_DONE;
        else if (status == 408 || status == 425 || status == 429 || status == 500 || status == 503)
            wanted = OUTCOME_NOT_DONE;
        else if (status / 100 == 3 || status / 100 == 4)
            wanted = OUTCOME_REJECTED;
        enum outcome got = outcome_of_status(&backend, status);
        if (got != wanted)
            fail_msg("%u: %s, not %s", status, outcome_names[got], outcome_names[wanted]);
    }
}

static void a_backend_can_name_its_own_not_done_list(void **state) {
    (void)state;
    uint16_t not_done[] = {404, 502};
    const struct conf_backend backend = {.not_done = not_done, .not_done_count = 2};
    const struct conf_backend none = {0};
    assert_int_equal(outcome_of_status(&backend, 404), OUTCOME_NOT_DONE);
    assert_int_equal(outcome_of_status(&backend, 502), OUTCOME_NOT_DONE);
    assert_int_equal(outcome_of_status(&backend, 500), OUTCOME_IN_DOUBT);
    assert_int_equal(outcome_of_status(&backend, 429), OUTCOME_REJECTED);
    assert_int_equal(outcome_of_status(&none, 503), OUTCOME_IN_DOUBT);
}

static void a_2xx_is_done_whatever_the_list_says(void **state) {
    (void)state;
    uint16_t not_done[] = {200};
    const struct conf_backend backend = {.not_done = not_done, .not_done_count = 1};
    assert_int_equal(outcome_of_status(&backend, 200), OUTCOME_DONE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_status_has_the_outcome_the_design_names),
        cmocka_unit_test(a_backend_can_name_its_own_not_done_list),
        cmocka_unit_test(a_2xx_is_done_whatever_the_list_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Mode and percentage as people write them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pointsman/router.h>

static const struct conf conf = {
    .backends = {{.name = "typescript"}, {.name = "python"}},
};

static void modes_are_read_by_canonical_and_backend_names(void **state) {
    (void)state;
    static const struct {
        const char *text;
        enum mode mode;
    } cases[] = {
        {"legacy_only", MODE_LEGACY_ONLY},
        {"new_only", MODE_NEW_ONLY},
        {"parallel", MODE_PARALLEL},
        {"gradual", MODE_GRADUAL},
        {"Emergency_Rollback", MODE_EMERGENCY_ROLLBACK},
        {"typescript_only", MODE_LEGACY_ONLY},
        {" Python_Only \n", MODE_NEW_ONLY},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        enum mode mode = MODES;
        if (!mode_parse(slice_of(cases[i].text), &conf, &mode) || mode != cases[i].mode)
            fail_msg("%s", cases[i].text);
    }
}

static void what_names_no_mode_is_refused(void **state) {
    (void)state;
    static const char *const cases[] = {"",  " ",      "python", "python-only", "gradual ly",
                                        "0", "legacy", "none",   "ruby_only",   "_only"};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        enum mode mode = MODES;
        if (mode_parse(slice_of(cases[i]), &conf, &mode) || mode != MODES)
            fail_msg("'%s'", cases[i]);
    }
}

static void percentages_are_exact_to_four_decimals(void **state) {
    (void)state;
    static const struct {
        const char *text;
        uint32_t ppm;
        const char *printed;
    } cases[] = {
        {"0", 0, "0"},
        {"25", 250000, "25"},
        {" 12.5% ", 125000, "12.5"},
        {"25 %", 250000, "25"},
        {"100", 1000000, "100"},
        {"0.0001", 1, "0.0001"},
        {"33.3333", 333333, "33.3333"},
        {"100.0000", 1000000, "100"},
        {"0.1", 1000, "0.1"},
        {"99.9999", 999999, "99.9999"},
        {"7.0500", 70500, "7.05"},
        {"025", 250000, "25"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint32_t ppm = 77;
        char printed[16];
        if (!percentage_parse(slice_of(cases[i].text), &ppm))
            fail_msg("%s refused", cases[i].text);
        assert_int_equal(ppm, cases[i].ppm);
        percentage_print(ppm, printed);
        assert_string_equal(printed, cases[i].printed);
    }
}

static void what_is_no_percentage_is_refused(void **state) {
    (void)state;
    static const char *const cases[] = {"",    " ",    "%",       "-1",     "101",  "100.0001",
                                        "1e1", "12,5", "1.00001", "25 % %", "0x10", "+5",
                                        ".5",  "5.",   "NaN",     "1 2"};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint32_t ppm = 77;
        if (percentage_parse(slice_of(cases[i]), &ppm) || ppm != 77)
            fail_msg("'%s'", cases[i]);
    }
}

static void every_share_is_printed_so_that_it_reads_back(void **state) {
    (void)state;
    for (uint32_t ppm = 0; ppm <= PPM_ALL; ppm += 37) {
        char printed[16];
        uint32_t back = 0;
        percentage_print(ppm, printed);
        if (!percentage_parse(slice_of(printed), &back) || back != ppm)
            fail_msg("%u: %s", ppm, printed);
    }
}

static void absent_values_mean_legacy_only_at_zero(void **state) {
    (void)state;
    static const struct {
        const char *mode;
        const char *percentage;
        struct control wanted;
    } cases[] = {
        {NULL, NULL, {MODE_LEGACY_ONLY, 0, 0}},
        {NULL, "30", {MODE_LEGACY_ONLY, 300000, 0}},
        {"gradual", NULL, {MODE_GRADUAL, 0, 0}},
        {"gradual", " 25% ", {MODE_GRADUAL, 250000, 0}},
        {"PYTHON_ONLY", "3", {MODE_NEW_ONLY, 30000, 0}},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct control control = {MODES, 5, 9};
        struct err err;
        if (!control_read(slice_of(cases[i].mode), slice_of(cases[i].percentage), &conf, &control,
                          &err))
            fail_msg("case %zu: %s", i, err.text);
        assert_int_equal(control.mode, cases[i].wanted.mode);
        assert_int_equal(control.ppm, cases[i].wanted.ppm);
        assert_int_equal(control.epoch, 0);
    }
}

#define MODES_ALLOWED                                                                              \
    "allowed are legacy_only, new_only, parallel, gradual, emergency_rollback, typescript_only, "  \
    "python_only"
#define PERCENTAGES_ALLOWED "allowed are 0 to 100 with up to four decimals"
#define EIGHT               "12345678"

static void a_value_that_names_nothing_is_refused_with_what_is_allowed(void **state) {
    (void)state;
    static const struct {
        const char *mode;
        const char *percentage;
        const char *message;
    } cases[] = {
        {"gradul", "25", "system_mode is \"gradul\"; " MODES_ALLOWED},
        {"", NULL, "system_mode is \"\"; " MODES_ALLOWED},
        {"a\n\"b\\\xff", NULL, "system_mode is \"a\\x0a\\x22b\\x5c\\xff\"; " MODES_ALLOWED},
        {EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT "9", NULL,
         "system_mode is \"" EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT
         "...\"; " MODES_ALLOWED},
        {"gradual", "lots", "rollout_percentage is \"lots\"; " PERCENTAGES_ALLOWED},
        {NULL, "101", "rollout_percentage is \"101\"; " PERCENTAGES_ALLOWED},
        {"legacy_only", "", "rollout_percentage is \"\"; " PERCENTAGES_ALLOWED},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct control control = {MODE_GRADUAL, 5, 9};
        struct err err = {""};
        assert_false(control_read(slice_of(cases[i].mode), slice_of(cases[i].percentage), &conf,
                                  &control, &err));
        assert_string_equal(err.text, cases[i].message);
        assert_true(control.mode == MODE_GRADUAL && control.ppm == 5 && control.epoch == 9);
    }
}

static void a_long_binary_value_is_escaped_within_the_message(void **state) {
    (void)state;
    char raw[255];
    struct control control = {0};
    struct err err = {""};
    memset(raw, 1, sizeof raw);
    assert_false(control_read(slice(raw, sizeof raw), slice_of(NULL), &conf, &control, &err));
    assert_non_null(strstr(err.text, "\\x01...\"; " MODES_ALLOWED));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(modes_are_read_by_canonical_and_backend_names),
        cmocka_unit_test(what_names_no_mode_is_refused),
        cmocka_unit_test(percentages_are_exact_to_four_decimals),
        cmocka_unit_test(what_is_no_percentage_is_refused),
        cmocka_unit_test(every_share_is_printed_so_that_it_reads_back),
        cmocka_unit_test(absent_values_mean_legacy_only_at_zero),
        cmocka_unit_test(a_value_that_names_nothing_is_refused_with_what_is_allowed),
        cmocka_unit_test(a_long_binary_value_is_escaped_within_the_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

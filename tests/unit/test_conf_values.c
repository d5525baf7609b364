/* Single values: durations, sizes, modes, percentages. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include <pointsman/conf.h>

#define NONE UINT64_MAX

struct value_case {
    const char *text;
    uint64_t expect; /* NONE: refused */
};

static void check(const struct value_case *cases, size_t count,
                  bool (*parse)(struct slice text, uint64_t *ret)) {
    for (size_t i = 0; i < count; i++) {
        uint64_t got = NONE;
        bool ok = parse(slice_of(cases[i].text), &got);
        if (ok != (cases[i].expect != NONE) || got != cases[i].expect)
            fail_msg("\"%s\": %d, %" PRIu64, cases[i].text, ok, got);
    }
}

static void a_duration_needs_a_unit(void **state) {
    (void)state;
    static const struct value_case cases[] = {
        {"250ms", 250},
        {"9s", 9000},
        {"5m", 300000},
        {"72h", 259200000},
        {"14d", 1209600000},
        {" 9S\n", 9000},
        {"0s", 0},
        {"", NONE},
        {"9", NONE},
        {"s", NONE},
        {"9 s", NONE},
        {"9 seconds", NONE},
        {"-9s", NONE},
        {"+9s", NONE},
        {"1.5s", NONE},
        {"1h30m", NONE},
        {"9s9", NONE},
        {"18446744073709551614ms", UINT64_MAX - 1},
        {"18446744073709551615s", NONE},
        {"18446744073709551616ms", NONE},
    };
    check(cases, ARRAY_LEN(cases), conf_parse_duration_ms);
}

static void a_size_is_bytes_or_binary_units(void **state) {
    (void)state;
    static const struct value_case cases[] = {
        {"0", 0},         {"1000", 1000},      {"7B", 7},
        {"64KiB", 65536}, {"25mib", 26214400}, {"10GiB", 10737418240},
        {" 1KiB ", 1024}, {"1KB", NONE},       {"1M", NONE},
        {"1 KiB", NONE},  {"1.5GiB", NONE},    {"KiB", NONE},
        {"", NONE},       {"-1", NONE},        {"17179869184GiB", NONE},
    };
    check(cases, ARRAY_LEN(cases), conf_parse_size);
}

static bool percentage(struct slice text, uint64_t *ret) {
    uint32_t ppm;
    if (!conf_parse_percentage(text, &ppm))
        return false;
    *ret = ppm;
    return true;
}

static void a_percentage_has_up_to_four_decimals(void **state) {
    (void)state;
    static const struct value_case cases[] = {
        {"0", 0},
        {"25", 250000},
        {"100", 1000000},
        {"12.5", 125000},
        {"0.0001", 1},
        {"33.3333", 333333},
        {"100.0000", 1000000},
        {" 25% ", 250000},
        {"25 %", 250000},
        {"100.0001", NONE},
        {"101", NONE},
        {"1000", NONE},
        {"0.00001", NONE},
        {"-1", NONE},
        {"+1", NONE},
        {".5", NONE},
        {"5.", NONE},
        {"1.5.5", NONE},
        {"1,5", NONE},
        {"1e1", NONE},
        {"%", NONE},
        {"25%%", NONE},
        {"", NONE},
    };
    check(cases, ARRAY_LEN(cases), percentage);
}

static void a_mode_is_canonical_or_a_backends_name_only(void **state) {
    (void)state;
    static const struct {
        const char *text;
        enum mode expect; /* MODES: refused */
    } cases[] = {
        {"legacy_only", MODE_LEGACY_ONLY},
        {"new_only", MODE_NEW_ONLY},
        {"parallel", MODE_PARALLEL},
        {" Gradual\n", MODE_GRADUAL},
        {"EMERGENCY_ROLLBACK", MODE_EMERGENCY_ROLLBACK},
        {"typescript_only", MODE_LEGACY_ONLY},
        {" Python_Only ", MODE_NEW_ONLY},
        {"python", MODES},
        {"_only", MODES},
        {"ruby_only", MODES},
        {"gradual 25", MODES},
        {"", MODES},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        enum mode got = MODES;
        bool ok = conf_parse_mode(slice_of(cases[i].text), "typescript", "python", &got);
        if (ok != (cases[i].expect != MODES) || got != cases[i].expect)
            fail_msg("\"%s\": %d, %d", cases[i].text, ok, (int)got);
    }
}

static void a_mode_is_read_without_names_too(void **state) {
    (void)state;
    enum mode got = MODES;
    assert_true(conf_parse_mode(slice_of("new_only"), NULL, NULL, &got));
    assert_int_equal(got, MODE_NEW_ONLY);
    assert_false(conf_parse_mode(slice_of("python_only"), NULL, NULL, &got));
    assert_false(conf_parse_mode(slice_of("_only"), "", "", &got));
    assert_int_equal(got, MODE_NEW_ONLY);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_duration_needs_a_unit),
        cmocka_unit_test(a_size_is_bytes_or_binary_units),
        cmocka_unit_test(a_percentage_has_up_to_four_decimals),
        cmocka_unit_test(a_mode_is_canonical_or_a_backends_name_only),
        cmocka_unit_test(a_mode_is_read_without_names_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

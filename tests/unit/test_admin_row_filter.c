/* Filters of the lists of dead events and those in doubt: what is understood, what is refused and
 * how, and the address of the next page. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "../../admin/row_filter.h"

/* 2026-11-21T12:00:00Z */
#define NOW UINT64_C(1795262400000000)

static char legacy_name[] = "typescript";
static char new_name[] = "python";
static const struct conf conf = {
    .backends = {[SIDE_LEGACY] = {.name = legacy_name}, [SIDE_NEW] = {.name = new_name}}};

static bool read_text(const char *text, struct row_filter *ret, struct err *err) {
    json_t *fields = json_loads(text, 0, NULL);
    assert_non_null(fields);
    bool ok = row_filter_read(fields, &conf, NOW, ret, err);
    json_decref(fields);
    return ok;
}

static void times_are_moments_or_how_long_ago(void **state) {
    (void)state;
    static const struct {
        const char *text;
        uint64_t us; /* 0: refused */
    } cases[] = {
        {"0s", NOW},
        {"2h", NOW - UINT64_C(7200000000)},
        {" 250ms ", NOW - 250000},
        {"14d", NOW - UINT64_C(1209600000000)},
        {"40000d", 1},
        {"2026-11-21T12:00:00Z", NOW},
        {"2026-11-21t12:00:00z", NOW},
        {"2026-11-21 12:00:00", NOW},
        {"2026-11-21 12:00", NOW},
        {"2026-11-21", NOW - UINT64_C(43200000000)},
        {"2026-11-21T12:00:00.123456789Z", NOW + 123456},
        {"2026-11-21T12:00:00.5Z", NOW + 500000},
        {"2026-11-21T14:00:00+02:00", NOW},
        {"2026-11-21T06:30:00-05:30", NOW},
        {"1970-01-01T00:00:00Z", 1},
        {"", 0},
        {"yesterday", 0},
        {"2h30", 0},
        {"-2h", 0},
        {"12:00", 0},
        {"2026-02-30", 0},
        {"2026-13-01", 0},
        {"2026-00-01", 0},
        {"2026-11-00", 0},
        {"2026-11-21T24:00:00Z", 0},
        {"2026-11-21T12:60:00Z", 0},
        {"2026-11-21T12:00:00.Z", 0},
        {"2026-11-21T12:00:00+2:00", 0},
        {"2026-11-21T12:00:00+0200", 0},
        {"2026-11-21T", 0},
        {"2026-11-21Z", 0},
        {"2026-11-21T12:00:00Zx", 0},
        {"1969-12-31T23:59:59Z", 0},
        {"1970-01-01T00:00:00+01:00", 0},
        {"26-11-21", 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint64_t us = 0;
        bool ok = time_parse(slice_of(cases[i].text), NOW, &us);
        if (ok != (cases[i].us != 0) || (ok && us != cases[i].us))
            fail_msg("\"%s\": %d, %llu", cases[i].text, ok, (unsigned long long)us);
    }
}

static void every_filter_is_read(void **state) {
    (void)state;
    struct err err = {""};
    struct row_filter f;
    if (!read_text("{\"source\":\"github\",\"type\":\"issues\",\"entity\":\"o/r#7\","
                   "\"backend\":\"Python\",\"reason\":\"not_done\",\"since\":\"2h\","
                   "\"until\":\"1h\",\"limit\":\"7\",\"after\":\"99\",\"count\":\"1\"}",
                   &f, &err))
        fail_msg("%s", err.text);
    assert_string_equal(f.source, "github");
    assert_string_equal(f.type, "issues");
    assert_string_equal(f.entity, "o/r#7");
    assert_int_equal(f.side, SIDE_NEW);
    assert_int_equal(f.reason, REASON_NOT_DONE);
    assert_int_equal(f.since_us, NOW - UINT64_C(7200000000));
    assert_int_equal(f.until_us, NOW - UINT64_C(3600000000));
    assert_int_equal(f.limit, 7);
    assert_int_equal(f.after, 99);
    assert_true(f.count);
}

static void without_filters_everything_matches(void **state) {
    (void)state;
    struct err err = {""};
    struct row_filter f;
    assert_true(read_text("{}", &f, &err));
    assert_int_equal(f.side, SIDE_NONE);
    assert_int_equal(f.reason, REASON_NONE);
    assert_int_equal(f.limit, 100);
    assert_int_equal(f.until_us, 0);
    assert_false(f.count);
}

static void what_is_wrong_is_named_with_what_is_allowed(void **state) {
    (void)state;
    static const struct {
        const char *text, *found, *allowed;
    } cases[] = {
        {"{\"backend\":\"ruby\"}", "\"backend\" is \"ruby\"",
         "legacy (typescript) and new (python)"},
        {"{\"backend\":\"none\"}", "\"none\"", "legacy"},
        {"{\"reason\":\"bad luck\"}", "\"bad luck\"", "accepted, store, busy"},
        {"{\"reason\":\"none\"}", "\"none\"", "damaged"},
        {"{\"since\":\"soon\"}", "\"since\" is \"soon\"", "2h"},
        {"{\"until\":\"2026-02-30\"}", "\"until\"", "2026-11-21T03:40:00Z"},
        {"{\"limit\":\"0\"}", "\"limit\" is 0", "1 to 1000"},
        {"{\"limit\":\"1001\"}", "1001", "1 to 1000"},
        {"{\"limit\":\"many\"}", "\"limit\"", "whole number"},
        {"{\"after\":\"-1\"}", "\"after\"", "whole number"},
        {"{\"source\":\"\"}", "\"source\" is empty", "leave it out"},
        {"{\"entity\":\"\"}", "\"entity\" is empty", "leave it out"},
        {"{\"backend\":\"\"}", "\"backend\" is empty", "leave it out"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err err = {""};
        struct row_filter f;
        bool ok = read_text(cases[i].text, &f, &err);
        if (ok || !strstr(err.text, cases[i].found) || !strstr(err.text, cases[i].allowed))
            fail_msg("%s: %s", cases[i].text, ok ? "allowed" : err.text);
    }
}

static void the_next_page_has_the_same_filters_with_fixed_times(void **state) {
    (void)state;
    struct err err = {""};
    struct row_filter f;
    struct buf out;
    buf_init(&out, 4096);
    assert_true(
        read_text("{\"entity\":\"o/r#7\",\"backend\":\"typescript\",\"reason\":\"rejected\","
                  "\"until\":\"0s\",\"limit\":\"2\",\"count\":\"1\"}",
                  &f, &err));
    f.until_us += 1; /* between two milliseconds: the page must not end before it */
    assert_true(row_filter_next(&f, "/v1/dead", 42, &out));
    assert_true(buf_append(&out, "", 1));
    assert_string_equal(buf_at(&out), "/v1/dead?limit=2&after=42&entity=o%2Fr%237&backend=legacy"
                                      "&reason=rejected&until=2026-11-21T12%3A00%3A00.001Z");
    buf_free(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_are_moments_or_how_long_ago),
        cmocka_unit_test(every_filter_is_read),
        cmocka_unit_test(without_filters_everything_matches),
        cmocka_unit_test(what_is_wrong_is_named_with_what_is_allowed),
        cmocka_unit_test(the_next_page_has_the_same_filters_with_fixed_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

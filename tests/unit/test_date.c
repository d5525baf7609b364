/* Dates as HTTP writes them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include <pointsman/date.h>

#define NONE INT64_MIN

static void three_forms_are_read_and_days_must_exist(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t expect;
    } cases[] = {
        {"Sun, 06 Nov 1994 08:49:37 GMT", 784111777},
        {"Sunday, 06-Nov-94 08:49:37 GMT", 784111777},
        {"Sun Nov  6 08:49:37 1994", 784111777},
        {"Sat, 29 Feb 2020 00:00:00 GMT", 1582934400},
        {"Fri, 29 Feb 2019 00:00:00 GMT", NONE},
        {"Sat, 31 Dec 2016 23:59:60 GMT", 1483228800},
        {"Wed, 31 Dec 1969 23:59:59 GMT", -1},
        {"Sun, 06 Nov 1994 08:49:37 CET", NONE},
        {"Sun, 06 Nov 1994 08:49:37 GMT ", NONE},
        {"1994-11-06T08:49:37Z", NONE},
        {"784111777", NONE},
        {"", NONE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t got = NONE;
        bool ok = date_parse(slice_of(cases[i].text), &got);
        if (ok != (cases[i].expect != NONE) || got != cases[i].expect)
            fail_msg("\"%s\": %d, %lld", cases[i].text, ok, (long long)got);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_forms_are_read_and_days_must_exist),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Which Host, Origin, Sec-Fetch-Site and token the admin side accepts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include <pointsman/compiler.h>

#include "../../admin/guard.h"

static const struct guard local = {"127.0.0.1", 9180, NULL};
static const struct guard local6 = {"::1", 9180, NULL};
static const struct guard everywhere = {"0.0.0.0", 9180, "tok"};
static const struct guard inside = {"10.1.2.3", 9180, "tok"};

struct guard_case {
    const struct guard *guard;
    const char *host;
    const char *origin;
    const char *site;
    enum guard_verdict want;
};

static void check_all(const struct guard_case *cases, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const struct guard_case *c = &cases[i];
        enum guard_verdict got =
            guard_check(c->guard, slice_of(c->host), slice_of(c->origin), slice_of(c->site));
        if (got != c->want)
            fail_msg("bound to %s, Host %s, Origin %s, site %s: %d, wanted %d", c->guard->host,
                     c->host ? c->host : "-", c->origin ? c->origin : "-", c->site ? c->site : "-",
                     got, c->want);
    }
}

static void only_our_own_host_is_accepted_on_loopback(void **state) {
    (void)state;
    static const struct guard_case cases[] = {
        {&local, "127.0.0.1:9180", NULL, NULL, GUARD_OK},
        {&local, "localhost:9180", NULL, NULL, GUARD_OK},
        {&local, "LocalHost:9180", NULL, NULL, GUARD_OK},
        {&local, "[::1]:9180", NULL, NULL, GUARD_OK},
        {&local6, "[::1]:9180", NULL, NULL, GUARD_OK},
        {&local6, "[0:0:0:0:0:0:0:1]:9180", NULL, NULL, GUARD_OK},
        {&local, NULL, NULL, NULL, GUARD_OK},
        {&local, "", NULL, NULL, GUARD_HOST},
        {&local, "127.0.0.1", NULL, NULL, GUARD_HOST},
        {&local, "127.0.0.1:9181", NULL, NULL, GUARD_HOST},
        {&local, "127.0.0.1:", NULL, NULL, GUARD_HOST},
        {&local, "127.0.0.1:9180x", NULL, NULL, GUARD_HOST},
        {&local, "127.0.0.1:9180:9180", NULL, NULL, GUARD_HOST},
        {&local, "127.0.0.2:9180", NULL, NULL, GUARD_HOST},
        {&local, "10.0.0.1:9180", NULL, NULL, GUARD_HOST},
        {&local, "evil.example:9180", NULL, NULL, GUARD_HOST},
        {&local, "localhost.evil.example:9180", NULL, NULL, GUARD_HOST},
        {&local, "localhost.:9180", NULL, NULL, GUARD_HOST},
        {&local, "[::1:9180", NULL, NULL, GUARD_HOST},
        {&local, "[]:9180", NULL, NULL, GUARD_HOST},
        {&local, "[::1]9180", NULL, NULL, GUARD_HOST},
    };
    check_all(cases, ARRAY_LEN(cases));
}

static void on_the_network_addresses_are_accepted_and_foreign_names_are_not(void **state) {
    (void)state;
    static const struct guard_case cases[] = {
        {&everywhere, "192.0.2.7:9180", NULL, NULL, GUARD_OK},
        {&everywhere, "192.0.2.7:31180", NULL, NULL, GUARD_OK},
        {&everywhere, "[2001:db8::7]:9180", NULL, NULL, GUARD_OK},
        {&everywhere, "localhost:9180", NULL, NULL, GUARD_OK},
        {&inside, "10.1.2.3:9180", NULL, NULL, GUARD_OK},
        {&everywhere, "pointsman.evil.example:9180", NULL, NULL, GUARD_HOST},
        {&everywhere, "192.0.2.7.evil.example", NULL, NULL, GUARD_HOST},
    };
    check_all(cases, ARRAY_LEN(cases));
}

static void pages_of_other_sites_are_refused(void **state) {
    (void)state;
    static const struct guard_case cases[] = {
        {&local, "127.0.0.1:9180", "http://127.0.0.1:9180", "same-origin", GUARD_OK},
        {&local, "127.0.0.1:9180", "http://localhost:9180", NULL, GUARD_OK},
        {&local, "127.0.0.1:9180", NULL, "none", GUARD_OK},
        {&everywhere, "192.0.2.7:31180", "http://192.0.2.7:31180", NULL, GUARD_OK},
        {&local, "127.0.0.1:9180", "https://evil.example", NULL, GUARD_ORIGIN},
        {&local, "127.0.0.1:9180", "http://evil.example:9180", NULL, GUARD_ORIGIN},
        {&local, "127.0.0.1:9180", "http://127.0.0.1:3000", NULL, GUARD_ORIGIN},
        {&local, "127.0.0.1:9180", "http://127.0.0.1", NULL, GUARD_ORIGIN},
        {&local, "127.0.0.1:9180", "http://127.0.0.1:9180.evil.example", NULL, GUARD_ORIGIN},
        {&local, "127.0.0.1:9180", "null", NULL, GUARD_ORIGIN},
        {&local, "127.0.0.1:9180", "", NULL, GUARD_ORIGIN},
        {&everywhere, "192.0.2.7:9180", "http://192.0.2.8:9180", NULL, GUARD_ORIGIN},
        {&local, "127.0.0.1:9180", NULL, "cross-site", GUARD_SITE},
        {&local, "evil.example", "http://evil.example", "same-origin", GUARD_HOST},
    };
    check_all(cases, ARRAY_LEN(cases));
}

static void only_the_whole_token_is_accepted(void **state) {
    (void)state;
    assert_true(guard_token_ok(&everywhere, slice_of("Bearer tok")));
    assert_true(guard_token_ok(&everywhere, slice_of("bearer  tok ")));
    static const char *const wrong[] = {"",           "Bearer",    "Bearer ",
                                        "tok",        "Bearer to", "Bearer tokk",
                                        "Bearer TOK", "Basic tok", "Bearer t ok"};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        if (guard_token_ok(&everywhere, slice_of(wrong[i])))
            fail_msg("\"%s\" was accepted", wrong[i]);
    }
    assert_false(guard_token_ok(&everywhere, slice(NULL, 0)));
    assert_true(guard_token_ok(&local, slice(NULL, 0)));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_our_own_host_is_accepted_on_loopback),
        cmocka_unit_test(on_the_network_addresses_are_accepted_and_foreign_names_are_not),
        cmocka_unit_test(pages_of_other_sites_are_refused),
        cmocka_unit_test(only_the_whole_token_is_accepted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

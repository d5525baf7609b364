/* Which path and method find which route, and how %-escapes are read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include <pointsman/compiler.h>

#include "../../admin/handlers.h"
#include "../../admin/routes.h"

static void a_path_finds_its_route_and_its_segment(void **state) {
    (void)state;
    static const struct {
        const char *method, *path, *arg;
        void (*run)(struct request *x);
    } cases[] = {
        {"GET", "/healthz", NULL, handle_healthz},
        {"HEAD", "/healthz", NULL, handle_healthz},
        {"GET", "/v1/status", NULL, handle_status},
        {"GET", "/v1/events/a%2Fb", "a%2Fb", handle_event},
        {"POST", "/v1/events/abc/forget", "abc", handle_forget},
        {"GET", "/v1/events/forget", "forget", handle_event},
        {"GET", "/v1/entities/o%2Fr%237", "o%2Fr%237", handle_entity},
        {"GET", "/v1/dead", NULL, handle_dead_list},
        {"GET", "/v1/dead/abc", "abc", handle_dead_show},
        {"GET", "/v1/dead/replay", "replay", handle_dead_show},
        {"POST", "/v1/dead/replay", NULL, handle_dead_replay},
        {"POST", "/v1/dead/drop", NULL, handle_dead_drop},
        {"GET", "/v1/doubt", NULL, handle_doubt_list},
        {"GET", "/v1/doubt/abc", "abc", handle_doubt_show},
        {"POST", "/v1/doubt/resolve", NULL, handle_doubt_resolve},
        {"PUT", "/v1/mode", NULL, handle_mode},
        {"PUT", "/v1/rollout", NULL, handle_rollout},
        {"POST", "/v1/rollback", NULL, handle_rollback},
        {"GET", "/migration/status", NULL, handle_migration_status},
        {"POST", "/migration/mode/python_only", "python_only", handle_migration_mode},
        {"POST", "/migration/rollback", NULL, handle_migration_rollback},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct route *route = NULL;
        struct slice arg = {0};
        char allow[ROUTE_ALLOW_MAX];
        enum route_match match =
            route_find(slice_of(cases[i].method), slice_of(cases[i].path), &route, &arg, allow);
        if (match != ROUTE_FOUND || route->run != cases[i].run ||
            !slice_is(arg, cases[i].arg ? cases[i].arg : ""))
            fail_msg("%s %s", cases[i].method, cases[i].path);
    }
}

static void other_paths_are_unknown(void **state) {
    (void)state;
    static const char *const paths[] = {"",
                                        "/",
                                        "*",
                                        "/v1",
                                        "/healthz/",
                                        "//healthz",
                                        "healthz",
                                        "/v1/events",
                                        "/v1/events/",
                                        "/v1/events//forget",
                                        "/v1/events/a/b",
                                        "/V1/status",
                                        "/v1/status%20",
                                        "/migration/mode/"};
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        const struct route *route = NULL;
        struct slice arg = {0};
        char allow[ROUTE_ALLOW_MAX];
        if (route_find(slice_of("GET"), slice_of(paths[i]), &route, &arg, allow) != ROUTE_NO_PATH)
            fail_msg("%s is known", paths[i]);
    }
}

static void a_wrong_method_is_told_what_is_allowed(void **state) {
    (void)state;
    const struct route *route = NULL;
    struct slice arg = {0};
    char allow[ROUTE_ALLOW_MAX];
    assert_int_equal(route_find(slice_of("GET"), slice_of("/v1/mode"), &route, &arg, allow),
                     ROUTE_NO_METHOD);
    assert_string_equal(allow, "PUT");
    assert_int_equal(route_find(slice_of("DELETE"), slice_of("/metrics"), &route, &arg, allow),
                     ROUTE_NO_METHOD);
    assert_string_equal(allow, "GET, HEAD");
    assert_int_equal(route_find(slice_of("get"), slice_of("/metrics"), &route, &arg, allow),
                     ROUTE_NO_METHOD);
}

static void only_probes_and_metrics_need_no_token(void **state) {
    (void)state;
    for (unsigned i = 0; i < route_count; i++) {
        bool probe = routes[i].run == handle_healthz || routes[i].run == handle_readyz ||
                     routes[i].run == handle_metrics;
        assert_int_equal(routes[i].open, probe);
    }
}

static void escapes_are_decoded_once_and_strictly(void **state) {
    (void)state;
    static const struct {
        const char *in;
        bool plus;
        const char *out; /* NULL: refused */
    } cases[] = {
        {"", false, ""},
        {"abc", false, "abc"},
        {"o%2Fr%237", false, "o/r#7"},
        {"%2f%2F", false, "//"},
        {"%2525", false, "%25"},
        {"a+b", false, "a+b"},
        {"a+b%2B", true, "a b+"},
        {"%", false, NULL},
        {"%2", false, NULL},
        {"a%2", false, NULL},
        {"%g0", false, NULL},
        {"%0g", false, NULL},
        {"%00", false, NULL},
        {"%C3%A9", false, "\xc3\xa9"},
        {"1234567", false, "1234567"},
        {"12345678", false, NULL},
        {"%41%41%41%41%41%41%41%41", false, NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char out[8];
        bool ok = percent_decode(slice_of(cases[i].in), cases[i].plus, out, sizeof out);
        if (ok != (cases[i].out != NULL) || (ok && strcmp(out, cases[i].out) != 0))
            fail_msg("%s", cases[i].in);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_finds_its_route_and_its_segment),
        cmocka_unit_test(other_paths_are_unknown),
        cmocka_unit_test(a_wrong_method_is_told_what_is_allowed),
        cmocka_unit_test(only_probes_and_metrics_need_no_token),
        cmocka_unit_test(escapes_are_decoded_once_and_strictly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Addresses and URLs: what is read, what is refused, what is shown. */
#include "conf_text.h"

#include "../../conf/address.h"

static void an_address_is_numeric_with_a_port(void **state) {
    (void)state;
    static const struct {
        const char *text;
        const char *host; /* NULL: refused */
        uint16_t port;
    } cases[] = {
        {"127.0.0.1:8080", "127.0.0.1", 8080},
        {"0.0.0.0:0", "0.0.0.0", 0},
        {"[::1]:65535", "::1", 65535},
        {"[0:0:0:0:0:0:0:1]:1", "::1", 1},
        {"127.0.0.1", NULL, 0},
        {"127.0.0.1:", NULL, 0},
        {"127.0.0.1:65536", NULL, 0},
        {"127.0.0.1:-1", NULL, 0},
        {"127.0.0.1:80x", NULL, 0},
        {"127.0.0.1: 80", NULL, 0},
        {"127.1:80", NULL, 0},
        {"localhost:80", NULL, 0},
        {":80", NULL, 0},
        {"8080", NULL, 0},
        {"::1:80", NULL, 0},
        {"[::1]", NULL, 0},
        {"[::1]80", NULL, 0},
        {"[::1:80", NULL, 0},
        {"[127.0.0.1]:80", NULL, 0},
        {"[fe80::1%eth0]:80", NULL, 0},
        {"[]:80", NULL, 0},
        {"", NULL, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct conf_address a = {0};
        const char *why = NULL;
        bool ok = address_parse(slice_of(cases[i].text), &a, &why);
        if (ok != (cases[i].host != NULL) || (!ok && !why))
            fail_msg("\"%s\": %d", cases[i].text, ok);
        if (ok) {
            assert_string_equal(a.text, cases[i].text);
            assert_string_equal(a.host, cases[i].host);
            assert_int_equal(a.port, cases[i].port);
        }
        address_clear(&a);
    }
}

static void loopback_is_127_and_1(void **state) {
    (void)state;
    static const struct {
        const char *host;
        bool loopback;
    } cases[] = {{"127.0.0.1", true}, {"127.9.9.9", true}, {"::1", true},      {"0.0.0.0", false},
                 {"::", false},       {"12.7.0.1", false}, {"10.0.0.1", false}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char host[16];
        (void)snprintf(host, sizeof(host), "%s", cases[i].host);
        struct conf_address a = {.host = host};
        assert_int_equal(address_is_loopback(&a), cases[i].loopback);
    }
}

static void a_backend_has_a_http_url(void **state) {
    (void)state;
    static const struct {
        const char *text;
        const char *expect; /* "host port path", or why it is refused */
    } cases[] = {
        {"http://a", "a 80 "},
        {"HTTP://a.b-c_d:81/", "a.b-c_d 81 "},
        {"http://127.0.0.1:9001/x/y//", "127.0.0.1 9001 /x/y"},
        {"http://[::1]:9/%41", "::1 9 /%41"},
        {"http://[::1]", "::1 80 "},
        {"https://a", "needs TLS to backends, which is not available in this version"},
        {"ftp://a", "is no URL of a backend"},
        {"a:80", "is no URL of a backend"},
        {"http:a", "is no URL of a backend"},
        {"", "is no URL of a backend"},
        {"http://", "names no host that could be one"},
        {"http:///x", "names no host that could be one"},
        {"http://a b", "names no host that could be one"},
        {"http://ä", "names no host that could be one"},
        {"http://1.2.3.999", "names no host that could be one"},
        {"http://[::1", "names no host that could be one"},
        {"http://[a]", "names no host that could be one"},
        {"http://a:80:90", "has a port that is none"},
        {"http://a:", "has a port that is none"},
        {"http://a:0", "has a port that is none"},
        {"http://a:65536", "has a port that is none"},
        {"http://a?x", "has a query or fragment"},
        {"http://a/#x", "has a query or fragment"},
        {"http://u@a", "has a user or password, which would not be sent; use headers"},
        {"http://a/b c", "has a path with characters that must be written as %XX"},
        {"http://a/%4", "has a path with characters that must be written as %XX"},
        {"http://a/%zz", "has a path with characters that must be written as %XX"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct conf_url u = {0};
        struct text got = {0};
        const char *why = NULL;
        if (url_parse(slice_of(cases[i].text), &u, &why))
            text_add(&got, "%s %u %s", u.host, (unsigned)u.port, u.path);
        else
            text_add(&got, "%s", why);
        assert_string_equal(got.bytes, cases[i].expect);
        url_clear(&u);
    }
}

static void a_redis_url_has_login_port_and_database(void **state) {
    (void)state;
    static const struct {
        const char *text;
        const char *expect; /* "shown host user password db", or why it is refused */
    } cases[] = {
        {"redis://r", "redis://r:6379/0 r - - 0"},
        {"redis://r/", "redis://r:6379/0 r - - 0"},
        {"redis://:p@r:1/15", "redis://r:1/15 r - p 15"},
        {"redis://u:p%3A%40@[::1]:1/2", "redis://[::1]:1/2 ::1 u p:@ 2"},
        {"redis://u:a:b@r", "redis://r:6379/0 r u a:b 0"},
        {"rediss://r", "needs TLS to Redis, which is not available in this version"},
        {"http://r", "is no URL of a Redis"},
        {"redis://", "names no host that could be one"},
        {"redis://r:0", "has a port that is none"},
        {"redis://r/x", "names a database that is no number"},
        {"redis://r/1/2", "names a database that is no number"},
        {"redis://r/-1", "names a database that is no number"},
        {"redis://r/9999999999", "names a database that is no number"},
        {"redis://r?db=1", "has a query or fragment"},
        {"redis://u@r", "has a user without a password; write [user]:password@"},
        {"redis://u:@r", "has a user without a password; write [user]:password@"},
        {"redis://:p%4@r", "has a user or password with a malformed %XX"},
        {"redis://%zz:p@r", "has a user or password with a malformed %XX"},
        {"redis://u:p%00@r", "has a user or password with a malformed %XX"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct conf_url u = {0};
        struct redis_login login = {0};
        struct text got = {0};
        const char *why = NULL;
        if (redis_url_parse(slice_of(cases[i].text), &u, &login, &why))
            text_add(&got, "%s %s %s %s %u", u.text, u.host, login.user ? login.user : "-",
                     login.password ? login.password : "-", (unsigned)login.db);
        else
            text_add(&got, "%s", why);
        assert_string_equal(got.bytes, cases[i].expect);
        url_clear(&u);
        free(login.user);
        free(login.password);
    }
}

static void a_shown_url_holds_no_password(void **state) {
    (void)state;
    static const struct report_case cases[] = {
        {"redis://r:99999/x", "\"redis://r:99999/x\""},
        {"redis://r:1/x", "\"redis://r:1/x\""},
        {"redis://u:hush@r:0", "\"redis://***@r:0\""},
        {"redis://:hu/sh@r", "\"redis://***@r\""},
        {"redis://:hu@sh@r", "\"redis://***@r\""},
        {"redis://:hush", "\"redis://***\""},
        {"redis://u:hush", "\"redis://u***\""},
        {"u:hush@r", "\"***@r\""},
        {"/x/u:hush@r", "\"***@r\""},
        {"a-very-long-word-indeed://u:hush@r", "\"***@r\""},
        {"http://[::1", "\"http://[***\""},
        {"", "\"\""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct text shown = {0};
        url_add_shown(&shown, slice_of(cases[i].text));
        assert_string_equal(shown.bytes, cases[i].expect);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_is_numeric_with_a_port),
        cmocka_unit_test(loopback_is_127_and_1),
        cmocka_unit_test(a_backend_has_a_http_url),
        cmocka_unit_test(a_redis_url_has_login_port_and_database),
        cmocka_unit_test(a_shown_url_holds_no_password),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Secrets and tokens: where they come from, and that no message holds one. */
#include "conf_text.h"

#include <unistd.h>

#define SECRETS(value)  LISTENERS BACKENDS "sources: [{path: /w,\nsecrets: " value "}]\n"
#define TOKEN(value)    LEAST "admin: {token: " value "}\n"
#define SECRETS_ALLOWED "a list of {env: NAME}, {file: PATH} or {value: SECRET}, or the word none"
#define TOKEN_ALLOWED   "{env: NAME}, {file: PATH} or {value: TOKEN}"
#define NOT_SHOWN       "what stands here is not shown and not understood; allowed: "

/* A file with these bytes; `text` is what loads it. The test removes the file. */
static void in_file(const char *bytes, size_t len, char path[32], char text[512]) {
    (void)snprintf(path, 32, "/tmp/secretXXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, len), len);
    (void)close(fd);
    (void)snprintf(text, 512, SECRETS("[{file: %s}]"), path);
}

static void a_secret_comes_from_the_environment_or_the_file_itself(void **state) {
    (void)state;
    assert_int_equal(setenv("POINTSMAN_TEST_SECRET", " s1\n", 1), 0);
    struct conf *c = load_good(SECRETS("[{env: POINTSMAN_TEST_SECRET}, {value: s2}]"));
    const struct conf_source *s = &c->sources[0];
    assert_int_equal(s->secret_count, 2);
    assert_int_equal(s->secrets[0].len, 4);
    assert_memory_equal(s->secrets[0].bytes, " s1\n", 4);
    assert_string_equal(s->secrets[0].origin, "env POINTSMAN_TEST_SECRET");
    assert_memory_equal(s->secrets[1].bytes, "s2", 2);
    assert_string_equal(s->secrets[1].origin, "the configuration");
    conf_unref(c);
}

static void one_line_end_of_a_secret_file_is_dropped(void **state) {
    (void)state;
    static const struct {
        struct slice bytes;
        struct slice expect;
    } cases[] = {
#define BYTES(b) {b, sizeof(b) - 1}
        {BYTES("s"), BYTES("s")},     {BYTES("s\n"), BYTES("s")},
        {BYTES("s\r\n"), BYTES("s")}, {BYTES("s\n\n"), BYTES("s\n")},
        {BYTES(" s "), BYTES(" s ")}, {BYTES("a\0b\xff\n"), BYTES("a\0b\xff")},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char path[32];
        char text[512];
        in_file(cases[i].bytes.ptr, cases[i].bytes.len, path, text);
        struct conf *c = load_good(text);
        (void)unlink(path);
        const struct conf_secret *secret = &c->sources[0].secrets[0];
        assert_int_equal(secret->len, cases[i].expect.len);
        assert_memory_equal(secret->bytes, cases[i].expect.ptr, cases[i].expect.len);
        conf_unref(c);
    }
}

static void a_secret_file_that_is_empty_or_too_long_is_refused(void **state) {
    (void)state;
    char path[32];
    char text[512];
    char expect[512];
    static char large[5000];
    memset(large, 's', sizeof(large));
    static const size_t sizes[] = {0, 1, 4096, 4097, 5000};
    static const char *const whys[] = {"empty", "empty", NULL, "too long", "too long"};
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        in_file(i == 1 ? "\n" : large, sizes[i], path, text);
        (void)snprintf(expect, sizeof(expect),
                       "f:4: sources[0].secrets: the secret from file \"%s\" is %s; allowed: 1 to "
                       "4096 bytes\n",
                       path, whys[i] ? whys[i] : "");
        conf_unref(load_reports(text, whys[i] ? expect : ""));
        (void)unlink(path);
    }
}

static void a_secret_that_is_missing_names_its_origin(void **state) {
    (void)state;
    (void)unsetenv("POINTSMAN_TEST_SECRET");
    assert_int_equal(setenv("POINTSMAN_TEST_EMPTY", "", 1), 0);
    static const struct report_case cases[] = {
        {SECRETS("[{env: POINTSMAN_TEST_SECRET},\n{env: POINTSMAN_TEST_EMPTY},\n"
                 "{file: /nonexistent/s}, {file: /}, {value: ''}]"),
         "f:4: sources[0].secrets: the environment has no variable POINTSMAN_TEST_SECRET; set it, "
         "or give a file\n"
         "f:5: sources[0].secrets: the secret from env POINTSMAN_TEST_EMPTY is empty; allowed: 1 "
         "to 4096 bytes\n"
         "f:6: sources[0].secrets: file \"/nonexistent/s\" cannot be read: No such file or "
         "directory (relative to the working directory)\n"
         "f:6: sources[0].secrets: file \"/\" cannot be read: Is a directory (relative to the "
         "working directory)\n"
         "f:6: sources[0].secrets: the secret from the configuration is empty; allowed: 1 to 4096 "
         "bytes\n"},
        {SECRETS("[]"),
         "f:4: sources[0].secrets: the list is empty; allowed: " SECRETS_ALLOWED "\n"},
        {SECRETS("{value: s}"),
         "f:4: sources[0].secrets: what stands here is no list; allowed: " SECRETS_ALLOWED "\n"},
        {SECRETS(""),
         "f:4: sources[0].secrets: what stands here is no list; allowed: " SECRETS_ALLOWED "\n"},
    };
    check_reports(cases, ARRAY_LEN(cases));
}

/* People put the secret itself where its name belongs. */
static void what_may_be_a_secret_is_never_shown(void **state) {
    (void)state;
    static const char *const texts[] = {
        SECRETS("hush"),
        SECRETS("[hush]"),
        SECRETS("[{hush}]"),
        SECRETS("[{hush: a}]"),
        SECRETS("[[hush]]"),
        SECRETS("[{value: [hush]}]"),
        SECRETS("[{env: h-ush}]"),
        SECRETS("[{env: '1hush'}]"),
        SECRETS("[{value: hush, env: hush}]"),
        TOKEN("hush"),
        TOKEN("{hush: a}"),
        TOKEN("{value: 'hush hush'}"),
        TOKEN("[{value: hush}]"),
        TOKEN("{env: 'h-ush'}"),
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct conf *conf = NULL;
        struct conf_problem *problems = NULL;
        assert_false(conf_load_text("f", texts[i], strlen(texts[i]), &conf, &problems));
        assert_non_null(problems);
        for (struct conf_problem *p = problems; p; p = p->next) {
            if (strstr(p->text, "hush") || strstr(p->text, "h-ush"))
                fail_msg("%s", p->text);
        }
        conf_problems_free(problems);
    }
}

static void a_token_can_stand_in_a_header(void **state) {
    (void)state;
    static const struct report_case cases[] = {
        {TOKEN("{value: 'a b'}"),
         "f:4: admin.token: the token from the configuration cannot stand in a header; allowed: "
         "printable ASCII without spaces\n"},
        {TOKEN("{value: \"a\\x7f\"}"),
         "f:4: admin.token: the token from the configuration cannot stand in a header; allowed: "
         "printable ASCII without spaces\n"},
        {TOKEN("abc"), "f:4: admin.token: " NOT_SHOWN TOKEN_ALLOWED "\n"},
        {TOKEN("{value: a-b_c.~!}"), ""},
    };
    check_reports(cases, ARRAY_LEN(cases));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_secret_comes_from_the_environment_or_the_file_itself),
        cmocka_unit_test(one_line_end_of_a_secret_file_is_dropped),
        cmocka_unit_test(a_secret_file_that_is_empty_or_too_long_is_refused),
        cmocka_unit_test(a_secret_that_is_missing_names_its_origin),
        cmocka_unit_test(what_may_be_a_secret_is_never_shown),
        cmocka_unit_test(a_token_can_stand_in_a_header),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

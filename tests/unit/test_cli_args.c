/* How command lines are read by the table of a command. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "../../cli/command.h"

static int run(const struct args *args) {
    (void)args;
    return DONE;
}

/* The usage lists the program's commands; here there is one. */
const struct command commands[] = {
    {"mode",
     "MODE",
     1,
     "for the test",
     run,
     {{"percentage", "P", "", 'p'}, {"force", NULL, "", 0}, {"config", "FILE", "", 'c'}}},
};
const unsigned command_count = ARRAY_LEN(commands);

static bool parse(const char *const *words, struct args *ret, struct err *err) {
    char *argv[8];
    int argc = 0;
    for (; words[argc]; argc++)
        argv[argc] = (char *)words[argc];
    return args_parse(&commands[0], argc, argv, ret, err);
}

static void options_and_words_may_stand_in_any_order(void **state) {
    (void)state;
    static const char *const lines[][8] = {
        {"gradual", "--percentage", "25", "--force"},
        {"--percentage=25", "--force", "gradual"},
        {"-p", "25", "gradual", "--force"},
        {"--force", "-p", "25", "--", "gradual"},
    };
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        struct args args;
        struct err err = {""};
        if (!parse(lines[i], &args, &err))
            fail_msg("%zu: %s", i, err.text);
        assert_string_equal(args.words[0], "gradual");
        assert_string_equal(args_get(&args, "percentage"), "25");
        assert_non_null(args_get(&args, "force"));
        assert_null(args_get(&args, "config"));
    }
}

static void what_is_wrong_is_named(void **state) {
    (void)state;
    static const struct {
        const char *line[8];
        const char *said;
    } cases[] = {
        {{NULL}, "MODE is missing"},
        {{"a", "b"}, "\"b\" is one word too many"},
        {{"a", "--precentage", "1"}, "unknown option --precentage"},
        {{"a", "--percent", "1"}, "unknown option --percent"},
        {{"a", "-x"}, "unknown option -x"},
        {{"a", "--percentage"}, "--percentage needs P"},
        {{"a", "--force=yes"}, "--force takes no value"},
        {{"a", "--force", "--force"}, "--force is given twice"},
        {{"--", "a", "--force"}, "\"--force\" is one word too many"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct args args;
        struct err err = {""};
        assert_false(parse(cases[i].line, &args, &err));
        if (!strstr(err.text, cases[i].said))
            fail_msg("%s, wanted %s", err.text, cases[i].said);
    }
}

static void values_may_begin_with_a_dash_and_a_dash_alone_is_a_word(void **state) {
    (void)state;
    static const char *const line[] = {"-", "-c", "-", "--percentage=-1", NULL};
    struct args args;
    struct err err = {""};
    assert_true(parse(line, &args, &err));
    assert_string_equal(args.words[0], "-");
    assert_string_equal(args_get(&args, "config"), "-");
    assert_string_equal(args_get(&args, "percentage"), "-1");
}

static void help_needs_nothing_else(void **state) {
    (void)state;
    static const char *const lines[][2] = {{"--help"}, {"-h"}};
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        struct args args;
        struct err err = {""};
        assert_true(parse(lines[i], &args, &err));
        assert_true(args.help);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_and_words_may_stand_in_any_order),
        cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(values_may_begin_with_a_dash_and_a_dash_alone_is_a_word),
        cmocka_unit_test(help_needs_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* How command lines are read by the table of a command. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
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
    {"dead drop", "ID...", 1, "for the test", run, {{"source", "NAME", "", 0}}},
};
const unsigned command_count = ARRAY_LEN(commands);

static bool parse_as(const struct command *command, const char *const *words, struct args *ret,
                     struct err *err) {
    static char *argv[8]; /* where the words stay */
    int argc = 0;
    for (; words[argc]; argc++)
        argv[argc] = (char *)words[argc];
    return args_parse(command, argc, argv, ret, err);
}

static bool parse(const char *const *words, struct args *ret, struct err *err) {
    return parse_as(&commands[0], words, ret, err);
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

static void a_list_of_words_may_be_as_long_as_it_likes(void **state) {
    (void)state;
    static const char *const line[] = {"a", "--source", "s", "b", "--", "--c", NULL};
    static const char *const none[] = {"--source", "s", NULL};
    struct args args;
    struct err err = {""};
    assert_true(parse_as(&commands[1], line, &args, &err));
    assert_int_equal(args.word_count, 3);
    assert_string_equal(args.words[0], "a");
    assert_string_equal(args.words[1], "b");
    assert_string_equal(args.words[2], "--c");
    assert_string_equal(args_get(&args, "source"), "s");
    assert_false(parse_as(&commands[1], none, &args, &err));
    assert_string_equal(err.text, "ID... is missing");
}

static void commands_of_two_words_are_told_by_the_first(void **state) {
    (void)state;
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    assert_non_null(out);
    assert_true(usage_print_group("dead", out));
    assert_false(usage_print_group("dea", out));
    assert_false(usage_print_group("mode", out));
    fclose(out);
    assert_non_null(strstr(text, "dead drop ID..."));
    free(text);
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
        cmocka_unit_test(a_list_of_words_may_be_as_long_as_it_likes),
        cmocka_unit_test(commands_of_two_words_are_told_by_the_first),
        cmocka_unit_test(help_needs_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Which events a source's `only` lets through. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <pointsman/router.h>

static bool wants(const struct conf_source *source, const char *type, const char *action) {
    struct identity id = {0};
    snprintf(id.type, sizeof id.type, "%s", type);
    snprintf(id.action, sizeof id.action, "%s", action);
    return filter_wants(source, &id);
}

static void without_only_everything_is_wanted(void **state) {
    (void)state;
    const struct conf_source source = {0};
    assert_true(wants(&source, "issues", "opened"));
    assert_true(wants(&source, "push", ""));
}

static void only_the_listed_types_and_actions_are_wanted(void **state) {
    (void)state;
    char *some[] = {"opened", "edited"};
    char *more[] = {"labeled"};
    struct conf_filter rows[] = {
        {.type = "issues", .actions = some, .action_count = 2},
        {.type = "push"},
        {.type = "issues", .actions = more, .action_count = 1},
    };
    const struct conf_source source = {.only = rows, .only_count = ARRAY_LEN(rows)};
    static const struct {
        const char *type;
        const char *action;
        bool wanted;
    } cases[] = {
        {"issues", "opened", true},  {"issues", "edited", true},  {"issues", "labeled", true},
        {"issues", "closed", false}, {"issues", "", false},       {"issues", "Opened", false},
        {"push", "", true},          {"push", "anything", true},  {"pull_request", "opened", false},
        {"issue", "opened", false},  {"Issues", "opened", false}, {"ping", "", true},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (wants(&source, cases[i].type, cases[i].action) != cases[i].wanted)
            fail_msg("%s %s", cases[i].type, cases[i].action);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_only_everything_is_wanted),
        cmocka_unit_test(only_the_listed_types_and_actions_are_wanted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

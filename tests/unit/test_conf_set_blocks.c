/* Values that are lists or blocks: headers, statuses, filters. */
#include "conf_text.h"

#define NEW(options)                                                                               \
    LISTENERS SOURCES "backends: {legacy: {url: \"http://a\"}, new: {url: \"http://b\",\n" options \
                      "}}\n"
#define SOURCE(options)                                                                            \
    LISTENERS BACKENDS "sources: [{path: /w, secrets: [{value: s}],\n" options "}]\n"

static void a_header_that_breaks_the_request_is_refused(void **state) {
    (void)state;
    static const struct report_case cases[] = {
        {NEW("headers: {'A b': 1}"),
         "f:4: backends.new.headers: \"A b\" is no name of a header field\n"},
        {NEW("headers: {'': 1}"), "f:4: backends.new.headers: \"\" is no name of a header field\n"},
        {NEW("headers: {content-LENGTH: 1}"), "f:4: backends.new.headers: \"content-LENGTH\" is "
                                              "set by pointsman itself; leave it out\n"},
        {NEW("headers: {X-Pointsman-Role: owner}"),
         "f:4: backends.new.headers: \"X-Pointsman-Role\" is set by pointsman itself; leave it "
         "out\n"},
        {NEW("headers: {A: \"hush\\r\\nB: 2\"}"),
         "f:4: backends.new.headers: the value of \"A\" cannot be sent; allowed: up to 4096 bytes "
         "of printable ASCII\n"},
        {NEW("headers: {A: [hush]}"),
         "f:4: backends.new.headers: the value of \"A\" cannot be sent; allowed: up to 4096 bytes "
         "of printable ASCII\n"},
        {NEW("headers: {A: hush,\n a: hush}"), "f:5: backends.new.headers: \"a\" stands twice\n"},
        {NEW("headers: [A]"),
         "f:4: backends.new.headers: what stands here is no block; allowed: a block of header "
         "names and values, at most 32\n"},
    };
    check_reports(cases, ARRAY_LEN(cases));
}

static void a_status_that_cannot_mean_not_done_is_refused(void **state) {
    (void)state;
    static const struct report_case cases[] = {
        {NEW("not_done: [399,\n 600,\n 400, 599, 4xx, [1],\n 400]"),
         "f:4: backends.new.not_done: \"399\" is no status that can mean not done; allowed: a list "
         "of statuses from 400 to 599\n"
         "f:5: backends.new.not_done: \"600\" is no status that can mean not done; allowed: a list "
         "of statuses from 400 to 599\n"
         "f:6: backends.new.not_done: \"4xx\" is no status that can mean not done; allowed: a list "
         "of statuses from 400 to 599\n"
         "f:6: backends.new.not_done: a list is no status that can mean not done; allowed: a list "
         "of statuses from 400 to 599\n"
         "f:7: backends.new.not_done: \"400\" stands twice; allowed: a list of statuses from 400 "
         "to 599\n"},
        {NEW("not_done: 503"),
         "f:4: backends.new.not_done: \"503\" is no list; allowed: a list of statuses from 400 to "
         "599\n"},
    };
    check_reports(cases, ARRAY_LEN(cases));
}

static void the_statuses_replace_the_default(void **state) {
    (void)state;
    struct conf *c = load_good(NEW("not_done: [400, 599]"));
    assert_int_equal(c->backends[SIDE_NEW].not_done_count, 2);
    assert_int_equal(c->backends[SIDE_NEW].not_done[1], 599);
    assert_int_equal(c->backends[SIDE_LEGACY].not_done_count, 5);
    conf_unref(c);
}

#define FILTER_ALLOWED "a block of event types, each with a list of actions or the word all"

static void a_filter_that_wants_nothing_is_refused(void **state) {
    (void)state;
    static const struct report_case cases[] = {
        {SOURCE("only: {}"),
         "f:4: sources[0].only: a block is empty, so nothing would be wanted; leave it out; "
         "allowed: " FILTER_ALLOWED "\n"},
        {SOURCE("only: [issues]"),
         "f:4: sources[0].only: a list is no block of event types; allowed: " FILTER_ALLOWED "\n"},
        {SOURCE("only: {issues: []}"),
         "f:4: sources[0].only: \"issues\" has no list of actions; allowed: a list like [opened, "
         "edited], or the word all\n"},
        {SOURCE("only: {issues: opened, push: {a: b}}"),
         "f:4: sources[0].only: \"issues\" has no list of actions; allowed: a list like [opened, "
         "edited], or the word all\n"
         "f:4: sources[0].only: \"push\" has no list of actions; allowed: a list like [opened, "
         "edited], or the word all\n"},
        {SOURCE("only: {issues: [opened, 'a b', [c]], 'p q': all}"),
         "f:4: sources[0].only: \"a b\" is no action; allowed: " FILTER_ALLOWED "\n"
         "f:4: sources[0].only: a list is no action; allowed: " FILTER_ALLOWED "\n"
         "f:4: sources[0].only: \"p q\" is no event type; allowed: like issues, pull_request\n"},
    };
    check_reports(cases, ARRAY_LEN(cases));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_header_that_breaks_the_request_is_refused),
        cmocka_unit_test(a_status_that_cannot_mean_not_done_is_refused),
        cmocka_unit_test(the_statuses_replace_the_default),
        cmocka_unit_test(a_filter_that_wants_nothing_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

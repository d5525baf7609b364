/* Loads a configuration from text and compares what it reports. For unit tests. */
#ifndef POINTSMAN_TESTS_CONF_TEXT_H
#define POINTSMAN_TESTS_CONF_TEXT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <pointsman/conf.h>

/* The least that loads, in three lines. */
#define LISTENERS "listeners: [{address: 127.0.0.1:8080}]\n"
#define BACKENDS  "backends: {legacy: {url: \"http://a\"}, new: {url: \"http://b\"}}\n"
#define SOURCES   "sources: [{path: /w, secrets: [{value: s}]}]\n"
#define LEAST     LISTENERS BACKENDS SOURCES

/* The snapshot, NULL if it was refused; fails if what is printed for file "f" is not `expect`. */
static inline struct conf *load_reports(const char *text, const char *expect) {
    struct conf *conf = NULL;
    struct conf_problem *problems = NULL;
    char *printed = NULL;
    size_t len = 0;
    bool loaded = conf_load_text("f", text, strlen(text), &conf, &problems);
    FILE *out = open_memstream(&printed, &len);
    assert_non_null(out);
    conf_problems_print(problems, "f", out);
    (void)fclose(out);
    bool fatal = false;
    for (struct conf_problem *p = problems; p; p = p->next)
        fatal |= p->fatal;
    conf_problems_free(problems);
    bool same = strcmp(printed, expect) == 0;
    if (!same)
        print_error("--- text\n%s--- expected\n%s--- reported\n%s", text, expect, printed);
    free(printed);
    if (!same || loaded == fatal || loaded != (conf != NULL)) {
        conf_unref(conf);
        fail();
    }
    return conf;
}

static inline struct conf *load_good(const char *text) {
    struct conf *conf = load_reports(text, "");
    assert_non_null(conf);
    return conf;
}

struct report_case {
    const char *text;
    const char *expect;
};

static inline void check_reports(const struct report_case *cases, size_t count) {
    for (size_t i = 0; i < count; i++)
        conf_unref(load_reports(cases[i].text, cases[i].expect));
}

#endif

/* The option table itself: every row can be read, limited and documented. */
#include "conf_text.h"

#include <inttypes.h>

#include "../../conf/options.h"

static const struct section *section_of(const struct option *o) {
    struct slice parent = path_parent(o->path);
    if (slice_is(parent, "backends.new"))
        parent = slice_of("backends.*");
    for (size_t i = 0; i < section_count; i++) {
        if (slice_is(parent, sections[i].path))
            return &sections[i];
    }
    return NULL;
}

static void every_option_is_told_in_full(void **state) {
    (void)state;
    for (size_t i = 0; i < option_count; i++) {
        const struct option *o = &options[i];
        struct text allowed = {0};
        option_add_allowed(o, &allowed);
        if (!section_of(o) || !o->help || strlen(o->help) < 10 || allowed.len < 4)
            fail_msg("%s: no section or no words", o->path);
        if (!o->def && !o->required && !o->absent)
            fail_msg("%s: what holds where it is left out?", o->path);
        if (!o->def && !o->sample)
            fail_msg("%s: nothing for the sample", o->path);
        if (o->required && (o->def || o->absent))
            fail_msg("%s: required, yet it may be left out", o->path);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(o->path, options[j].path);
    }
}

/* Writes "section: {key: value}" behind what is needed; the options of lists and sides are left to
 * their tests. */
static bool text_with(const struct option *o, const char *value, char *text, size_t size) {
    struct slice parent = path_parent(o->path);
    if (strpbrk(o->path, "*[") || slice_is(parent, "backends.new"))
        return false;
    int n = snprintf(text, size, LEAST);
    struct slice key = path_key(o->path);
    if (parent.len == 0)
        (void)snprintf(text + n, size - (size_t)n, "%.*s: %s\n", SLICE_ARG(key), value);
    else
        (void)snprintf(text + n, size - (size_t)n, "%.*s: {%.*s: %s}\n", SLICE_ARG(parent),
                       SLICE_ARG(key), value);
    return true;
}

static bool has_line_for(const char *path, const char *text, const char *words) {
    struct conf *conf = NULL;
    struct conf_problem *problems = NULL;
    bool loaded = conf_load_text("f", text, strlen(text), &conf, &problems);
    bool found = false;
    for (struct conf_problem *p = problems; p; p = p->next)
        found |= strncmp(p->text, path, strlen(path)) == 0 && strstr(p->text, words) != NULL;
    conf_problems_free(problems);
    if (loaded)
        conf_unref(conf);
    return found;
}

static void a_number_outside_its_limits_is_refused(void **state) {
    (void)state;
    unsigned checked = 0;
    for (size_t i = 0; i < option_count; i++) {
        const struct option *o = &options[i];
        const char *unit = o->type == OPTION_DURATION || o->type == OPTION_STICKY ? "ms" : "";
        char value[32];
        char text[1024];
        if (o->type != OPTION_DURATION && o->type != OPTION_SIZE && o->type != OPTION_COUNT &&
            o->type != OPTION_STICKY)
            continue;
        for (int step = -1; step <= 1; step += 2) {
            if (step < 0 && o->min == 0)
                continue;
            uint64_t limit = step < 0 ? o->min : o->max;
            (void)snprintf(value, sizeof(value), "%" PRIu64 "%s", limit + (uint64_t)step, unit);
            if (!text_with(o, value, text, sizeof(text)))
                continue;
            if (!has_line_for(o->path, text, step < 0 ? "is too little" : "is too much"))
                fail_msg("%s takes %s", o->path, value);
            (void)snprintf(value, sizeof(value), "%" PRIu64 "%s", limit, unit);
            assert_true(text_with(o, value, text, sizeof(text)));
            if (has_line_for(o->path, text, "is too"))
                fail_msg("%s refuses %s", o->path, value);
            checked++;
        }
    }
    assert_true(checked >= 14);
}

static void a_limit_fits_into_its_field(void **state) {
    (void)state;
    for (size_t i = 0; i < option_count; i++) {
        const struct option *o = &options[i];
        if (o->type != OPTION_DURATION && o->type != OPTION_SIZE && o->type != OPTION_COUNT)
            continue;
        assert_true(o->min <= o->max);
        if (o->width < sizeof(uint64_t) && o->max >> (8 * o->width) != 0)
            fail_msg("%s: its maximum does not fit", o->path);
    }
}

static void an_unknown_key_is_refused_in_every_block(void **state) {
    (void)state;
    static const struct report_case cases[] = {
        {"lisners: 1\n" LEAST,
         "f:1: unknown key \"lisners\", did you mean listeners?; allowed: workers, drain, "
         "listeners, admin, store, backends, rollout, sources, retry, breaker, auto_rollback, "
         "journal, limits\n"},
        {LEAST "store.kind: redis\n",
         "f:4: unknown key \"store.kind\"; allowed: workers, drain, listeners, admin, store, "
         "backends, rollout, sources, retry, breaker, auto_rollback, journal, limits\n"},
        {LEAST "Workers: 1\n",
         "f:4: unknown key \"Workers\", did you mean workers?; allowed: workers, drain, listeners, "
         "admin, store, backends, rollout, sources, retry, breaker, auto_rollback, journal, "
         "limits\n"},
        {LEAST "store: {redis: {uri: 1, url: \"redis://a\"}, kind: redis}\n",
         "f:4: store.redis: unknown key \"uri\", did you mean url?; allowed: url, prefix\n"},
        {LISTENERS SOURCES "backends: {legacy: {url: \"http://a\", fallback: true},\n"
                           "  new: {url: \"http://b\", health: {x: 1}}, old: {}}\n",
         "f:3: backends.legacy: unknown key \"fallback\"; allowed: url, name, timeout, idempotent, "
         "max_in_flight, idle, headers, not_done, health\n"
         "f:4: backends: unknown key \"old\"; allowed: legacy, new\n"
         "f:4: backends.new.health: unknown key \"x\"; allowed: path, interval\n"},
        {BACKENDS SOURCES "listeners: [{address: 127.0.0.1:1}, {address: 127.0.0.1:2, port: 3}]\n",
         "f:3: listeners[1]: unknown key \"port\"; allowed: address\n"},
    };
    check_reports(cases, ARRAY_LEN(cases));
}

static void numbers_are_told_in_round_units(void **state) {
    (void)state;
    static const struct {
        uint64_t value;
        const char *duration;
        const char *size;
    } cases[] = {
        {0, "0s", "0B"},
        {1, "1ms", "1B"},
        {1024, "1024ms", "1KiB"},
        {90000, "90s", "90000B"},
        {3600000, "1h", "3600000B"},
        {86400000, "1d", "84375KiB"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct text duration = {0};
        struct text size = {0};
        text_add_duration(&duration, cases[i].value);
        text_add_size(&size, cases[i].value);
        assert_string_equal(duration.bytes, cases[i].duration);
        assert_string_equal(size.bytes, cases[i].size);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_option_is_told_in_full),
        cmocka_unit_test(a_number_outside_its_limits_is_refused),
        cmocka_unit_test(a_limit_fits_into_its_field),
        cmocka_unit_test(an_unknown_key_is_refused_in_every_block),
        cmocka_unit_test(numbers_are_told_in_round_units),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

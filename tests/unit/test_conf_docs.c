/* docs/CONFIG.md and the sample are what the option table says. Runs in the root of the repository.
 */
#include "conf_text.h"

#define TEXT_MAX ((size_t)1 << 20)

static void print(struct buf *out, bool (*printer)(struct buf *out)) {
    buf_init(out, TEXT_MAX);
    assert_true(printer(out));
    assert_true(buf_append(out, "", 1)); /* NUL */
}

static void check_file(const char *file, bool (*printer)(struct buf *out)) {
    struct buf printed;
    print(&printed, printer);
    FILE *in = fopen(file, "re");
    assert_non_null(in);
    char *text = calloc(1, TEXT_MAX);
    assert_non_null(text);
    assert_true(fread(text, 1, TEXT_MAX - 1, in) > 0);
    (void)fclose(in);
    bool same = strcmp(text, buf_at(&printed)) == 0;
    free(text);
    buf_free(&printed);
    if (!same)
        fail_msg("%s is not what the option table says; run `make docs`", file);
}

static void the_docs_are_fresh(void **state) {
    (void)state;
    check_file("docs/CONFIG.md", conf_print_docs);
}

static void the_sample_is_fresh(void **state) {
    (void)state;
    check_file("docs/pointsman.sample.yaml", conf_print_sample);
}

static void the_sample_loads_without_a_warning(void **state) {
    (void)state;
    struct buf sample;
    print(&sample, conf_print_sample);
    assert_int_equal(setenv("GITHUB_WEBHOOK_SECRET", "s", 1), 0);
    struct conf *conf = load_good(buf_at(&sample));
    assert_string_equal(conf->backends[SIDE_NEW].url.text, "http://127.0.0.1:9002");
    conf_unref(conf);
    buf_free(&sample);
}

/* Takes the "# " away that hides an option. */
static void uncover(const char *sample, char *out) {
    for (const char *line = strstr(sample, "# workers"); *line;) {
        size_t len = strcspn(line, "\n") + 1;
        size_t indent = strspn(line, " ");
        size_t hidden = strncmp(line + indent, "# ", 2) == 0 ? 2 : 0;
        /* the one that names a file which is not there */
        if (!strstr(line, "token: {file") || strstr(line, "token: {file") > line + len) {
            memcpy(out, line, indent);
            memcpy(out + indent, line + indent + hidden, len - indent - hidden);
            out += len - hidden;
        }
        line += len;
    }
    *out = 0;
}

static void the_sample_loads_with_every_option_shown(void **state) {
    (void)state;
    struct buf sample;
    print(&sample, conf_print_sample);
    assert_int_equal(setenv("GITHUB_WEBHOOK_SECRET", "s", 1), 0);
    static char text[TEXT_MAX];
    uncover(buf_at(&sample), text);
    buf_free(&sample);
    conf_unref(load_reports(
        text, "f:16: warning: store.redis: is not used, as store.kind is embedded\n"
              "f:53: warning: rollout.percentage: has no effect without mode: gradual\n"));
}

static void a_full_buffer_is_told(void **state) {
    (void)state;
    for (size_t max = 0; max < 3000; max += 100) {
        struct buf out;
        buf_init(&out, max);
        assert_false(conf_print_docs(&out));
        buf_reset(&out);
        assert_false(conf_print_sample(&out));
        buf_free(&out);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_docs_are_fresh),
        cmocka_unit_test(the_sample_is_fresh),
        cmocka_unit_test(the_sample_loads_without_a_warning),
        cmocka_unit_test(the_sample_loads_with_every_option_shown),
        cmocka_unit_test(a_full_buffer_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

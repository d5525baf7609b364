/* What an instance keeps of mode and percentage on its own disk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../proxy/control_file.h"

static char directory[64];
static char path[128];

static int make(void **state) {
    (void)state;
    snprintf(directory, sizeof directory, "/tmp/pointsman-control-XXXXXX");
    if (!mkdtemp(directory))
        return -1;
    snprintf(path, sizeof path, "%s/control", directory);
    return 0;
}

static int drop(void **state) {
    (void)state;
    unlink(path);
    return rmdir(directory);
}

static void put(const char *text) {
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fputs(text, out);
    fclose(out);
}

static void what_was_written_is_read(void **state) {
    (void)state;
    struct control_file in = {
        .control = {MODE_EMERGENCY_ROLLBACK, 0, 41}, .pending = true, .reason = "new is\nburning"};
    struct control_file out;
    assert_true(control_file_write(directory, &in));
    assert_true(control_file_read(directory, &out));
    assert_int_equal(out.control.mode, MODE_EMERGENCY_ROLLBACK);
    assert_int_equal(out.control.epoch, 41);
    assert_true(out.pending);
    assert_string_equal(out.reason, "new is burning");
}

static void the_newest_replaces_the_older(void **state) {
    (void)state;
    struct control_file file = {.control = {MODE_GRADUAL, 125000, 1}}, out;
    assert_true(control_file_write(directory, &file));
    file.control = (struct control){MODE_NEW_ONLY, PPM_ALL, 2};
    assert_true(control_file_write(directory, &file));
    assert_true(control_file_read(directory, &out));
    assert_int_equal(out.control.mode, MODE_NEW_ONLY);
    assert_int_equal(out.control.ppm, PPM_ALL);
    assert_false(out.pending);
}

static void what_is_no_such_file_is_no_answer(void **state) {
    (void)state;
    static const char *const bad[] = {"", "7", "x gradual 1 settled ", "7 sideways 1 settled ",
                                      "7 gradual 1000001 settled "};
    struct control_file out;
    assert_false(control_file_read(directory, &out));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        put(bad[i]);
        assert_false(control_file_read(directory, &out));
    }
}

static void a_directory_that_is_gone_is_an_error(void **state) {
    (void)state;
    struct control_file file = {.control = {MODE_GRADUAL, 1, 1}};
    assert_false(control_file_write("/nonexistent-directory", &file));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_written_is_read, make, drop),
        cmocka_unit_test_setup_teardown(the_newest_replaces_the_older, make, drop),
        cmocka_unit_test_setup_teardown(what_is_no_such_file_is_no_answer, make, drop),
        cmocka_unit_test_setup_teardown(a_directory_that_is_gone_is_an_error, make, drop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

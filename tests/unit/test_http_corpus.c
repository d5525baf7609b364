/* Replays the fuzzers' corpora of the HTTP parsers: what was once found stays mended. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../fuzz/http_check.h"

static void as_request(const char *data, size_t len) {
    check_head(REPLAY_REQUEST, data, len);
}

static void as_response(const char *data, size_t len) {
    check_head(REPLAY_RESPONSE, data, len);
    check_head(REPLAY_RESPONSE_TO_HEAD, data, len);
}

static void replay_folder(const char *target, void (*one)(const char *data, size_t len)) {
    char folder[128], path[512], data[2048];
    const struct dirent *entry;
    unsigned files = 0;

    snprintf(folder, sizeof(folder), "tests/fuzz/corpus/%s", target);
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        FILE *file = fopen(path, "rb");
        assert_non_null(file);
        size_t len = fread(data, 1, sizeof(data), file);
        fclose(file);
        one(data, len);
        files++;
    }
    closedir(dir);
    assert_true(files > 0);
}

static void every_request_of_the_corpus_holds(void **state) {
    (void)state;
    replay_folder("fuzz_http_request", as_request);
}

static void every_response_of_the_corpus_holds(void **state) {
    (void)state;
    replay_folder("fuzz_http_response", as_response);
}

static void every_body_of_the_corpus_holds(void **state) {
    (void)state;
    replay_folder("fuzz_http_chunks", check_body);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_request_of_the_corpus_holds),
        cmocka_unit_test(every_response_of_the_corpus_holds),
        cmocka_unit_test(every_body_of_the_corpus_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

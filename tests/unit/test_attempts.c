/* The attempt log as the next boot finds it. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <pointsman/attempts.h>

static char directory[64];

struct seen {
    unsigned count;
    struct attempt last;
    unsigned of_state[ATTEMPT_ANSWERED + 1];
};

static void found(const struct attempt *slot, void *arg) {
    struct seen *seen = arg;
    seen->count++;
    memcpy(&seen->last, slot, sizeof(seen->last));
    seen->of_state[slot->state]++;
}

static struct seen recover(unsigned damaged) {
    struct seen seen = {.count = 0};
    struct err err;
    unsigned got = 99;
    assert_true(attempts_recover(directory, found, &seen, &got, &err));
    assert_int_equal(got, damaged);
    return seen;
}

static struct attempts *open_log(unsigned worker, unsigned slots) {
    struct err err;
    struct attempts *a = attempts_open(directory, worker, slots, &err);
    if (!a)
        fail_msg("%s", err.text);
    return a;
}

static struct attempt *claim(struct attempts *a, const char *id, const struct token *token) {
    return attempts_claim(a, slice_of("github"), slice_of(id), slice_of("o/r#1"), SIDE_NEW,
                          ROLE_OWNER, token);
}

static int make(void **state) {
    (void)state;
    snprintf(directory, sizeof(directory), "/tmp/pm-attempts-XXXXXX");
    return mkdtemp(directory) ? 0 : -1;
}

static int drop(void **state) {
    struct err err;
    (void)state;
    unsigned damaged;
    assert_true(attempts_recover(directory, found, &(struct seen){.count = 0}, &damaged, &err));
    assert_true(attempts_discard(directory, &err));
    return rmdir(directory);
}

static void every_step_is_found_by_the_next_boot(void **state) {
    (void)state;
    struct attempts *a = open_log(3, 8);
    struct token token = token_new();
    struct attempt *slot = claim(a, "event", &token);
    assert_int_equal(recover(0).last.state, ATTEMPT_CLAIMED);
    attempts_granted(slot, SIDE_LEGACY, 2, 77, 1800000);
    assert_int_equal(recover(0).last.state, ATTEMPT_CLAIMED);
    attempts_sent(slot);
    assert_int_equal(recover(0).last.state, ATTEMPT_SENT);
    attempts_answered(slot, OUTCOME_REJECTED, 422);
    struct seen seen = recover(0);
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.last.state, ATTEMPT_ANSWERED);
    assert_int_equal(seen.last.side, SIDE_LEGACY);
    assert_int_equal(seen.last.role, ROLE_OWNER);
    assert_int_equal(seen.last.attempt, 2);
    assert_int_equal(seen.last.fence, 77);
    assert_int_equal(seen.last.sticky_ms, 1800000);
    assert_int_equal(seen.last.outcome, OUTCOME_REJECTED);
    assert_int_equal(seen.last.status, 422);
    assert_string_equal(seen.last.token, token.text);
    assert_string_equal(seen.last.source, "github");
    assert_string_equal(seen.last.id, "event");
    assert_string_equal(seen.last.entity, "o/r#1");
    attempts_free(a, slot);
    assert_int_equal(recover(0).count, 0);
    attempts_close(a);
}

static void a_full_log_refuses_and_a_freed_slot_is_used_again(void **state) {
    (void)state;
    struct attempts *a = open_log(0, 2);
    struct token token = token_new();
    struct attempt *one = claim(a, "1", &token), *two = claim(a, "2", &token);
    assert_non_null(one);
    assert_non_null(two);
    assert_null(claim(a, "3", &token));
    attempts_free(a, one);
    attempts_free(a, NULL);
    assert_ptr_equal(claim(a, "3", &token), one);
    attempts_close(a);
}

static void a_clean_end_leaves_no_file_and_an_open_attempt_leaves_one(void **state) {
    (void)state;
    char path[96];
    struct token token = token_new();
    struct attempts *a = open_log(1, 4);
    snprintf(path, sizeof(path), "%s/attempts-1", directory);
    attempts_free(a, claim(a, "1", &token));
    attempts_close(a);
    assert_int_not_equal(access(path, F_OK), 0);
    a = open_log(1, 4);
    assert_non_null(claim(a, "1", &token));
    attempts_close(a);
    assert_int_equal(access(path, F_OK), 0);
    assert_int_equal(recover(0).count, 1);
}

static void a_killed_process_leaves_its_attempts(void **state) {
    (void)state;
    pid_t pid = fork();
    if (pid == 0) {
        struct err err;
        struct token token = token_new();
        struct attempts *a = attempts_open(directory, 7, 1000, &err);
        for (unsigned i = 0; a && i < 300; i++) {
            struct attempt *slot = claim(a, "killed", &token);
            if (i % 3 > 0)
                attempts_sent(slot);
            if (i % 3 > 1)
                attempts_answered(slot, OUTCOME_DONE, 200);
        }
        raise(SIGKILL);
        _exit(1);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    struct seen seen = recover(0);
    assert_int_equal(seen.count, 300);
    for (int s = ATTEMPT_CLAIMED; s <= ATTEMPT_ANSWERED; s++)
        assert_int_equal(seen.of_state[s], 100);
}

static void write_at(const char *name, off_t at, const void *bytes, size_t len) {
    char path[96];
    snprintf(path, sizeof(path), "%s/%s", directory, name);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes, len, at), (ssize_t)len);
    close(fd);
}

static void what_is_damaged_is_counted_and_skipped(void **state) {
    (void)state;
    struct token token = token_new();
    struct attempts *a = open_log(0, 4);
    struct attempt *good = claim(a, "good", &token), *bad = claim(a, "bad", &token),
                   *odd = claim(a, "odd", &token);
    memset(bad->entity, 'x', sizeof(bad->entity));
    odd->side = 9;
    assert_non_null(good);
    attempts_close(a);
    write_at("attempts-5", 0, "garbage", 7);
    write_at("attempts-x", 0, "not a log", 9);
    struct seen seen = recover(3);
    assert_int_equal(seen.count, 1);
    assert_string_equal(seen.last.id, "good");
    struct err err;
    assert_true(attempts_discard(directory, &err));
    a = open_log(0, 4);
    assert_non_null(claim(a, "other", &token));
    attempts_close(a);
    write_at("attempts-0", 8, "\xff", 1); /* another slot size: written by another version */
    assert_int_equal(recover(1).count, 0);
    char path[96];
    snprintf(path, sizeof(path), "%s/attempts-x", directory);
    assert_int_equal(unlink(path), 0);
}

#define BOOT_AT 16 /* in the header, after magic, slot size and slots */

static void leave_one_of_each(unsigned worker) {
    struct token token = token_new();
    struct attempts *a = open_log(worker, 8);
    assert_non_null(claim(a, "claimed", &token));
    attempts_sent(claim(a, "sent", &token));
    attempts_answered(claim(a, "answered", &token), OUTCOME_DONE, 200);
    attempts_close(a);
}

static void what_was_claimed_before_the_machine_went_down_may_have_been_sent(void **state) {
    (void)state;
    leave_one_of_each(0);
    struct seen seen = recover(0);
    assert_int_equal(seen.of_state[ATTEMPT_CLAIMED], 1);
    struct err err;
    assert_true(attempts_discard(directory, &err));
    leave_one_of_each(0);
    write_at("attempts-0", BOOT_AT, "00000000", 8);
    seen = recover(0);
    assert_int_equal(seen.count, 3);
    assert_int_equal(seen.of_state[ATTEMPT_CLAIMED], 0);
    assert_int_equal(seen.of_state[ATTEMPT_SENT], 2);
    assert_int_equal(seen.of_state[ATTEMPT_ANSWERED], 1);
}

static void a_log_of_the_release_before_is_read(void **state) {
    (void)state;
    char path[96], *bytes = calloc(1, 65536);
    leave_one_of_each(2);
    snprintf(path, sizeof(path), "%s/attempts-2", directory);
    int fd = open(path, O_RDONLY);
    ssize_t len = read(fd, bytes, 65536);
    close(fd);
    assert_int_equal(unlink(path), 0);
    size_t slots_len = 8 * sizeof(struct attempt), header_len = (size_t)len - slots_len;
    write_at("attempts-2", 0, "pmattmp1", 8);
    write_at("attempts-2", 8, bytes + 8, 8);
    write_at("attempts-2", 16, bytes + header_len, slots_len);
    free(bytes);
    struct seen seen = recover(0);
    assert_int_equal(seen.count, 3);
    assert_int_equal(seen.of_state[ATTEMPT_SENT], 2);
    assert_int_equal(seen.of_state[ATTEMPT_ANSWERED], 1);
    assert_string_equal(seen.last.source, "github");
}

static void what_was_not_settled_is_found_again_beside_what_is_new(void **state) {
    (void)state;
    struct token token = token_new();
    struct attempts *a = open_log(0, 4);
    assert_non_null(claim(a, "first", &token));
    attempts_close(a);
    assert_int_equal(recover(0).count, 1);
    a = open_log(0, 4);
    assert_non_null(claim(a, "second", &token));
    attempts_close(a);
    assert_int_equal(recover(0).count, 2);
    struct err err;
    assert_true(attempts_discard(directory, &err));
    assert_int_equal(recover(0).count, 0);
}

static void a_missing_directory_is_an_error_that_names_it(void **state) {
    (void)state;
    struct err err;
    unsigned damaged;
    assert_false(attempts_recover("/nowhere/at/all", found, NULL, &damaged, &err));
    assert_non_null(strstr(err.text, "/nowhere/at/all"));
    assert_null(attempts_open("/nowhere/at/all", 0, 4, &err));
    assert_non_null(strstr(err.text, "/nowhere/at/all"));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, make, drop)

int main(void) {
    const struct CMUnitTest cases[] = {
        CASE(every_step_is_found_by_the_next_boot),
        CASE(a_full_log_refuses_and_a_freed_slot_is_used_again),
        CASE(a_clean_end_leaves_no_file_and_an_open_attempt_leaves_one),
        CASE(a_killed_process_leaves_its_attempts),
        CASE(what_is_damaged_is_counted_and_skipped),
        CASE(what_was_claimed_before_the_machine_went_down_may_have_been_sent),
        CASE(a_log_of_the_release_before_is_read),
        CASE(what_was_not_settled_is_found_again_beside_what_is_new),
        CASE(a_missing_directory_is_an_error_that_names_it),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}

/* The lock of a directory: one process, and how long the next one waits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <pointsman/clock.h>

#include "../../store/lock.h"

static char directory[64];

static int make_directory(void **state) {
    (void)state;
    snprintf(directory, sizeof directory, "/tmp/pointsman-lock-XXXXXX");
    return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state) {
    char path[96];
    (void)state;
    snprintf(path, sizeof path, "%s/lock", directory);
    return unlink(path) != 0 || rmdir(directory) != 0;
}

static int take(uint32_t wait_ms) {
    struct err err = {""};
    int fd = lock_take(directory, wait_ms, &err);
    if (fd < 0)
        assert_non_null(strstr(err.text, "held by another pointsman (process "));
    return fd;
}

static void a_directory_that_is_held_is_refused_after_the_wait(void **state) {
    (void)state;
    int fd = take(0);
    assert_true(fd >= 0);
    assert_int_equal(take(0), -1);
    uint64_t begin = clock_mono_us();
    assert_int_equal(take(50), -1);
    assert_true(clock_mono_us() - begin >= 50000);
    lock_drop(fd);
    fd = take(0);
    assert_true(fd >= 0);
    lock_drop(fd);
}

static atomic_bool waits;

static void *waiter(void *arg) {
    atomic_store(&waits, true);
    *(int *)arg = take(20000);
    return NULL;
}

static void who_waits_gets_it_when_the_holder_lets_go(void **state) {
    (void)state;
    pthread_t thread;
    int got = -1, fd = take(0);
    assert_true(fd >= 0);
    assert_int_equal(pthread_create(&thread, NULL, waiter, &got), 0);
    while (!atomic_load(&waits))
        ;
    lock_drop(fd);
    pthread_join(thread, NULL);
    assert_true(got >= 0);
    lock_drop(got);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_directory_that_is_held_is_refused_after_the_wait),
        cmocka_unit_test(who_waits_gets_it_when_the_holder_lets_go),
    };
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}

/* The log: shape of a line, whole lines only, drops counted, nobody held up. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>
#include <pthread.h>

#include <pointsman/clock.h>
#include <pointsman/log.h>

enum { THREADS = 3, LINES = 5000 };

static int ends[2];
static struct buf got;
static pthread_t reader;

static uint64_t a_night_in_november(void) {
    return UINT64_C(1795232400123456);
}

static int start(void **state) {
    (void)state;
    clock_replace(NULL, a_night_in_november);
    buf_init(&got, 16 << 20);
    return pipe2(ends, O_CLOEXEC);
}

static int end(void **state) {
    (void)state;
    clock_replace(NULL, NULL);
    buf_free(&got);
    close(ends[0]);
    return 0;
}

static void *read_all(void *arg) {
    (void)arg;
    for (;;) {
        if (!buf_reserve(&got, 65536))
            abort();
        ssize_t n = read(ends[0], buf_room(&got), 65536);
        if (n <= 0)
            return NULL;
        buf_commit(&got, (size_t)n);
    }
}

static void start_reading(void) {
    assert_int_equal(pthread_create(&reader, NULL, read_all, NULL), 0);
}

/* After log_stop: closes the writing end and waits for the rest. */
static void finish_reading(void) {
    close(ends[1]);
    pthread_join(reader, NULL);
}

static json_t *next_line(void) {
    char *newline = buf_len(&got) > 0 ? memchr(buf_at(&got), '\n', buf_len(&got)) : NULL;
    if (!newline) {
        assert_int_equal(buf_len(&got), 0); /* no half line */
        return NULL;
    }
    size_t len = (size_t)(newline - buf_at(&got));
    json_t *line = json_loadb(buf_at(&got), len, 0, NULL);
    assert_non_null(line);
    buf_consume(&got, len + 1);
    return line;
}

static void assert_field(const json_t *line, const char *key, const char *expect) {
    const char *value = json_string_value(json_object_get(line, key));
    assert_non_null(value);
    assert_string_equal(value, expect);
}

static void a_line_is_one_json_object_with_time_level_and_message(void **state) {
    (void)state;
    assert_true(log_start(ends[1], LOG_DEBUG, 65536));
    start_reading();
    struct jsonw *w = log_begin(LOG_WARN, "a \"quoted\"\nmessage");
    assert_non_null(w);
    jsonw_u64(w, "n", 7);
    log_end(w);
    log_say(LOG_ERROR, "said", "%d of %s", 3, "them");
    log_stop();
    finish_reading();
    json_t *line = next_line();
    assert_field(line, "time", "2026-11-21T03:40:00.123Z");
    assert_field(line, "level", "warn");
    assert_field(line, "msg", "a \"quoted\"\nmessage");
    assert_int_equal(json_integer_value(json_object_get(line, "n")), 7);
    json_decref(line);
    line = next_line();
    assert_field(line, "level", "error");
    assert_field(line, "detail", "3 of them");
    json_decref(line);
    assert_null(next_line());
}

static void lines_below_the_level_are_not_made(void **state) {
    (void)state;
    assert_true(log_start(ends[1], LOG_WARN, 65536));
    start_reading();
    assert_null(log_begin(LOG_INFO, "not this"));
    log_end(NULL);
    log_say(LOG_DEBUG, "nor this", "%d", 1);
    log_say(LOG_WARN, "but this", "%d", 2);
    log_stop();
    finish_reading();
    json_t *line = next_line();
    assert_field(line, "msg", "but this");
    json_decref(line);
    assert_null(next_line());
}

static void a_line_too_long_is_replaced_by_a_short_one(void **state) {
    (void)state;
    static char big[20000];
    memset(big, '\x01', sizeof big - 1);
    assert_true(log_start(ends[1], LOG_INFO, 65536));
    start_reading();
    struct jsonw *w = log_begin(LOG_INFO, "big");
    jsonw_object(w, "inner");
    jsonw_strz(w, "blob", big);
    jsonw_close(w);
    log_end(w);
    log_end(log_begin(LOG_INFO, big));
    log_stop();
    finish_reading();
    json_t *line = next_line();
    assert_field(line, "msg", "big");
    assert_non_null(json_object_get(line, "left_out"));
    assert_null(json_object_get(line, "inner"));
    json_decref(line);
    line = next_line();
    assert_true(json_string_length(json_object_get(line, "msg")) < sizeof big - 1);
    json_decref(line);
    assert_null(next_line());
}

static void *log_many(void *arg) {
    for (int i = 0; i < LINES; i++) {
        struct jsonw *w = log_begin(LOG_INFO, "many");
        jsonw_u64(w, "thread", (uint64_t)(uintptr_t)arg);
        jsonw_u64(w, "number", (uint64_t)i);
        log_end(w);
    }
    return NULL;
}

static void stop_writes_all_lines_in_each_threads_order(void **state) {
    (void)state;
    pthread_t threads[THREADS];
    uint64_t before = log_dropped();
    assert_true(log_start(ends[1], LOG_INFO, 4 << 20));
    start_reading();
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, log_many, (void *)i), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    log_stop();
    finish_reading();
    assert_int_equal(log_dropped(), before);
    json_int_t next[THREADS] = {0};
    for (json_t *line = next_line(); line; line = next_line()) {
        json_int_t thread = json_integer_value(json_object_get(line, "thread"));
        assert_in_range(thread, 0, THREADS - 1);
        assert_int_equal(json_integer_value(json_object_get(line, "number")), next[thread]++);
        json_decref(line);
    }
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(next[i], LINES);
}

static void a_reader_that_does_not_read_costs_lines_but_holds_nobody_up(void **state) {
    (void)state;
    uint64_t before = log_dropped();
    fcntl(ends[1], F_SETPIPE_SZ, 4096);
    assert_true(log_start(ends[1], LOG_INFO, 10000));
    log_many(NULL); /* would never return if it waited */
    uint64_t dropped = log_dropped() - before;
    assert_true(dropped > LINES / 2);
    start_reading();
    log_stop();
    finish_reading();
    uint64_t lines = 0;
    for (json_t *line = next_line(); line; line = next_line()) {
        lines++;
        json_decref(line);
    }
    assert_int_equal(lines + dropped, LINES);
}

static void lines_stay_whole_where_the_ring_wraps(void **state) {
    (void)state;
    uint64_t before = log_dropped();
    assert_true(log_start(ends[1], LOG_INFO, 1000));
    start_reading();
    uint64_t said = 0; /* until the writer had its turn often enough, on a busy machine too */
    while (said < LINES || said - (log_dropped() - before) <= 20) {
        log_say(LOG_INFO, "wrap", "%u", (unsigned)said++);
        sched_yield();
    }
    log_stop();
    finish_reading();
    uint64_t lines = 0;
    for (json_t *line = next_line(); line; line = next_line()) {
        lines++;
        json_decref(line);
    }
    assert_int_equal(lines + log_dropped() - before, said);
    assert_true(lines > 20);
}

static void without_a_writer_a_line_is_written_at_once(void **state) {
    (void)state;
    int saved = dup(STDERR_FILENO);
    dup2(ends[1], STDERR_FILENO);
    log_say(LOG_ERROR, "early", "%d", 1);
    dup2(saved, STDERR_FILENO);
    close(saved);
    assert_true(log_start(ends[1], LOG_INFO, 65536));
    log_stop();
    log_say(LOG_ERROR, "late", "%d", 1);
    start_reading();
    finish_reading();
    json_t *line = next_line();
    assert_field(line, "msg", "early");
    json_decref(line);
    line = next_line();
    assert_field(line, "msg", "late");
    json_decref(line);
    assert_null(next_line());
}

static void a_reader_gone_is_counted_and_survived(void **state) {
    (void)state;
    uint64_t before = log_dropped();
    int fds[2];
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    close(fds[0]);
    assert_true(log_start(fds[1], LOG_INFO, 65536));
    log_say(LOG_INFO, "one", "%d", 1);
    log_say(LOG_INFO, "two", "%d", 2);
    log_stop();
    close(fds[1]);
    assert_int_equal(log_dropped() - before, 2);
    close(ends[1]);
}

static void a_second_start_is_refused(void **state) {
    (void)state;
    assert_true(log_start(ends[1], LOG_INFO, 65536));
    assert_false(log_start(ends[1], LOG_INFO, 65536));
    log_stop();
    log_stop();
    close(ends[1]);
}

/* In a process of its own, for its log is of no use afterwards. */
static void stop_gives_up_on_a_reader_that_never_reads(void **state) {
    (void)state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        fcntl(ends[1], F_SETPIPE_SZ, 4096);
        if (!log_start(ends[1], LOG_INFO, 65536))
            _exit(1);
        log_many(NULL);
        log_stop();
        uint64_t before = log_dropped();
        log_say(LOG_INFO, "after", "%d", 1);
        _exit(log_dropped() == before + 1 ? 0 : 2);
    }
    int status;
    while (waitpid(child, &status, 0) < 0)
        assert_int_equal(errno, EINTR);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    close(ends[1]);
}

int main(void) {
#define WITH_PIPE(test) cmocka_unit_test_setup_teardown(test, start, end)
    const struct CMUnitTest tests[] = {
        WITH_PIPE(without_a_writer_a_line_is_written_at_once),
        WITH_PIPE(a_line_is_one_json_object_with_time_level_and_message),
        WITH_PIPE(lines_below_the_level_are_not_made),
        WITH_PIPE(a_line_too_long_is_replaced_by_a_short_one),
        WITH_PIPE(stop_writes_all_lines_in_each_threads_order),
        WITH_PIPE(a_reader_that_does_not_read_costs_lines_but_holds_nobody_up),
        WITH_PIPE(lines_stay_whole_where_the_ring_wraps),
        WITH_PIPE(a_reader_gone_is_counted_and_survived),
        WITH_PIPE(a_second_start_is_refused),
        WITH_PIPE(stop_gives_up_on_a_reader_that_never_reads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The loop: watches, tasks, messages, stops, and timers on the real clock. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <pthread.h>

#include <pointsman/clock.h>
#include <pointsman/loop.h>

static struct loop *loop;

static int start(void **state) {
    (void)state;
    loop = loop_new();
    return loop ? 0 : -1;
}

static int end(void **state) {
    (void)state;
    loop_free(loop);
    return 0;
}

static void stop_loop(void *arg) {
    (void)arg;
    loop_stop(loop);
}

/* ---- descriptors ---- */

struct end {
    int fds[2];
    struct watch watch;
    int reads;
    int writes;
    void (*then)(struct end *e);
};

static void count_ready(void *arg, int what) {
    struct end *e = arg;
    if (what == WATCH_READ)
        e->reads++;
    if (what == WATCH_WRITE)
        e->writes++;
    if (e->then)
        e->then(e);
}

static void end_open(struct end *e, void (*then)(struct end *e)) {
    *e = (struct end){.then = then};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, e->fds), 0);
    watch_init(&e->watch, loop, e->fds[0], count_ready, e);
}

static void end_close(struct end *e) {
    watch_stop(&e->watch);
    close(e->fds[0]);
    close(e->fds[1]);
}

static void run_one_turn(void) {
    struct task stop;
    task_init(&stop, stop_loop, NULL);
    task_later(loop, &stop); /* the turn does not sleep either */
    loop_run(loop);
}

static void a_watch_is_called_once_a_turn_for_each_thing_it_asked_for(void **state) {
    (void)state;
    struct end e;
    end_open(&e, NULL);
    assert_int_equal(write(e.fds[1], "x", 1), 1);
    run_one_turn();
    assert_int_equal(e.reads + e.writes, 0);
    assert_true(watch_set(&e.watch, WATCH_READ));
    assert_true(watch_set(&e.watch, WATCH_READ));
    run_one_turn();
    assert_int_equal(e.reads, 1);
    assert_int_equal(e.writes, 0);
    assert_true(watch_set(&e.watch, WATCH_READ | WATCH_WRITE));
    run_one_turn();
    assert_int_equal(e.reads, 2); /* level-triggered: nobody has read the byte */
    assert_int_equal(e.writes, 1);
    assert_true(watch_set(&e.watch, WATCH_WRITE));
    run_one_turn();
    assert_int_equal(e.reads, 2);
    assert_int_equal(e.writes, 2);
    assert_true(watch_set(&e.watch, 0));
    run_one_turn();
    assert_int_equal(e.reads + e.writes, 4);
    end_close(&e);
    watch_stop(&e.watch);
}

static void an_edge_is_told_once_and_again_when_more_comes_or_is_asked_for(void **state) {
    (void)state;
    struct end e;
    end_open(&e, NULL);
    watch_init_edge(&e.watch, loop, e.fds[0], count_ready, &e);
    assert_int_equal(write(e.fds[1], "x", 1), 1);
    assert_true(watch_set(&e.watch, WATCH_READ));
    run_one_turn();
    run_one_turn();
    assert_int_equal(e.reads, 1);
    assert_int_equal(write(e.fds[1], "x", 1), 1);
    run_one_turn();
    run_one_turn();
    assert_int_equal(e.reads, 2);
    assert_true(watch_tell_again(&e.watch));
    run_one_turn();
    run_one_turn();
    assert_int_equal(e.reads, 3);
    end_close(&e);
}

static void stop_watching(struct end *e) {
    watch_stop(&e->watch);
}

static void a_watch_stopped_from_ready_is_not_called_again_in_that_turn(void **state) {
    (void)state;
    struct end e;
    end_open(&e, stop_watching);
    assert_int_equal(write(e.fds[1], "x", 1), 1);
    assert_true(watch_set(&e.watch, WATCH_READ | WATCH_WRITE));
    run_one_turn();
    assert_int_equal(e.reads + e.writes, 1);
    end_close(&e);
}

static void close_and_free(struct end *e) {
    end_close(e);
    free(e);
}

static void the_owner_of_a_watch_may_be_freed_from_ready(void **state) {
    (void)state;
    struct end *e = malloc(sizeof *e);
    assert_non_null(e);
    end_open(e, close_and_free);
    assert_int_equal(write(e->fds[1], "x", 1), 1);
    assert_true(watch_set(&e->watch, WATCH_READ | WATCH_WRITE));
    run_one_turn();
}

static struct end pair[2];

static void stop_both(struct end *e) {
    (void)e;
    watch_stop(&pair[0].watch);
    watch_stop(&pair[1].watch);
}

static void ready_may_stop_another_watch_that_is_ready_too(void **state) {
    (void)state;
    for (int i = 0; i < 2; i++) {
        end_open(&pair[i], stop_both);
        assert_true(watch_set(&pair[i].watch, WATCH_WRITE));
    }
    run_one_turn();
    assert_int_equal(pair[0].writes + pair[1].writes, 1);
    end_close(&pair[0]);
    end_close(&pair[1]);
}

static void watching_what_cannot_be_watched_fails(void **state) {
    (void)state;
    struct watch w;
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    watch_init(&w, loop, fd, count_ready, NULL);
    assert_false(watch_set(&w, WATCH_READ));
    watch_stop(&w);
    close(fd);
}

/* ---- tasks ---- */

struct chain {
    struct task task;
    int runs;
    int again;
};

static void run_chain(void *arg) {
    struct chain *c = arg;
    c->runs++;
    if (c->runs <= c->again)
        task_later(loop, &c->task);
}

static void a_task_runs_once_however_often_asked_for(void **state) {
    (void)state;
    struct chain c = {.again = 0};
    task_init(&c.task, run_chain, &c);
    task_later(loop, &c.task);
    task_later(loop, &c.task);
    run_one_turn();
    assert_int_equal(c.runs, 1);
}

static void a_cancelled_task_does_not_run_and_its_neighbours_do(void **state) {
    (void)state;
    for (int victim = 0; victim < 3; victim++) {
        struct chain c[3] = {{.again = 0}};
        for (int i = 0; i < 3; i++) {
            task_init(&c[i].task, run_chain, &c[i]);
            task_later(loop, &c[i].task);
        }
        task_cancel(loop, &c[victim].task);
        task_cancel(loop, &c[victim].task);
        run_one_turn();
        for (int i = 0; i < 3; i++)
            assert_int_equal(c[i].runs, i != victim);
    }
}

static void tasks_queued_by_tasks_run_in_the_same_turn_but_not_for_ever(void **state) {
    (void)state;
    struct chain few = {.again = 10}, endless = {.again = 1 << 30};
    task_init(&few.task, run_chain, &few);
    task_init(&endless.task, run_chain, &endless);
    task_later(loop, &few.task);
    run_one_turn();
    assert_int_equal(few.runs, 11);
    task_later(loop, &endless.task);
    run_one_turn();
    assert_in_range(endless.runs, 100, 100000);
    task_cancel(loop, &endless.task);
}

static void run_next(void *arg) {
    struct chain *c = arg;
    c->runs++;
    if (c->again-- > 0)
        task_next_turn(loop, &c->task);
}

static void a_task_of_the_next_turn_runs_once_a_turn_and_no_turn_waits_for_it(void **state) {
    (void)state;
    struct chain c = {.again = 2}, gone = {.again = 0};
    task_init(&c.task, run_next, &c);
    task_init(&gone.task, run_next, &gone);
    task_next_turn(loop, &gone.task);
    task_next_turn(loop, &c.task);
    task_next_turn(loop, &c.task);
    task_cancel(loop, &gone.task);
    for (int i = 1; i <= 3; i++) {
        run_one_turn();
        assert_int_equal(c.runs, i);
    }
    run_one_turn();
    assert_int_equal(c.runs, 3);
    assert_int_equal(gone.runs, 0);
}

static void freeing_the_loop_runs_what_was_put_off(void **state) {
    (void)state;
    struct loop *kept = loop;
    struct chain c = {.again = 3};
    task_init(&c.task, run_chain, &c);
    loop = loop_new();
    assert_non_null(loop);
    task_later(loop, &c.task);
    loop_free(loop);
    loop = kept;
    assert_int_equal(c.runs, 4);
}

/* ---- messages ---- */

enum { POSTERS = 2, POSTS = 20000 };

struct letter {
    struct message message;
    int poster;
    int number;
};
static int got[POSTERS];
static int total;
static bool out_of_order;

static void take_letter(struct message *m) {
    struct letter *l = CONTAINER_OF(m, struct letter, message);
    if (l->number != got[l->poster]++)
        out_of_order = true;
    free(l);
    if (++total == POSTERS * POSTS)
        loop_stop(loop);
}

static void *post_letters(void *arg) {
    int poster = *(int *)arg;
    for (int i = 0; i < POSTS; i++) {
        struct letter *l = malloc(sizeof *l);
        if (!l)
            abort();
        *l = (struct letter){{NULL, take_letter}, poster, i};
        loop_post(loop, &l->message);
    }
    return NULL;
}

static void every_message_arrives_in_its_posters_order(void **state) {
    (void)state;
    pthread_t threads[POSTERS];
    int numbers[POSTERS];
    for (int i = 0; i < POSTERS; i++) {
        numbers[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, post_letters, &numbers[i]), 0);
    }
    loop_run(loop);
    for (int i = 0; i < POSTERS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(got[i], POSTS);
    }
    assert_false(out_of_order);
}

static void a_stop_asked_for_before_the_run_counts(void **state) {
    (void)state;
    loop_stop_soon(loop);
    loop_run(loop);
    loop_stop(loop);
    loop_run(loop);
}

static void *stop_from_outside(void *arg) {
    loop_stop_soon(arg);
    return NULL;
}

static void another_thread_can_stop_a_sleeping_loop(void **state) {
    (void)state;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, stop_from_outside, loop), 0);
    loop_run(loop);
    pthread_join(thread, NULL);
}

/* ---- timers ---- */

static uint64_t fired_us, fired_turn_us;

static void note_time(void *arg) {
    (void)arg;
    fired_us = clock_mono_us();
    fired_turn_us = loop_now_us(loop);
    loop_stop(loop);
}

static void a_timer_wakes_a_sleeping_loop_and_is_not_early(void **state) {
    (void)state;
    static const uint64_t after[] = {0, 1000, 10000, 30000};
    for (size_t i = 0; i < ARRAY_LEN(after); i++) {
        struct timer t;
        timer_init(&t, note_time, NULL);
        uint64_t set_us = clock_mono_us();
        timer_set(loop, &t, after[i]);
        loop_run(loop);
        assert_true(fired_us >= set_us + after[i]);
        assert_true(fired_turn_us <= fired_us && fired_turn_us >= set_us + after[i]);
        assert_false(timer_is_set(&t));
    }
}

static uint64_t thread_cpu_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void ignore_message(struct message *m) {
    (void)m;
}

static void a_loop_with_nothing_to_do_sleeps(void **state) {
    (void)state;
    struct message m = {.run = ignore_message};
    struct timer t;
    timer_init(&t, note_time, NULL);
    timer_set(loop, &t, 50000);
    loop_post(loop, &m);
    uint64_t before_us = thread_cpu_us();
    loop_run(loop);
    assert_in_range(thread_cpu_us() - before_us, 0, 10000);
}

static uint64_t skewed_us;

static uint64_t skewed_mono(void) {
    return skewed_us;
}

static void leap(void *arg) {
    skewed_us += UINT64_C(31) * 86400 * 1000000;
    loop_post(loop, arg);
}

static void the_wheel_follows_the_clock_that_tests_replace(void **state) {
    (void)state;
    skewed_us = clock_mono_us();
    clock_replace(skewed_mono, NULL);
    struct timer t;
    struct task leaping;
    struct message wake = {.run = ignore_message};
    timer_init(&t, note_time, NULL);
    timer_set(loop, &t, UINT64_C(31) * 86400 * 1000000 - 10000);
    task_init(&leaping, leap, &wake);
    task_later(loop, &leaping);
    loop_run(loop);
    assert_int_equal(fired_turn_us, skewed_us);
    clock_replace(NULL, NULL);
}

int main(void) {
#define IN_LOOP(test) cmocka_unit_test_setup_teardown(test, start, end)
    const struct CMUnitTest tests[] = {
        IN_LOOP(a_watch_is_called_once_a_turn_for_each_thing_it_asked_for),
        IN_LOOP(an_edge_is_told_once_and_again_when_more_comes_or_is_asked_for),
        IN_LOOP(a_watch_stopped_from_ready_is_not_called_again_in_that_turn),
        IN_LOOP(the_owner_of_a_watch_may_be_freed_from_ready),
        IN_LOOP(ready_may_stop_another_watch_that_is_ready_too),
        IN_LOOP(watching_what_cannot_be_watched_fails),
        IN_LOOP(a_task_runs_once_however_often_asked_for),
        IN_LOOP(a_cancelled_task_does_not_run_and_its_neighbours_do),
        IN_LOOP(tasks_queued_by_tasks_run_in_the_same_turn_but_not_for_ever),
        IN_LOOP(a_task_of_the_next_turn_runs_once_a_turn_and_no_turn_waits_for_it),
        IN_LOOP(freeing_the_loop_runs_what_was_put_off),
        IN_LOOP(every_message_arrives_in_its_posters_order),
        IN_LOOP(a_stop_asked_for_before_the_run_counts),
        IN_LOOP(another_thread_can_stop_a_sleeping_loop),
        IN_LOOP(a_timer_wakes_a_sleeping_loop_and_is_not_early),
        IN_LOOP(a_loop_with_nothing_to_do_sleeps),
        IN_LOOP(the_wheel_follows_the_clock_that_tests_replace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

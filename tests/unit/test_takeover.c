/* The talk of two processes about listening sockets: offered, taken, refused, broken off. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <pointsman/clock.h>

#include "../../cli/handover.h"
#include "../../cli/handover_wire.h"
#include "../../cli/takeover.h"
#include "../../proxy/sockets.h"

/* A running process, as far as it hands over. */
struct old {
    char directory[160];
    struct conf_address listener;
    struct conf conf;
    struct loop *loop;
    struct sockets *sockets;
    struct handover *handover;
    pthread_t thread;
    atomic_int taken_by;
};

static void taken(pid_t by, void *arg) {
    atomic_store(&((struct old *)arg)->taken_by, (int)by);
}

static void *turn(void *loop) {
    loop_run(loop);
    return NULL;
}

/* The path is longer than one of a socket may be. */
static void make_directory(char *ret, size_t room) {
    char top[] = "/tmp/pointsman-handover-XXXXXX";
    assert_non_null(mkdtemp(top));
    snprintf(ret, room, "%s/%0100d", top, 1);
    assert_int_equal(mkdir(ret, 0700), 0);
}

static void remove_directory(char *directory) {
    assert_int_equal(rmdir(directory), 0);
    *strrchr(directory, '/') = '\0';
    assert_int_equal(rmdir(directory), 0);
}

static void start(struct old *o, unsigned workers) {
    struct err err = {""};
    *o = (struct old){.listener = {.text = (char *)"127.0.0.1:0", .host = (char *)"127.0.0.1"}};
    make_directory(o->directory, sizeof o->directory);
    o->conf = (struct conf){.directory = o->directory,
                            .listeners = &o->listener,
                            .listener_count = 1,
                            .admin = o->listener,
                            .workers = workers,
                            .drain_ms = 1234};
    o->loop = loop_new();
    o->sockets = sockets_new();
    assert_true(o->loop && o->sockets && sockets_open(o->sockets, &o->conf, &err));
    o->handover = handover_new(o->loop, o->sockets, &o->conf, taken, o, &err);
    if (!o->handover)
        fail_msg("%s", err.text);
    assert_int_equal(pthread_create(&o->thread, NULL, turn, o->loop), 0);
}

static void stop(struct old *o) {
    loop_stop_soon(o->loop);
    pthread_join(o->thread, NULL);
    handover_free(o->handover);
    sockets_free(o->sockets);
    loop_free(o->loop);
    remove_directory(o->directory);
}

static enum takeover_answer ask(const char *directory, struct sockets **ret, struct takeover *t,
                                struct err *err) {
    *ret = sockets_new();
    assert_non_null(*ret);
    return takeover_ask(directory, *ret, t, err);
}

static void await_taken(struct old *o) {
    uint64_t end_us = clock_mono_us() + 20000000;
    while (atomic_load(&o->taken_by) == 0 && clock_mono_us() < end_us)
        sched_yield();
    assert_int_equal(atomic_load(&o->taken_by), getpid());
}

static void the_next_process_gets_every_socket_and_the_old_one_is_told(void **state) {
    (void)state;
    struct old o;
    struct sockets *s;
    struct takeover t;
    struct err err = {""};
    start(&o, 4);
    assert_int_equal(ask(o.directory, &s, &t, &err), TAKEOVER_OFFER);
    assert_int_equal(t.pid, getpid());
    assert_true(t.wait_ms > 1234);
    assert_int_equal(s->count, 5);
    o.conf.workers = 1;
    assert_true(sockets_open(s, &o.conf, &err));
    assert_int_equal(s->count, 5);
    assert_int_equal(atomic_load(&o.taken_by), 0);
    takeover_go(&t);
    await_taken(&o);
    sockets_free(s);
    assert_int_equal(ask(o.directory, &s, &t, &err), TAKEOVER_NONE); /* it is taken */
    sockets_free(s);
    stop(&o);
}

static void more_sockets_than_one_message_holds_are_handed_over_too(void **state) {
    (void)state;
    struct old o;
    struct sockets *s;
    struct takeover t;
    struct err err = {""};
    start(&o, 2 * HANDOVER_FDS_MAX);
    enum takeover_answer answer = ask(o.directory, &s, &t, &err);
    if (answer != TAKEOVER_OFFER)
        fail_msg("%s", err.text);
    assert_int_equal(s->count, 2 * HANDOVER_FDS_MAX + 1);
    takeover_drop(&t);
    sockets_free(s);
    stop(&o);
}

static void who_asks_and_gives_up_changes_nothing(void **state) {
    (void)state;
    struct old o;
    struct sockets *s;
    struct takeover t;
    struct err err = {""};
    start(&o, 1);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(ask(o.directory, &s, &t, &err), TAKEOVER_OFFER);
        takeover_drop(&t);
        sockets_free(s);
    }
    assert_int_equal(atomic_load(&o.taken_by), 0);
    assert_true(o.sockets->all[0]->fd >= 0);
    stop(&o);
}

static void sockets_that_are_being_closed_are_not_offered(void **state) {
    (void)state;
    struct old o;
    struct sockets *s;
    struct takeover t;
    struct err err = {""};
    start(&o, 1);
    listening_use(o.sockets->all[0]);
    listening_leave(o.sockets->all[0]); /* as a worker does that drains */
    assert_int_equal(ask(o.directory, &s, &t, &err), TAKEOVER_FAILED);
    assert_non_null(strstr(err.text, "runs on"));
    sockets_free(s);
    stop(&o);
}

static void with_nobody_there_it_is_a_start_like_any_other(void **state) {
    (void)state;
    char directory[160];
    struct sockets *s;
    struct takeover t;
    struct err err = {""};
    make_directory(directory, sizeof directory);
    assert_int_equal(ask(directory, &s, &t, &err), TAKEOVER_NONE);
    sockets_free(s);
    close(handover_bind(directory)); /* left by a process that was killed */
    assert_int_equal(ask(directory, &s, &t, &err), TAKEOVER_NONE);
    sockets_free(s);
    handover_unlink(directory);
    remove_directory(directory);
}

/* A process that listens, and after the first connection says `text`, if any, and dies. */
static pid_t impostor(const char *directory, const char *text) {
    int ready[2];
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid > 0) {
        close(ready[1]);
        assert_int_equal(read(ready[0], &(char){0}, 1), 1);
        close(ready[0]);
        return pid;
    }
    int fd, listens = handover_bind(directory);
    (void)!write(ready[1], "", 1);
    while ((fd = accept(listens, NULL, NULL)) < 0)
        ;
    if (text) {
        (void)!write(fd, text, strlen(text));
        (void)!read(fd, &(char){0}, 1); /* until the other side ends */
    }
    _exit(0);
}

static void a_process_that_dies_while_it_is_asked_is_not_waited_for_in_vain(void **state) {
    (void)state;
    char directory[160];
    struct sockets *s;
    struct takeover t;
    struct err err = {""};
    make_directory(directory, sizeof directory);
    pid_t pid = impostor(directory, NULL);
    assert_int_equal(ask(directory, &s, &t, &err), TAKEOVER_NONE);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    sockets_free(s);
    handover_unlink(directory);
    remove_directory(directory);
}

static void another_version_is_refused(void **state) {
    (void)state;
    char directory[160];
    struct sockets *s;
    struct takeover t;
    struct err err = {""};
    make_directory(directory, sizeof directory);
    pid_t pid = impostor(directory, "pointsman 2 hello");
    assert_int_equal(ask(directory, &s, &t, &err), TAKEOVER_FAILED);
    assert_non_null(strstr(err.text, "pointsman 2 hello"));
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    sockets_free(s);
    handover_unlink(directory);
    remove_directory(directory);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_next_process_gets_every_socket_and_the_old_one_is_told),
        cmocka_unit_test(more_sockets_than_one_message_holds_are_handed_over_too),
        cmocka_unit_test(who_asks_and_gives_up_changes_nothing),
        cmocka_unit_test(sockets_that_are_being_closed_are_not_offered),
        cmocka_unit_test(with_nobody_there_it_is_a_start_like_any_other),
        cmocka_unit_test(a_process_that_dies_while_it_is_asked_is_not_waited_for_in_vain),
        cmocka_unit_test(another_version_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The thread of the embedded store: takes what has queued up, runs it in one transaction, answers
 * after the commit. */
#include "embedded.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <pointsman/clock.h>

#include "embedded_ops.h"
#include "embedded_sql.h"
#include "room.h"
#include "store_ops.h"

#define BATCH_MAX      1024
#define SWEEP_EVERY_US 1000000

struct list {
    struct store_call *first;
    struct store_call **end;
};

struct embedded {
    pthread_t thread;
    pthread_mutex_t lock; /* queue, ports' fields, stop, problem */
    pthread_cond_t work;
    pthread_cond_t executed;
    struct list queue;
    bool stop;
    char problem[160];
    _Atomic bool failing; /* there is a problem; read without the lock */
    char directory[PATH_MAX];
    struct sql *sql;
    struct embedded_ops ops; /* the thread's */
    uint64_t swept_us;
    uint64_t opened_wall_us, opened_us; /* leases are judged by time that does not leap */
};

struct embedded_port {
    struct embedded *store;
    struct watch watch;
    int fd;                /* eventfd: there are answers */
    struct list submitted; /* in this turn; the port's thread's own */
    struct task hand_on;
    struct list answered;
    unsigned executing;
    void (*saw)(void *arg, struct store_call *call);
    void *saw_arg;
};

static void list_init(struct list *l) {
    l->first = NULL;
    l->end = &l->first;
}

static void list_add(struct list *l, struct store_call *call) {
    call->next = NULL;
    *l->end = call;
    l->end = &call->next;
}

static struct store_call *list_take(struct list *l) {
    struct store_call *call = l->first;
    if (call) {
        l->first = call->next;
        if (!l->first)
            l->end = &l->first;
    }
    return call;
}

static bool past(const struct store_call *call) {
    return clock_mono_us() > call->deadline_us;
}

/* One transaction. False: nothing of it happened. */
static bool run_together(struct embedded *e, struct store_call **calls, unsigned count) {
    if (!sql_begin(e->sql))
        return false;
    for (unsigned i = 0; i < count; i++) {
        if (past(calls[i]))
            calls[i]->result = STORE_AWAY;
        else if (!embedded_execute(&e->ops, calls[i]))
            return false;
    }
    return sql_commit(e->sql);
}

static void note_problem(struct embedded *e, const char *problem) {
    pthread_mutex_lock(&e->lock);
    size_t len = strlen(problem);
    if (len >= sizeof(e->problem))
        len = sizeof(e->problem) - 1;
    memcpy(e->problem, problem, len);
    e->problem[len] = '\0';
    e->failing = len > 0;
    pthread_mutex_unlock(&e->lock);
}

/* On a full disk the ballast goes, and the WAL goes into the file, where most pages have their
 * place: what is in flight has to be recorded still. */
static bool run_with_room(struct embedded *e, struct store_call **calls, unsigned count) {
    if (run_together(e, calls, count))
        return true;
    if (!sql_is_full(e->sql))
        return false;
    bool given = room_give(e->directory);
    sql_rollback(e->sql);
    if (!sql_empty_wal(e->sql) && !given)
        return false;
    return run_together(e, calls, count);
}

/* A damaged record must not fail its neighbours: each then runs by itself. */
static void run_batch(struct embedded *e, struct store_call **calls, unsigned count) {
    e->ops.now_us = e->opened_wall_us + (clock_mono_us() - e->opened_us);
    if (run_with_room(e, calls, count)) {
        note_problem(e, "");
        return;
    }
    sql_rollback(e->sql);
    for (unsigned i = 0; i < count; i++) {
        if (run_together(e, &calls[i], 1))
            continue;
        note_problem(e, sql_problem(e->sql));
        sql_rollback(e->sql);
        calls[i]->result = STORE_AWAY;
    }
}

static void sweep(struct embedded *e) {
    if (e->ops.now_us - e->swept_us < SWEEP_EVERY_US)
        return;
    e->swept_us = e->ops.now_us;
    if (!sql_sweep(e->sql, e->ops.now_us))
        note_problem(e, sql_problem(e->sql));
}

static void answer(struct embedded *e, struct store_call **calls, unsigned count) {
    pthread_mutex_lock(&e->lock);
    for (unsigned i = 0; i < count; i++) {
        struct embedded_port *port = calls[i]->own;
        bool wake = !port->answered.first;
        port->executing--;
        list_add(&port->answered, calls[i]);
        if (wake)
            (void)!write(port->fd, &(uint64_t){1}, sizeof(uint64_t));
    }
    pthread_cond_broadcast(&e->executed);
    pthread_mutex_unlock(&e->lock);
}

static void *thread_main(void *arg) {
    struct embedded *e = arg;
    struct store_call *calls[BATCH_MAX];
    for (;;) {
        unsigned count = 0;
        pthread_mutex_lock(&e->lock);
        while (!e->queue.first && !e->stop)
            pthread_cond_wait(&e->work, &e->lock);
        while (count < BATCH_MAX && (calls[count] = list_take(&e->queue)) != NULL) {
            ((struct embedded_port *)calls[count]->own)->executing++;
            count++;
        }
        pthread_mutex_unlock(&e->lock);
        if (!count)
            return NULL;
        run_batch(e, calls, count);
        answer(e, calls, count);
        sweep(e);
    }
}

static const char *directory_of(const char *path, char ret[PATH_MAX]) {
    const char *end = strrchr(path, '/');
    snprintf(ret, PATH_MAX, "%.*s", end ? (int)(end - path) : 1, end ? path : ".");
    return ret;
}

struct embedded *embedded_open(const char *path, uint64_t remember_ms, struct err *err) {
    struct embedded *e = calloc(1, sizeof(*e));
    struct sql *sql = e ? sql_open(path, err) : NULL;
    if (e && !sql && room_give(directory_of(path, e->directory)))
        sql = sql_open(path, err);
    if (!sql) {
        if (!e)
            err_set(err, "no memory for the embedded store");
        free(e);
        return NULL;
    }
    e->sql = sql;
    directory_of(path, e->directory);
    e->opened_wall_us = clock_wall_us();
    e->opened_us = clock_mono_us();
    embedded_ops_init(&e->ops, sql, remember_ms);
    list_init(&e->queue);
    pthread_mutex_init(&e->lock, NULL);
    pthread_cond_init(&e->work, NULL);
    pthread_cond_init(&e->executed, NULL);
    int rc = pthread_create(&e->thread, NULL, thread_main, e);
    if (rc != 0) {
        err_set(err, "no thread for the embedded store: %s", strerror(rc));
        e->thread = pthread_self();
        embedded_close(e);
        return NULL;
    }
    return e;
}

void embedded_close(struct embedded *e) {
    if (!e)
        return;
    pthread_mutex_lock(&e->lock);
    e->stop = true;
    pthread_cond_signal(&e->work);
    pthread_mutex_unlock(&e->lock);
    if (!pthread_equal(e->thread, pthread_self()))
        pthread_join(e->thread, NULL);
    pthread_cond_destroy(&e->executed);
    pthread_cond_destroy(&e->work);
    pthread_mutex_destroy(&e->lock);
    embedded_ops_free(&e->ops);
    sql_close(e->sql);
    free(e);
}

bool embedded_is_up(const struct embedded *e) {
    return !e->failing;
}

bool embedded_up(struct embedded *e, char *problem, size_t room) {
    pthread_mutex_lock(&e->lock);
    size_t len = strlen(e->problem);
    if (room) {
        len = len < room ? len : room - 1;
        memcpy(problem, e->problem, len);
        problem[len] = '\0';
    }
    bool up = !e->problem[0];
    pthread_mutex_unlock(&e->lock);
    return up;
}

/* ---- ports ---- */

static void deliver(struct embedded_port *port, struct list *calls) {
    struct store_call *call;
    while ((call = list_take(calls)) != NULL) {
        if (port->saw)
            port->saw(port->saw_arg, call);
        call->done(call);
    }
}

static void take_answers(struct embedded_port *port, struct list *ret) {
    pthread_mutex_lock(&port->store->lock);
    *ret = port->answered;
    if (!ret->first)
        list_init(ret);
    list_init(&port->answered);
    pthread_mutex_unlock(&port->store->lock);
}

static void port_ready(void *arg, int what) {
    struct embedded_port *port = arg;
    struct list answers;
    uint64_t count;
    (void)what;
    (void)!read(port->fd, &count, sizeof(count));
    take_answers(port, &answers);
    deliver(port, &answers);
}

/* The calls of a turn go to the thread together: one that had to be begun for the first would
 * commit that alone. */
static void hand_on(void *arg) {
    struct embedded_port *port = arg;
    struct embedded *e = port->store;
    if (!port->submitted.first)
        return;
    pthread_mutex_lock(&e->lock);
    bool idle = !e->queue.first;
    *e->queue.end = port->submitted.first;
    e->queue.end = port->submitted.end;
    if (idle)
        pthread_cond_signal(&e->work);
    pthread_mutex_unlock(&e->lock);
    list_init(&port->submitted);
}

struct embedded_port *embedded_port_new(struct embedded *e, struct loop *loop,
                                        void (*answered)(void *arg, struct store_call *call),
                                        void *arg) {
    struct embedded_port *port = calloc(1, sizeof(*port));
    if (!port)
        return NULL;
    port->store = e;
    port->saw = answered;
    port->saw_arg = arg;
    list_init(&port->submitted);
    list_init(&port->answered);
    task_init(&port->hand_on, hand_on, port);
    port->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (port->fd < 0) {
        free(port);
        return NULL;
    }
    watch_init(&port->watch, loop, port->fd, port_ready, port);
    if (!watch_set(&port->watch, WATCH_READ)) {
        watch_stop(&port->watch);
        close(port->fd);
        free(port);
        return NULL;
    }
    return port;
}

void embedded_port_free(struct embedded_port *port) {
    if (!port)
        return;
    struct embedded *e = port->store;
    struct list kept, dropped, answers;
    struct store_call *call;
    task_cancel(port->watch.loop, &port->hand_on);
    list_init(&kept);
    list_init(&dropped);
    pthread_mutex_lock(&e->lock);
    while ((call = list_take(&e->queue)) != NULL)
        list_add(call->own == port ? &dropped : &kept, call);
    list_init(&e->queue);
    while ((call = list_take(&kept)) != NULL)
        list_add(&e->queue, call);
    while (port->executing)
        pthread_cond_wait(&e->executed, &e->lock);
    pthread_mutex_unlock(&e->lock);
    while ((call = list_take(&port->submitted)) != NULL)
        list_add(&dropped, call);
    take_answers(port, &answers);
    watch_stop(&port->watch);
    close(port->fd);
    deliver(port, &answers);
    for (call = dropped.first; call; call = call->next)
        call->result = STORE_AWAY;
    deliver(port, &dropped);
    free(port);
}

void embedded_submit(struct embedded_port *port, struct store_call *call) {
    call->own = port;
    list_add(&port->submitted, call);
    task_later(port->watch.loop, &port->hand_on);
}

void embedded_hand_on(struct embedded_port *port) {
    task_cancel(port->watch.loop, &port->hand_on);
    hand_on(port);
}

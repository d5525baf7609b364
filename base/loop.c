/* Runs a thread: readiness from libevent, then due timers, then what was put off. */
#include <pointsman/loop.h>

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <event2/event.h>

#include <pointsman/clock.h>

#include "wheel.h"

/* Tasks run per turn; those beyond wait until descriptors had their turn. */
#define LOOP_TASKS 4096

/* No alarm is set further off: libevent's clock stands still while the machine is suspended, the
 * wheel's does not. */
#define LOOP_NAP_US UINT64_C(1000000)

struct task_list {
    struct task *first;
    struct task **last;
};

struct loop {
    struct event_base *base;
    bool running;
    bool stopping;
    bool fresh; /* now_us was read in this turn */
    uint64_t now_us;
    struct wheel wheel;
    struct event *alarm;
    uint64_t alarm_us; /* what the alarm is set for; UINT64_MAX: not set */
    struct task_list tasks;
    struct task_list next_tasks; /* of the turn after this one */
    int wake_fd;
    struct event *wake;
    _Atomic(struct message *) inbox; /* newest first */
    atomic_bool stop_soon;
};

/* ---- messages ---- */

static void wake_up(struct loop *loop) {
    const uint64_t one = 1;
    while (write(loop->wake_fd, &one, sizeof one) < 0 && errno == EINTR)
        ;
}

void loop_post(struct loop *loop, struct message *m) {
    struct message *head = atomic_load_explicit(&loop->inbox, memory_order_relaxed);
    do
        m->next = head;
    while (!atomic_compare_exchange_weak_explicit(&loop->inbox, &head, m, memory_order_release,
                                                  memory_order_relaxed));
    /* m may be gone by now; the loop may not, as its owner joins those who post first. */
    if (!head)
        wake_up(loop);
}

void loop_stop_soon(struct loop *loop) {
    atomic_store_explicit(&loop->stop_soon, true, memory_order_release);
    wake_up(loop);
}

static void refresh(struct loop *loop) {
    if (loop->fresh)
        return;
    loop->now_us = clock_mono_us();
    loop->fresh = true;
}

static void run_messages(struct loop *loop) {
    struct message *newest = atomic_exchange_explicit(&loop->inbox, NULL, memory_order_acquire);
    struct message *oldest = NULL;
    while (newest) {
        struct message *m = newest;
        newest = m->next;
        m->next = oldest;
        oldest = m;
    }
    while (oldest) {
        struct message *m = oldest;
        oldest = m->next;
        m->run(m);
    }
}

/* The descriptor is edge-triggered: every write wakes, and its count is never read. */
static void on_wake(evutil_socket_t fd, short what, void *arg) {
    (void)fd, (void)what;
    struct loop *loop = arg;
    refresh(loop);
    run_messages(loop);
}

/* ---- timers ---- */

static void on_alarm(evutil_socket_t fd, short what, void *arg) {
    (void)fd, (void)what;
    struct loop *loop = arg;
    loop->alarm_us = UINT64_MAX;
}

/* An alarm that rings too early only turns the wheel, so one that is set is never put off. */
static void set_alarm(struct loop *loop) {
    uint64_t next_us = wheel_next_us(&loop->wheel);
    if (next_us >= loop->alarm_us)
        return;
    uint64_t now_us = clock_mono_us();
    uint64_t left_us = next_us > now_us ? next_us - now_us : 0;
    if (left_us > LOOP_NAP_US)
        left_us = LOOP_NAP_US;
    struct timeval left = {(time_t)(left_us / 1000000), (suseconds_t)(left_us % 1000000)};
    /* Adding a timer to a heap that has had room for it since loop_new cannot fail. */
    if (event_add(loop->alarm, &left) != 0)
        abort();
    loop->alarm_us = now_us + left_us;
}

void timer_set(struct loop *loop, struct timer *t, uint64_t after_us) {
    uint64_t now_us = loop_now_us(loop);
    timer_stop(t);
    t->at_us = after_us < UINT64_MAX - now_us ? now_us + after_us : UINT64_MAX;
    wheel_put(&loop->wheel, t, now_us);
}

/* ---- tasks ---- */

void task_init(struct task *t, void (*run)(void *arg), void *arg) {
    *t = (struct task){.run = run, .arg = arg};
}

static void clear(struct task_list *list) {
    *list = (struct task_list){.last = &list->first};
}

static void put(struct task_list *list, struct task *t) {
    if (t->queued)
        return;
    t->queued = true;
    t->next = NULL;
    *list->last = t;
    list->last = &t->next;
}

static void take_out(struct task_list *list, struct task **at) {
    struct task *t = *at;
    *at = t->next;
    if (list->last == &t->next)
        list->last = at;
    t->queued = false;
}

static void drop(struct task_list *list, struct task *t) {
    struct task **at = &list->first;
    while (*at && *at != t)
        at = &(*at)->next;
    if (*at)
        take_out(list, at);
}

void task_later(struct loop *loop, struct task *t) {
    put(&loop->tasks, t);
}

void task_next_turn(struct loop *loop, struct task *t) {
    put(&loop->next_tasks, t);
}

void task_cancel(struct loop *loop, struct task *t) {
    if (!t->queued)
        return;
    drop(&loop->tasks, t);
    drop(&loop->next_tasks, t);
}

static void begin_next_tasks(struct loop *loop) {
    if (!loop->next_tasks.first)
        return;
    *loop->tasks.last = loop->next_tasks.first;
    loop->tasks.last = loop->next_tasks.last;
    clear(&loop->next_tasks);
}

static void run_tasks(struct loop *loop) {
    for (int left = LOOP_TASKS; loop->tasks.first && left > 0; left--) {
        struct task *t = loop->tasks.first;
        take_out(&loop->tasks, &loop->tasks.first);
        t->run(t->arg);
    }
}

/* ---- descriptors ---- */

/* The watch may be gone once ready has returned. */
static void on_read(evutil_socket_t fd, short what, void *arg) {
    (void)fd;
    struct watch *w = arg;
    refresh(w->loop);
    w->ready(w->arg, WATCH_READ | (what & EV_CLOSED ? WATCH_END : 0));
}

static void on_write(evutil_socket_t fd, short what, void *arg) {
    (void)fd, (void)what;
    struct watch *w = arg;
    refresh(w->loop);
    w->ready(w->arg, WATCH_WRITE);
}

void watch_init(struct watch *w, struct loop *loop, int fd, void (*ready)(void *arg, int what),
                void *arg) {
    *w = (struct watch){.loop = loop, .ready = ready, .arg = arg, .fd = fd};
}

void watch_init_edge(struct watch *w, struct loop *loop, int fd, void (*ready)(void *arg, int what),
                     void *arg) {
    watch_init(w, loop, fd, ready, arg);
    w->edge = true;
}

static bool set_one(struct watch *w, struct event **event, int bit, bool on) {
    if (!on) {
        event_del(*event);
        w->set &= (unsigned char)~bit;
        return true;
    }
    bool read = bit == WATCH_READ;
    int what = read ? EV_READ | (w->edge ? EV_CLOSED : 0) : EV_WRITE;
    what |= EV_PERSIST | (w->edge ? EV_ET : 0);
    if (!*event)
        *event = event_new(w->loop->base, w->fd, (short)what, read ? on_read : on_write, w);
    if (!*event || event_add(*event, NULL) != 0)
        return false;
    w->set |= (unsigned char)bit;
    return true;
}

bool watch_set(struct watch *w, int what) {
    int change = w->set ^ what;
    if (change & WATCH_READ && !set_one(w, &w->read, WATCH_READ, what & WATCH_READ))
        return false;
    return !(change & WATCH_WRITE) || set_one(w, &w->write, WATCH_WRITE, what & WATCH_WRITE);
}

bool watch_tell_again(struct watch *w) {
    int what = w->set;
    return watch_set(w, what & ~WATCH_READ) && watch_set(w, what);
}

void watch_stop(struct watch *w) {
    /* event_free takes it off its base, also what is active and not yet called. */
    if (w->read)
        event_free(w->read);
    if (w->write)
        event_free(w->write);
    w->read = NULL;
    w->write = NULL;
    w->set = 0;
}

/* ---- the loop ---- */

/* libevent would write lines of its own to stderr; what fails is reported to the caller anyway. */
static void ignore_text(int severity, const char *text) {
    (void)severity, (void)text;
}

static void silence_libevent(void) {
    event_set_log_callback(ignore_text);
}

static struct event_base *new_base(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, silence_libevent);
    struct event_base *base = NULL;
    struct event_config *config = event_config_new();
    if (config && event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK) == 0 &&
        event_config_set_flag(config, EVENT_BASE_FLAG_IGNORE_ENV) == 0)
        base = event_base_new_with_config(config);
    if (config)
        event_config_free(config);
    return base;
}

static bool open_loop(struct loop *loop) {
    loop->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    loop->base = new_base();
    if (loop->wake_fd < 0 || !loop->base)
        return false;
    loop->wake = event_new(loop->base, loop->wake_fd, EV_READ | EV_PERSIST | EV_ET, on_wake, loop);
    loop->alarm = evtimer_new(loop->base, on_alarm, loop);
    /* The alarm is set and unset once, so that later the heap has room. */
    return loop->wake && loop->alarm && event_add(loop->wake, NULL) == 0 &&
           event_add(loop->alarm, &(struct timeval){0}) == 0 && event_del(loop->alarm) == 0;
}

struct loop *loop_new(void) {
    struct loop *loop = calloc(1, sizeof *loop);
    if (!loop)
        return NULL;
    wheel_init(&loop->wheel, clock_mono_us());
    loop->alarm_us = UINT64_MAX;
    clear(&loop->tasks);
    clear(&loop->next_tasks);
    if (open_loop(loop))
        return loop;
    loop_free(loop);
    return NULL;
}

void loop_free(struct loop *loop) {
    if (!loop)
        return;
    begin_next_tasks(loop);
    while (loop->tasks.first)
        run_tasks(loop);
    wheel_clear(&loop->wheel);
    if (loop->wake)
        event_free(loop->wake);
    if (loop->alarm)
        event_free(loop->alarm);
    if (loop->base)
        event_base_free(loop->base);
    if (loop->wake_fd >= 0)
        close(loop->wake_fd);
    free(loop);
}

/* What was posted before the stop still runs. */
static void stop_if_asked(struct loop *loop) {
    if (!atomic_load_explicit(&loop->stop_soon, memory_order_acquire))
        return;
    run_messages(loop);
    run_tasks(loop);
    loop->stopping = true;
}

static void turn(struct loop *loop) {
    set_alarm(loop);
    begin_next_tasks(loop);
    loop->fresh = false;
    event_base_loop(loop->base, EVLOOP_ONCE | (loop->tasks.first ? EVLOOP_NONBLOCK : 0));
    refresh(loop);
    if (loop->now_us >= wheel_next_us(&loop->wheel))
        wheel_run(&loop->wheel, loop->now_us);
    run_tasks(loop);
    stop_if_asked(loop);
}

/* A stop that came before the run still counts. */
void loop_run(struct loop *loop) {
    loop->running = true;
    stop_if_asked(loop);
    while (!loop->stopping)
        turn(loop);
    loop->running = false;
    loop->stopping = false;
    atomic_store_explicit(&loop->stop_soon, false, memory_order_relaxed);
}

void loop_stop(struct loop *loop) {
    loop->stopping = true;
}

uint64_t loop_now_us(const struct loop *loop) {
    return loop->running ? loop->now_us : clock_mono_us();
}

/* A thread's event loop: descriptors, timers, work for later, messages from other threads.
 * The only place that knows libevent (EVENT_BASE_FLAG_NOLOCK; readiness and wake-up only). Layer:
 * base. All functions belong to the loop's own thread but loop_post and loop_stop_soon. */
#ifndef POINTSMAN_LOOP_H
#define POINTSMAN_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include <pointsman/compiler.h>

struct loop;
struct event;

MUST_CHECK struct loop *loop_new(void); /* NULL: no memory or descriptors */
/* Runs what was put off, stops all timers; watches must be stopped, those who post must be gone;
 * messages not run are dropped. NULL is allowed. */
void loop_free(struct loop *loop);
void loop_run(struct loop *loop);              /* until loop_stop, also one asked for before */
void loop_stop(struct loop *loop);             /* after this turn and its tasks */
uint64_t loop_now_us(const struct loop *loop); /* monotonic, read once a turn */

/* ---- descriptors: persistent, level-triggered unless begun as edges; changing to what is set
 * already costs nothing ---- */
enum {
    WATCH_READ = 1,
    WATCH_WRITE = 2,
    WATCH_END = 4 /* told beside WATCH_READ, of edges: the other side has ended, what it sent may
                     still be there; not told of a reset, which only reading on finds */
};
struct watch {
    struct loop *loop;
    struct event *read;
    struct event *write;
    void (*ready)(void *arg, int what);
    void *arg;
    int fd;
    unsigned char set; /* WATCH_READ | WATCH_WRITE */
    bool edge;
};
void watch_init(struct watch *w, struct loop *loop, int fd, void (*ready)(void *arg, int what),
                void *arg);
/* The same, edge-triggered (epoll(7)): what was told is not told again, so ready reads and writes
 * until there is no more, or asks for it to be told again. Saves the kernel a second look at what
 * was told of, which it takes otherwise the next time it is asked. */
void watch_init_edge(struct watch *w, struct loop *loop, int fd, void (*ready)(void *arg, int what),
                     void *arg);
MUST_CHECK bool watch_set(struct watch *w, int what);
/* Of an edge-triggered one: tells anew of what is there to be read, if WATCH_READ is set. */
MUST_CHECK bool watch_tell_again(struct watch *w);
void watch_stop(
    struct watch *w); /* idempotent; the descriptor is the caller's to close, afterwards */

/* ---- timers: a wheel, a few ms coarse, O(1) to set and stop; never early, up to 10 ms late ----
 */
struct timer {
    struct timer *next;
    struct timer **prev; /* NULL: not set */
    uint64_t at_us;
    void (*fire)(void *arg);
    void *arg;
};
void timer_init(struct timer *t, void (*fire)(void *arg), void *arg);
void timer_set(struct loop *loop, struct timer *t, uint64_t after_us); /* again: moves it */
void timer_stop(struct timer *t);
static inline bool timer_is_set(const struct timer *t) {
    return t->prev != 0;
}

/* ---- put off to the end of this turn, each task once however often asked for ---- */
struct task {
    struct task *next;
    bool queued;
    void (*run)(void *arg);
    void *arg;
};
void task_init(struct task *t, void (*run)(void *arg), void *arg);
void task_later(struct loop *loop, struct task *t);
/* To the end of the next turn, which then waits for nothing: descriptors are looked at before. */
void task_next_turn(struct loop *loop, struct task *t);
void task_cancel(struct loop *loop, struct task *t);

/* ---- from any thread; run on the loop's thread in the order posted by each thread ---- */
struct message {
    struct message *next;
    void (*run)(struct message *m); /* owns m from then on */
};
void loop_post(struct loop *loop, struct message *m);
void loop_stop_soon(struct loop *loop); /* any thread; what was posted before still runs */

#endif

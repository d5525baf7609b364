/* Takes lines from all threads and writes many of them with one call. */
#include "log_writer.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* After the first line the writer lets more come, so that a busy worker pays no wake-up a line. */
#define NAP_MS 10
/* How long log_writer_stop waits for a reader that does not read. */
#define STOP_SECONDS 2

enum writer_state {
    WRITER_NONE = 0, /* no thread: lines are written where they are made */
    WRITER_RUNS,
    WRITER_STOPS, /* writes what is held, then ends */
    WRITER_STUCK, /* given up in mid-write; every line is dropped from now on */
};

/* The process has one log. All fields are under the lock, but the bytes from tail on, used of them:
 * these belong to the thread until it gives them back. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t change;
    enum writer_state state;
    bool waits; /* for a first line, and was not yet told of it */
    bool naps;  /* until the ring is half full, and was not yet told of it */
    pthread_t thread;
    int fd;
    char *ring;
    size_t capacity;
    size_t tail; /* the oldest byte */
    size_t used;
    uint64_t dropped;
} writer = {.lock = PTHREAD_MUTEX_INITIALIZER, .fd = STDERR_FILENO};

static void set_state(enum writer_state state) {
    writer.state = state;
    if (state == WRITER_STOPS)
        pthread_cond_signal(&writer.change);
}

static size_t count_lines(const struct iovec *parts, int count) {
    size_t lines = 0;
    for (int i = 0; i < count; i++)
        for (size_t at = 0; at < parts[i].iov_len; at++)
            lines += ((const char *)parts[i].iov_base)[at] == '\n';
    return lines;
}

/* Bytes gone, written or given up; what is given up is counted in lines. */
static size_t write_parts(int fd, const struct iovec *parts, int count, size_t *ret_lost) {
    for (;;) {
        ssize_t n = writev(fd, parts, count);
        if (n >= 0)
            return (size_t)n;
        if (errno == EAGAIN) /* whoever shares our stderr may have made it non-blocking */
            poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, -1);
        else if (errno != EINTR)
            break;
    }
    *ret_lost = count_lines(parts, count);
    size_t len = 0;
    for (int i = 0; i < count; i++)
        len += parts[i].iov_len;
    return len;
}

/* Under the lock, which is not held while writing. */
static void write_held(void) {
    size_t first = writer.capacity - writer.tail;
    if (first > writer.used)
        first = writer.used;
    const struct iovec parts[2] = {{writer.ring + writer.tail, first},
                                   {writer.ring, writer.used - first}};
    size_t lost = 0;
    pthread_mutex_unlock(&writer.lock);
    size_t gone = write_parts(writer.fd, parts, parts[1].iov_len > 0 ? 2 : 1, &lost);
    pthread_mutex_lock(&writer.lock);
    writer.dropped += lost;
    writer.tail = (writer.tail + gone) % writer.capacity;
    writer.used -= gone;
}

static void nap(void) {
    struct timespec end;
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_nsec += NAP_MS * 1000000L;
    if (end.tv_nsec >= 1000000000L) {
        end.tv_nsec -= 1000000000L;
        end.tv_sec++;
    }
    writer.naps = true;
    while (writer.state == WRITER_RUNS && writer.used < writer.capacity / 2 &&
           pthread_cond_timedwait(&writer.change, &writer.lock, &end) == 0)
        ;
    writer.naps = false;
}

static void *write_lines(void *arg) {
    (void)arg;
    pthread_mutex_lock(&writer.lock);
    while (writer.state == WRITER_RUNS || writer.used > 0) {
        if (writer.used == 0) {
            writer.waits = true;
            pthread_cond_wait(&writer.change, &writer.lock);
            continue;
        }
        nap();
        write_held();
    }
    pthread_mutex_unlock(&writer.lock);
    return NULL;
}

static void close_writer(void) {
    set_state(WRITER_NONE);
    pthread_cond_destroy(&writer.change);
    free(writer.ring);
    writer.ring = NULL;
}

/* Signals are for the main thread, and SIGPIPE for nobody. */
static bool start_thread(void) {
    sigset_t all, old;
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&writer.change, &attr);
    pthread_condattr_destroy(&attr);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    bool ok = pthread_create(&writer.thread, NULL, write_lines, NULL) == 0;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return ok;
}

static bool open_writer(int fd, size_t capacity) {
    writer.ring = malloc(capacity);
    if (!writer.ring)
        return false;
    writer.fd = fd;
    writer.capacity = capacity;
    writer.tail = 0;
    writer.used = 0;
    set_state(WRITER_RUNS);
    if (start_thread())
        return true;
    close_writer();
    return false;
}

bool log_writer_start(int fd, size_t capacity) {
    pthread_mutex_lock(&writer.lock);
    bool ok = writer.state == WRITER_NONE && capacity > 0 && open_writer(fd, capacity);
    pthread_mutex_unlock(&writer.lock);
    return ok;
}

void log_writer_stop(void) {
    pthread_mutex_lock(&writer.lock);
    bool runs = writer.state == WRITER_RUNS;
    if (runs)
        set_state(WRITER_STOPS);
    pthread_mutex_unlock(&writer.lock);
    if (!runs)
        return;
    struct timespec end;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += STOP_SECONDS;
    bool ended = pthread_timedjoin_np(writer.thread, NULL, &end) == 0;
    pthread_mutex_lock(&writer.lock);
    if (ended) {
        close_writer();
    } else {
        set_state(WRITER_STUCK);
        pthread_detach(writer.thread);
    }
    pthread_mutex_unlock(&writer.lock);
}

static void write_now(const char *line, size_t len) {
    while (len > 0) {
        size_t lost = 0;
        size_t gone = write_parts(writer.fd, &(struct iovec){(char *)line, len}, 1, &lost);
        writer.dropped += lost;
        line += gone;
        len -= gone;
    }
}

static void queue(const char *line, size_t len) {
    size_t head = (writer.tail + writer.used) % writer.capacity;
    size_t first = writer.capacity - head;
    if (first > len)
        first = len;
    memcpy(writer.ring + head, line, first);
    memcpy(writer.ring, line + first, len - first);
    writer.used += len;
    if (writer.waits || (writer.naps && writer.used >= writer.capacity / 2)) {
        writer.waits = false;
        writer.naps = false;
        pthread_cond_signal(&writer.change);
    }
}

void log_writer_put(const char *line, size_t len) {
    pthread_mutex_lock(&writer.lock);
    if (writer.state == WRITER_NONE)
        write_now(line, len);
    else if (writer.state == WRITER_STUCK || len > writer.capacity - writer.used)
        writer.dropped++;
    else
        queue(line, len);
    pthread_mutex_unlock(&writer.lock);
}

uint64_t log_writer_dropped(void) {
    pthread_mutex_lock(&writer.lock);
    uint64_t dropped = writer.dropped;
    pthread_mutex_unlock(&writer.lock);
    return dropped;
}

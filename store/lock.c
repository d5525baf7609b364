/* Locks the state directory with flock: the kernel lets go when the process ends, however it ends.
 */
#include "lock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <pointsman/clock.h>

#define LOOK_NS 3000000

static bool make_directory(const char *path, struct err *err) {
    char part[PATH_MAX];
    size_t len = strlen(path);
    if (len == 0 || len >= sizeof(part)) {
        err_set(err, "store.directory has %zu bytes, 1 to %zu are allowed", len, sizeof(part) - 1);
        return false;
    }
    memcpy(part, path, len + 1);
    for (size_t i = 1; i <= len; i++) {
        char c = part[i];
        if (c != '/' && c != '\0')
            continue;
        part[i] = '\0';
        if (mkdir(part, 0700) != 0 && errno != EEXIST) {
            err_set(err, "store.directory %s: %s can not be made: %s", path, part, strerror(errno));
            return false;
        }
        part[i] = c;
    }
    return true;
}

static void say_holder(const char *path, int fd, struct err *err) {
    char pid[32];
    ssize_t len = pread(fd, pid, sizeof(pid) - 1, 0);
    pid[len > 0 ? len : 0] = '\0';
    pid[strcspn(pid, "\n")] = '\0';
    err_set(err, "%s is held by another pointsman (process %s): two can not share one directory",
            path, pid[0] ? pid : "unknown");
}

/* flock has no time limit of its own. */
static bool lock_within(int fd, uint32_t wait_ms) {
    const struct timespec pause = {0, LOOK_NS};
    uint64_t end_us = clock_mono_us() + wait_ms * UINT64_C(1000);
    while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EINTR && (errno != EWOULDBLOCK || clock_mono_us() >= end_us))
            return false;
        nanosleep(&pause, NULL);
    }
    return true;
}

int lock_take(const char *directory, uint32_t wait_ms, struct err *err) {
    char path[PATH_MAX], pid[32];
    if (!make_directory(directory, err))
        return -1;
    if (snprintf(path, sizeof(path), "%s/lock", directory) >= (int)sizeof(path)) {
        err_set(err, "store.directory is too long: %s", directory);
        return -1;
    }
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        err_set(err, "%s: %s", path, strerror(errno));
        return -1;
    }
    if (!lock_within(fd, wait_ms)) {
        if (errno == EWOULDBLOCK)
            say_holder(path, fd, err);
        else
            err_set(err, "%s can not be locked: %s", path, strerror(errno));
        close(fd);
        return -1;
    }
    int len = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) != 0 || pwrite(fd, pid, (size_t)len, 0) != len) {
        err_set(err, "%s can not be written: %s", path, strerror(errno));
        close(fd);
        return -1;
    }
    return fd;
}

void lock_drop(int fd) {
    if (fd >= 0)
        close(fd);
}

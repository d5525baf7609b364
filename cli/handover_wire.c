/* The socket in the directory by which two processes meet. */
#include "handover_wire.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define NAME "handover.sock"

static void close_keeping_errno(int fd) {
    int error = errno;
    close(fd);
    errno = error;
}

static int open_directory(const char *directory, struct sockaddr_un *ret) {
    int fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    snprintf(ret->sun_path, sizeof ret->sun_path, "/proc/self/fd/%d/" NAME, fd);
    return fd;
}

static bool bind_here(int fd, const struct sockaddr_un *at) {
    /* Connecting is refused until listen, so there is no moment with other rights. */
    return (unlink(at->sun_path) == 0 || errno == ENOENT) &&
           bind(fd, (const struct sockaddr *)at, sizeof *at) == 0 &&
           chmod(at->sun_path, 0600) == 0 && listen(fd, 4) == 0;
}

int handover_bind(const char *directory) {
    struct sockaddr_un at;
    int dir = open_directory(directory, &at);
    if (dir < 0)
        return -1;
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 && !bind_here(fd, &at)) {
        close_keeping_errno(fd);
        fd = -1;
    }
    close_keeping_errno(dir);
    return fd;
}

int handover_connect(const char *directory, unsigned time_out_s) {
    struct timeval time_out = {.tv_sec = time_out_s};
    struct sockaddr_un at;
    int dir = open_directory(directory, &at);
    if (dir < 0)
        return -1;
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd >= 0 && (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time_out, sizeof time_out) != 0 ||
                    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &time_out, sizeof time_out) != 0 ||
                    connect(fd, (const struct sockaddr *)&at, sizeof at) != 0)) {
        close_keeping_errno(fd);
        fd = -1;
    }
    close_keeping_errno(dir);
    return fd;
}

void handover_unlink(const char *directory) {
    int dir = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return;
    (void)unlinkat(dir, NAME, 0);
    close(dir);
}

/* The plain-socket side of the I/O table. */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io.h"

static ssize_t result(ssize_t n) {
    if (n >= 0)
        return n;
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? IO_AGAIN : IO_FAILED;
}

static ssize_t plain_read(struct io *io, void *to, size_t len) {
    return result(recv(io->fd, to, len, 0));
}

static ssize_t plain_write(struct io *io, const struct iovec *from, int count) {
    struct msghdr message = {.msg_iov = (struct iovec *)from, .msg_iovlen = (size_t)count};
    return result(sendmsg(io->fd, &message, MSG_NOSIGNAL));
}

static bool plain_is_quiet(struct io *io) {
    char byte;
    return recv(io->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
           (errno == EAGAIN || errno == EWOULDBLOCK);
}

bool io_has_ended(const struct io *io) {
    char byte;
    ssize_t n = recv(io->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return n == 0 || (n < 0 && result(n) == IO_FAILED);
}

static void plain_finish(struct io *io) {
    (void)shutdown(io->fd, SHUT_WR);
}

static void plain_close(struct io *io) {
    if (io->fd >= 0)
        close(io->fd);
    io->fd = -1;
}

static const struct io_ops plain = {plain_read, plain_write, plain_is_quiet, plain_finish,
                                    plain_close};

struct io io_plain(int fd) {
    return (struct io){&plain, fd};
}

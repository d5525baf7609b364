/* The plain-socket side of the I/O table. */
#include <errno.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "io.h"

/* recv, send and sendmsg are points where a thread may be cancelled, which none of ours is, and
 * each pays for that with two atomic operations. Sanitizers know only them and check their buffers.
 */
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
#define RECV    recv
#define SEND    send
#define SENDMSG sendmsg
#else
#define RECV(fd, to, len, flags)    syscall(SYS_recvfrom, fd, to, len, flags, NULL, NULL)
#define SEND(fd, from, len, flags)  syscall(SYS_sendto, fd, from, len, flags, NULL, 0)
#define SENDMSG(fd, message, flags) syscall(SYS_sendmsg, fd, message, flags)
#endif

static ssize_t result(ssize_t n) {
    if (n >= 0)
        return n;
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? IO_AGAIN : IO_FAILED;
}

static ssize_t plain_read(struct io *io, void *to, size_t len) {
    return result(RECV(io->fd, to, len, 0));
}

static ssize_t plain_write(struct io *io, const struct iovec *from, int count) {
    if (count == 1)
        return result(SEND(io->fd, from->iov_base, from->iov_len, MSG_NOSIGNAL));
    struct msghdr message = {.msg_iov = (struct iovec *)from, .msg_iovlen = (size_t)count};
    return result(SENDMSG(io->fd, &message, MSG_NOSIGNAL));
}

static ssize_t look(const struct io *io) {
    char byte;
    return RECV(io->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
}

static bool plain_is_quiet(struct io *io) {
    return look(io) < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

bool io_has_ended(const struct io *io) {
    ssize_t n = look(io);
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

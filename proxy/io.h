/* How bytes reach a peer: one small table, plain sockets now, TLS behind the same functions later.
 * Layer: proxy. */
#ifndef POINTSMAN_IO_H
#define POINTSMAN_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <pointsman/compiler.h>

enum { IO_AGAIN = -1, IO_FAILED = -2 };

struct io;

struct io_ops {
    ssize_t (*read)(struct io *io, void *to,
                    size_t len); /* > 0 bytes, 0 end, IO_AGAIN, IO_FAILED */
    ssize_t (*write)(struct io *io, const struct iovec *from,
                     int count);     /* > 0, IO_AGAIN, IO_FAILED */
    bool (*is_quiet)(struct io *io); /* alive and nothing to read: fit for a new request */
    void (*finish)(struct io *io);   /* no more writes from us */
    void (*close)(struct io *io);
};

struct io {
    const struct io_ops *ops;
    int fd; /* -1: closed */
};

/* The peer has gone and left nothing to be read. */
bool io_has_ended(const struct io *io);
/* Takes over a non-blocking socket. */
struct io io_plain(int fd);

#endif

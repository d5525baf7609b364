/* Sockets passed by systemd or another supervisor (the protocol of sd_listen_fds(3)). */
#include "sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIRST_FD 3
#define FDS_MAX  1024

static bool number(const char *text, unsigned long *ret) {
    char *end;
    if (!text || text[0] < '0' || text[0] > '9')
        return false;
    errno = 0;
    *ret = strtoul(text, &end, 10);
    return errno == 0 && *end == '\0';
}

/* The n-th of the names, which colons part. */
static bool is_named(const char *names, unsigned long n, const char *name) {
    for (; names && n > 0; n--) {
        names = strchr(names, ':');
        names = names ? names + 1 : NULL;
    }
    return names && strcspn(names, ":") == strlen(name) && strncmp(names, name, strlen(name)) == 0;
}

/* The file description is shared with the supervisor; it is non-blocking for both. */
static bool make_ready(int fd) {
    int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0 &&
           fcntl(fd, F_SETFD, FD_CLOEXEC) == 0;
}

static bool take(struct sockets *s, int fd, bool admin, struct err *err) {
    if (!make_ready(fd)) {
        err_set(err, "LISTEN_FDS passes descriptor %d, which is not open", fd);
        return false;
    }
    struct listening *l = sockets_add(s, fd, SOCKET_OF_NONE);
    if (!l) {
        err_set(err, "no memory for listeners");
        return false;
    }
    l->origin = SOCKET_SYSTEMD;
    l->for_admin = admin;
    if (listening_look(l))
        return true;
    err_set(err, "LISTEN_FDS passes descriptor %d, which is no listening TCP socket", fd);
    return false;
}

static bool take_all(struct sockets *s, struct err *err) {
    const char *names = getenv("LISTEN_FDNAMES"), *fds = getenv("LISTEN_FDS");
    unsigned long pid, count;
    if (!fds || !number(getenv("LISTEN_PID"), &pid) || pid != (unsigned long)getpid())
        return true; /* nothing, or meant for another process */
    if (!number(fds, &count) || count > FDS_MAX) {
        err_set(err, "LISTEN_FDS is \"%.32s\"; allowed: 0 to %d", fds, FDS_MAX);
        return false;
    }
    for (unsigned long i = 0; i < count; i++)
        if (!take(s, FIRST_FD + (int)i, is_named(names, i, "admin"), err))
            return false;
    return true;
}

bool sockets_from_environment(struct sockets *s, struct err *err) {
    bool ok = take_all(s, err);
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    return ok;
}

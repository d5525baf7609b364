/* The protocol of sd_notify(3): one datagram to the socket the service manager names. */
#include "notify.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <pointsman/log.h>

void notify(const char *format, ...) {
    char text[256];
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    const char *path = getenv("NOTIFY_SOCKET");
    size_t path_len = path ? strlen(path) : 0;
    if (!path_len)
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (path_len >= sizeof at.sun_path || (path[0] != '/' && path[0] != '@')) {
        log_say(LOG_WARN, "service manager", "NOTIFY_SOCKET is \"%.120s\"; allowed: /path, @name",
                path);
        return;
    }
    memcpy(at.sun_path, path, path_len);
    if (path[0] == '@')
        at.sun_path[0] = '\0';
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path_len);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&at, len) < 0)
        log_say(LOG_WARN, "service manager", "not told %s: %s", text, strerror(errno));
    if (fd >= 0)
        close(fd);
}

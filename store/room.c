/* Makes and removes <directory>/ballast. */
#include "room.h"

#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define BALLAST_MOST  (16 << 20)
#define BALLAST_LEAST (256 << 10)
#define DISK_PART     16
#define FREE_TIMES    4

static bool path_of(const char *directory, const char *name, char path[PATH_MAX]) {
    return snprintf(path, PATH_MAX, "%s/%s", directory, name) < PATH_MAX;
}

bool room_give(const char *directory) {
    char path[PATH_MAX];
    return path_of(directory, "ballast", path) && unlink(path) == 0;
}

/* How big it is to be. 0: there is not room for it. */
static off_t size_on(const char *directory) {
    struct statvfs disk;
    if (statvfs(directory, &disk) != 0)
        return 0;
    uint64_t all = (uint64_t)disk.f_blocks * disk.f_frsize;
    uint64_t unused = (uint64_t)disk.f_bavail * disk.f_frsize;
    uint64_t size = all / DISK_PART;
    size = size > BALLAST_MOST ? BALLAST_MOST : size < BALLAST_LEAST ? BALLAST_LEAST : size;
    return unused >= size * FREE_TIMES ? (off_t)size : 0;
}

bool room_keep(const char *directory) {
    char path[PATH_MAX], making[PATH_MAX];
    struct stat there;
    if (!path_of(directory, "ballast", path) || !path_of(directory, "ballast.new", making))
        return false;
    if (stat(path, &there) == 0)
        return true;
    off_t size = size_on(directory);
    if (!size)
        return false;
    int fd = open(making, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    bool ok = posix_fallocate(fd, 0, size) == 0;
    close(fd);
    if (ok && rename(making, path) == 0)
        return true;
    unlink(making);
    return false;
}

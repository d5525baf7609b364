/* In libc's place: a disk that the test VFS has full says so to those who ask or reserve room. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/statvfs.h>

#include "vfs.h"

int statvfs(const char *restrict path, struct statvfs *restrict disk) {
    int (*real)(const char *, struct statvfs *);
    *(void **)&real = dlsym(RTLD_NEXT, "statvfs");
    int rc = real(path, disk);
    if (rc == 0 && test_vfs_full())
        disk->f_bfree = disk->f_bavail = 0;
    return rc;
}

int posix_fallocate(int fd, off_t at, off_t len) {
    int (*real)(int, off_t, off_t);
    *(void **)&real = dlsym(RTLD_NEXT, "posix_fallocate");
    return test_vfs_full() ? ENOSPC : real(fd, at, len);
}

/* Under LD_PRELOAD: maps the control file and puts the shim in place before main(). */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "overlay.h"
#include "vfs.h"

static struct test_vfs_control *map(const char *path) {
    struct stat st;
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0 || fstat(fd, &st) != 0 || st.st_size != TEST_VFS_SIZE)
        return NULL;
    void *at = mmap(NULL, TEST_VFS_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    return at == MAP_FAILED ? NULL : at;
}

__attribute__((constructor)) static void put_in_place(void) {
    const char *path = getenv(TEST_VFS_ENV);
    struct test_vfs_control *control = map(path);
    if (!control || !test_vfs_register(control)) {
        fprintf(stderr, "libtestvfs: %s is '%s', must name a file of %d bytes\n", TEST_VFS_ENV,
                path ? path : "", TEST_VFS_SIZE);
        _exit(99);
    }
}

__attribute__((destructor)) static void write_out(void) {
    overlays_flush();
}

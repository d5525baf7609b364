/* How often a second the disk under a directory takes one write and its fdatasync, without SQLite
 * above it. */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <pointsman/clock.h>

#define FILE_SIZE (16 << 20) /* written over and over, as a WAL is */

/* 0: it failed. */
static double syncs_per_second(int fd, size_t size, double seconds) {
    char *block = malloc(size);
    if (!block)
        return 0;
    memset(block, 'x', size);
    uint64_t from_us = clock_mono_us(), now_us = from_us;
    unsigned count = 0;
    off_t at = 0;
    bool good = true;
    while (good && (double)(now_us - from_us) < seconds * 1e6) {
        good = pwrite(fd, block, size, at) == (ssize_t)size && fdatasync(fd) == 0;
        at = (at + (off_t)size) % (FILE_SIZE - (off_t)size);
        now_us = clock_mono_us();
        count++;
    }
    free(block);
    return good ? count * 1e6 / (double)(now_us - from_us) : 0;
}

int main(int argc, char **argv) {
    char path[4096];
    double seconds = argc == 3 ? atof(argv[2]) : 0;
    if (seconds <= 0 ||
        snprintf(path, sizeof path, "%s/disk.XXXXXX", argv[1]) >= (int)sizeof path) {
        fputs("usage: disk DIRECTORY SECONDS\n", stderr);
        return 2;
    }
    int fd = mkstemp(path);
    if (fd < 0 || posix_fallocate(fd, 0, FILE_SIZE) != 0) {
        perror(path);
        return 1;
    }
    unlink(path);
    (void)syncs_per_second(fd, 1 << 20, seconds / 4); /* the first writing of a file costs more */
    double small = syncs_per_second(fd, 4096, seconds);
    double large = syncs_per_second(fd, 1 << 20, seconds);
    close(fd);
    printf("syncs_4k=%.0f syncs_1m=%.0f mb_s=%.0f\n", small, large, large * 1.048576);
    return small > 0 && large > 0 ? 0 : 1;
}

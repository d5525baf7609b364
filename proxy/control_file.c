/* The file `control`: one line "epoch mode ppm settled|pending reason". */
#include "control_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool control_file_read(const char *directory, struct control_file *ret) {
    char path[4096], mode[32], state[16], reason[513] = "";
    struct control_file file = {0};
    unsigned long long epoch;
    snprintf(path, sizeof path, "%s/control", directory);
    FILE *in = fopen(path, "re");
    if (!in)
        return false;
    int n =
        fscanf(in, "%llu %31s %u %15s %512[^\n]", &epoch, mode, &file.control.ppm, state, reason);
    fclose(in);
    if (n < 4 || file.control.ppm > PPM_ALL)
        return false;
    file.control.epoch = epoch;
    file.pending = strcmp(state, "pending") == 0;
    memcpy(file.reason, reason, sizeof reason);
    for (int i = 0; i < MODES; i++)
        if (strcmp(mode, mode_names[i]) == 0) {
            file.control.mode = (enum mode)i;
            *ret = file;
            return true;
        }
    return false;
}

static bool write_all(int fd, const char *text, size_t len) {
    return write(fd, text, len) == (ssize_t)len && fsync(fd) == 0;
}

bool control_file_write(const char *directory, const struct control_file *file) {
    char path[4096], aside[4100], text[1024];
    snprintf(path, sizeof path, "%s/control", directory);
    snprintf(aside, sizeof aside, "%s.new", path);
    int len = snprintf(text, sizeof text, "%llu %s %u %s %s\n",
                       (unsigned long long)file->control.epoch, mode_names[file->control.mode],
                       file->control.ppm, file->pending ? "pending" : "settled", file->reason);
    for (char *c = text; c < text + len - 1; c++)
        if (*c == '\n')
            *c = ' ';
    int fd = open(aside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    bool ok = write_all(fd, text, (size_t)len);
    ok = close(fd) == 0 && ok;
    ok = ok && rename(aside, path) == 0;
    int dir = ok ? open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (dir >= 0) { /* the name too must survive a power cut */
        (void)fsync(dir);
        close(dir);
    }
    return ok;
}

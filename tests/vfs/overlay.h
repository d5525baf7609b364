/* What was written to a file and not yet synced, kept in memory, shared by all who have the file
 * open in this process. Any thread. Layer: tests. */
#ifndef POINTSMAN_TESTS_OVERLAY_H
#define POINTSMAN_TESTS_OVERLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct overlay;

/* Of an existing file, by its inode; a reference. NULL: it cannot be opened. */
struct overlay *overlay_get(const char *path);
/* What is unsynced stays in memory also after the last reference. */
void overlay_put(struct overlay *o);
/* The file was removed: so is what was unsynced. */
void overlay_drop(const char *path);
/* Bytes the file has, unsynced ones included; -1: nothing is unsynced, ask the file. */
int64_t overlay_size(struct overlay *o);
int64_t overlay_size_of(const char *path);

enum overlay_read { OVERLAY_CLEAN = 0, OVERLAY_WHOLE, OVERLAY_SHORT, OVERLAY_FAILED };
/* CLEAN: nothing is unsynced, nothing was read. SHORT: the rest is zeros. */
enum overlay_read overlay_read(struct overlay *o, void *to, size_t len, int64_t at);
bool overlay_write(struct overlay *o, const void *from, size_t len, int64_t at);
bool overlay_truncate(struct overlay *o, int64_t size);
/* Writes what is unsynced to the file, in the order it came. */
bool overlay_apply(struct overlay *o);
/* What is unsynced is never written; it is read back as long as this process lives, or not. */
void overlay_lose(struct overlay *o, bool read_back);

/* Before the process ends: all files, see TEST_VFS_TORN. */
void overlays_tear(int torn, uint32_t seed);
void overlays_flush(void);

#endif

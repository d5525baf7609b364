/* A directory that belongs to one running process. Layer: store. */
#ifndef POINTSMAN_STORE_LOCK_H
#define POINTSMAN_STORE_LOCK_H

#include <stdint.h>

#include <pointsman/compiler.h>
#include <pointsman/err.h>

/* Makes the directory (0700, parents too) if it is missing and locks <directory>/lock,
 * waiting for it as long as told. The descriptor holds the lock; -1: another process has it, and
 * err says which. */
MUST_CHECK int lock_take(const char *directory, uint32_t wait_ms, struct err *err);
void lock_drop(int fd); /* -1 is allowed */

#endif

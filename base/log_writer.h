/* The thread that writes log lines, and the ring in which they wait for it. Layer: base. */
#ifndef POINTSMAN_BASE_LOG_WRITER_H
#define POINTSMAN_BASE_LOG_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pointsman/compiler.h>

/* Start and stop belong to one thread; any thread may put. */
MUST_CHECK bool log_writer_start(int fd, size_t capacity);
void log_writer_stop(void);

/* A whole line with its newline: queued, or dropped and counted. Without a writer it is written
 * at once. */
void log_writer_put(const char *line, size_t len);
uint64_t log_writer_dropped(void);

#endif

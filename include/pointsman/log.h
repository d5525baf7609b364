/* One JSON object a line on stderr, handed to a writer thread through a bounded buffer: a slow
 * reader never holds up a worker, what does not fit is dropped and counted. Layer: base.
 * Any thread. Lower layers do not log; whoever owns the object logs once. */
#ifndef POINTSMAN_LOG_H
#define POINTSMAN_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include <pointsman/compiler.h>
#include <pointsman/jsonw.h>

enum log_level { LOG_DEBUG = 0, LOG_INFO, LOG_WARN, LOG_ERROR };

/* Before log_start lines are written directly. capacity: bytes held at most. */
MUST_CHECK bool log_start(int fd, enum log_level least, size_t capacity);
void log_stop(
    void); /* writes what is held, ends the thread; gives up on a stuck reader after 2 s */
uint64_t log_dropped(void);

/* A line holds 8 KiB; if its fields are more, they are left out and the line says so.
 * {"time":…,"level":…,"msg":msg, …fields…}. The writer is this thread's own and valid until
 * log_end, which must follow; NULL: this level is not logged. Nothing is logged in between. */
struct jsonw *log_begin(enum log_level level, const char *msg);
void log_end(struct jsonw *w);

/* A line without fields of its own but {"detail": text}. */
void log_say(enum log_level level, const char *msg, const char *format, ...) PRINTF_LIKE(3, 4);

#endif

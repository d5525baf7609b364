/* Makes log lines, each thread in a buffer of its own, and hands them to the writer. */
#include <pointsman/log.h>

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include <pointsman/clock.h>

#include "log_writer.h"

#define LINE_MAX_BYTES 8192
/* What precedes the fields always fits, even with every byte escaped. */
#define MSG_MAX_BYTES 256

static const char *const level_names[] = {"debug", "info", "warn", "error"};

static _Atomic int least_level = LOG_INFO;

/* buf's memory is `text`: it has its full size from the start and so never grows. The last byte of
 * `text` is kept for the newline. */
static _Thread_local struct {
    struct jsonw json;
    struct buf buf;
    size_t fields; /* where the fields start */
    char text[LINE_MAX_BYTES];
} line;

bool log_start(int fd, enum log_level least, size_t capacity) {
    if (!log_writer_start(fd, capacity))
        return false;
    atomic_store_explicit(&least_level, (int)least, memory_order_relaxed);
    return true;
}

void log_stop(void) {
    log_writer_stop();
}

uint64_t log_dropped(void) {
    return log_writer_dropped();
}

struct jsonw *log_begin(enum log_level level, const char *msg) {
    if ((int)level < atomic_load_explicit(&least_level, memory_order_relaxed))
        return NULL;
    char stamp[32];
    clock_rfc3339(clock_wall_us(), stamp);
    struct slice text = slice_of(msg);
    if (text.len > MSG_MAX_BYTES)
        text.len = MSG_MAX_BYTES;
    line.buf =
        (struct buf){.data = line.text, .cap = sizeof line.text - 1, .max = sizeof line.text - 1};
    jsonw_begin(&line.json, &line.buf);
    jsonw_strz(&line.json, "time", stamp);
    jsonw_strz(&line.json, "level", level_names[level]);
    jsonw_str(&line.json, "msg", text);
    line.fields = line.buf.end;
    return &line.json;
}

static void leave_out_fields(struct jsonw *w) {
    line.buf.end = line.fields;
    w->failed = false;
    jsonw_strz(w, "left_out", "the fields: they are longer than a line may be");
    jsonw_end(w);
}

void log_end(struct jsonw *w) {
    if (!w)
        return;
    jsonw_end(w);
    if (w->failed)
        leave_out_fields(w);
    line.text[line.buf.end++] = '\n';
    log_writer_put(line.text, line.buf.end);
}

void log_say(enum log_level level, const char *msg, const char *format, ...) {
    struct jsonw *w = log_begin(level, msg);
    if (!w)
        return;
    char *detail = NULL;
    va_list args;
    va_start(args, format);
    if (vasprintf(&detail, format, args) < 0)
        detail = NULL;
    va_end(args);
    jsonw_strz(w, "detail", detail);
    free(detail);
    log_end(w);
}

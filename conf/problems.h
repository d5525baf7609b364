/* Collects what the loader finds, in the order of lines. Layer: conf (private). */
#ifndef POINTSMAN_CONF_PROBLEMS_H
#define POINTSMAN_CONF_PROBLEMS_H

#include <stdbool.h>
#include <stddef.h>

#include <pointsman/compiler.h>
#include <pointsman/conf.h>
#include <pointsman/slice.h>

struct problems {
    struct conf_problem *list; /* sorted by line; equal lines in the order of finding */
    unsigned errors;
    bool no_memory;
};

void problems_error(struct problems *p, unsigned line, const char *format, ...) PRINTF_LIKE(3, 4);
void problems_warning(struct problems *p, unsigned line, const char *format, ...) PRINTF_LIKE(3, 4);
void problems_no_memory(struct problems *p);

/* A short text made of parts; what does not fit is cut. */
struct text {
    size_t len;
    char bytes[400];
};
void text_add(struct text *t, const char *format, ...) PRINTF_LIKE(2, 3);
/* `value` in quotes, safe for a terminal and at most 60 bytes of it. */
void text_add_quoted(struct text *t, struct slice value);
struct text text_quoted(struct slice value);

#endif

/* The list of what the loader found, and short texts for its messages. */
#include "problems.h"

#include <stdarg.h>
#include <stdlib.h>

#define QUOTED_MAX 60

static void add(struct problems *p, bool fatal, unsigned line, const char *format, va_list args) {
    if (fatal)
        p->errors++;
    struct conf_problem *new = calloc(1, sizeof(*new));
    if (!new) {
        p->no_memory = true;
        return;
    }
    new->fatal = fatal;
    new->line = line;
    (void)vsnprintf(new->text, sizeof(new->text), format, args);
    struct conf_problem **at = &p->list;
    while (*at && (*at)->line <= line)
        at = &(*at)->next;
    new->next = *at;
    *at = new;
}

void problems_error(struct problems *p, unsigned line, const char *format, ...) {
    va_list args;
    va_start(args, format);
    add(p, true, line, format, args);
    va_end(args);
}

void problems_warning(struct problems *p, unsigned line, const char *format, ...) {
    va_list args;
    va_start(args, format);
    add(p, false, line, format, args);
    va_end(args);
}

void problems_no_memory(struct problems *p) {
    p->no_memory = true;
}

void conf_problems_free(struct conf_problem *list) {
    while (list) {
        struct conf_problem *next = list->next;
        free(list);
        list = next;
    }
}

void conf_problems_print(const struct conf_problem *list, const char *file, FILE *out) {
    for (; list; list = list->next) {
        (void)fputs(file, out);
        if (list->line > 0)
            (void)fprintf(out, ":%u", list->line);
        (void)fprintf(out, ": %s%s\n", list->fatal ? "" : "warning: ", list->text);
    }
}

void text_add(struct text *t, const char *format, ...) {
    va_list args;
    va_start(args, format);
    int n = vsnprintf(t->bytes + t->len, sizeof(t->bytes) - t->len, format, args);
    va_end(args);
    if (n < 0)
        return;
    size_t room = sizeof(t->bytes) - 1 - t->len;
    t->len += (size_t)n < room ? (size_t)n : room;
}

void text_add_quoted(struct text *t, struct slice value) {
    size_t n = value.len;
    if (n > QUOTED_MAX) {
        n = QUOTED_MAX;
        /* not in the middle of a UTF-8 sequence */
        while (n > 0 && ((unsigned char)value.ptr[n] & 0xc0) == 0x80)
            n--;
    }
    text_add(t, "\"");
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)value.ptr[i];
        text_add(t, "%c", c < 0x20 || c == 0x7f ? '?' : c);
    }
    text_add(t, n < value.len ? "…\"" : "\"");
}

struct text text_quoted(struct slice value) {
    struct text t = {0};
    text_add_quoted(&t, value);
    return t;
}

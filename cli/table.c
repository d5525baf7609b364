/* Collects cells, then prints them in aligned columns. */
#include "table.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Characters of UTF-8 text; wide and combining ones do not occur in what we print. */
static unsigned width_of(const char *text) {
    unsigned n = 0;
    for (; *text; text++)
        n += ((unsigned char)*text & 0xC0) != 0x80;
    return n;
}

void table_init(struct table *t, const char *align) {
    memset(t, 0, sizeof *t);
    t->columns = (unsigned)strlen(align);
    t->right = align;
    buf_init(&t->cells, 1024 * 1024);
}

/* Text from outside can not move the cursor. */
static void without_controls(char *text) {
    for (; *text; text++) {
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            *text = ' ';
    }
}

void table_cell(struct table *t, const char *format, ...) {
    char cell[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(cell, sizeof cell, format, args);
    va_end(args);
    without_controls(cell);
    unsigned width = width_of(cell);
    if (width > t->width[t->at])
        t->width[t->at] = width;
    t->at = (t->at + 1) % t->columns;
    if (!buf_append(&t->cells, cell, strlen(cell) + 1))
        t->failed = true;
}

void count_print(unsigned long long n, char out[32]) {
    char plain[32];
    int len = snprintf(plain, sizeof plain, "%llu", n);
    size_t used = 0;
    for (int i = 0; i < len; i++) {
        if (i && (len - i) % 3 == 0)
            out[used++] = ',';
        out[used++] = plain[i];
    }
    out[used] = 0;
}

void table_count(struct table *t, unsigned long long n) {
    char text[32];
    count_print(n, text);
    table_cell(t, "%s", text);
}

void table_print(struct table *t, FILE *out) {
    unsigned column = 0;
    const char *cell = buf_len(&t->cells) ? buf_at(&t->cells) : "";
    const char *end = cell + buf_len(&t->cells);
    for (; !t->failed && cell < end; cell += strlen(cell) + 1) {
        bool last = column + 1 == t->columns;
        int pad = (int)(t->width[column] - width_of(cell));
        if (t->right[column] == 'r')
            fprintf(out, "  %*s%s", pad, "", cell);
        else
            fprintf(out, "  %s%*s", cell, last ? 0 : pad, "");
        if (last)
            fprintf(out, "\n");
        column = last ? 0 : column + 1;
    }
    buf_free(&t->cells);
}

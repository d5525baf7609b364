/* Columns for people: as wide as their widest cell. Layer: cli, private. */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include <stdio.h>

#include <pointsman/buf.h>
#include <pointsman/compiler.h>

#define TABLE_COLUMNS_MAX 10

struct table {
    unsigned columns;
    const char *right; /* per column "l" or "r": where its cells stand */
    unsigned width[TABLE_COLUMNS_MAX];
    unsigned at;      /* next column of the row */
    struct buf cells; /* NUL-terminated, row by row */
    bool failed;
};

/* `align` has one letter per column and lives as long as the table. */
void table_init(struct table *t, const char *align);
void table_cell(struct table *t, const char *format, ...) PRINTF_LIKE(2, 3);
/* Prints all rows, indented, and frees the cells. */
void table_print(struct table *t, FILE *out);

/* 1,234,567 */
void count_print(unsigned long long n, char out[32]);
void table_count(struct table *t, unsigned long long n);

#endif

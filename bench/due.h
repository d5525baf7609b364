/* What is to be done at a time: a heap, the earliest on top. Layer: bench. */
#ifndef BENCH_DUE_H
#define BENCH_DUE_H

#include <stddef.h>
#include <stdint.h>

struct due_item {
    uint64_t at_us;
    void *what;
};

struct due {
    struct due_item *items;
    size_t count, cap;
};

void due_free(struct due *d);
void due_add(struct due *d, uint64_t at_us, void *what); /* aborts when memory is out */
uint64_t due_next_us(const struct due *d);               /* 0: nothing is to be done */
void *due_take(struct due *d);                           /* the earliest; NULL: none */

#endif

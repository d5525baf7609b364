/* A binary heap in an array. */
#include "due.h"

#include <stdlib.h>

void due_free(struct due *d) {
    free(d->items);
    *d = (struct due){0};
}

void due_add(struct due *d, uint64_t at_us, void *what) {
    if (d->count == d->cap) {
        d->cap = d->cap ? 2 * d->cap : 64;
        d->items = realloc(d->items, d->cap * sizeof *d->items);
        if (!d->items)
            abort();
    }
    size_t at = d->count++;
    for (; at > 0 && d->items[(at - 1) / 2].at_us > at_us; at = (at - 1) / 2)
        d->items[at] = d->items[(at - 1) / 2];
    d->items[at] = (struct due_item){at_us, what};
}

uint64_t due_next_us(const struct due *d) {
    return d->count ? d->items[0].at_us : 0;
}

void *due_take(struct due *d) {
    if (!d->count)
        return NULL;
    void *what = d->items[0].what;
    struct due_item last = d->items[--d->count];
    size_t at = 0;
    for (size_t child; (child = 2 * at + 1) < d->count; at = child) {
        if (child + 1 < d->count && d->items[child + 1].at_us < d->items[child].at_us)
            child++;
        if (d->items[child].at_us >= last.at_us)
            break;
        d->items[at] = d->items[child];
    }
    if (d->count)
        d->items[at] = last;
    return what;
}

/* The rows somebody works on: a set of row numbers in memory, with an undo for what a transaction
 * that failed had changed. One thread at a time. Layer: store. */
#ifndef POINTSMAN_STORE_HAND_H
#define POINTSMAN_STORE_HAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pointsman/compiler.h>

struct hand_change {
    uint64_t seq;
    bool added;
};

struct hand { /* zeroed: empty */
    uint64_t *slots;
    size_t cap; /* a power of two, or 0 */
    size_t used;
    struct hand_change *changes; /* since the last commit */
    size_t changed;
    size_t change_cap;
};

void hand_free(struct hand *h);
MUST_CHECK bool hand_has(const struct hand *h, uint64_t seq); /* seq: not 0, here and below */
/* What is so already changes nothing. False: no memory. */
MUST_CHECK bool hand_add(struct hand *h, uint64_t seq);
MUST_CHECK bool hand_drop(struct hand *h, uint64_t seq);
void hand_commit(struct hand *h);
void hand_rollback(struct hand *h);

#endif

/* Which of N entities an event is about: all alike, few often (Zipf), or nearly always one. Pure.
 * Layer: bench. */
#ifndef BENCH_DISTRIBUTION_H
#define BENCH_DISTRIBUTION_H

#include <stdbool.h>
#include <stdint.h>

#include <pointsman/compiler.h>

enum distribution_kind {
    DISTRIBUTION_UNIFORM = 0, /* each gets the same share */
    DISTRIBUTION_ZIPF,        /* the kth gets a share in proportion to 1/k */
    DISTRIBUTION_HOT,         /* the first gets nine of ten events, the rest share the tenth */
    DISTRIBUTIONS
};
extern const char *const distribution_names[DISTRIBUTIONS];

struct distribution {
    enum distribution_kind kind;
    unsigned entities;
    uint32_t *upto; /* Zipf: the share of entities 0..k, of 2^32 - 1; else NULL */
};

/* False: no memory. entities is at least 1. */
MUST_CHECK bool distribution_init(struct distribution *d, enum distribution_kind kind,
                                  unsigned entities);
void distribution_free(struct distribution *d);
/* Of the event with this number: always the same, below entities. */
unsigned distribution_entity(const struct distribution *d, uint64_t event);

#endif

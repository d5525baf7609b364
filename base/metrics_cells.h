/* How the numbers of all metrics lie in a slab. Layer: base. */
#ifndef POINTSMAN_BASE_METRICS_CELLS_H
#define POINTSMAN_BASE_METRICS_CELLS_H

#include <stddef.h>
#include <stdint.h>

#include <pointsman/metrics.h>

/* Five bounds a decade from 10 µs to 120 s; the last bucket has none. */
#define METRICS_BOUNDS  37
#define METRICS_BUCKETS (METRICS_BOUNDS + 1)
extern const uint64_t metrics_bounds_us[METRICS_BOUNDS];

/* A counter or gauge is one cell. A histogram is its buckets, then the sum in µs. */
#define METRICS_SUM_CELL METRICS_BUCKETS

struct metrics_layout {
    size_t first;       /* cell of label combination 0 */
    size_t width;       /* cells a combination */
    unsigned counts[3]; /* 1 where there is no label */
};

struct metrics {
    const struct metric_def *defs;
    unsigned count;
    size_t cells;
    struct metrics_slab *_Atomic slabs; /* newest first; only ever grows */
    uint8_t first_bucket[64];           /* for numbers whose highest bit is this one */
    struct metrics_layout layouts[];
};

/* Sum over all slabs of one cell. */
int64_t metrics_sum_cell(struct metrics *m, size_t cell);
/* Sums over all slabs of the buckets that start at cell; returns their total. */
uint64_t metrics_sum_buckets(struct metrics *m, size_t cell, uint64_t counts[METRICS_BUCKETS]);

#endif

/* Counters, gauges and histograms: a table of definitions, a slab of numbers per thread, summed
 * when read. Knows no names of its own. Layer: base. */
#ifndef POINTSMAN_METRICS_H
#define POINTSMAN_METRICS_H

#include <stdbool.h>
#include <stdint.h>

#include <pointsman/buf.h>
#include <pointsman/compiler.h>

enum metric_kind { METRIC_COUNTER = 0, METRIC_GAUGE, METRIC_HISTOGRAM };

/* Label values come from closed sets: values[i] is printed for label index i. At most 3 labels. */
struct metric_label {
    const char *name;
    const char *const *values;
    unsigned count;
};
struct metric_def {
    const char *name; /* full Prometheus name */
    const char *help;
    enum metric_kind kind; /* histograms are fed in µs and printed in seconds */
    struct metric_label labels[3];
};

struct metrics;      /* process-wide */
struct metrics_slab; /* one per thread; only that thread writes */

/* defs live as long as the metrics. NULL: no memory. */
MUST_CHECK struct metrics *metrics_new(const struct metric_def *defs, unsigned count);
void metrics_free(struct metrics *m);
MUST_CHECK struct metrics_slab *metrics_slab(struct metrics *m); /* freed with m */

/* Index in defs, then label indices (0 where a metric has fewer labels). */
void metrics_add(struct metrics_slab *s, unsigned def, unsigned a, unsigned b, unsigned c,
                 int64_t n);
void metrics_observe_us(struct metrics_slab *s, unsigned def, unsigned a, unsigned b, unsigned c,
                        uint64_t us);

/* Sums over threads, of gauges too: each thread sets its own share. Any thread may ask. */
int64_t metrics_value(struct metrics *m, unsigned def, unsigned a, unsigned b, unsigned c);
uint64_t metrics_count(struct metrics *m, unsigned def, unsigned a, unsigned b,
                       unsigned c); /* histogram */
/* The quantile (0..1) in µs, as if the samples of a bucket lay evenly in it; 0: no samples. At most
 * 120 s, which stands for everything longer. */
uint64_t metrics_quantile_us(struct metrics *m, unsigned def, unsigned a, unsigned b, unsigned c,
                             double q);

/* Prometheus text format 0.0.4, every label combination (also those at 0). False: out is full. */
MUST_CHECK bool metrics_print(struct metrics *m, struct buf *out);

#endif

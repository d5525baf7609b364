/* Keeps the numbers: a slab per thread, written by it alone, summed by whoever reads. */
#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "metrics_cells.h"

#define CACHE_LINE 64

const uint64_t metrics_bounds_us[METRICS_BOUNDS] = {
    10,       15,       25,       40,        60,        100,     150,      250,
    400,      600,      1000,     1500,      2500,      4000,    6000,     10000,
    15000,    25000,    40000,    60000,     100000,    150000,  250000,   400000,
    600000,   1000000,  1500000,  2500000,   4000000,   6000000, 10000000, 15000000,
    25000000, 40000000, 60000000, 100000000, 120000000,
};

/* Begins a cache line and ends with one, so that threads do not share any. */
struct metrics_slab {
    struct metrics *owner;
    struct metrics_slab *next;
    _Atomic int64_t cells[];
};

/* ---- definitions ---- */

static void lay_out(struct metrics *m, unsigned def) {
    struct metrics_layout *l = &m->layouts[def];
    size_t combinations = 1;
    for (int i = 0; i < 3; i++) {
        const struct metric_label *label = &m->defs[def].labels[i];
        l->counts[i] = label->name ? label->count : 1;
        combinations *= l->counts[i];
    }
    l->width = m->defs[def].kind == METRIC_HISTOGRAM ? METRICS_BUCKETS + 1 : 1;
    l->first = m->cells;
    m->cells += combinations * l->width;
}

static void index_buckets(struct metrics *m) {
    size_t bucket = 0;
    for (unsigned bits = 0; bits < 64; bits++) {
        while (bucket < METRICS_BOUNDS && metrics_bounds_us[bucket] < UINT64_C(1) << bits)
            bucket++;
        m->first_bucket[bits] = (uint8_t)bucket;
    }
}

struct metrics *metrics_new(const struct metric_def *defs, unsigned count) {
    struct metrics *m = calloc(1, sizeof *m + count * sizeof m->layouts[0]);
    if (!m)
        return NULL;
    m->defs = defs;
    m->count = count;
    for (unsigned def = 0; def < count; def++)
        lay_out(m, def);
    index_buckets(m);
    return m;
}

void metrics_free(struct metrics *m) {
    if (!m)
        return;
    struct metrics_slab *slab = atomic_load(&m->slabs);
    while (slab) {
        struct metrics_slab *next = slab->next;
        free(slab);
        slab = next;
    }
    free(m);
}

struct metrics_slab *metrics_slab(struct metrics *m) {
    size_t size = sizeof(struct metrics_slab) + m->cells * sizeof(_Atomic int64_t);
    size = (size + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
    struct metrics_slab *slab = aligned_alloc(CACHE_LINE, size);
    if (!slab)
        return NULL;
    memset(slab, 0, size);
    slab->owner = m;
    slab->next = atomic_load_explicit(&m->slabs, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&m->slabs, &slab->next, slab,
                                                  memory_order_release, memory_order_relaxed))
        ;
    return slab;
}

static inline size_t find_cell(const struct metrics *m, unsigned def, unsigned a, unsigned b,
                               unsigned c) {
    assert(def < m->count);
    const struct metrics_layout *l = &m->layouts[def];
    assert(a < l->counts[0] && b < l->counts[1] && c < l->counts[2]);
    return l->first + (((size_t)a * l->counts[1] + b) * l->counts[2] + c) * l->width;
}

/* ---- writing: no thread but the slab's own stores, so a plain load and store are enough ---- */

static void add_to(struct metrics_slab *s, size_t cell, int64_t n) {
    uint64_t value = (uint64_t)atomic_load_explicit(&s->cells[cell], memory_order_relaxed);
    atomic_store_explicit(&s->cells[cell], (int64_t)(value + (uint64_t)n), memory_order_relaxed);
}

void metrics_add(struct metrics_slab *s, unsigned def, unsigned a, unsigned b, unsigned c,
                 int64_t n) {
    add_to(s, find_cell(s->owner, def, a, b, c), n);
}

/* The first bucket whose bound is not below us: at most two bounds lie between powers of two. */
static size_t find_bucket(const struct metrics *m, uint64_t us) {
    size_t bucket = m->first_bucket[63 - __builtin_clzll(us | 1)];
    while (bucket < METRICS_BOUNDS && metrics_bounds_us[bucket] < us)
        bucket++;
    return bucket;
}

void metrics_observe_us(struct metrics_slab *s, unsigned def, unsigned a, unsigned b, unsigned c,
                        uint64_t us) {
    size_t cell = find_cell(s->owner, def, a, b, c);
    assert(s->owner->layouts[def].width > METRICS_SUM_CELL);
    add_to(s, cell + find_bucket(s->owner, us), 1);
    add_to(s, cell + METRICS_SUM_CELL, (int64_t)us);
}

/* ---- reading ---- */

int64_t metrics_sum_cell(struct metrics *m, size_t cell) {
    int64_t sum = 0;
    const struct metrics_slab *s = atomic_load_explicit(&m->slabs, memory_order_acquire);
    for (; s; s = s->next)
        sum += atomic_load_explicit(&s->cells[cell], memory_order_relaxed);
    return sum;
}

uint64_t metrics_sum_buckets(struct metrics *m, size_t cell, uint64_t counts[METRICS_BUCKETS]) {
    uint64_t total = 0;
    for (size_t i = 0; i < METRICS_BUCKETS; i++) {
        counts[i] = (uint64_t)metrics_sum_cell(m, cell + i);
        total += counts[i];
    }
    return total;
}

int64_t metrics_value(struct metrics *m, unsigned def, unsigned a, unsigned b, unsigned c) {
    return metrics_sum_cell(m, find_cell(m, def, a, b, c));
}

uint64_t metrics_count(struct metrics *m, unsigned def, unsigned a, unsigned b, unsigned c) {
    uint64_t counts[METRICS_BUCKETS];
    assert(m->defs[def].kind == METRIC_HISTOGRAM);
    return metrics_sum_buckets(m, find_cell(m, def, a, b, c), counts);
}

uint64_t metrics_quantile_us(struct metrics *m, unsigned def, unsigned a, unsigned b, unsigned c,
                             double q) {
    uint64_t counts[METRICS_BUCKETS];
    assert(m->defs[def].kind == METRIC_HISTOGRAM);
    uint64_t total = metrics_sum_buckets(m, find_cell(m, def, a, b, c), counts);
    if (total == 0)
        return 0;
    uint64_t seen = 0;
    for (size_t i = 0; i < METRICS_BOUNDS; i++) {
        seen += counts[i];
        if (seen == 0 || (double)seen < q * (double)total)
            continue;
        /* Samples are taken to lie evenly in their bucket. */
        uint64_t low = i ? metrics_bounds_us[i - 1] : 0, width = metrics_bounds_us[i] - low;
        double into = (q * (double)total - (double)(seen - counts[i])) / (double)counts[i];
        return low + (uint64_t)((into > 0 ? into : 0) * (double)width);
    }
    return metrics_bounds_us[METRICS_BOUNDS - 1];
}

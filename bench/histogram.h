/* Log-linear histogram of microseconds: below 128 exact, above within 1/64; at most 2^32 µs. Layer:
 * bench. */
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include <stdint.h>

/* A value keeps its 7 leading bits, and each shift has 64 buckets of its own. */
#define HISTOGRAM_SHIFTS  26
#define HISTOGRAM_BUCKETS (64 * (HISTOGRAM_SHIFTS + 1))

struct histogram {
    uint64_t count;
    uint64_t max; /* exact */
    uint64_t buckets[HISTOGRAM_BUCKETS];
};

static inline unsigned histogram_index(uint64_t us) {
    if (us > UINT32_MAX)
        us = UINT32_MAX;
    unsigned shift = us < 128 ? 0 : 57 - (unsigned)__builtin_clzll(us);
    return shift * 64 + (unsigned)(us >> shift);
}

/* The largest value that falls into the bucket. */
static inline uint64_t histogram_top(unsigned index) {
    unsigned shift = index < 128 ? 0 : index / 64 - 1;
    return ((uint64_t)(index - shift * 64 + 1) << shift) - 1;
}

static inline void histogram_add(struct histogram *h, uint64_t us) {
    h->count++;
    if (us > h->max)
        h->max = us;
    h->buckets[histogram_index(us)]++;
}

/* q in 0..1; 0 where there are no samples. */
static inline uint64_t histogram_quantile(const struct histogram *h, double q) {
    uint64_t rank = (uint64_t)(q * (double)h->count);
    uint64_t seen = 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += h->buckets[i];
        if (seen && seen > rank)
            return histogram_top(i);
    }
    for (unsigned i = HISTOGRAM_BUCKETS; i-- > 0;)
        if (h->buckets[i])
            return histogram_top(i);
    return 0;
}

#endif

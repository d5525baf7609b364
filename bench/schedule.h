/* When the nth delivery of a run is due, which event it carries, and that event's id. Pure. Layer:
 * bench. */
#ifndef BENCH_SCHEDULE_H
#define BENCH_SCHEDULE_H

#include <stdint.h>

#define SCHEDULE_ID_MAX 40 /* an id and its NUL */

struct schedule {
    uint32_t run;        /* makes ids unique over runs */
    uint64_t start_us;   /* monotonic */
    unsigned rate;       /* deliveries a second; 0: whenever a connection is free */
    unsigned duplicates; /* percent of the deliveries that repeat an earlier event, at most 90 */
    unsigned scattered;  /* ids come in no order */
    unsigned lag;        /* deliveries between an event and its repetition, at least 1 */
};

/* Without a rate everything is due at once: 0. */
uint64_t schedule_due_us(const struct schedule *s, uint64_t nth);
/* How many deliveries are due by then; only with a rate. */
uint64_t schedule_due(const struct schedule *s, uint64_t now_us);
/* The number of the event in the nth delivery: nth itself unless that is a repetition. */
uint64_t schedule_event(const struct schedule *s, uint64_t nth);
/* Ids come in order, as GitHub's do: UUIDs of version 1, which begin with the time (the example at
 * https://docs.github.com/en/webhooks/webhook-events-and-payloads#delivery-headers). Scattered, as
 * random ones of others would be, they hit an index over them all over. */
void schedule_id(const struct schedule *s, uint64_t event, char out[SCHEDULE_ID_MAX]);

/* One to one (splitmix64): hashes small numbers. */
static inline uint64_t schedule_scatter(uint64_t n) {
    n += UINT64_C(0x9e3779b97f4a7c15);
    n = (n ^ (n >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    n = (n ^ (n >> 27)) * UINT64_C(0x94d049bb133111eb);
    return n ^ (n >> 31);
}

#endif

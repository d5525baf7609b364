/* A constant rate is kept from the start of the run on, whatever the answers do. */
#include "schedule.h"

#include <stdio.h>

#define SECOND_US UINT64_C(1000000)

uint64_t schedule_due_us(const struct schedule *s, uint64_t nth) {
    return s->rate ? s->start_us + nth * SECOND_US / s->rate : 0;
}

uint64_t schedule_due(const struct schedule *s, uint64_t now_us) {
    if (now_us < s->start_us)
        return 0;
    /* The largest n with n * SECOND_US / rate <= elapsed, and the 0th. */
    uint64_t elapsed = now_us - s->start_us;
    return ((elapsed + 1) * s->rate - 1) / SECOND_US + 1;
}

static int is_repetition(const struct schedule *s, uint64_t nth) {
    return nth >= s->lag &&
           schedule_scatter(nth ^ UINT64_C(0x5bd1e995) << 32) % 100 < s->duplicates;
}

uint64_t schedule_event(const struct schedule *s, uint64_t nth) {
    while (s->duplicates && is_repetition(s, nth))
        nth -= s->lag;
    return nth;
}

void schedule_id(const struct schedule *s, uint64_t event, char out[SCHEDULE_ID_MAX]) {
    snprintf(out, SCHEDULE_ID_MAX, "%08x-%016llx", s->run,
             (unsigned long long)(s->scattered ? schedule_scatter(event) : event));
}

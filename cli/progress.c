/* Draws the bar and keeps the pace, by the clock that never jumps. */
#include "progress.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <pointsman/clock.h>

#include "table.h"

#define BAR_WIDTH 30

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number) {
    (void)number;
    interrupted = 1;
}

void progress_begin(struct progress *p, uint64_t total, uint64_t rate) {
    struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = (int)SA_RESETHAND};
    *p = (struct progress){
        .total = total, .rate = rate, .start_us = clock_mono_us(), .bar = isatty(STDERR_FILENO)};
    sigemptyset(&action.sa_mask);
    if (sigaction(SIGINT, &action, NULL) != 0)
        fprintf(stderr, "pointsman: Ctrl-C will not stop between two steps\n");
}

bool progress_pace(const struct progress *p) {
    uint64_t steps = p->done + p->refused;
    uint64_t due_us = p->rate ? p->start_us + steps * UINT64_C(1000000) / p->rate : 0;
    for (uint64_t now_us; !interrupted && (now_us = clock_mono_us()) < due_us;) {
        uint64_t left_us = due_us - now_us;
        struct timespec wait = {(time_t)(left_us / 1000000), (long)(left_us % 1000000) * 1000};
        if (nanosleep(&wait, NULL) != 0)
            continue; /* a signal: look who it was */
    }
    return !interrupted;
}

void progress_step(struct progress *p, uint64_t done, uint64_t refused) {
    char bar[BAR_WIDTH + 1];
    char at[32];
    char total[32];
    char refusals[64] = "";
    p->done += done;
    p->refused += refused;
    if (!p->bar)
        return;
    uint64_t steps = p->done + p->refused;
    uint64_t all = p->total > steps ? p->total : steps;
    size_t full = all ? (size_t)(steps * BAR_WIDTH / all) : 0;
    memset(bar, '.', BAR_WIDTH);
    memset(bar, '#', full);
    bar[BAR_WIDTH] = 0;
    count_print(steps, at);
    count_print(all, total);
    if (p->refused)
        snprintf(refusals, sizeof refusals, ", %llu refused", (unsigned long long)p->refused);
    uint64_t us = clock_mono_us() - p->start_us;
    fprintf(stderr, "\r[%s] %s of %s%s, %.0f/s \033[K", bar, at, total, refusals,
            us ? (double)steps * 1e6 / (double)us : 0.0);
}

void progress_end(const struct progress *p) {
    if (p->bar)
        fprintf(stderr, "\n");
}

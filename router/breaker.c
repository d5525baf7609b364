/* The circuit breaker: after failures nothing is sent for a while, then a few probes decide. */
#include <pointsman/router.h>

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

const char *const breaker_state_names[BREAKER_STATES] = {"closed", "open", "half_open"};

PRINTF_LIKE(4, 5)
static void change(struct breaker *b, enum breaker_state state, uint64_t now_us, const char *format,
                   ...) {
    va_list args;
    va_start(args, format);
    (void)vsnprintf(b->reason, sizeof b->reason, format, args);
    va_end(args);
    b->state = state;
    b->since_us = now_us;
    b->probes_out = b->probes_good = 0;
    if (state == BREAKER_OPEN)
        b->opened_us = now_us;
    if (state == BREAKER_CLOSED) {
        b->failed_in_row = 0;
        memset(b->slots, 0, sizeof b->slots);
    }
}

/* ---- entering ---- */

static bool has_rested(const struct conf *conf, uint64_t from_us, uint64_t now_us) {
    return now_us >= from_us && now_us - from_us >= conf->breaker_open_ms * UINT64_C(1000);
}

/* A probe that never comes back must not keep the breaker half open for ever. */
static bool probes_are_lost(const struct breaker *b, const struct conf *conf, uint64_t now_us) {
    return has_rested(conf, b->probe_us, now_us);
}

bool breaker_admits(const struct breaker *b, const struct conf *conf, uint64_t now_us) {
    switch (b->state) {
    case BREAKER_OPEN:
        return has_rested(conf, b->since_us, now_us);
    case BREAKER_HALF_OPEN: /* one at least, also where a reload asks for less than succeeded */
        return b->probes_out == 0 || b->probes_out + b->probes_good < conf->breaker_probes ||
               probes_are_lost(b, conf, now_us);
    default:
        return true;
    }
}

enum breaker_pass breaker_enter(struct breaker *b, const struct conf *conf, uint64_t now_us) {
    if (now_us < b->since_us) { /* else what enters now would look older than the state */
        b->since_us = now_us;
        b->opened_us = b->opened_us < now_us ? b->opened_us : now_us - 1;
        b->probe_us = now_us;
    }
    if (!breaker_admits(b, conf, now_us))
        return PASS_REFUSED;
    if (b->state == BREAKER_CLOSED)
        return PASS_FREE;
    if (b->state == BREAKER_OPEN)
        change(b, BREAKER_HALF_OPEN, now_us, "it was open long enough, probes are let through");
    else if (probes_are_lost(b, conf, now_us))
        b->probes_out = 0;
    b->probes_out++;
    b->probe_us = now_us;
    return PASS_PROBE;
}

/* ---- the window ---- */

static uint64_t window_us(const struct conf *conf) {
    return conf->breaker_window_ms * UINT64_C(1000);
}

static void count(struct breaker *b, const struct conf *conf, uint64_t now_us, bool failed) {
    uint64_t width = window_us(conf) / BREAKER_SLOTS;
    uint64_t number = now_us / width;
    size_t i = number % BREAKER_SLOTS;
    if (b->slots[i].from_us != number * width) {
        memset(&b->slots[i], 0, sizeof b->slots[i]);
        b->slots[i].from_us = number * width;
    }
    b->slots[i].ended++;
    b->slots[i].failed += failed;
}

struct breaker_count breaker_count(const struct breaker *b, const struct conf *conf,
                                   uint64_t now_us) {
    struct breaker_count sum = {0};
    for (size_t i = 0; i < BREAKER_SLOTS; i++) {
        if (b->slots[i].from_us > now_us || now_us - b->slots[i].from_us >= window_us(conf))
            continue;
        sum.ended += b->slots[i].ended;
        sum.failed += b->slots[i].failed;
    }
    return sum;
}

/* ---- leaving ---- */

static bool left_closed(struct breaker *b, const struct conf *conf, uint64_t now_us, bool good) {
    count(b, conf, now_us, !good);
    if (good) {
        b->failed_in_row = 0;
        return false; /* what succeeds just now is not cut off, whatever the window says */
    }
    if (++b->failed_in_row >= conf->breaker_failures) {
        change(b, BREAKER_OPEN, now_us, "%" PRIu32 " attempts in a row failed", b->failed_in_row);
        return true;
    }
    struct breaker_count sum = breaker_count(b, conf, now_us);
    if (sum.ended < conf->breaker_samples ||
        (uint64_t)sum.failed * PPM_ALL < (uint64_t)sum.ended * conf->breaker_rate_ppm)
        return false;
    bool whole = conf->breaker_window_ms % 1000 == 0;
    change(b, BREAKER_OPEN, now_us, "%" PRIu32 " of %" PRIu32 " attempts in %" PRIu32 " %s failed",
           sum.failed, sum.ended, conf->breaker_window_ms / (whole ? 1000 : 1), whole ? "s" : "ms");
    return true;
}

static bool left_half_open(struct breaker *b, const struct conf *conf, uint64_t now_us, bool good) {
    if (!good) {
        change(b, BREAKER_OPEN, now_us, "a probe failed");
        return true;
    }
    if (b->probes_out > 0)
        b->probes_out--;
    if (++b->probes_good >= conf->breaker_probes)
        change(b, BREAKER_CLOSED, now_us, "%" PRIu32 " probe%s succeeded", b->probes_good,
               b->probes_good == 1 ? "" : "s");
    return false;
}

/* A probe counts in the state that let it through, all else while the breaker is closed. Not
 * compared with since_us: a caller's clock may be a little behind the one that changed the state.
 */
static bool concerns(const struct breaker *b, enum breaker_pass pass, uint64_t entered_us) {
    if (pass == PASS_REFUSED || (b->opened_us > 0 && entered_us <= b->opened_us))
        return false;
    return b->state == (pass == PASS_PROBE ? BREAKER_HALF_OPEN : BREAKER_CLOSED);
}

bool breaker_left(struct breaker *b, const struct conf *conf, uint64_t now_us,
                  enum breaker_pass pass, uint64_t entered_us, enum outcome outcome) {
    bool good = outcome == OUTCOME_DONE || outcome == OUTCOME_REJECTED;
    if (!concerns(b, pass, entered_us))
        return false;
    return pass == PASS_PROBE ? left_half_open(b, conf, now_us, good)
                              : left_closed(b, conf, now_us, good);
}

void breaker_void(struct breaker *b, enum breaker_pass pass) {
    if (pass == PASS_PROBE && b->state == BREAKER_HALF_OPEN && b->probes_out > 0)
        b->probes_out--;
}

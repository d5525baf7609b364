/* When an event is tried again, and how many may be. */
#include <pointsman/router.h>

#include <math.h>

#include <pointsman/date.h>

#define DAY_MS    UINT64_C(86400000)
#define SECOND_US UINT64_C(1000000)

bool retry_pause_ms(const struct conf *conf, uint32_t tries, uint64_t retry_after_ms,
                    uint64_t random, uint64_t *ret_ms) {
    if (tries == 0 || tries > conf->ladder_count)
        return false;
    uint64_t step = conf->ladder_ms[tries - 1];
    uint64_t spread = step * conf->retry_jitter_ppm / PPM_ALL;
    uint64_t pause = step - spread + random % (2 * spread + 1);
    uint64_t asked = retry_after_ms < 2 * step ? retry_after_ms : 2 * step;
    *ret_ms = asked > pause ? asked : pause;
    return true;
}

/* ---- Retry-After ---- */

static bool is_digits(struct slice s) {
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] < '0' || s.ptr[i] > '9')
            return false;
    return s.len > 0;
}

bool retry_after_parse(struct slice value, uint64_t wall_us, uint64_t *ret_ms) {
    uint64_t seconds, ms = 0;
    int64_t at_s, now_s = (int64_t)(wall_us / SECOND_US);
    value = slice_trim_ows(value);
    if (is_digits(value)) {
        bool fits = slice_to_u64(value, &seconds) && seconds < DAY_MS / 1000;
        *ret_ms = fits ? seconds * 1000 : DAY_MS;
        return true;
    }
    if (!date_parse(value, &at_s))
        return false;
    if (at_s > now_s)
        ms = (uint64_t)(at_s - now_s) * 1000;
    *ret_ms = ms < DAY_MS ? ms : DAY_MS;
    return true;
}

/* ---- the budget ---- */

/* A second's worth, in millionths as all of it: sums of shares stay exact. */
#define FLOOR_MAX ((double)RETRY_FLOOR * PPM_ALL)

static void pass_time(struct retry_budget *b, uint64_t now_us) {
    if (b->at_us == 0) {
        b->at_us = now_us;
        b->floor = FLOOR_MAX;
    }
    if (now_us <= b->at_us)
        return;
    double seconds = (double)(now_us - b->at_us) / SECOND_US;
    b->at_us = now_us;
    /* at a steady rate this holds what RETRY_SAVE_MS of traffic gives */
    double left = exp(-seconds * 1000 / RETRY_SAVE_MS);
    b->saved *= left;
    b->lent *= left;
    b->floor = fmin(b->floor + seconds * FLOOR_MAX, FLOOR_MAX);
}

void retry_budget_live(struct retry_budget *b, const struct conf *conf, uint64_t now_us) {
    pass_time(b, now_us);
    b->saved += conf->retry_budget_ppm;
}

uint32_t retry_budget_take(struct retry_budget *b, uint64_t now_us, uint32_t want) {
    pass_time(b, now_us);
    uint32_t taken = (uint32_t)fmin(floor((b->floor + b->saved) / PPM_ALL), want);
    double cost = (double)taken * PPM_ALL, of_floor = fmin(b->floor, cost);
    b->floor -= of_floor;
    b->saved = fmax(b->saved - (cost - of_floor), 0);
    b->lent += cost - of_floor;
    return taken;
}

void retry_budget_give_back(struct retry_budget *b, uint32_t unused) {
    double cost = (double)unused * PPM_ALL, to_saved = fmin(b->lent, cost);
    b->lent -= to_saved;
    b->saved += to_saved;
    b->floor = fmin(b->floor + cost - to_saved, FLOOR_MAX); /* a second's worth, as ever */
}

/* Which changes of mode and percentage API and CLI make without force. */
#include <pointsman/router.h>

#include <stdio.h>

/* [from][to]; rollbacks and staying are always allowed. Gradual goes to new_only at 100 % only. */
static const bool moves[MODES][MODES] = {
    [MODE_LEGACY_ONLY] = {[MODE_PARALLEL] = true, [MODE_GRADUAL] = true},
    [MODE_PARALLEL] = {[MODE_GRADUAL] = true},
    [MODE_GRADUAL] = {[MODE_PARALLEL] = true, [MODE_NEW_ONLY] = true},
    [MODE_NEW_ONLY] = {[MODE_GRADUAL] = true, [MODE_PARALLEL] = true},
};

static bool is_rollback(enum mode mode) {
    return mode == MODE_LEGACY_ONLY || mode == MODE_EMERGENCY_ROLLBACK;
}

static bool is_move(enum mode from, enum mode to) {
    return from == to || is_rollback(to) || moves[from][to];
}

/* Share of events new gets as owner, in ppm; new_only ranks above gradual at 100 %. */
static uint32_t owned_by_new(enum mode mode, uint32_t ppm) {
    if (mode == MODE_NEW_ONLY)
        return PPM_ALL + 1;
    return mode == MODE_GRADUAL ? ppm : 0;
}

/* Share of events new gets at all. */
static uint32_t seen_by_new(enum mode mode, uint32_t ppm) {
    return mode == MODE_PARALLEL ? PPM_ALL : owned_by_new(mode, ppm);
}

bool move_is_towards_legacy(const struct control *now, enum mode mode, uint32_t ppm) {
    return owned_by_new(mode, ppm) <= owned_by_new(now->mode, now->ppm) &&
           seen_by_new(mode, ppm) <= seen_by_new(now->mode, now->ppm);
}

uint32_t move_percentage(enum mode mode, uint32_t asked_ppm) {
    return is_rollback(mode) ? 0 : asked_ppm;
}

static void set_move_error(const struct control *now, enum mode mode, struct err *err) {
    char allowed[256] = "";
    int len = 0;
    for (int to = 0; to < MODES; to++)
        if (to != (int)now->mode && is_move(now->mode, (enum mode)to))
            len += snprintf(allowed + len, sizeof allowed - (size_t)len, "%s%s", len ? ", " : "",
                            mode_names[to]);
    err_set(err, "%s does not go to %s: allowed from it are %s; force goes there at once",
            mode_names[now->mode], mode_names[mode], allowed);
}

bool move_allowed(const struct control *now, enum mode mode, uint32_t ppm,
                  enum health health_of_new, struct err *err) {
    if (is_rollback(mode))
        return true;
    if (!is_move(now->mode, mode)) {
        set_move_error(now, mode, err);
        return false;
    }
    if (mode == MODE_NEW_ONLY && now->mode == MODE_GRADUAL && now->ppm != PPM_ALL) {
        char at[16];
        percentage_print(now->ppm, at);
        err_set(err,
                "gradual goes to new_only at 100 %% only, it is at %s %%: raise the percentage "
                "first; force gives new everything at once",
                at);
        return false;
    }
    if (mode == MODE_GRADUAL && ppm == 0 && now->ppm == 0 && now->mode != MODE_GRADUAL) {
        err_set(err, "gradual needs a percentage above 0, it is 0: name one; force sets gradual "
                     "at 0 %%, where legacy gets everything");
        return false;
    }
    if (health_of_new != HEALTH_GOOD && !move_is_towards_legacy(now, mode, ppm)) {
        err_set(err,
                "the health of new is %s and %s would give it more: it must be good; force moves "
                "all the same",
                health_names[health_of_new], mode_names[mode]);
        return false;
    }
    return true;
}

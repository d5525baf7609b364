/* Reads and writes the control values' texts. */
#include "control_text.h"

#include <stdio.h>
#include <string.h>

static bool take_word(struct slice *rest, struct slice *ret) {
    const char *space = rest->len ? memchr(rest->ptr, ' ', rest->len) : NULL;
    size_t len = space ? (size_t)(space - rest->ptr) : rest->len;
    *ret = slice(rest->ptr, len);
    *rest = slice(rest->ptr + len + (space ? 1 : 0), rest->len - len - (space ? 1 : 0));
    return len > 0;
}

bool control_read_good(struct slice text, uint64_t *ret_epoch, enum mode *ret_mode,
                       uint32_t *ret_ppm) {
    struct slice epoch_text, mode_text, ppm_text;
    uint64_t epoch, ppm;
    if (!take_word(&text, &epoch_text) || !take_word(&text, &mode_text) ||
        !take_word(&text, &ppm_text) || text.len || !slice_to_u64(epoch_text, &epoch) ||
        !slice_to_u64(ppm_text, &ppm) || ppm > PPM_ALL)
        return false;
    for (int m = 0; m < MODES; m++) {
        if (slice_is(mode_text, mode_names[m])) {
            *ret_epoch = epoch;
            *ret_mode = (enum mode)m;
            *ret_ppm = (uint32_t)ppm;
            return true;
        }
    }
    return false;
}

void control_print_good(uint64_t epoch, enum mode mode, uint32_t ppm, char out[CONTROL_GOOD_MAX]) {
    snprintf(out, CONTROL_GOOD_MAX, "%llu %s %u", (unsigned long long)epoch, mode_names[mode], ppm);
}

enum mode control_mode_of(struct slice name) {
    for (int m = 0; m < MODES; m++) {
        if (slice_is(name, mode_names[m]))
            return (enum mode)m;
    }
    return MODE_LEGACY_ONLY;
}

void control_copy(struct slice from, char *to, size_t room) {
    size_t len = from.len < room ? from.len : room - 1;
    if (len)
        memcpy(to, from.ptr, len);
    to[len] = '\0';
}

static void cut(struct slice *s, size_t max) {
    if (s->len > max)
        s->len = max;
}

void control_cut(struct store_control_set *call) {
    cut(&call->actor, CONTROL_ACTOR_MAX);
    cut(&call->reason, CONTROL_REASON_MAX);
    cut(&call->evidence, CONTROL_EVIDENCE_MAX);
}

void control_cut_note(struct store_note *call) {
    cut(&call->actor, CONTROL_ACTOR_MAX);
    cut(&call->action, CONTROL_ACTOR_MAX);
    cut(&call->reason, CONTROL_REASON_MAX);
    cut(&call->evidence, CONTROL_EVIDENCE_MAX);
}

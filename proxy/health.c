/* Health of a backend: what its probes and the last attempts say. */
#include "health.h"

#include <stdio.h>

void health_attempt(struct health_state *h, enum outcome outcome, uint64_t now_us) {
    if (outcome == OUTCOME_DONE || outcome == OUTCOME_REJECTED)
        h->attempts_failed = 0;
    else
        h->attempts_failed++;
    h->attempt_at_us = now_us;
}

void health_probe(struct health_state *h, bool good) {
    if (good)
        h->probes_failed = 0;
    else
        h->probes_failed++;
    h->probes_seen++;
}

void health_probing(struct health_state *h, bool on) {
    h->probing = on;
    h->probes_failed = 0;
    h->probes_seen = 0;
}

enum health health_of(const struct health_state *h, uint64_t now_us, char *reason, size_t len) {
    bool recent = h->attempt_at_us != 0 && now_us - h->attempt_at_us < HEALTH_PASSIVE_US;
    uint32_t failed = h->attempts_failed, probes = h->probes_failed;
    if (recent && failed >= HEALTH_ATTEMPTS_BAD) {
        snprintf(reason, len, "the last %u attempts failed", failed);
        return HEALTH_BAD;
    }
    if (h->probing) {
        if (h->probes_seen == 0) {
            snprintf(reason, len, "no probe has ended yet");
            return HEALTH_UNKNOWN;
        }
        if (probes >= HEALTH_PROBES_BAD || (probes > 0 && h->probes_seen == probes)) {
            snprintf(reason, len, "the last %u probes failed", probes);
            return HEALTH_BAD;
        }
        snprintf(reason, len, "probes succeed");
        return HEALTH_GOOD;
    }
    if (!recent) {
        snprintf(reason, len, "no probe is configured and no attempt was made in the last minute");
        return HEALTH_UNKNOWN;
    }
    if (failed == 0) {
        snprintf(reason, len, "the last attempt succeeded");
        return HEALTH_GOOD;
    }
    snprintf(reason, len, "the last %u of attempts failed, no probe is configured", failed);
    return HEALTH_UNKNOWN;
}

/* The words every layer shares: sides, modes, roles, outcomes, and how they are written. Layer:
 * conf. */
#ifndef POINTSMAN_DOMAIN_H
#define POINTSMAN_DOMAIN_H

#include <stdbool.h>
#include <stdint.h>

#include <pointsman/compiler.h>
#include <pointsman/slice.h>

enum side { SIDE_LEGACY = 0, SIDE_NEW = 1, SIDES = 2, SIDE_NONE = 3 };
enum mode {
    MODE_LEGACY_ONLY = 0,
    MODE_NEW_ONLY,
    MODE_PARALLEL,
    MODE_GRADUAL,
    MODE_EMERGENCY_ROLLBACK,
    MODES
};
enum role { ROLE_OWNER = 0, ROLE_SHADOW = 1, ROLES = 2 };

/* Of an attempt, once. DONE: complete final head of a 2xx · NOT_DONE: the backend's own word that
 * it did not (408, 425, 429, 500, 503) · UNSENT: no byte left · REJECTED: other 4xx, 3xx ·
 * IN_DOUBT: sent, no complete answer, garbage, other 5xx. */
enum outcome {
    OUTCOME_DONE = 0,
    OUTCOME_NOT_DONE,
    OUTCOME_UNSENT,
    OUTCOME_REJECTED,
    OUTCOME_IN_DOUBT,
    OUTCOMES
};

enum health { HEALTH_UNKNOWN = 0, HEALTH_GOOD, HEALTH_BAD, HEALTHS };

/* Canonical names: "legacy", "new" ("none") · "legacy_only" … · "owner", "shadow" · "done",
 * "not_done", "unsent", "rejected", "in_doubt" · "unknown", "good", "bad". Arrays are for metric
 * labels. */
extern const char *const side_names[SIDES];
extern const char *const mode_names[MODES];
extern const char *const role_names[ROLES];
extern const char *const outcome_names[OUTCOMES];
extern const char *const health_names[HEALTHS];

const char *side_name(enum side side);

static inline enum side side_other(enum side side) {
    return side == SIDE_LEGACY ? SIDE_NEW : SIDE_LEGACY;
}

/* Share of new in parts per million: 25 % is 250000. */
#define PPM_ALL 1000000u

/* Longest identifiers, in bytes; longer ones are refused (event id, type, action, entity). */
#define EVENT_ID_MAX     255
#define EVENT_TYPE_MAX   64
#define EVENT_ACTION_MAX 64
#define ENTITY_MAX       511
#define SOURCE_NAME_MAX  63

#endif

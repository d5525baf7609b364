/* The canonical names of sides, modes, roles, outcomes and health. */
#include <pointsman/domain.h>

const char *const side_names[SIDES] = {"legacy", "new"};
const char *const mode_names[MODES] = {"legacy_only", "new_only", "parallel", "gradual",
                                       "emergency_rollback"};
const char *const role_names[ROLES] = {"owner", "shadow"};
const char *const outcome_names[OUTCOMES] = {"done", "not_done", "unsent", "rejected", "in_doubt"};
const char *const health_names[HEALTHS] = {"unknown", "good", "bad"};

const char *side_name(enum side side) {
    return side == SIDE_LEGACY || side == SIDE_NEW ? side_names[side] : "none";
}

/* How mode, percentage, the last good pair and audit entries are written in a store. Layer: store.
 */
#ifndef POINTSMAN_STORE_CONTROL_TEXT_H
#define POINTSMAN_STORE_CONTROL_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include <pointsman/compiler.h>
#include <pointsman/domain.h>
#include <pointsman/slice.h>
#include <pointsman/store.h>

#define CONTROL_MODE_KEY       "system_mode"
#define CONTROL_PERCENTAGE_KEY "rollout_percentage"
#define CONTROL_GOOD_KEY       "good"
#define CONTROL_GOOD_MAX       64
#define CONTROL_ACTOR_MAX      63
#define CONTROL_REASON_MAX     512
#define CONTROL_EVIDENCE_MAX   2048

/* "<epoch> <mode> <ppm>". False: not such a text; nobody's good pair. */
MUST_CHECK bool control_read_good(struct slice text, uint64_t *ret_epoch, enum mode *ret_mode,
                                  uint32_t *ret_ppm);
void control_print_good(uint64_t epoch, enum mode mode, uint32_t ppm, char out[CONTROL_GOOD_MAX]);

/* legacy_only where the name is none. */
enum mode control_mode_of(struct slice name);

/* NUL-terminated, cut to room - 1. */
void control_copy(struct slice from, char *to, size_t room);
/* The texts cut to what is kept. */
void control_cut(struct store_control_set *call);
void control_cut_note(struct store_note *call);

#endif

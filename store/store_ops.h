/* What store.h does not show: the kinds of calls, and putting back what an instance knows. Layer:
 * store. */
#ifndef POINTSMAN_STORE_STORE_OPS_H
#define POINTSMAN_STORE_STORE_OPS_H

#include <stdbool.h>
#include <stdint.h>

#include <pointsman/store.h>

#include "record.h"

enum call_kind {
    CALL_CLAIM = 0,
    CALL_RENEW,
    CALL_FINISH,
    CALL_RELEASE,
    CALL_SETTLE,
    CALL_LOOK,
    CALL_CONTROL_GET,
    CALL_CONTROL_SET,
    CALL_AUDIT,
    CALL_NOTE,
    CALL_ASSERT,
    CALL_EXPORT, /* these two of the embedded store only: embedded_export.h */
    CALL_CLEAR,
    CALL_KINDS
};

/* Puts one leg and its entity back where the store lacks them or has older ones; never lowers a
 * gen. OK: ret_written says whether anything was missing. STALE: another token was granted in
 * between. */
struct store_assert {
    struct store_call call;
    struct slice source, id, entity;
    enum side side;
    enum side pin;
    uint64_t at_wall_us;
    struct leg_record leg;  /* until_us is not used */
    uint64_t lease_left_ms; /* of a leg in flight */
    uint64_t stick_left_ms;
    bool ret_written;
};
void store_assert(struct store_client *client, struct store_assert *call);

#endif

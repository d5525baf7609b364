/* Claims, owners, control and audit: one interface, two implementations (embedded, Redis). Layer:
 * store.
 *
 * A client belongs to one thread. A call struct belongs to the store from submit until `done` runs,
 * on that thread, exactly once, never from inside submit. Calls cannot be cancelled. Every call may
 * be repeated with the same token: the client repeats by itself over reconnects until timeout_ms,
 * then answers STORE_AWAY, which means "not known whether it was executed". */
#ifndef POINTSMAN_STORE_H
#define POINTSMAN_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pointsman/compiler.h>
#include <pointsman/conf.h>
#include <pointsman/digest.h>
#include <pointsman/domain.h>
#include <pointsman/err.h>
#include <pointsman/loop.h>

struct store;
struct store_client;

/* Opens what the configuration names (directory, database, threads). The process has one. */
MUST_CHECK struct store *store_open(const struct conf *conf, struct err *err);
/* The same, waiting for a process that still has the directory. */
MUST_CHECK struct store *store_open_within(const struct conf *conf, uint32_t wait_ms,
                                           struct err *err);
/* After every client is freed. */
void store_close(struct store *store);
MUST_CHECK struct store_client *store_client_new(struct store *store, struct loop *loop);
/* Open calls are answered STORE_AWAY first. */
void store_client_free(struct store_client *client);

/* Whether a claim has a chance now; any thread, no lock, from one moment ago. */
bool store_is_up(const struct store *store);

/* What status, readiness and metrics show; any thread. */
struct store_state {
    bool up;    /* the last call or ping was answered, claims are not held */
    bool held;  /* not up, but it answers: it forgot or is new, and claims wait for what instances
                   know */
    bool local; /* when_down: local is in effect */
    uint64_t lost;   /* records that were put back or could not be known after the store forgot */
    uint64_t forgot; /* times the store was found to have forgotten */
    uint64_t published; /* local records put into the store on its return */
    char problem[160];  /* why it is not up, for people; empty when up */
};
void store_state(struct store *store, struct store_state *ret);

enum leg_state {
    LEG_ABSENT = 0,
    LEG_IN_FLIGHT,
    LEG_DONE,
    LEG_NOT_DONE,
    LEG_UNSENT,
    LEG_REJECTED,
    LEG_IN_DOUBT,
    LEG_STATES
};
extern const char *const leg_state_names[LEG_STATES];

enum store_result {
    STORE_OK = 0,
    STORE_GRANTED,   /* claim: run the legs */
    STORE_MINE,      /* claim: this token holds it already (an answer was lost); the same fields as
                        GRANTED */
    STORE_DONE,      /* claim: done before: side, status */
    STORE_IN_FLIGHT, /* claim: another token runs it: ms_left */
    STORE_DOUBT,     /* claim: sent once, effect unknown: side */
    STORE_BUSY,   /* claim: the entity is open at the other side: side, ms_left. Nothing was written
                   */
    STORE_STALE,  /* renew, finish: the token no longer holds the leg; control_set: another change
                     was first */
    STORE_ABSENT, /* look, settle, renew: no such record */
    STORE_HOLD,   /* claim: the store forgot and waits for what instances know: ms_left */
    STORE_AWAY,   /* no answer, or the store refuses (OOM, LOADING, READONLY, MISCONF …) */
    STORE_RESULTS
};
extern const char *const store_result_names[STORE_RESULTS];

struct store_call { /* first member of every call */
    void (*done)(struct store_call *call);
    void *arg;
    uint32_t timeout_ms;
    enum store_result result;
    /* the store's own while the call is open */
    struct store_call *next;
    uint64_t deadline_us;
    unsigned kind;
    void *own;
};

/* Slices are the caller's and live until done. source ≤ SOURCE_NAME_MAX, id ≤ EVENT_ID_MAX, entity
 * ≤ ENTITY_MAX; any bytes but NUL. */

/* Takes the right to run the owner leg at `side` (or where pin and owner of the entity send it,
 * unless `absolute`), and a shadow leg at the other side if asked and never tried before. DESIGN §3
 * precedence, §4 table. */
struct store_claim {
    struct store_call call;
    struct slice source, id, entity;
    enum side side;
    bool absolute;
    bool shadow;
    bool idempotent[SIDES]; /* a leg in doubt at this side may be taken over */
    bool on_disk;       /* the event is in this instance's journal: who asks meanwhile is told */
    struct token token; /* of both legs; unique per claim */
    uint64_t lease_ms;
    struct slice why;    /* one line, kept for explain */
    struct slice digest; /* of the body, kept for explain */

    enum side ret_side;    /* GRANTED, MINE, DONE, DOUBT, BUSY, IN_FLIGHT */
    bool ret_pinned;       /* the side came from the event's pin … */
    bool ret_owned;        /* … or from the entity's owner */
    bool ret_shadow;       /* the shadow leg is granted too */
    uint32_t ret_attempt;  /* 1 for the first */
    uint64_t ret_fence;    /* gen of the entity */
    uint16_t ret_status;   /* DONE */
    uint64_t ret_ms_left;  /* IN_FLIGHT, BUSY, HOLD */
    bool ret_on_disk;      /* IN_FLIGHT: its holder has it in a journal */
    uint64_t ret_until_us; /* monotonic: the lease, counted from before the claim was sent */
};
void store_claim(struct store_client *client, struct store_claim *call);

struct store_renew {
    struct store_call call;
    struct slice source, id, entity;
    enum side side;
    struct token token;
    uint64_t fence;
    uint64_t lease_ms;
    bool on_disk; /* as of the claim; never taken back */
    uint64_t ret_until_us;
};
void store_renew(struct store_client *client, struct store_renew *call);

/* Ends a leg, found by token and role; `side` counts only where the record is gone. UNSENT leaves
 * the entity's stickiness as it was. Idempotent; wins over a lease that ran out (late finish);
 * refused (STALE) for a token that was replaced. Lowers `open` only if the entity's gen is still
 * `fence`, once. Where the record is gone (the store forgot) it is written anew, except for
 * OUTCOME_UNSENT. */
struct store_finish {
    struct store_call call;
    struct slice source, id, entity;
    enum side side;
    enum role role;
    struct token token;
    uint64_t fence;
    uint32_t attempt;
    enum outcome outcome;
    uint16_t status;
    uint64_t sticky_ms; /* how long the entity stays with this side from now; 0: not at all */
};
void store_finish(struct store_client *client, struct store_finish *call);

/* A closing action that is not forwarded: the entity's stickiness ends. */
struct store_release {
    struct store_call call;
    struct slice source, entity;
};
void store_release(struct store_client *client, struct store_release *call);

/* The operator's word on an event. STALE: an attempt is in flight, or (RETRY) it is done, or (DONE)
 * it is neither in doubt nor done nor ended by a RETRY. A late finish of the attempt itself comes
 * too late after DONE; after RETRY it still wins if it says done and nobody has claimed since. */
enum settle {
    SETTLE_FORGET = 0, /* the record goes: a redelivery is let through */
    SETTLE_DONE,       /* the leg in doubt is done: a repetition is a duplicate */
    SETTLE_RETRY       /* the leg in doubt was not done: it may be claimed again */
};
struct store_settle {
    struct store_call call;
    struct slice source, id;
    enum settle how;
};
void store_settle(struct store_client *client, struct store_settle *call);

struct store_leg {
    enum leg_state state; /* a lease that ran out reads as LEG_IN_DOUBT */
    enum role role;
    char token[TOKEN_LEN + 1];
    uint32_t attempt;
    uint64_t fence;
    uint64_t until_wall_us;
    uint16_t status;
};
/* By id, or by entity where id is an absent slice. */
struct store_look {
    struct store_call call;
    struct slice source, id, entity;

    bool ret_has_event;
    enum side ret_pin;
    struct store_leg ret_legs[SIDES];
    char ret_entity[ENTITY_MAX + 1];
    char ret_why[512];
    char ret_digest[65];
    uint64_t ret_at_wall_us; /* first claimed */
    bool ret_has_entity;
    enum side ret_owner;
    uint64_t ret_fence;
    uint32_t ret_open;
    uint64_t ret_lease_wall_us; /* of the open attempts */
    uint64_t ret_stick_wall_us;
};
void store_look(struct store_client *client, struct store_look *call);

/* ---- control ---- */

#define CONTROL_TEXT_MAX 255 /* longer raw values are cut; they name nothing anyway */
struct store_control_get {
    struct store_call call;
    bool ret_has_mode;
    bool ret_has_percentage;
    char ret_mode[CONTROL_TEXT_MAX + 1]; /* as people SET them */
    char ret_percentage[CONTROL_TEXT_MAX + 1];
    bool ret_has_good; /* the last valid pair */
    uint64_t ret_epoch;
    enum mode ret_good_mode;
    uint32_t ret_good_ppm;
};
void store_control_get(struct store_client *client, struct store_control_get *call);

/* If the epoch in the store is still expected_epoch (0: none): writes mode and percentage (unless
 * keep_raw: they are what was SET from outside), `good` with epoch + 1, and one audit entry with
 * that epoch. STALE: it was not. */
struct store_control_set {
    struct store_call call;
    uint64_t expected_epoch;
    bool keep_raw;
    enum mode mode;
    uint32_t ppm;
    enum mode from_mode;
    uint32_t from_ppm;
    struct slice actor;    /* "api", "cli", "outside", "config", "pointsman" … */
    struct slice reason;   /* at most 512 bytes are kept */
    struct slice evidence; /* JSON or empty; at most 2048 */
    uint64_t ret_epoch;
};
void store_control_set(struct store_client *client, struct store_control_set *call);

struct audit_entry {
    uint64_t epoch;
    uint64_t nth; /* 0: the change that began the epoch; from 1: what was noted under it */
    uint64_t at_wall_us;
    enum mode from_mode, mode;
    uint32_t from_ppm, ppm;
    char actor[64];
    char reason[513];
    char evidence[2049];
    char action[64]; /* empty: mode or percentage changed; else what was done: "dead replay" …, and
                        modes and ppm mean nothing */
};
#define AUDIT_PAGE 100
/* The newest first, at most `limit` (≤ AUDIT_PAGE), that are older than (before, before_nth); both
 * 0: from the newest. A page goes on where the last entry's epoch and nth say. */
struct store_audit {
    struct store_call call;
    uint64_t before;
    uint64_t before_nth;
    bool changes; /* those of mode or percentage only; at most the newest 10000 entries are read */
    uint32_t limit;
    struct audit_entry *ret_entries; /* the caller's room for `limit` */
    uint32_t ret_count;
};
void store_audit(struct store_client *client, struct store_audit *call);

/* What somebody did that leaves mode and percentage: an entry in the audit beside them, under the
 * epoch of now. */
struct store_note {
    struct store_call call;
    struct slice actor, action; /* at most 63 bytes each */
    struct slice reason, evidence;
};
void store_note(struct store_client *client, struct store_note *call);

#endif

/* The decisions. Pure: no socket, no loop, no clock; given configuration, control and bytes. Layer:
 * router. */
#ifndef POINTSMAN_ROUTER_H
#define POINTSMAN_ROUTER_H

#include <stdbool.h>
#include <stdint.h>

#include <pointsman/blob.h>
#include <pointsman/conf.h>
#include <pointsman/domain.h>
#include <pointsman/err.h>
#include <pointsman/slice.h>

POINTSMAN_BEGIN

/* ---- verify: is it authentic? ---- */

/* A source's secrets made ready; immutable, any thread. */
struct verifier;
MUST_CHECK struct verifier *verifier_new(const struct conf_source *source);
void verifier_free(struct verifier *v);

enum verify {
    VERIFY_OK = 0,
    VERIFY_MISSING,
    VERIFY_EMPTY,
    VERIFY_MALFORMED,
    VERIFY_WRONG,
    VERIFIES
};
extern const char *const verify_names[VERIFIES];
struct verify_item {
    const struct verifier *verifier;
    struct slice signature; /* value of X-Hub-Signature-256, absent slice if there is none */
    struct slice body;
    enum verify verdict; /* the result */
};
/* Judges them all. A signature is exactly "sha256=" and 64 lower-case hex digits; every secret is
 * tried, in constant time. Without secrets: always OK. Several at once cost less than one by one
 * (digest.h); lanes may be NULL. */
struct hmac_lanes;
void verify_all(struct hmac_lanes *lanes, struct verify_item *items, size_t count);

/* ---- identify: which event, about what? ---- */

/* Headers of the request the provider needs; absent slices where missing. Duplicates of any are
 * refused earlier. */
struct event_headers {
    struct slice delivery;     /* X-GitHub-Delivery */
    struct slice type;         /* X-GitHub-Event */
    struct slice hook;         /* X-GitHub-Hook-ID */
    struct slice content_type; /* Content-Type */
};

/* All text is NUL-terminated, lengths without the NUL; valid UTF-8; empty: unknown. */
struct identity {
    char id[EVENT_ID_MAX + 1];
    char type[EVENT_TYPE_MAX + 1];
    char action[EVENT_ACTION_MAX + 1];
    char entity[ENTITY_MAX + 1];     /* never empty */
    char repository[ENTITY_MAX + 1]; /* full_name */
    char owner[ENTITY_MAX + 1];      /* part of full_name before "/" , else organization.login */
    uint64_t number;
    bool has_number;
    bool closes; /* action is closed, deleted or transferred */
};

/* The JSON parser's memory, reused from event to event; one per thread. About 14 bytes for each
 * byte of the body; what a body above 512 KiB took is given back at once. */
struct json_parser;
MUST_CHECK struct json_parser *json_parser_new(void);
void json_parser_free(struct json_parser *p);

enum identify {
    IDENTIFY_OK = 0,
    IDENTIFY_MEDIA_TYPE, /* 415: neither JSON nor form */
    IDENTIFY_HEADER,     /* 400: id or type missing, too long or not printable ASCII */
    IDENTIFY_BODY, /* 400: JSON or form malformed, wrong type in the path, duplicate key in the path
                    */
    IDENTIFY_MEMORY, /* 503 */
};
/* The whole document is checked. `body` has BLOB_PADDING readable bytes behind it. If it is not OK
 * *ret is empty and *err says what and where. */
MUST_CHECK enum identify identify_github(struct json_parser *p, const struct conf_source *source,
                                         const struct event_headers *headers, struct slice body,
                                         struct identity *ret, struct err *err);

/* ---- filter ---- */
/* Is any backend interested? `ping` always. */
bool filter_wants(const struct conf_source *source, const struct identity *id);

/* ---- control: mode and percentage as one immutable pair ---- */

struct control {
    enum mode mode;
    uint32_t ppm;
    uint64_t epoch; /* 0: nothing was ever set */
};

/* "gradual", " Python_Only ", … by canonical name or <backend name>_only. */
MUST_CHECK bool mode_parse(struct slice text, const struct conf *conf, enum mode *ret);
/* "25", " 12.5% ", 0–100 with up to four decimals. */
MUST_CHECK bool percentage_parse(struct slice text, uint32_t *ret_ppm);
/* "25", "12.5"; no trailing zeros. */
void percentage_print(uint32_t ppm, char out[16]);

/* The raw values people SET, absent slices where there are none → the pair they mean. No mode:
 * legacy_only; no percentage: 0; the epoch is 0. False: a value names nothing; *err says which,
 * what was found, what is allowed. */
MUST_CHECK bool control_read(struct slice raw_mode, struct slice raw_percentage,
                             const struct conf *conf, struct control *ret, struct err *err);

/* May API and CLI go from `now` to `mode` at `ppm` without force? False: *err says why and what
 * force does. */
MUST_CHECK bool move_allowed(const struct control *now, enum mode mode, uint32_t ppm,
                             enum health health_of_new, struct err *err);
/* The percentage a change ends with: a rollback (emergency_rollback, legacy_only) sets 0. */
uint32_t move_percentage(enum mode mode, uint32_t asked_ppm);
/* True where the change gives new nothing it did not have, as owner or shadow (new_only ranks above
 * gradual at 100 %): it may be obeyed while the store is away. */
bool move_is_towards_legacy(const struct control *now, enum mode mode, uint32_t ppm);

/* ---- decide ---- */

enum why { WHY_MODE = 0, WHY_BUCKET, WHY_NO_NUMBER, WHY_PIN, WHY_OWNER, WHY_FALLBACK, WHYS };
extern const char *const why_names[WHYS];

#define BUCKET_NONE UINT32_MAX
struct decision {
    enum side side;  /* the owner leg, before pin and owner of the entity are known */
    bool absolute;   /* the mode gives the other side nothing: pin and owner do not count */
    bool shadow;     /* the other side gets a shadow leg */
    uint32_t bucket; /* 0..999999, of a hundred for modulo; BUCKET_NONE: no bucket */
    enum why why;
};
struct decision decide(const struct conf *conf, const struct control *control,
                       const struct identity *id);
/* The text that is hashed, by rollout.key: entity, repository, owner or event id; falls back to the
 * entity. */
struct slice rollout_key_of(const struct conf *conf, const struct identity *id);
/* DESIGN §3: XXH3 with seed 0 or the salt's hash, upper 32 bits scaled to a million. */
uint32_t bucket_of(struct slice key, const char *salt);

/* ---- after an attempt ---- */
/* Of a complete final head with this status. */
enum outcome outcome_of_status(const struct conf_backend *backend, unsigned status);

/* ---- retry: when, and how many ---- */

/* The pause after the `tries`-th try that did not succeed (1..): the ladder's step, ± jitter drawn
 * from `random`, lengthened to what the backend asked (retry_after_ms, 0: nothing) but at most to
 * twice the step. False: the ladder is at its end. */
MUST_CHECK bool retry_pause_ms(const struct conf *conf, uint32_t tries, uint64_t retry_after_ms,
                               uint64_t random, uint64_t *ret_ms);
/* Retry-After (RFC 9110 §10.2.3): seconds or an HTTP date. False: neither. Passed dates are 0; at
 * most a day. */
MUST_CHECK bool retry_after_parse(struct slice value, uint64_t wall_us, uint64_t *ret_ms);

/* Retries are a share of live traffic, never under RETRY_FLOOR a second (at once: a second's
 * worth). What live traffic saved fades: a third of it is left after RETRY_SAVE_MS, a hundredth
 * after five times that. */
#define RETRY_FLOOR   10
#define RETRY_SAVE_MS 10000
struct retry_budget {
    uint64_t at_us; /* 0: never used */
    double saved;   /* by live traffic, in millionths of a try, and … */
    double floor;   /* … by time */
    double lent;    /* of what was saved, lately: as much goes back to it */
};
void retry_budget_live(struct retry_budget *b, const struct conf *conf, uint64_t now_us);
/* Takes up to `want`; returns how many may be tried. What is not tried is soon given back. */
uint32_t retry_budget_take(struct retry_budget *b, uint64_t now_us, uint32_t want);
void retry_budget_give_back(struct retry_budget *b, uint32_t unused);

/* ---- breaker: is a backend worth trying? ---- */

enum breaker_state { BREAKER_CLOSED = 0, BREAKER_OPEN, BREAKER_HALF_OPEN, BREAKER_STATES };
extern const char *const breaker_state_names[BREAKER_STATES]; /* closed, open, half_open */

#define BREAKER_SLOTS 10 /* pieces of the window */
struct breaker {         /* zeroed: closed */
    enum breaker_state state;
    uint64_t since_us;
    uint64_t opened_us; /* the last time; 0: never */
    uint32_t failed_in_row;
    uint32_t probes_out, probes_good; /* of HALF_OPEN */
    uint64_t probe_us;                /* when the last one entered */
    struct {
        uint64_t from_us; /* which piece of time */
        uint32_t ended, failed;
    } slots[BREAKER_SLOTS];
    char reason[160]; /* of the last change, for people */
};
/* What entering gives: pass it on to breaker_left. */
enum breaker_pass { PASS_REFUSED = 0, PASS_FREE, PASS_PROBE };
/* Would an attempt be let through now? Changes nothing. */
bool breaker_admits(const struct breaker *b, const struct conf *conf, uint64_t now_us);
MUST_CHECK enum breaker_pass breaker_enter(struct breaker *b, const struct conf *conf,
                                           uint64_t now_us);
/* The attempt ended. DONE and REJECTED are good, all else fails; an attempt let through before the
 * breaker last opened counts for nothing. It opens only by a failure. True: it opened by this
 * (also from HALF_OPEN). */
bool breaker_left(struct breaker *b, const struct conf *conf, uint64_t now_us,
                  enum breaker_pass pass, uint64_t entered_us, enum outcome outcome);
/* The attempt was given up before it said anything of the backend. */
void breaker_void(struct breaker *b, enum breaker_pass pass);
/* Attempts that ended within the window before now; while it is open those that led to it. */
struct breaker_count {
    uint32_t ended, failed;
};
struct breaker_count breaker_count(const struct breaker *b, const struct conf *conf,
                                   uint64_t now_us);

POINTSMAN_END

#endif

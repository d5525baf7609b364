/* Records of events and entities as both stores keep them: one fixed-width text, readable with
 * redis-cli. Layer: store.
 *
 *   event   "1 <at> <pin> <leg of legacy> <leg of new> <entity>NUL<why>NUL<digest>"
 *   leg     "-", or "<state><role><holding><from> <token> <attempt> <fence> <until> <status>";
 *           holding 2: not held, the operator's word; from + 3: on disk
 *   entity  "<side> <gen> <open> <lease> <stick>"
 *
 * Times are µs since 1970 in 16 digits. store/redis_lua.c cuts the same texts by position. */
#ifndef POINTSMAN_STORE_RECORD_H
#define POINTSMAN_STORE_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pointsman/buf.h>
#include <pointsman/compiler.h>
#include <pointsman/digest.h>
#include <pointsman/domain.h>
#include <pointsman/slice.h>
#include <pointsman/store.h>

#define RECORD_LEG_LEN    81
#define RECORD_ENTITY_LEN 63
#define RECORD_EVENT_MAX  2048
#define RECORD_WHY_MAX    511
#define RECORD_DIGEST_MAX 64
#define RECORD_KEY_MAX    2048
#define RECORD_PUT_BACK   "put back after the store forgot" /* such an event's why */

#define RECORD_ATTEMPT_MAX 99999u
#define RECORD_STATUS_MAX  999u
/* The status of a leg in flight, or in doubt, that repeats an attempt in doubt. */
#define RECORD_REPEATS 1u

/* Open and in doubt records are kept this long, entities this long after they last mattered. */
#define RECORD_OPEN_US   (30ull * 86400 * 1000000)
#define RECORD_ENTITY_US (1ull * 86400 * 1000000)
/* Leases, stickiness and remembering are cut to this. */
#define RECORD_SPAN_MAX_MS (366ull * 86400 * 1000)

/* Where a granted side came from, so that a repeated claim is answered as the first was. */
enum record_from { FROM_WANT = 0, FROM_PIN, FROM_OWNER, FROMS };

struct leg_record {
    enum leg_state state;
    enum role role;
    bool holding; /* the entity's open was raised for it and not yet lowered */
    bool settled; /* ended by the operator's word: a late finish that says done still wins */
    enum record_from from;
    bool on_disk; /* the holder has the event in its journal */
    char token[TOKEN_LEN + 1];
    uint32_t attempt;
    uint64_t fence;
    uint64_t until_us;
    uint16_t status;
};

struct event_record {
    uint64_t at_us;
    enum side pin;
    struct leg_record legs[SIDES];
    struct slice entity;
    struct slice why;
    struct slice digest;
};

struct entity_record {
    enum side side;
    uint64_t gen;
    uint32_t open;
    uint64_t lease_us;
    uint64_t stick_us;
};

/* False: not such a text. The slices of ret point into text. */
MUST_CHECK bool record_parse_event(struct slice text, struct event_record *ret);
MUST_CHECK bool record_parse_entity(struct slice text, struct entity_record *ret);
/* Written at the end of out; why and digest are cut, tokens must be TOKEN_LEN bytes. False: no
 * room. */
MUST_CHECK bool record_print_event(const struct event_record *e, struct buf *out);
MUST_CHECK bool record_print_entity(const struct entity_record *e, struct buf *out);
/* The part behind the legs. */
MUST_CHECK bool record_print_tail(struct slice entity, struct slice why, struct slice digest,
                                  struct buf *out);

/* Until when the store must keep a record. */
uint64_t record_event_keep(const struct event_record *e, uint64_t now_us, uint64_t remember_ms);
uint64_t record_entity_keep(const struct entity_record *e, uint64_t now_us);

/* "<prefix>ev:<source>:<id>", "<prefix>own:<source>:<entity>"; ':' and '%' in a source are escaped,
 * so that no two pairs share a key. False: no room. */
MUST_CHECK bool record_event_key(struct slice prefix, struct slice source, struct slice id,
                                 struct buf *out);
MUST_CHECK bool record_entity_key(struct slice prefix, struct slice source, struct slice entity,
                                  struct buf *out);

enum leg_state record_state_of(enum outcome outcome);
/* Not yet ended: in flight, or an owner's in doubt. */
bool record_leg_open(const struct leg_record *leg);

/* ppm as people write percentages: "25", "12.5". */
void record_percentage(uint32_t ppm, char out[16]);

/* Fills the event's and the entity's part of an answer. */
void record_show_event(struct store_look *look, const struct event_record *e, uint64_t now_us);
void record_show_entity(struct store_look *look, const struct entity_record *e);

#endif

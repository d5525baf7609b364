/* Writes commands in Redis' protocol. */
#include "redis_cmd.h"

#include <stdio.h>
#include <string.h>

#include <pointsman/text.h>

#include "control_text.h"
#include "record.h"
#include "redis_lua.h"
#include "store_ops.h"

#define WORDS_MAX 20

struct words {
    struct slice list[WORDS_MAX];
    unsigned count;
    char digits[WORDS_MAX][24];
};

static bool number(struct buf *out, char sign, size_t n) {
    char text[24], *at = text + sizeof(text);
    *--at = '\n';
    *--at = '\r';
    do
        *--at = (char)('0' + n % 10);
    while ((n /= 10) > 0);
    *--at = sign;
    return buf_append(out, at, (size_t)(text + sizeof(text) - at));
}

static bool bulk(struct buf *out, struct slice word) {
    return number(out, '$', word.len) && buf_append_slice(out, word) && buf_append(out, "\r\n", 2);
}

bool redis_cmd_words(const struct slice *words, unsigned count, struct buf *out) {
    bool ok = number(out, '*', count);
    for (unsigned i = 0; ok && i < count; i++)
        ok = bulk(out, words[i]);
    return ok;
}

static void put(struct words *w, struct slice word) {
    w->list[w->count++] = word;
}

static void put_u64(struct words *w, uint64_t value) {
    char *text = w->digits[w->count];
    put(w, slice(text, u64_print(value, text)));
}

static uint64_t span_us(uint64_t ms) {
    return (ms > RECORD_SPAN_MAX_MS ? RECORD_SPAN_MAX_MS : ms) * 1000;
}

static void put_span_us(struct words *w, uint64_t ms) {
    put_u64(w, span_us(ms));
}

static void put_status(struct words *w, uint16_t status) {
    char *text = w->digits[w->count];
    unsigned kept = status > RECORD_STATUS_MAX ? RECORD_STATUS_MAX : status;
    for (int i = 2; i >= 0; i--, kept /= 10)
        text[i] = (char)('0' + kept % 10);
    put(w, slice(text, 3));
}

static struct slice print_digits(const int *digits, unsigned count, char *text) {
    for (unsigned i = 0; i < count; i++)
        text[i] = (char)('0' + digits[i]);
    return slice(text, count);
}

static void put_digits(struct words *w, const int *digits, unsigned count) {
    put(w, print_digits(digits, count, w->digits[w->count]));
}

/* The entity is kept a day longer than its stickiness may ask for, and for the period in which no
 * later claim renews that (redis_functions.lua). */
#define PERIOD_MS (3ull * 3600 * 1000)
static void put_entity_keep(struct words *w, const struct redis_names *n, uint64_t span_ms) {
    uint64_t ms = span_ms > n->sticky_ms ? span_ms : n->sticky_ms;
    put_u64(w, (ms > RECORD_SPAN_MAX_MS ? RECORD_SPAN_MAX_MS : ms) + RECORD_ENTITY_US / 1000 +
                   PERIOD_MS);
}

/* Texts made of several parts stand one behind the other in scratch, which must not grow meanwhile.
 */
#define SCRATCH_NEEDS 8192

static void from_scratch(struct words *w, struct buf *scratch, size_t *mark) {
    size_t len = buf_len(scratch);
    put(w, slice(buf_at(scratch) + *mark, len - *mark));
    *mark = len;
}

struct build {
    const struct redis_names *names;
    struct buf *scratch;
    size_t mark;
    bool ok;
    struct words w;
};

static void begin(struct build *b, const char *name, const char *keys) {
    b->ok = b->ok && buf_puts(b->scratch, "pointsman_") && buf_puts(b->scratch, name) &&
            buf_puts(b->scratch, "_") && buf_puts(b->scratch, b->names->version);
    put(&b->w, slice_of("FCALL"));
    from_scratch(&b->w, b->scratch, &b->mark);
    put(&b->w, slice_of(keys));
}

static void event_key(struct build *b, struct slice source, struct slice id) {
    b->ok = b->ok && record_event_key(slice_of(b->names->prefix), source, id, b->scratch);
    from_scratch(&b->w, b->scratch, &b->mark);
}

static void entity_key(struct build *b, struct slice source, struct slice entity) {
    b->ok = b->ok && record_entity_key(slice_of(b->names->prefix), source, entity, b->scratch);
    from_scratch(&b->w, b->scratch, &b->mark);
}

static void own_key(struct build *b, const char *name) {
    b->ok = b->ok && buf_puts(b->scratch, b->names->prefix) && buf_puts(b->scratch, name);
    from_scratch(&b->w, b->scratch, &b->mark);
}

static void tail(struct build *b, struct slice entity, struct slice why, struct slice digest) {
    b->ok = b->ok && record_print_tail(entity, why, digest, b->scratch);
    from_scratch(&b->w, b->scratch, &b->mark);
}

/* Part of a word whose parts have their places: in so many digits. */
static void fixed(struct build *b, uint64_t value, unsigned width) {
    char text[24];
    for (unsigned i = width; i-- > 0; value /= 10)
        text[i] = (char)('0' + value % 10);
    b->ok = b->ok && buf_append(b->scratch, text, width);
}

static void fixed_digits(struct build *b, const int *digits, unsigned count) {
    char text[8];
    b->ok = b->ok && buf_append_slice(b->scratch, print_digits(digits, count, text));
}

static void fixed_token(struct build *b, const char *token) {
    b->ok = b->ok && buf_append(b->scratch, token, TOKEN_LEN);
}

static struct slice first_word(const char *text) {
    return slice(text, strcspn(text, " "));
}

/* One long word costs Redis less than several short ones. */
static void claim(struct build *b, const char *incarnation, const struct store_claim *c) {
    const int digits[] = {(int)c->side,     c->absolute,      c->shadow,
                          c->idempotent[0], c->idempotent[1], c->on_disk};
    begin(b, "claim", "3");
    event_key(b, c->source, c->id);
    entity_key(b, c->source, c->entity);
    own_key(b, "incarnation");
    put(&b->w, first_word(incarnation));
    fixed_digits(b, digits, ARRAY_LEN(digits));
    fixed_token(b, c->token.text);
    fixed(b, span_us(c->lease_ms), 16);
    from_scratch(&b->w, b->scratch, &b->mark);
    put_entity_keep(&b->w, b->names, c->lease_ms);
    tail(b, c->entity, c->why, c->digest);
}

static void renew(struct build *b, const char *incarnation, const struct store_renew *c) {
    const int digits[] = {(int)c->side, c->on_disk};
    begin(b, "renew", "3");
    event_key(b, c->source, c->id);
    entity_key(b, c->source, c->entity);
    own_key(b, "incarnation");
    put(&b->w, first_word(incarnation));
    put_digits(&b->w, digits, ARRAY_LEN(digits));
    put(&b->w, slice(c->token.text, TOKEN_LEN));
    put_span_us(&b->w, c->lease_ms);
}

/* Every claim leaves an entity that is kept for a day at least: an outcome that comes within half
 * of it, for a stickiness that ends within it, need not. */
static bool keep_holds(const struct store_finish *c, uint64_t store_us) {
    const uint64_t half_us = RECORD_ENTITY_US / 2;
    return store_us && store_us < c->fence + half_us && c->sticky_ms <= half_us / 1000;
}

static void finish(struct build *b, const struct store_finish *c, uint64_t store_us) {
    enum { NOT_AT_ALL, UNTIL, SPAN };
    uint64_t stick_us = span_us(c->sticky_ms);
    const int digits[] = {(int)c->side, (int)c->role, (int)record_state_of(c->outcome),
                          !stick_us  ? NOT_AT_ALL
                          : store_us ? UNTIL
                                     : SPAN};
    begin(b, "finish", "2");
    event_key(b, c->source, c->id);
    entity_key(b, c->source, c->entity);
    fixed_digits(b, digits, ARRAY_LEN(digits));
    fixed_token(b, c->token.text);
    fixed(b, c->status > RECORD_STATUS_MAX ? RECORD_STATUS_MAX : c->status, 3);
    fixed(b, stick_us ? store_us + stick_us : 0, 16);
    fixed(b, c->fence, 20);
    fixed(b, c->attempt, 10);
    tail(b, c->entity, slice("", 0), slice("", 0));
    put_u64(&b->w, b->names->remember_ms);
    if (!keep_holds(c, store_us))
        put_entity_keep(&b->w, b->names, c->sticky_ms);
}

static void put_back(struct build *b, const struct store_assert *c) {
    const int digits[] = {(int)c->side, (int)c->leg.role, (int)c->leg.state, (int)c->pin,
                          c->leg.on_disk};
    begin(b, "assert", "2");
    event_key(b, c->source, c->id);
    entity_key(b, c->source, c->entity);
    put_digits(&b->w, digits, ARRAY_LEN(digits));
    put(&b->w, slice(c->leg.token, TOKEN_LEN));
    put_u64(&b->w, c->leg.attempt);
    put_u64(&b->w, c->leg.fence);
    put_span_us(&b->w, c->lease_left_ms);
    put_status(&b->w, c->leg.status);
    put_span_us(&b->w, c->stick_left_ms);
    put_u64(&b->w, c->at_wall_us);
    put_u64(&b->w, b->names->remember_ms);
    tail(b, c->entity, slice_of(RECORD_PUT_BACK), slice("", 0));
}

static void settle(struct build *b, const struct store_settle *c) {
    const int leg[] = {c->how == SETTLE_DONE ? LEG_DONE : LEG_NOT_DONE};
    begin(b, "settle", "1");
    event_key(b, c->source, c->id);
    entity_key(b, c->source, slice("", 0));
    put_digits(&b->w, leg, c->how == SETTLE_FORGET ? 0 : 1);
    put_u64(&b->w, b->names->remember_ms);
}

static void look(struct build *b, const struct store_look *c) {
    begin(b, "look", "1");
    if (c->id.ptr) {
        event_key(b, c->source, c->id);
        put(&b->w, slice_of("event"));
        entity_key(b, c->source, slice("", 0));
    } else {
        entity_key(b, c->source, c->entity);
        put(&b->w, slice_of("entity"));
    }
}

/* The same for each repetition of this call, and for no other. */
static void word_of_call(struct build *b, const struct store_call *call) {
    b->ok = b->ok && buf_printf(b->scratch, "%s-%llx-%p", b->names->instance,
                                (unsigned long long)call->deadline_us, (const void *)call);
    from_scratch(&b->w, b->scratch, &b->mark);
}

static void control_set(struct build *b, const struct store_control_set *c) {
    char *percentage = b->w.digits[WORDS_MAX - 1];
    begin(b, "control_set", "4");
    own_key(b, CONTROL_MODE_KEY);
    own_key(b, CONTROL_PERCENTAGE_KEY);
    own_key(b, CONTROL_GOOD_KEY);
    own_key(b, "audit");
    put_u64(&b->w, c->expected_epoch);
    put(&b->w, slice_of(mode_names[c->mode]));
    record_percentage(c->ppm, percentage);
    put(&b->w, c->keep_raw ? slice("", 0) : slice_of(percentage));
    put_u64(&b->w, c->ppm);
    put(&b->w, slice_of(mode_names[c->from_mode]));
    put_u64(&b->w, c->from_ppm);
    put(&b->w, c->actor);
    put(&b->w, c->reason);
    put(&b->w, c->evidence);
    word_of_call(b, &c->call);
}

static void note(struct build *b, const struct store_note *c) {
    begin(b, "note", "2");
    own_key(b, CONTROL_GOOD_KEY);
    own_key(b, "audit");
    put(&b->w, c->actor);
    put(&b->w, c->action);
    put(&b->w, c->reason);
    put(&b->w, c->evidence);
    word_of_call(b, &c->call);
}

static void audit(struct build *b, const struct store_audit *c) {
    if (c->changes)
        begin(b, "changes", "1");
    else
        put(&b->w, slice_of("XREVRANGE"));
    own_key(b, "audit");
    if (c->before || c->before_nth) {
        b->ok = b->ok && buf_printf(b->scratch, "(%llu-%llu", (unsigned long long)c->before,
                                    (unsigned long long)c->before_nth);
        from_scratch(&b->w, b->scratch, &b->mark);
    } else {
        put(&b->w, slice_of("+"));
    }
    if (!c->changes) {
        put(&b->w, slice_of("-"));
        put(&b->w, slice_of("COUNT"));
    }
    put_u64(&b->w, c->limit < AUDIT_PAGE ? c->limit : AUDIT_PAGE);
}

static void build_call(struct build *b, const char *incarnation, uint64_t store_us,
                       const struct store_call *call) {
    const void *c = call;
    switch ((enum call_kind)call->kind) {
    case CALL_CLAIM:
        claim(b, incarnation, c);
        return;
    case CALL_RENEW:
        renew(b, incarnation, c);
        return;
    case CALL_FINISH:
        finish(b, c, store_us);
        return;
    case CALL_RELEASE:
        begin(b, "release", "1");
        entity_key(b, ((const struct store_release *)c)->source,
                   ((const struct store_release *)c)->entity);
        return;
    case CALL_SETTLE:
        settle(b, c);
        return;
    case CALL_LOOK:
        look(b, c);
        return;
    case CALL_CONTROL_GET:
        begin(b, "control_get", "3");
        own_key(b, CONTROL_MODE_KEY);
        own_key(b, CONTROL_PERCENTAGE_KEY);
        own_key(b, CONTROL_GOOD_KEY);
        return;
    case CALL_CONTROL_SET:
        control_set(b, c);
        return;
    case CALL_AUDIT:
        audit(b, c);
        return;
    case CALL_NOTE:
        note(b, c);
        return;
    case CALL_ASSERT:
        put_back(b, c);
        return;
    case CALL_EXPORT:
    case CALL_CLEAR:
    case CALL_KINDS:
        return;
    }
}

bool redis_cmd(const struct redis_names *names, const char *incarnation, uint64_t store_us,
               const struct store_call *call, struct buf *scratch, struct buf *out) {
    struct build b = {.names = names, .scratch = scratch, .ok = true};
    buf_reset(scratch);
    if (!buf_reserve(scratch, SCRATCH_NEEDS))
        return false;
    build_call(&b, incarnation, store_us, call);
    return b.ok && redis_cmd_words(b.w.list, b.w.count, out);
}

bool redis_cmd_incarnation(const struct redis_names *names, const char *word, struct buf *out) {
    char function[64], key[sizeof(names->prefix) + 16];
    snprintf(function, sizeof(function), "pointsman_incarnation_%s", names->version);
    snprintf(key, sizeof(key), "%sincarnation", names->prefix);
    const struct slice words[] = {slice_of("FCALL"), slice_of(function), slice_of("1"),
                                  slice_of(key), slice_of(word)};
    return redis_cmd_words(words, ARRAY_LEN(words), out);
}

bool redis_cmd_ping(const struct redis_names *names, struct buf *out) {
    char key[sizeof(names->prefix) + 16];
    snprintf(key, sizeof(key), "%sincarnation", names->prefix);
    const struct slice words[] = {slice_of("GET"), slice_of(key)};
    return redis_cmd_words(words, ARRAY_LEN(words), out);
}

bool redis_cmd_load(const struct redis_names *names, struct buf *out) {
    struct buf text;
    buf_init(&text, 256 * 1024);
    bool ok = buf_printf(&text, "#!lua name=pointsman_%s\nlocal VERSION = '%s'\n", names->version,
                         names->version) &&
              buf_puts(&text, redis_lua_text);
    const struct slice words[] = {slice_of("FUNCTION"), slice_of("LOAD"), buf_slice(&text)};
    ok = ok && redis_cmd_words(words, ARRAY_LEN(words), out);
    buf_free(&text);
    return ok;
}

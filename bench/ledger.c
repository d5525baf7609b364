/* One table holds the ids of both sides: a hash of 60 bits, and which sides did it, once or more.
 */
#include "ledger.h"

#include <stdlib.h>
#include <string.h>

#include <pointsman/digest.h>
#include <pointsman/jsonw.h>

#define CAP_LEAST 65536

enum { MARK_DONE = 1, MARK_TWICE = 4, MARKS = 15 }; /* shifted by the side */

void ledger_init(struct ledger *l, double percentage) {
    *l = (struct ledger){.percentage_e4 = percentage < 0 ? -1 : (int64_t)(percentage * 10000)};
}

void ledger_free(struct ledger *l) {
    free(l->slots);
    free(l->runs);
}

/* The slot of the hash, or the free one where it belongs. */
static uint64_t *slot_of(const struct ledger *l, uint64_t hash) {
    size_t at = (hash >> 4) & (l->cap - 1);
    while (l->slots[at] && (l->slots[at] & ~(uint64_t)MARKS) != hash)
        at = (at + 1) & (l->cap - 1);
    return &l->slots[at];
}

static void grow(struct ledger *l) {
    struct ledger grown = {.cap = l->cap ? 2 * l->cap : CAP_LEAST};
    grown.slots = calloc(grown.cap, sizeof *grown.slots);
    if (!grown.slots)
        abort();
    for (size_t i = 0; i < l->cap; i++)
        if (l->slots[i])
            *slot_of(&grown, l->slots[i] & ~(uint64_t)MARKS) = l->slots[i];
    free(l->slots);
    l->slots = grown.slots;
    l->cap = grown.cap;
}

static struct ledger_run *run_of(struct ledger *l, struct slice id) {
    size_t len = id.len < LEDGER_RUN_LEN ? id.len : LEDGER_RUN_LEN;
    const struct ledger_run *known = ledger_find(l, slice(id.ptr, len));
    if (known)
        return &l->runs[known - l->runs];
    if (l->run_count == l->run_cap) {
        l->run_cap = l->run_cap ? 2 * l->run_cap : 16;
        l->runs = realloc(l->runs, l->run_cap * sizeof *l->runs);
        if (!l->runs)
            abort();
    }
    struct ledger_run *run = &l->runs[l->run_count++];
    *run = (struct ledger_run){.name = ""};
    memcpy(run->name, id.ptr, len);
    return run;
}

static bool is_wrong(const struct ledger *l, int side, struct slice entity) {
    if (l->percentage_e4 < 0 || !entity.ptr)
        return false;
    uint64_t bucket = (digest_xxh3(entity.ptr, entity.len, 0) >> 32) * 1000000 >> 32;
    return side != ((int64_t)bucket < l->percentage_e4 ? LEDGER_NEW : LEDGER_LEGACY);
}

static void note_done(struct ledger *l, struct ledger_run *run, int side, struct slice id) {
    if (2 * l->used >= l->cap)
        grow(l);
    uint64_t hash = digest_xxh3(id.ptr, id.len, 0) & ~(uint64_t)MARKS;
    hash += hash ? 0 : (uint64_t)MARKS + 1;
    uint64_t done = (uint64_t)MARK_DONE << side, twice = (uint64_t)MARK_TWICE << side;
    uint64_t *slot = slot_of(l, hash);
    l->used += (*slot == 0);
    if (!(*slot & done)) {
        run->distinct[side]++;
        run->both += (*slot & MARKS) != 0;
    } else if (!(*slot & twice)) {
        run->twice++;
        *slot |= twice;
    }
    *slot |= hash | done;
}

void ledger_note(struct ledger *l, const struct ledger_request *request, uint64_t now_us) {
    struct ledger_run *run = run_of(l, request->id);
    if (!run->first_us)
        run->first_us = now_us;
    run->last_us = now_us;
    run->requests[request->side]++;
    if (request->error) {
        run->errors++;
        return;
    }
    run->wrong_side += is_wrong(l, request->side, request->entity);
    note_done(l, run, request->side, request->id);
}

const struct ledger_run *ledger_find(const struct ledger *l, struct slice name) {
    for (size_t i = l->run_count; i-- > 0;) /* the newest is asked for most */
        if (slice_is(name, l->runs[i].name))
            return &l->runs[i];
    return NULL;
}

static void write_side(struct jsonw *w, const char *name, const struct ledger_run *run, int side) {
    jsonw_object(w, name);
    jsonw_u64(w, "requests", run->requests[side]);
    jsonw_u64(w, "distinct", run->distinct[side]);
    jsonw_close(w);
}

bool ledger_write(const struct ledger *l, struct buf *out) {
    struct jsonw w;
    jsonw_begin(&w, out);
    for (size_t i = 0; i < l->run_count; i++) {
        const struct ledger_run *run = &l->runs[i];
        jsonw_object(&w, run->name);
        write_side(&w, "legacy", run, LEDGER_LEGACY);
        write_side(&w, "new", run, LEDGER_NEW);
        jsonw_u64(&w, "errors", run->errors);
        jsonw_u64(&w, "twice", run->twice);
        jsonw_u64(&w, "both", run->both);
        if (l->percentage_e4 >= 0)
            jsonw_u64(&w, "wrong_side", run->wrong_side);
        else
            jsonw_strz(&w, "wrong_side", NULL);
        jsonw_u64(&w, "us", run->last_us - run->first_us);
        jsonw_close(&w);
    }
    jsonw_end(&w);
    return !w.failed;
}

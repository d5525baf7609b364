/* Open addressing with linear probing; what is dropped closes its gap. */
#include "hand.h"

#include <stdlib.h>

#define CAP_LEAST 64

static size_t home(const struct hand *h, uint64_t seq) {
    return (size_t)(seq * UINT64_C(0x9E3779B97F4A7C15) >> 20) & (h->cap - 1);
}

static size_t slot_of(const struct hand *h, uint64_t seq) {
    size_t at = home(h, seq);
    while (h->slots[at] && h->slots[at] != seq)
        at = (at + 1) & (h->cap - 1);
    return at;
}

static bool grow(struct hand *h) {
    struct hand grown = {.cap = h->cap ? h->cap * 2 : CAP_LEAST};
    grown.slots = calloc(grown.cap, sizeof(*grown.slots));
    if (!grown.slots)
        return false;
    for (size_t i = 0; i < h->cap; i++)
        if (h->slots[i])
            grown.slots[slot_of(&grown, h->slots[i])] = h->slots[i];
    free(h->slots);
    h->slots = grown.slots;
    h->cap = grown.cap;
    return true;
}

/* There is room. */
static void set(struct hand *h, uint64_t seq) {
    h->slots[slot_of(h, seq)] = seq;
    h->used++;
}

static void clear(struct hand *h, uint64_t seq) {
    size_t gap = slot_of(h, seq);
    h->slots[gap] = 0;
    h->used--;
    for (size_t at = (gap + 1) & (h->cap - 1); h->slots[at]; at = (at + 1) & (h->cap - 1)) {
        size_t wants = home(h, h->slots[at]);
        if (((at - wants) & (h->cap - 1)) < ((at - gap) & (h->cap - 1)))
            continue; /* the gap is before where it may stand */
        h->slots[gap] = h->slots[at];
        h->slots[at] = 0;
        gap = at;
    }
}

static bool note(struct hand *h, uint64_t seq, bool added) {
    if (h->changed == h->change_cap) {
        size_t cap = h->change_cap ? h->change_cap * 2 : CAP_LEAST;
        struct hand_change *changes = realloc(h->changes, cap * sizeof(*changes));
        if (!changes)
            return false;
        h->changes = changes;
        h->change_cap = cap;
    }
    h->changes[h->changed++] = (struct hand_change){seq, added};
    return true;
}

void hand_free(struct hand *h) {
    free(h->slots);
    free(h->changes);
    *h = (struct hand){.slots = NULL};
}

bool hand_has(const struct hand *h, uint64_t seq) {
    return h->used && h->slots[slot_of(h, seq)] == seq;
}

bool hand_add(struct hand *h, uint64_t seq) {
    if (hand_has(h, seq))
        return true;
    if (((h->used + 1) * 2 > h->cap && !grow(h)) || !note(h, seq, true))
        return false;
    set(h, seq);
    return true;
}

bool hand_drop(struct hand *h, uint64_t seq) {
    if (!hand_has(h, seq))
        return true;
    if (!note(h, seq, false))
        return false;
    clear(h, seq);
    return true;
}

void hand_commit(struct hand *h) {
    h->changed = 0;
}

void hand_rollback(struct hand *h) {
    while (h->changed) {
        const struct hand_change *c = &h->changes[--h->changed];
        if (c->added)
            clear(h, c->seq);
        else
            set(h, c->seq);
    }
}

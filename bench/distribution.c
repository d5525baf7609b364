/* An entity is drawn by a hash of the event's number, so that a repetition is about the same one.
 */
#include "distribution.h"

#include <stdlib.h>

#include "schedule.h"

const char *const distribution_names[DISTRIBUTIONS] = {"uniform", "zipf", "hot"};

bool distribution_init(struct distribution *d, enum distribution_kind kind, unsigned entities) {
    *d = (struct distribution){.kind = kind, .entities = entities};
    if (kind != DISTRIBUTION_ZIPF)
        return true;
    d->upto = malloc(entities * sizeof *d->upto);
    if (!d->upto)
        return false;
    double whole = 0, sum = 0;
    for (unsigned k = 1; k <= entities; k++)
        whole += 1.0 / k;
    for (unsigned k = 1; k <= entities; k++) {
        sum += 1.0 / k;
        d->upto[k - 1] = (uint32_t)(sum / whole * UINT32_MAX);
    }
    d->upto[entities - 1] = UINT32_MAX;
    return true;
}

void distribution_free(struct distribution *d) {
    free(d->upto);
    d->upto = NULL;
}

/* The first entity whose share reaches up to the drawn number. */
static unsigned by_share(const struct distribution *d, uint32_t drawn) {
    unsigned low = 0, high = d->entities - 1;
    while (low < high) {
        unsigned middle = low + (high - low) / 2;
        if (d->upto[middle] >= drawn)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static unsigned scale(uint32_t drawn, unsigned entities) {
    return (unsigned)((uint64_t)drawn * entities >> 32);
}

unsigned distribution_entity(const struct distribution *d, uint64_t event) {
    uint64_t hash = schedule_scatter(event);
    uint32_t drawn = (uint32_t)(hash >> 32);
    switch (d->kind) {
    case DISTRIBUTION_ZIPF:
        return by_share(d, drawn);
    case DISTRIBUTION_HOT:
        return (uint32_t)hash % 10 || d->entities == 1 ? 0 : 1 + scale(drawn, d->entities - 1);
    case DISTRIBUTION_UNIFORM:
    case DISTRIBUTIONS:
        break;
    }
    return scale(drawn, d->entities);
}

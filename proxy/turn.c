/* Events whose bodies became complete in one turn of the loop: their signatures are checked
 * together, which costs less than one by one (digest.h). */
#include "delivery.h"
#include "shared.h"
#include "worker.h"

#define AT_ONCE 64

static void run_some(struct worker *w) {
    struct delivery *ready[AT_ONCE];
    struct verify_item items[AT_ONCE];
    size_t count = 0;
    while (count < AT_ONCE && !STAILQ_EMPTY(&w->unverified)) {
        struct delivery *d = STAILQ_FIRST(&w->unverified);
        STAILQ_REMOVE_HEAD(&w->unverified, unverified);
        items[count] = (struct verify_item){.verifier = d->rules->verifiers[d->source_index],
                                            .signature = d->signature,
                                            .body = blob_slice(d->body)};
        ready[count++] = d;
    }
    verify_all(w->lanes, items, count);
    for (size_t i = 0; i < count; i++) {
        ready[i]->verdict = items[i].verdict;
        delivery_run(ready[i]);
        delivery_drop(ready[i]);
    }
}

static void run_all(void *arg) {
    struct worker *w = arg;
    while (!STAILQ_EMPTY(&w->unverified))
        run_some(w);
}

void delivery_complete(struct delivery *d) {
    struct worker *w = d->worker;
    delivery_step(d, STEP_PARSE);
    delivery_hold(d);
    STAILQ_INSERT_TAIL(&w->unverified, d, unverified);
    task_later(w->loop, &w->verify);
}

void turn_init(struct worker *w) {
    STAILQ_INIT(&w->unverified);
    task_init(&w->verify, run_all, w);
    w->lanes = hmac_lanes_new();
}

void turn_end(struct worker *w) {
    STAILQ_INIT(&w->unverified); /* what stood there is discarded with all that is under way */
    task_cancel(w->loop, &w->verify);
    hmac_lanes_free(w->lanes);
}

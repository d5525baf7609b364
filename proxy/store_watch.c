/* Compares the store's state with what was told of it last; one line for each change. */
#include "store_watch.h"

#include <pointsman/log.h>

#define LOOK_US 100000 /* a shorter absence shows in no answer to a sender */

static bool answers_calls(const struct store_state *s) {
    return s->up || s->held;
}

/* `ever`: it answered before; a store that is not there yet at the start is no alarm. */
static void tell_presence(const struct store_state *was, const struct store_state *now, bool ever) {
    if (answers_calls(was) && !answers_calls(now))
        log_say(ever ? LOG_ERROR : LOG_WARN, "store away", "%s", now->problem);
    if (!was->local && now->local)
        log_say(LOG_WARN, "store local",
                "this instance claims alone: others may forward the same event (when_down: local)");
    if (!answers_calls(was) && answers_calls(now))
        log_say(LOG_INFO, "store back", "it answers again");
    if (!was->held && now->held)
        log_say(LOG_WARN, "store held", "%s", now->problem);
}

/* What was promised may not hold for these (DESIGN §1.2). */
static void tell_losses(const struct store_state *was, const struct store_state *now) {
    if (now->forgot > was->forgot)
        log_say(LOG_ERROR, "store forgot",
                "it is another store, or an older one; what is known here is put back");
    if (now->lost > was->lost)
        log_say(LOG_ERROR, "store lost",
                "%llu records were missing or differ, among those known here; others may be gone",
                (unsigned long long)(now->lost - was->lost));
    if (now->published > was->published)
        log_say(LOG_WARN, "store published", "%llu records of the time alone were written",
                (unsigned long long)(now->published - was->published));
}

static void look(void *arg) {
    struct store_watch *w = arg;
    struct store_state now;
    store_state(w->store, &now);
    tell_losses(&w->last, &now);
    tell_presence(&w->last, &now, w->ever_there);
    w->last = now;
    w->ever_there |= answers_calls(&now);
    timer_set(w->loop, &w->look, LOOK_US);
}

void store_watch_start(struct store_watch *w, struct store *store, struct loop *loop) {
    *w = (struct store_watch){.store = store, .loop = loop, .last = {.up = true}};
    timer_init(&w->look, look, w);
    timer_set(loop, &w->look, LOOK_US);
}

void store_watch_stop(struct store_watch *w) {
    if (w->loop)
        timer_stop(&w->look);
}

/* Makes the queue of new due when new gets nothing any more. */
#include "repin.h"

#include <stdlib.h>

#include <pointsman/journal.h>
#include <pointsman/log.h>

#include "shared.h"

#define AGAIN_US 1000000

struct repin {
    struct proxy *proxy;
    bool running, again;
    struct journal_hasten call;
    struct timer timer;
};

static void run(void *repin);

struct repin *repin_new(struct proxy *p) {
    struct repin *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->proxy = p;
    timer_init(&r->timer, run, r);
    return r;
}

void repin_free(struct repin *r) {
    if (!r)
        return;
    timer_stop(&r->timer);
    free(r);
}

static void done(struct journal_call *call) {
    struct repin *r = call->arg;
    r->running = false;
    if (call->result != JOURNAL_OK && r->proxy->journal_client)
        timer_set(r->proxy->loop, &r->timer, AGAIN_US);
    else if (r->again)
        run(r);
}

static void run(void *arg) {
    struct repin *r = arg;
    r->again = r->running;
    if (r->running || !r->proxy->journal_client)
        return;
    r->running = true;
    r->call = (struct journal_hasten){.call = {.done = done, .arg = r}, .side = SIDE_NEW};
    journal_hasten(r->proxy->journal_client, &r->call);
}

static bool owns_something(const struct control *c) {
    return c->mode == MODE_NEW_ONLY || (c->mode == MODE_GRADUAL && c->ppm > 0);
}

void repin_changed(struct repin *r, const struct control *from, const struct control *to) {
    if (owns_something(from) && !owns_something(to))
        run(r);
}

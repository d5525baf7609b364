/* Tells the log when the store goes away, comes back or has forgotten. Layer: proxy. All on the
 * loop's thread. */
#ifndef POINTSMAN_STORE_WATCH_H
#define POINTSMAN_STORE_WATCH_H

#include <stdbool.h>

#include <pointsman/loop.h>
#include <pointsman/store.h>

struct store_watch {
    struct store *store;
    struct loop *loop;
    struct timer look;
    struct store_state last;
    bool ever_there; /* it answered at least once */
};

void store_watch_start(struct store_watch *w, struct store *store, struct loop *loop);
void store_watch_stop(struct store_watch *w); /* also before it was started, if zeroed */

#endif

/* Mode and percentage: read from the store, judged, published to the workers, changed on request.
 * Layer: proxy. One per process, on the admin thread's loop. */
#ifndef POINTSMAN_STEERING_H
#define POINTSMAN_STEERING_H

#include <pointsman/proxy.h>

struct steering;

/* `first` runs once, when the store was read or did not answer for the first time. */
MUST_CHECK struct steering *steering_new(struct proxy *proxy, void (*first)(struct proxy *proxy));
void steering_free(struct steering *s); /* waiting changes end as failed */
void steering_state(const struct steering *s, struct steering_state *ret);
void steering_change(struct steering *s, struct change *change);

#endif

/* The records of events and entities as JSON. Layer: admin, private. NULL: no memory. */
#ifndef ADMIN_RECORD_VIEW_H
#define ADMIN_RECORD_VIEW_H

#include <jansson.h>

#include <pointsman/proxy.h>
#include <pointsman/store.h>

json_t *record_event_view(struct proxy *proxy, const char *source, const char *id,
                          const struct store_look *look);
/* `source` and `look` are NULL where the store knows nothing: what a first event would meet is told
 * all the same. */
json_t *record_entity_view(struct proxy *proxy, const char *source, const char *entity,
                           const struct store_look *look);

#endif

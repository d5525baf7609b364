/* How times, percentages and changes look in JSON. Layer: admin, private. NULL: no memory. */
#ifndef ADMIN_VIEW_H
#define ADMIN_VIEW_H

#include <stdint.h>

#include <jansson.h>

#include <pointsman/router.h>
#include <pointsman/store.h>

json_t *view_time(uint64_t wall_us);           /* RFC 3339; 0: null */
json_t *view_percentage(uint32_t ppm);         /* 25, 12.5 */
json_t *view_number(double value, bool known); /* rounded to 6 decimals; null if not known */
/* Text from outside may not be UTF-8: such bytes become "?". */
json_t *view_text(const char *text);
json_t *view_slice(struct slice text); /* absent: null; a NUL becomes "?" too */
json_t *view_transition(const struct audit_entry *entry);

#endif

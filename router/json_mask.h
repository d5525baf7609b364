/* Numbers that are valid JSON but too large for simdjson. Layer: router, private. */
#ifndef POINTSMAN_ROUTER_JSON_MASK_H
#define POINTSMAN_ROUTER_JSON_MASK_H

#include <stddef.h>

/* Replaces, in place, numbers outside 64 bits and every fraction by -1 and spaces: a sender's own
 * data may hold them, and no identity field may be one, so -1 is refused where it matters. A
 * malformed text stays malformed. */
void json_mask_numbers(char *text, size_t len);

#endif

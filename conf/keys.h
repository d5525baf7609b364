/* Which keys a block may have. Layer: conf (private). */
#ifndef POINTSMAN_CONF_KEYS_H
#define POINTSMAN_CONF_KEYS_H

#include "options.h"
#include "problems.h"
#include "yaml_tree.h"

/* Reports every key of the map that the section does not know. */
void keys_check(const struct section *s, const struct node *map, const char *shown,
                struct problems *problems);

#endif

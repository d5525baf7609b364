/* What one option alone cannot show. Layer: conf (private). */
#ifndef POINTSMAN_CONF_CHECK_H
#define POINTSMAN_CONF_CHECK_H

#include "problems.h"
#include "yaml_tree.h"

/* Fields whose values were refused are zero, and not reported again. */
void check_whole(const struct conf *conf, const struct node *root, struct problems *problems);

#endif

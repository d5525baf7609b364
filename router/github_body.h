/* What a GitHub payload says about its event. Layer: router, private. */
#ifndef POINTSMAN_ROUTER_GITHUB_BODY_H
#define POINTSMAN_ROUTER_GITHUB_BODY_H

#include <stdbool.h>

#include <pointsman/compiler.h>
#include <pointsman/err.h>
#include <pointsman/router.h>

#include "json.h"

/* Fills all of *id but type and event id, which are set already: the event id is the entity of an
 * event about nothing. False: a value on the way is of the wrong type or a key is
 * there twice; *id is then half filled. */
MUST_CHECK bool github_body_read(const struct json_value *root, struct identity *id,
                                 struct err *err);

#endif

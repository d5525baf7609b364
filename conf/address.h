/* Addresses and URLs of the configuration. Layer: conf (private). */
#ifndef POINTSMAN_CONF_ADDRESS_H
#define POINTSMAN_CONF_ADDRESS_H

#include <stdbool.h>

#include <pointsman/compiler.h>
#include <pointsman/conf.h>

#include "problems.h"

/* False: *ret_why is a reason for people, or NULL where there was no memory. It never repeats the
 * text, which may hold a password. */
MUST_CHECK bool address_parse(struct slice text, struct conf_address *ret, const char **ret_why);
MUST_CHECK bool url_parse(struct slice text, struct conf_url *ret, const char **ret_why);
/* ret->text is without user and password, so that it may be shown. */
struct redis_login {
    char *user;     /* NULL: none */
    char *password; /* NULL: none */
    uint32_t db;
};
MUST_CHECK bool redis_url_parse(struct slice text, struct conf_url *ret,
                                struct redis_login *ret_login, const char **ret_why);

/* The URL in quotes; where it may hold a password, without that. */
void url_add_shown(struct text *t, struct slice url);

void address_clear(struct conf_address *a);
void url_clear(struct conf_url *u);

/* May stand as a path in a request line: RFC 3986 §3.3, not empty, with a leading "/". */
bool path_is_valid(struct slice path);
bool address_is_loopback(const struct conf_address *a);

#endif

/* An error message for a person: what was found, what is allowed. Layer: base. */
#ifndef POINTSMAN_ERR_H
#define POINTSMAN_ERR_H

#include <pointsman/compiler.h>

/* Written by the callee only on failure; always NUL-terminated, truncated if longer. */
struct err {
    char text[512];
};

/* `err` may be NULL. */
void err_set(struct err *err, const char *format, ...) PRINTF_LIKE(2, 3);

#endif

/* Questions to the person at the terminal. Layer: cli, private. */
#ifndef CLI_ASK_H
#define CLI_ASK_H

#include <stdbool.h>
#include <stddef.h>

#include "command.h"

/* Why it is done: from that option, else asked for on a terminal, else "manual". */
void ask_reason(const struct args *args, const char *option, char *out, size_t cap);
/* "Drop 1,234 events? [y/N] " True without a terminal: scripts are not asked. */
bool ask_yes(const char *question);

#endif

/* How times, shares and lists of changes are shown to people. Layer: cli, private. */
#ifndef CLI_SHOW_H
#define CLI_SHOW_H

#include <stdio.h>

#include <jansson.h>

/* "2026-11-21 03:40:00" (UTC) of an RFC 3339 text; "–" if there is none. */
void show_when(const json_t *json, const char *name, char out[32]);
/* "3 h" since then; "–" if there is none. */
void show_age(const json_t *json, const char *name, char out[32]);
/* "1.2 MiB" */
void show_bytes(double bytes, char out[32]);
/* Text from outside: what could move the cursor is left out; lines begin with `indent`. */
void show_block(const char *text, const char *indent, FILE *out);
/* "gradual 25 %"; the percentage is left out where it is 0 and the mode does not use it. */
void show_setting(const char *mode, double percentage, char *out, size_t cap);
void show_transitions(const json_t *list, FILE *out);

#endif

/* Puts one value of the file into the snapshot. Layer: conf (private). */
#ifndef POINTSMAN_CONF_SET_H
#define POINTSMAN_CONF_SET_H

#include "options.h"
#include "problems.h"
#include "yaml_tree.h"

/* One value on its way. */
struct setting {
    struct problems *problems;
    const struct option *option;
    const struct node *node;
    const char *shown;        /* "sources[0].deadline" */
    void *base;               /* the section's struct; its fields of this option are zero */
    const char *names[SIDES]; /* of the backends, NULL where not known; for modes */
};

/* Writes the fields, or reports why not and leaves them zero. */
void setting_apply(const struct setting *s);
/* Is the option's value one scalar? Then a refused value leaves nothing behind. */
bool setting_is_scalar(const struct option *o);

/* For the setters: `"9 seconds" is no duration; allowed: …`. `what` is "is no duration". */
void setting_refuse(const struct setting *s, const char *what);
/* The same without the value, which may be a secret. */
void setting_refuse_silently(const struct setting *s, unsigned line, const char *what);
void setting_error(const struct setting *s, unsigned line, const char *format, ...)
    PRINTF_LIKE(3, 4);
/* Within the option's limits? Reports if not. */
MUST_CHECK bool setting_in_range(const struct setting *s, uint64_t value);
static inline void *setting_field(const struct setting *s) {
    return (char *)s->base + s->option->offset;
}

/* Values that are lists or blocks. */
void set_secrets(const struct setting *s);
void set_token(const struct setting *s);
void set_headers(const struct setting *s);
void set_statuses(const struct setting *s);
void set_filter(const struct setting *s);
void set_ladder(const struct setting *s);

#endif

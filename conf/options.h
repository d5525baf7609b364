/* The one table of all options: parsing, defaults, limits, docs and sample come from it. Layer:
 * conf (private). */
#ifndef POINTSMAN_CONF_OPTIONS_H
#define POINTSMAN_CONF_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pointsman/conf.h>

#include "problems.h"

enum option_type {
    OPTION_TEXT = 0, /* char *; min, max: bytes */
    OPTION_NAME,     /* char *, lower-cased */
    OPTION_PATH,     /* char *, of a URL */
    OPTION_BOOL,
    OPTION_WORD,       /* an enum, or a bool */
    OPTION_COUNT,      /* an unsigned number of any width */
    OPTION_DURATION,   /* the same, ms */
    OPTION_SIZE,       /* the same, bytes */
    OPTION_ADDRESS,    /* struct conf_address */
    OPTION_URL,        /* struct conf_url */
    OPTION_REDIS,      /* redis, redis_user, redis_password, redis_db of struct conf */
    OPTION_STICKY,     /* sticky, sticky_ms of struct conf */
    OPTION_MODE,       /* has_start, start_mode of struct conf */
    OPTION_PERCENTAGE, /* uint32_t, ppm */
    OPTION_LADDER,     /* ladder_ms, ladder_count of struct conf; min, max: of a step, ms */
    OPTION_SECRETS,    /* secrets, secret_count of struct conf_source */
    OPTION_TOKEN,      /* char * */
    OPTION_HEADERS,    /* headers, header_count of struct conf_backend */
    OPTION_STATUSES,   /* not_done, not_done_count of struct conf_backend */
    OPTION_FILTER,     /* only, only_count of struct conf_source */
    OPTION_TYPES
};

enum option_effect { EFFECT_RELOAD = 0, EFFECT_RESTART, EFFECT_FIRST_START };

struct word { /* lists end with text NULL */
    const char *text;
    unsigned value;
};

struct option {
    const char *path; /* "backends.*.url", "sources[].path"; its section's path and its key */
    enum option_type type;
    enum option_effect effect;
    bool required;
    size_t offset; /* in the section's struct */
    size_t width;
    uint64_t min;
    uint64_t max;
    const struct word *words;
    const char *def;    /* YAML; NULL: none */
    const char *absent; /* for the docs: what holds where it is not given and def is NULL */
    const char
        *sample; /* YAML for the sample, where that is not the default; "a|b": one for each side */
    const char *help;
};

enum section_kind { SECTION_MAP = 0, SECTION_LIST, SECTION_SIDES };

struct section {
    const char *path;
    enum section_kind kind;
    size_t offset;       /* of its struct in the parent section's; of a list: of the pointer */
    size_t count_offset; /* of a list: where the number of items goes */
    size_t item_size;    /* of a list, or of one side */
    const char *help;
};

/* Both in the order in which they are read: what refers to a name stands behind it. */
extern const struct option options[];
extern const size_t option_count;
extern const struct section sections[];
extern const size_t section_count;

/* In a list or a side, at most. */
#define SECTION_ITEMS_MAX 64

/* "timeout" of "backends.*.timeout"; "new" of "backends.new"; "sources" of "sources[]". */
struct slice path_key(const char *path);
/* "backends.*" of "backends.*.timeout"; "" at the top. */
struct slice path_parent(const char *path);
/* Does the option stand in this section? `shown` is the section's path with the side's name. */
bool option_is_in(const struct option *o, const struct section *s, const char *shown);
bool section_is_in(const struct section *child, const struct section *parent);

/* Options of later versions, which are refused with a word of their own. */
bool option_is_of_later(const char *path);

/* What a value may be: "100ms to 10m, like 250ms, 9s, 5m". */
void option_add_allowed(const struct option *o, struct text *out);
void text_add_duration(struct text *t, uint64_t ms);
void text_add_size(struct text *t, uint64_t bytes);

#endif

/* What the rows of the option table say in words: paths, allowed values, units. */
#include <inttypes.h>

#include "options.h"

static const char *const later[] = {"listeners[].tls"};

static size_t parent_len(const char *path) {
    const char *dot = strrchr(path, '.');
    return dot ? (size_t)(dot - path) : 0;
}

struct slice path_parent(const char *path) {
    return slice(path, parent_len(path));
}

struct slice path_key(const char *path) {
    size_t skip = parent_len(path);
    struct slice key = slice_of(path + skip + (path[skip] == '.' ? 1 : 0));
    if (key.len > 2 && key.ptr[key.len - 1] == ']')
        key.len -= 2;
    return key;
}

bool option_is_in(const struct option *o, const struct section *s, const char *shown) {
    struct slice parent = path_parent(o->path);
    return slice_is(parent, s->path) || slice_is(parent, shown);
}

bool section_is_in(const struct section *child, const struct section *parent) {
    return child != parent && *child->path && slice_is(path_parent(child->path), parent->path);
}

bool option_is_of_later(const char *path) {
    for (size_t i = 0; i < ARRAY_LEN(later); i++) {
        if (strcmp(later[i], path) == 0)
            return true;
    }
    return false;
}

void text_add_duration(struct text *t, uint64_t ms) {
    static const struct {
        const char *name;
        uint64_t ms;
    } units[] = {{"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};
    size_t i = 0;
    while (i + 1 < ARRAY_LEN(units) && (ms < units[i].ms || ms % units[i].ms != 0))
        i++;
    text_add(t, "%" PRIu64 "%s", ms / units[i].ms, ms == 0 ? "s" : units[i].name);
}

void text_add_size(struct text *t, uint64_t bytes) {
    static const char *const names[] = {"B", "KiB", "MiB", "GiB"};
    size_t i = 0;
    for (; i + 1 < ARRAY_LEN(names) && bytes >= 1024 && bytes % 1024 == 0; i++)
        bytes /= 1024;
    text_add(t, "%" PRIu64 "%s", bytes, names[i]);
}

static void add_words(const struct word *words, struct text *out) {
    const char *comma = "";
    for (; words->text; words++) {
        text_add(out, "%s%s", comma, words->text);
        comma = ", ";
    }
}

/* The first three of the four that are allowed. */
static void add_examples(const struct option *o, const uint64_t examples[4],
                         void (*add)(struct text *t, uint64_t value), struct text *out) {
    unsigned shown = 0;
    for (size_t i = 0; i < 4 && shown < 3; i++) {
        if (examples[i] < o->min || examples[i] > o->max || examples[i] == 0)
            continue;
        text_add(out, shown++ == 0 ? ", like " : ", ");
        add(out, examples[i]);
    }
}

static void add_durations(const struct option *o, struct text *out) {
    text_add_duration(out, o->min);
    text_add(out, " to ");
    text_add_duration(out, o->max);
    add_examples(o, (const uint64_t[]){250, 9000, 300000, 259200000}, text_add_duration, out);
}

static void add_sizes(const struct option *o, struct text *out) {
    text_add_size(out, o->min);
    text_add(out, " to ");
    text_add_size(out, o->max);
    add_examples(o, (const uint64_t[]){65536, 26214400, 10737418240, 0}, text_add_size, out);
}

static void add_range(const struct option *o, struct text *out) {
    text_add(out, "a whole number from %" PRIu64 " to %" PRIu64, o->min, o->max);
}

static const char *const fixed[OPTION_TYPES] = {
    [OPTION_NAME] = "1 to 63 of a-z, 0-9, _ and -",
    [OPTION_PATH] = "a path that begins with /, without query, spaces and fragment",
    [OPTION_BOOL] = "true, false (or on, off, yes, no)",
    [OPTION_ADDRESS] = "a numeric address and a port, like 0.0.0.0:8080 or [::1]:8080",
    [OPTION_URL] = "http://host[:port][/path]",
    [OPTION_REDIS] = "redis://[[user]:password@]host[:port][/db]",
    [OPTION_MODE] = "legacy_only, new_only, parallel, gradual, emergency_rollback, or a backend's "
                    "name followed by _only",
    [OPTION_SECRETS] = "a list of {env: NAME}, {file: PATH} or {value: SECRET}, or the word none",
    [OPTION_TOKEN] = "{env: NAME}, {file: PATH} or {value: TOKEN}",
    [OPTION_HEADERS] = "a block of header names and values, at most 32",
    [OPTION_FILTER] = "a block of event types, each with a list of actions or the word all",
};

void option_add_allowed(const struct option *o, struct text *out) {
    switch (o->type) {
    case OPTION_TEXT:
        text_add(out, "%" PRIu64 " to %" PRIu64 " printable bytes", o->min, o->max);
        break;
    case OPTION_WORD:
        add_words(o->words, out);
        break;
    case OPTION_COUNT:
        add_range(o, out);
        break;
    case OPTION_DURATION:
        add_durations(o, out);
        break;
    case OPTION_SIZE:
        add_sizes(o, out);
        break;
    case OPTION_STICKY:
        add_durations(o, out);
        text_add(out, ", or in_flight, or closed");
        break;
    case OPTION_PERCENTAGE:
        text_add(out, "%" PRIu64 " to %" PRIu64 " with up to four decimals",
                 o->min / (PPM_ALL / 100), o->max / (PPM_ALL / 100));
        break;
    case OPTION_LADDER:
        text_add(out, "a list of 1 to %d durations, each ", RETRY_STEPS_MAX);
        add_durations(o, out);
        break;
    case OPTION_STATUSES:
        text_add(out, "a list of statuses from %" PRIu64 " to %" PRIu64, o->min, o->max);
        break;
    default:
        text_add(out, "%s", fixed[o->type]);
        break;
    }
}

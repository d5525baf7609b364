/* Unknown keys: what is allowed, and what was probably meant. */
#include "keys.h"

#include <stdlib.h>

#define KEYS_MAX          32
#define KEY_LEN_MAX       32 /* no option's key is that long */
#define TYPING_ERRORS_MAX 2

struct keys {
    size_t count;
    struct slice keys[KEYS_MAX];
};

static void add(struct keys *keys, struct slice key) {
    if (keys->count < KEYS_MAX)
        keys->keys[keys->count++] = key;
}

static struct keys keys_of(const struct section *s, const char *shown) {
    struct keys keys = {0};
    for (size_t i = 0; i < option_count; i++) {
        if (option_is_in(&options[i], s, shown))
            add(&keys, path_key(options[i].path));
    }
    for (size_t i = 0; i < section_count; i++) {
        if (!section_is_in(&sections[i], s))
            continue;
        if (sections[i].kind != SECTION_SIDES) {
            add(&keys, path_key(sections[i].path));
            continue;
        }
        for (int side = 0; side < SIDES; side++)
            add(&keys, slice_of(side_names[side]));
    }
    return keys;
}

static size_t least(size_t a, size_t b, size_t c) {
    size_t ab = a < b ? a : b;
    return ab < c ? ab : c;
}

/* Levenshtein's, one row at a time. */
static size_t distance(struct slice a, struct slice b) {
    size_t row[KEY_LEN_MAX + 1];
    if (a.len > KEY_LEN_MAX || b.len > KEY_LEN_MAX)
        return SIZE_MAX;
    for (size_t j = 0; j <= b.len; j++)
        row[j] = j;
    for (size_t i = 0; i < a.len; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < b.len; j++) {
            size_t replaced = diagonal + (a.ptr[i] != b.ptr[j]);
            diagonal = row[j + 1];
            row[j + 1] = least(replaced, diagonal + 1, row[j] + 1);
        }
    }
    return row[b.len];
}

static void report(const struct keys *keys, const struct node *node, const char *shown,
                   struct problems *problems) {
    struct slice key = slice_of(node->key);
    struct text text = {0};
    if (*shown)
        text_add(&text, "%s: ", shown);
    text_add(&text, "unknown key ");
    text_add_quoted(&text, key);
    size_t best = TYPING_ERRORS_MAX + 1;
    struct slice meant = {0};
    for (size_t i = 0; i < keys->count; i++) {
        size_t d = distance(key, keys->keys[i]);
        if (d < best && d < keys->keys[i].len) {
            best = d;
            meant = keys->keys[i];
        }
    }
    if (meant.ptr)
        text_add(&text, ", did you mean %.*s?", SLICE_ARG(meant));
    for (size_t i = 0; i < keys->count; i++)
        text_add(&text, "%s%.*s", i == 0 ? "; allowed: " : ", ", SLICE_ARG(keys->keys[i]));
    problems_error(problems, node->line, "%s", text.bytes);
}

static bool is_of_later(const struct section *s, const char *key) {
    struct text path = {0};
    text_add(&path, "%s%s%s", s->path, *s->path ? "." : "", key);
    return option_is_of_later(path.bytes);
}

void keys_check(const struct section *s, const struct node *map, const char *shown,
                struct problems *problems) {
    struct keys keys = keys_of(s, shown);
    for (const struct node *n = map->first; n; n = n->next) {
        bool known = false;
        for (size_t i = 0; i < keys.count && !known; i++)
            known = slice_is(keys.keys[i], n->key);
        if (known)
            continue;
        if (is_of_later(s, n->key))
            problems_error(problems, n->line,
                           "%s%s%s: is not available in this version; leave it out", shown,
                           *shown ? "." : "", n->key);
        else
            report(&keys, n, shown, problems);
    }
}

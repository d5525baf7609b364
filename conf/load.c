/* The loader: file → tree → snapshot, driven by the option table. */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>

#include "check.h"
#include "keys.h"
#include "options.h"
#include "set.h"
#include "yaml_tree.h"

struct loader {
    struct conf *conf;
    struct problems problems;
};

/* A section as it stands in the file. */
struct block {
    const struct section *section;
    const struct node *node; /* NULL: it is not there */
    unsigned line;           /* where something missing is reported */
    struct text shown;
    void *base;
};

static void load_block(struct loader *l, const struct block *block);

static struct text shown_join(const struct block *block, struct slice key) {
    struct text shown = block->shown;
    text_add(&shown, "%s%.*s", shown.len ? "." : "", SLICE_ARG(key));
    return shown;
}

static const struct node *child(const struct block *block, struct slice key) {
    struct text text = {0};
    text_add(&text, "%.*s", SLICE_ARG(key));
    return node_get(block->node, text.bytes);
}

static void load_default(struct loader *l, struct setting *setting) {
    const char *def = setting->option->def;
    struct node *node = tree_parse(def, strlen(def), &l->problems);
    if (!node)
        return;
    setting->node = node;
    setting_apply(setting);
    tree_free(node);
}

static void load_option(struct loader *l, const struct block *block, const struct option *o) {
    struct text shown = shown_join(block, path_key(o->path));
    struct setting setting = {
        .problems = &l->problems,
        .option = o,
        .node = child(block, path_key(o->path)),
        .shown = shown.bytes,
        .base = block->base,
        .names = {l->conf->backends[SIDE_LEGACY].name, l->conf->backends[SIDE_NEW].name},
    };
    unsigned errors = l->problems.errors;
    if (setting.node)
        setting_apply(&setting);
    /* also instead of a refused value, so that the cross checks do not find more */
    if (o->def && (!setting.node || (errors < l->problems.errors && setting_is_scalar(o))))
        load_default(l, &setting);
    else if (!setting.node && o->required)
        setting_refuse_silently(&setting, block->line, "is missing");
}

static void name_by_default(struct loader *l, char **name, const char *text) {
    if (*name)
        return;
    *name = strdup(text);
    if (!*name)
        problems_no_memory(&l->problems);
}

static const char *provider_name(enum provider provider) {
    for (size_t i = 0; i < option_count; i++) {
        if (strcmp(options[i].path, "sources[].provider") == 0)
            return options[i].words[provider].text;
    }
    return "";
}

static struct block block_under(const struct block *parent, const struct section *s,
                                struct slice key) {
    struct block block = {
        .section = s,
        .node = child(parent, key),
        .base = (char *)parent->base + s->offset,
    };
    block.line = block.node ? block.node->line : parent->line;
    block.shown = shown_join(parent, key);
    return block;
}

static void load_sides(struct loader *l, const struct block *parent, const struct section *s) {
    for (int side = 0; side < SIDES; side++) {
        struct block block = block_under(parent, s, slice_of(side_names[side]));
        block.base = (char *)block.base + (size_t)side * s->item_size;
        load_block(l, &block);
        name_by_default(l, &l->conf->backends[side].name, side_names[side]);
    }
}

static void load_list(struct loader *l, const struct block *parent, const struct section *s) {
    struct block list = block_under(parent, s, path_key(s->path));
    bool empty = !list.node || node_is_empty(list.node);
    if (empty || list.node->kind != NODE_LIST || list.node->count == 0 ||
        list.node->count > SECTION_ITEMS_MAX) {
        problems_error(&l->problems, list.line,
                       "%s: %s; allowed: a list of 1 to %d blocks, each begins with \"- \"",
                       list.shown.bytes, empty ? "is missing" : "is no such list",
                       SECTION_ITEMS_MAX);
        return;
    }
    char *items = calloc(list.node->count, s->item_size);
    if (!items) {
        problems_no_memory(&l->problems);
        return;
    }
    memcpy(list.base, &items, sizeof(items));
    size_t count = 0;
    for (const struct node *n = list.node->first; n; n = n->next) {
        struct block item = {.section = s, .node = n, .line = n->line};
        text_add(&item.shown, "%s[%zu]", list.shown.bytes, count);
        item.base = items + count * s->item_size;
        count++;
        memcpy((char *)parent->base + s->count_offset, &count, sizeof(count));
        load_block(l, &item);
    }
}

static void load_section(struct loader *l, const struct block *parent, const struct section *s) {
    switch (s->kind) {
    case SECTION_LIST:
        load_list(l, parent, s);
        break;
    case SECTION_SIDES:
        load_sides(l, parent, s);
        break;
    case SECTION_MAP: {
        struct block block = block_under(parent, s, path_key(s->path));
        load_block(l, &block);
        break;
    }
    }
}

static void load_block(struct loader *l, const struct block *given) {
    struct block block = *given;
    if (block.node && block.node->kind != NODE_MAP) {
        if (!node_is_empty(block.node)) {
            problems_error(&l->problems, block.line, "%s%sis no block of options",
                           block.shown.len ? block.shown.bytes : "the file",
                           block.shown.len ? ": " : " ");
            return;
        }
        block.node = NULL;
    }
    if (block.node)
        keys_check(block.section, block.node, block.shown.bytes, &l->problems);
    for (size_t i = 0; i < option_count; i++) {
        if (option_is_in(&options[i], block.section, block.shown.bytes))
            load_option(l, &block, &options[i]);
    }
    for (size_t i = 0; i < section_count; i++) {
        if (section_is_in(&sections[i], block.section))
            load_section(l, &block, &sections[i]);
    }
}

static uint32_t cores(void) {
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof(set), &set) != 0 || CPU_COUNT(&set) < 1)
        return 1;
    return (uint32_t)CPU_COUNT(&set);
}

static void load_tree(struct loader *l, const struct node *root) {
    struct block top = {.section = &sections[0], .node = root, .line = 1, .base = l->conf};
    if (root->kind != NODE_MAP) {
        problems_error(&l->problems, root->line,
                       "the file is no block of options; allowed: lines like \"listeners:\"");
        return;
    }
    load_block(l, &top);
    for (size_t i = 0; i < l->conf->source_count; i++) {
        struct conf_source *source = &l->conf->sources[i];
        name_by_default(l, &source->name, provider_name(source->provider));
        if (source->reply == REPLY_ACCEPTED)
            source->queues = true; /* whoever could be answered was told 202 already */
    }
    if (l->conf->workers == 0)
        l->conf->workers = cores();
    check_whole(l->conf, root, &l->problems);
}

bool conf_load_text(const char *file, const char *text, size_t len, struct conf **ret_conf,
                    struct conf_problem **ret_problems) {
    struct loader l = {.conf = calloc(1, sizeof(*l.conf))};
    struct node *root = NULL;
    if (l.conf) {
        l.conf->refs = 1;
        l.conf->file = strdup(file);
    }
    if (!l.conf || !l.conf->file)
        problems_no_memory(&l.problems);
    else
        root = tree_parse(text, len, &l.problems);
    if (root)
        load_tree(&l, root);
    tree_free(root);
    if (l.problems.no_memory)
        problems_error(&l.problems, 0, "out of memory");
    *ret_problems = l.problems.list;
    if (l.problems.errors > 0) {
        conf_unref(l.conf);
        return false;
    }
    *ret_conf = l.conf;
    return true;
}

static bool fail_to_read(const char *why, struct conf_problem **ret_problems) {
    struct problems problems = {0};
    problems_error(&problems, 0, "cannot be read: %s", why);
    *ret_problems = problems.list;
    return false;
}

bool conf_load(const char *file, struct conf **ret_conf, struct conf_problem **ret_problems) {
    FILE *in = fopen(file, "re");
    if (!in)
        return fail_to_read(strerror(errno), ret_problems);
    size_t room = TREE_BYTES_MAX + 1; /* one more shows that it is too large */
    char *text = malloc(room);
    size_t len = text ? fread(text, 1, room, in) : 0;
    int error = ferror(in) ? errno : text ? 0 : ENOMEM;
    (void)fclose(in);
    bool loaded = error ? fail_to_read(strerror(error), ret_problems)
                        : conf_load_text(file, text, len, ret_conf, ret_problems);
    free(text);
    return loaded;
}

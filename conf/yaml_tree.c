/* Builds the tree from libyaml's events. */
#include "yaml_tree.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

struct level {
    struct node *node;
    char *key; /* of the value that comes next */
    unsigned key_line;
};

enum step { STEP_GO_ON = 0, STEP_END, STEP_BROKEN };

struct builder {
    struct problems *problems;
    struct node *root;
    struct level stack[TREE_DEPTH_MAX];
    size_t depth;
    size_t nodes;
    bool alias_seen;
};

void tree_free(struct node *node) {
    while (node) {
        struct node *next = node->next;
        tree_free(node->first);
        free(node->key);
        free(node->text);
        free(node);
        node = next;
    }
}

static unsigned line_of(yaml_mark_t mark) {
    return mark.line < UINT32_MAX ? (unsigned)mark.line + 1 : UINT32_MAX;
}

static enum step broken(struct builder *b, unsigned line, const char *why) {
    problems_error(b->problems, line, "%s", why);
    return STEP_BROKEN;
}

static enum step no_memory(struct builder *b) {
    problems_no_memory(b->problems);
    return STEP_BROKEN;
}

/* Takes the node over. */
static void attach(struct builder *b, struct level *parent, struct node *node) {
    if (!parent) {
        b->root = node;
        return;
    }
    if (parent->key) {
        node->key = parent->key;
        parent->key = NULL;
        if (node->kind != NODE_SCALAR)
            node->line = parent->key_line;
    }
    if (parent->node->last)
        parent->node->last->next = node;
    else
        parent->node->first = node;
    parent->node->last = node;
    parent->node->count++;
}

static enum step check_extras(struct builder *b, const yaml_char_t *anchor, const yaml_char_t *tag,
                              unsigned line) {
    if (anchor)
        problems_error(b->problems, line,
                       "anchor %s: anchors and aliases are not supported; write the value out",
                       text_quoted(slice_of((const char *)anchor)).bytes);
    if (tag)
        problems_error(b->problems, line, "tag %s: tags are not supported; write the plain value",
                       text_quoted(slice_of((const char *)tag)).bytes);
    return STEP_GO_ON;
}

static enum step on_key(struct builder *b, struct level *parent, const yaml_event_t *event) {
    parent->key = strdup((const char *)event->data.scalar.value);
    if (!parent->key)
        return no_memory(b);
    parent->key_line = line_of(event->start_mark);
    const struct node *first = node_get(parent->node, parent->key);
    if (first)
        problems_error(b->problems, parent->key_line,
                       "key %s stands twice in one block; the first is in line %u",
                       text_quoted(slice_of(parent->key)).bytes, first->line);
    return STEP_GO_ON;
}

static enum step on_value(struct builder *b, enum node_kind kind, const yaml_event_t *event) {
    struct level *parent = b->depth > 0 ? &b->stack[b->depth - 1] : NULL;
    unsigned line = line_of(event->start_mark);
    if (++b->nodes > TREE_NODES_MAX)
        return broken(b, line, "the file has more than 20000 values");
    if (parent && parent->node->kind == NODE_MAP && !parent->key) {
        if (kind != NODE_SCALAR)
            return broken(b, line, "a list or a block cannot be a key");
        return on_key(b, parent, event);
    }
    if (kind != NODE_SCALAR && b->depth == TREE_DEPTH_MAX)
        return broken(b, line, "blocks are nested deeper than 16 levels");
    struct node *node = calloc(1, sizeof(*node));
    if (!node)
        return no_memory(b);
    node->kind = kind;
    node->line = line;
    attach(b, parent, node);
    if (kind != NODE_SCALAR) {
        b->stack[b->depth++] = (struct level){.node = node};
        return STEP_GO_ON;
    }
    node->len = event->data.scalar.length;
    node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    node->text = strdup((const char *)event->data.scalar.value);
    return node->text ? STEP_GO_ON : no_memory(b);
}

static enum step on_scalar(struct builder *b, const yaml_event_t *event) {
    unsigned line = line_of(event->start_mark);
    if (memchr(event->data.scalar.value, 0, event->data.scalar.length))
        return broken(b, line, "a NUL character is not allowed");
    enum step step = check_extras(b, event->data.scalar.anchor, event->data.scalar.tag, line);
    return step == STEP_GO_ON ? on_value(b, NODE_SCALAR, event) : step;
}

static enum step on_alias(struct builder *b, const yaml_event_t *event) {
    problems_error(b->problems, line_of(event->start_mark),
                   "alias %s: anchors and aliases are not supported; write the value out",
                   text_quoted(slice_of((const char *)event->data.alias.anchor)).bytes);
    return STEP_BROKEN;
}

static enum step on_event(struct builder *b, const yaml_event_t *event) {
    unsigned line = line_of(event->start_mark);
    switch (event->type) {
    case YAML_STREAM_END_EVENT:
        return STEP_END;
    case YAML_DOCUMENT_START_EVENT:
        return b->root ? broken(b, line, "a second YAML document begins here; one is allowed")
                       : STEP_GO_ON;
    case YAML_ALIAS_EVENT:
        return on_alias(b, event);
    case YAML_SCALAR_EVENT:
        return on_scalar(b, event);
    case YAML_MAPPING_START_EVENT:
        (void)check_extras(b, event->data.mapping_start.anchor, event->data.mapping_start.tag,
                           line);
        return on_value(b, NODE_MAP, event);
    case YAML_SEQUENCE_START_EVENT:
        (void)check_extras(b, event->data.sequence_start.anchor, event->data.sequence_start.tag,
                           line);
        return on_value(b, NODE_LIST, event);
    case YAML_MAPPING_END_EVENT:
    case YAML_SEQUENCE_END_EVENT:
        b->depth--;
        return STEP_GO_ON;
    default:
        return STEP_GO_ON;
    }
}

static unsigned line_at(const char *text, size_t len, size_t offset) {
    unsigned line = 1;
    for (size_t i = 0; i < len && i < offset; i++)
        line += text[i] == '\n';
    return line;
}

static void report_syntax(struct problems *problems, const yaml_parser_t *parser, const char *text,
                          size_t len) {
    if (parser->error == YAML_MEMORY_ERROR) {
        problems_no_memory(problems);
        return;
    }
    const char *what = parser->problem ? parser->problem : "malformed";
    if (parser->error == YAML_READER_ERROR) {
        problems_error(problems, line_at(text, len, parser->problem_offset),
                       "not readable as UTF-8 text: %s", what);
        return;
    }
    problems_error(problems, line_of(parser->problem_mark), "YAML syntax: %s%s%s", what,
                   parser->context ? ", " : "", parser->context ? parser->context : "");
}

static enum step build(struct builder *b, yaml_parser_t *parser, const char *text, size_t len) {
    enum step step = STEP_GO_ON;
    while (step == STEP_GO_ON) {
        yaml_event_t event;
        if (!yaml_parser_parse(parser, &event)) {
            report_syntax(b->problems, parser, text, len);
            return STEP_BROKEN;
        }
        step = on_event(b, &event);
        yaml_event_delete(&event);
    }
    return step;
}

struct node *tree_parse(const char *text, size_t len, struct problems *problems) {
    if (len > TREE_BYTES_MAX) {
        problems_error(problems, 0, "the file is larger than 1 MiB");
        return NULL;
    }
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser)) {
        problems_no_memory(problems);
        return NULL;
    }
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
    struct builder b = {.problems = problems};
    enum step step = build(&b, &parser, text, len);
    yaml_parser_delete(&parser);
    for (size_t i = 0; i < b.depth; i++)
        free(b.stack[i].key);
    if (step == STEP_BROKEN) {
        tree_free(b.root);
        return NULL;
    }
    if (!b.root) {
        b.root = calloc(1, sizeof(*b.root));
        if (!b.root) {
            problems_no_memory(problems);
            return NULL;
        }
        b.root->kind = NODE_MAP;
        b.root->line = 1;
    }
    return b.root;
}

const struct node *node_get(const struct node *map, const char *key) {
    if (!map || map->kind != NODE_MAP)
        return NULL;
    for (const struct node *n = map->first; n; n = n->next) {
        if (strcmp(n->key, key) == 0)
            return n;
    }
    return NULL;
}

bool node_is_empty(const struct node *node) {
    struct slice text = node_text(node);
    return node->kind == NODE_SCALAR && node->plain &&
           (text.len == 0 || slice_is(text, "~") || slice_iis(text, "null"));
}

/* One step down "[3]" or ".name" or "name"; moves *path behind it. */
static const struct node *descend(const struct node *node, const char **path) {
    const char *at = *path;
    if (*at == '[') {
        char *end;
        unsigned long index = strtoul(at + 1, &end, 10);
        *path = *end == ']' ? end + 1 : end;
        if (node->kind != NODE_LIST)
            return NULL;
        const struct node *item = node->first;
        while (item && index-- > 0)
            item = item->next;
        return item;
    }
    if (*at == '.')
        at++;
    size_t len = strcspn(at, ".[");
    *path = at + len;
    for (const struct node *n = node->kind == NODE_MAP ? node->first : NULL; n; n = n->next) {
        if (slice_eq(slice_of(n->key), slice(at, len)))
            return n;
    }
    return NULL;
}

const struct node *tree_find(const struct node *root, const char *path) {
    while (root && *path)
        root = descend(root, &path);
    return root;
}

unsigned tree_line(const struct node *root, const char *path) {
    unsigned line = root ? root->line : 1;
    while (root && *path) {
        root = descend(root, &path);
        line = root ? root->line : line;
    }
    return line;
}

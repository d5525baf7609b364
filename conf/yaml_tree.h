/* A YAML file as a tree that keeps line numbers. Layer: conf (private). */
#ifndef POINTSMAN_CONF_YAML_TREE_H
#define POINTSMAN_CONF_YAML_TREE_H

#include <stdbool.h>
#include <stddef.h>

#include <pointsman/compiler.h>
#include <pointsman/slice.h>

#include "problems.h"

/* Bounds of what is read; far above any real file. */
#define TREE_BYTES_MAX ((size_t)1 << 20)
#define TREE_NODES_MAX 20000
#define TREE_DEPTH_MAX 16

enum node_kind { NODE_SCALAR = 0, NODE_MAP, NODE_LIST };

struct node {
    enum node_kind kind;
    unsigned line; /* from 1; of a map or list in a map: its key's */
    char *key;     /* in a map; else NULL */
    char *text;    /* of a scalar: UTF-8 without NUL */
    size_t len;
    bool plain; /* a scalar without quotes */
    size_t count;
    struct node *first;
    struct node *last;
    struct node *next; /* sibling */
};

/* NULL: the structure is broken, which was reported. An empty text is an empty map. Keys that stand
 * twice, anchors, aliases and tags are reported; of equal keys the first is kept. */
MUST_CHECK struct node *tree_parse(const char *text, size_t len, struct problems *problems);
void tree_free(struct node *node);

/* NULL: no such key, or `map` is NULL or no map. */
const struct node *node_get(const struct node *map, const char *key);
/* Nothing was written, or ~ or null. */
bool node_is_empty(const struct node *node);

static inline struct slice node_text(const struct node *node) {
    return slice(node->text, node->len);
}

/* Of "sources[1].name", or of the nearest node above it that exists. */
unsigned tree_line(const struct node *root, const char *path);
/* NULL: it is not there. */
const struct node *tree_find(const struct node *root, const char *path);

#endif

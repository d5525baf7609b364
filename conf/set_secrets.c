/* Setters for secrets and tokens: from the environment, a file or the configuration itself. No
 * message ever holds what might be a secret. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

#include "set.h"

#define SECRET_MAX 4096

static bool is_variable_name(struct slice name) {
    for (size_t i = 0; i < name.len; i++) {
        if (!isalnum((unsigned char)name.ptr[i]) && name.ptr[i] != '_')
            return false;
    }
    return name.len > 0 && name.len <= 255 && !isdigit((unsigned char)name.ptr[0]);
}

static bool take(const struct setting *s, unsigned line, struct slice bytes,
                 const struct text *origin, struct conf_secret *ret) {
    if (bytes.len == 0 || bytes.len > SECRET_MAX) {
        setting_error(s, line, "the secret from %s is %s; allowed: 1 to %d bytes", origin->bytes,
                      bytes.len ? "too long" : "empty", SECRET_MAX);
        return false;
    }
    struct conf_secret secret = {
        .bytes = calloc(1, bytes.len + 1), .len = bytes.len, .origin = strdup(origin->bytes)};
    if (!secret.bytes || !secret.origin) {
        free(secret.bytes);
        free(secret.origin);
        problems_no_memory(s->problems);
        return false;
    }
    memcpy(secret.bytes, bytes.ptr, bytes.len);
    *ret = secret;
    return true;
}

static bool take_env(const struct setting *s, const struct node *node, struct conf_secret *ret) {
    if (!is_variable_name(node_text(node))) {
        setting_error(s, node->line,
                      "env is no name of a variable; allowed: letters, digits and _, like "
                      "GITHUB_WEBHOOK_SECRET");
        return false;
    }
    struct text origin = {0};
    text_add(&origin, "env %s", node->text);
    const char *value = getenv(node->text);
    if (!value) {
        setting_error(s, node->line, "the environment has no variable %s; set it, or give a file",
                      node->text);
        return false;
    }
    return take(s, node->line, slice_of(value), &origin, ret);
}

static bool take_file(const struct setting *s, const struct node *node, struct conf_secret *ret) {
    char bytes[SECRET_MAX + 3]; /* room to see that it is too long, and for a line end */
    struct text shown = text_quoted(node_text(node));
    struct text origin = {0};
    text_add(&origin, "file %s", shown.bytes);
    FILE *file = fopen(node->text, "re");
    size_t len = file ? fread(bytes, 1, sizeof(bytes), file) : 0;
    if (!file || ferror(file)) {
        setting_error(s, node->line,
                      "file %s cannot be read: %s (relative to the working directory)", shown.bytes,
                      strerror(errno));
        if (file)
            (void)fclose(file);
        return false;
    }
    (void)fclose(file);
    if (len > 0 && bytes[len - 1] == '\n')
        len--;
    if (len > 0 && bytes[len - 1] == '\r')
        len--;
    bool taken = take(s, node->line, slice(bytes, len), &origin, ret);
    explicit_bzero(bytes, sizeof(bytes));
    return taken;
}

static bool take_value(const struct setting *s, const struct node *node, struct conf_secret *ret) {
    struct text origin = {0};
    text_add(&origin, "the configuration");
    return take(s, node->line, node_text(node), &origin, ret);
}

static bool secret_of(const struct setting *s, const struct node *node, struct conf_secret *ret) {
    static const struct {
        const char *key;
        bool (*take)(const struct setting *s, const struct node *node, struct conf_secret *ret);
    } ways[] = {{"env", take_env}, {"file", take_file}, {"value", take_value}};
    if (node->kind == NODE_MAP && node->count == 1 && node->first->kind == NODE_SCALAR) {
        for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
            if (strcmp(node->first->key, ways[i].key) == 0)
                return ways[i].take(s, node->first, ret);
        }
    }
    setting_refuse_silently(s, node->line, "what stands here is not shown and not understood");
    return false;
}

void set_secrets(const struct setting *s) {
    struct conf_source *source = s->base;
    const struct node *list = s->node;
    if (list->kind == NODE_SCALAR && slice_iis(node_text(list), "none"))
        return;
    if (list->kind != NODE_LIST) {
        setting_refuse_silently(s, list->line, "what stands here is no list");
        return;
    }
    if (list->count == 0 || list->count > s->option->max) {
        setting_refuse_silently(
            s, list->line, list->count ? "the list has more than 16 secrets" : "the list is empty");
        return;
    }
    source->secrets = calloc(list->count, sizeof(*source->secrets));
    if (!source->secrets) {
        problems_no_memory(s->problems);
        return;
    }
    for (const struct node *item = list->first; item; item = item->next) {
        struct conf_secret secret;
        if (secret_of(s, item, &secret))
            source->secrets[source->secret_count++] = secret;
    }
}

void set_token(const struct setting *s) {
    struct conf_secret secret;
    if (!secret_of(s, s->node, &secret))
        return;
    bool good = true;
    for (size_t i = 0; i < secret.len; i++)
        good &= secret.bytes[i] > 0x20 && secret.bytes[i] < 0x7f;
    if (good) {
        *(char **)setting_field(s) = secret.bytes;
    } else {
        setting_error(s, s->node->line,
                      "the token from %s cannot stand in a header; allowed: printable ASCII "
                      "without spaces",
                      secret.origin);
        free(secret.bytes);
    }
    free(secret.origin);
}

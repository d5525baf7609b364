/* Reads payload files: white space dropped, event from the name, entity from the content. */
#include "template.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#define TEMPLATE_MAX ((size_t)32 << 20)
#define EXAMPLE      1000 /* a number to see where it stands in the entity */

static const char mark[] = "{{number}}";

static bool read_file(const char *path, struct buf *out) {
    FILE *in = fopen(path, "rb");
    if (!in) {
        fprintf(stderr, "load: %s: %s\n", path, strerror(errno));
        return false;
    }
    char chunk[16384];
    size_t n;
    bool fits = true;
    while (fits && (n = fread(chunk, 1, sizeof chunk, in)) > 0)
        fits = buf_append(out, chunk, n);
    bool good = fits && !ferror(in);
    fclose(in);
    if (!good)
        fprintf(stderr, "load: %s: cannot be read, or more than %zu bytes\n", path, out->max);
    return good;
}

/* Senders send compact JSON; a template may be laid out for people. */
static void squeeze(struct buf *json) {
    char *to = buf_at(json);
    const char *from = to, *end = to + buf_len(json);
    bool quoted = false;
    for (; from < end; from++) {
        if (!quoted && strchr(" \t\r\n", *from))
            continue;
        *to++ = *from;
        if (quoted && *from == '\\' && from + 1 < end)
            *to++ = *++from;
        else if (*from == '"')
            quoted = !quoted;
    }
    json->end = (size_t)(to - json->data);
}

bool template_number(const struct template *t, unsigned number, struct buf *out) {
    const char *at = buf_at(&t->json), *end = at + buf_len(&t->json);
    for (const char *hit; (hit = memmem(at, (size_t)(end - at), mark, sizeof mark - 1));) {
        if (!buf_append(out, at, (size_t)(hit - at)) || !buf_put_u64(out, number))
            return false;
        at = hit + sizeof mark - 1;
    }
    return buf_append(out, at, (size_t)(end - at));
}

static void entity_of(const json_t *root, char *out, size_t size) {
    const char *repository =
        json_string_value(json_object_get(json_object_get(root, "repository"), "full_name"));
    const json_t *of[] = {json_object_get(json_object_get(root, "issue"), "number"),
                          json_object_get(json_object_get(root, "pull_request"), "number"),
                          json_object_get(root, "number")};
    snprintf(out, size, "%s", repository ? repository : "");
    for (size_t i = 0; repository && i < ARRAY_LEN(of); i++)
        if (json_is_integer(of[i])) {
            snprintf(out, size, "%s#%lld", repository, (long long)json_integer_value(of[i]));
            return;
        }
}

/* Sets t->entity; the number must be the end of it. */
static bool find_entity(struct template *t) {
    struct buf body;
    buf_init(&body, 2 * TEMPLATE_MAX);
    json_error_t error = {.text = "no memory"};
    json_t *root = template_number(t, EXAMPLE, &body)
                       ? json_loadb(buf_at(&body), buf_len(&body), 0, &error)
                       : NULL;
    buf_free(&body);
    if (!root) {
        fprintf(stderr, "load: not JSON: %s\n", error.text);
        return false;
    }
    entity_of(root, t->entity, sizeof t->entity);
    json_decref(root);
    char number[16];
    int digits = snprintf(number, sizeof number, "%d", EXAMPLE);
    size_t len = strlen(t->entity);
    if (len <= (size_t)digits || strcmp(t->entity + len - digits, number) != 0) {
        fprintf(stderr,
                "load: {{number}} must end the entity, the repository's full_name or the "
                "issue's number; the entity is \"%s\"\n",
                t->entity);
        return false;
    }
    t->entity[len - (size_t)digits] = '\0';
    return true;
}

bool template_read(struct template *ret, const char *path) {
    struct template t = {.event = ""};
    const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    snprintf(t.event, sizeof t.event, "%.*s", (int)strcspn(name, "."), name);
    buf_init(&t.json, TEMPLATE_MAX);
    bool good = read_file(path, &t.json);
    if (good)
        squeeze(&t.json);
    if (good && !find_entity(&t)) {
        fprintf(stderr, "load: %s can not be used\n", path);
        good = false;
    }
    if (good)
        *ret = t;
    else
        template_free(&t);
    return good;
}

bool template_small(struct template *ret) {
    struct template t = {.event = "issues"};
    buf_init(&t.json, TEMPLATE_MAX);
    bool good = buf_puts(&t.json, "{\"action\":\"opened\",\"issue\":{\"number\":{{number}}},"
                                  "\"repository\":{\"full_name\":\"octocat/Hello-World\"}}") &&
                find_entity(&t);
    if (good)
        *ret = t;
    else
        template_free(&t);
    return good;
}

static int is_json(const struct dirent *entry) {
    const char *dot = strrchr(entry->d_name, '.');
    return dot && strcmp(dot, ".json") == 0;
}

bool template_read_folder(const char *path, struct template **ret, size_t *ret_count) {
    struct dirent **names = NULL;
    int found = scandir(path, &names, is_json, alphasort);
    if (found <= 0)
        fprintf(stderr, "load: %s: %s\n", path, found ? strerror(errno) : "holds no *.json");
    struct template *all = found > 0 ? calloc((size_t)found, sizeof *all) : NULL;
    size_t count = 0;
    bool good = all != NULL;
    for (int i = 0; i < found; i++) {
        char file[4096];
        snprintf(file, sizeof file, "%s/%s", path, names[i]->d_name);
        good = good && template_read(&all[count], file);
        count += good;
        free(names[i]);
    }
    free(names);
    if (good) {
        *ret = all;
        *ret_count = count;
        return true;
    }
    while (count-- > 0)
        template_free(&all[count]);
    free(all);
    return false;
}

void template_free(struct template *t) {
    buf_free(&t->json);
}

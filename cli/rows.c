/* Lists and shows dead events and those in doubt. */
#include "rows.h"

#include <string.h>

#include "show.h"
#include "table.h"

#define PATH_MAX_BYTES (8 * 1024)

const struct row_kind rows_dead = {"/v1/dead", "dead"};
const struct row_kind rows_doubt = {"/v1/doubt", "in doubt"};

/* Their names are the API's. */
static const char *const filters[] = {"source", "type",  "entity", "backend",
                                      "reason", "since", "until"};

unsigned rows_filters(const struct args *args) {
    unsigned n = 0;
    for (size_t i = 0; i < ARRAY_LEN(filters); i++)
        n += args_get(args, filters[i]) != NULL;
    return n;
}

bool rows_put_filters(struct buf *out, const struct args *args) {
    bool ok = true;
    for (size_t i = 0; ok && i < ARRAY_LEN(filters); i++) {
        const char *value = args_get(args, filters[i]);
        ok = !value ||
             (buf_printf(out, "&%s=", filters[i]) && buf_put_escaped(out, slice_of(value)));
    }
    return ok;
}

bool rows_put_event(struct buf *out, const char *prefix, const char *id, const struct args *args) {
    buf_reset(out);
    if (api_path(out, prefix, id, "") && api_path_source(out, args))
        return true;
    fprintf(stderr, "pointsman: \"%.40s…\" is too long for an event id\n", id);
    return false;
}

/* ---- list ---- */

void rows_table(const json_t *list, size_t limit, FILE *out) {
    static const char *const titles[] = {"EVENT",    "SOURCE", "TYPE",   "ENTITY", "BACKEND",
                                         "ATTEMPTS", "REASON", "STATUS", "AGE"};
    struct table t;
    size_t i;
    json_t *row;
    table_init(&t, "lllllrlrr");
    for (size_t k = 0; k < ARRAY_LEN(titles); k++)
        table_cell(&t, "%s", titles[k]);
    json_array_foreach(list, i, row) {
        char age[32];
        if (i >= limit)
            break;
        const char *backend = api_text(row, "backend");
        show_age(row, "at", age);
        table_cell(&t, "%s", api_text(row, "event"));
        table_cell(&t, "%s", api_text(row, "source"));
        table_cell(&t, "%s", api_text(row, "type"));
        table_cell(&t, "%s", api_text(row, "entity"));
        table_cell(&t, "%s", *backend ? backend : "–");
        table_cell(&t, "%lld", (long long)api_int(row, "attempts"));
        table_cell(&t, "%s", api_text(row, "reason"));
        if (api_int(row, "status"))
            table_cell(&t, "%lld", (long long)api_int(row, "status"));
        else
            table_cell(&t, "–");
        table_cell(&t, "%s", age);
    }
    table_print(&t, out);
}

static bool put_number(struct buf *path, const struct args *args, const char *name) {
    const char *value = args_get(args, name);
    return !value || (buf_printf(path, "&%s=", name) && buf_put_escaped(path, slice_of(value)));
}

static void print_page(const struct api_answer *answer, const struct row_kind *kind) {
    size_t shown = json_array_size(answer->json);
    const json_t *last = json_array_get(answer->json, shown - 1);
    char total[32];
    if (shown == 0) {
        printf("No event is %s%s.\n", kind->word, answer->total ? " behind that one" : "");
        return;
    }
    rows_table(answer->json, shown, stdout);
    count_print(answer->total, total);
    if (answer->total > shown)
        printf("\nshowing %zu of %s; what comes next: --after %lld\n", shown, total,
               (long long)api_int(last, "seq"));
}

int rows_list(const struct args *args, const struct row_kind *kind) {
    struct api_answer answer;
    struct buf path;
    bool over = false;
    buf_init(&path, PATH_MAX_BYTES);
    bool ok = buf_printf(&path, "%s?count=1", kind->path) && rows_put_filters(&path, args) &&
              put_number(&path, args, "limit") && put_number(&path, args, "after") &&
              buf_append(&path, "", 1);
    if (!ok)
        fprintf(stderr, "pointsman: the filters are too long\n");
    ok = ok && api_call(args, "GET", buf_at(&path), NULL, &answer);
    buf_free(&path);
    if (!ok)
        return FAILED;
    int result = api_check(args, &answer, &over);
    if (over)
        return result;
    print_page(&answer, kind);
    json_decref(answer.json);
    return DONE;
}

/* ---- show ---- */

static void line(const char *label, const char *text) {
    printf("%-9s ", label);
    show_block(*text ? text : "–", "", stdout);
}

static void print_answer(const json_t *answer) {
    const char *body = api_text(answer, "body");
    if (!json_is_object(answer)) {
        line("answer", "none was read");
        return;
    }
    printf("%-9s %lld, %lld bytes kept\n", "answer", (long long)api_int(answer, "status"),
           (long long)api_int(answer, "bytes"));
    show_block(body, "            ", stdout);
}

static void print_headers(const json_t *list) {
    size_t i;
    json_t *header;
    printf("headers\n");
    json_array_foreach(list, i, header) {
        char text[4096];
        snprintf(text, sizeof text, "%s: %s", api_text(header, "name"), api_text(header, "value"));
        show_block(text, "            ", stdout);
    }
}

static void print_row(const json_t *row, const struct row_kind *kind, bool body) {
    char text[1024];
    char when[32];
    char age[32];
    const json_t *bytes = json_object_get(row, "body");
    const char *backend = api_text(row, "backend");
    snprintf(text, sizeof text, "%s (source %s)", api_text(row, "event"), api_text(row, "source"));
    line("event", text);
    snprintf(text, sizeof text, "%s, %s %s", api_text(row, "entity"), api_text(row, "type"),
             api_text(row, "action"));
    line("about", text);
    show_when(row, "at", when);
    show_age(row, "at", age);
    snprintf(text, sizeof text, "%s since %s UTC (%s): %s", kind->word, when, age,
             api_text(row, "reason"));
    line("state", text);
    snprintf(text, sizeof text, "%lld, the last at %s, fence %lld",
             (long long)api_int(row, "attempts"), *backend ? backend : "no backend",
             (long long)api_int(row, "fence"));
    line("attempts", text);
    show_when(row, "first_at", when);
    snprintf(text, sizeof text, "%s UTC, %s", when, api_text(row, "target"));
    line("received", text);
    print_headers(json_object_get(row, "headers"));
    print_answer(json_object_get(row, "answer"));
    printf("%-9s %lld bytes%s\n", "body", (long long)api_int(row, "body_bytes"),
           body ? "" : "; --body shows them");
    if (body)
        show_block(json_is_string(bytes) ? json_string_value(bytes)
                                         : "(not shown: no text, or longer than 64 KiB)",
                   "", stdout);
}

int rows_show(const struct args *args, const struct row_kind *kind) {
    struct api_answer answer;
    struct buf path;
    char prefix[64];
    bool over = false;
    bool body = args_get(args, "body") != NULL;
    snprintf(prefix, sizeof prefix, "%s/", kind->path);
    buf_init(&path, PATH_MAX_BYTES);
    bool ok = rows_put_event(&path, prefix, args->words[0], args);
    if (ok && body) {
        path.end--; /* the NUL */
        ok = buf_printf(&path, "%cbody=1", args_get(args, "source") ? '&' : '?') &&
             buf_append(&path, "", 1);
    }
    ok = ok && api_call(args, "GET", buf_at(&path), NULL, &answer);
    buf_free(&path);
    if (!ok)
        return FAILED;
    int result = api_check(args, &answer, &over);
    if (over)
        return result;
    print_row(answer.json, kind, body);
    json_decref(answer.json);
    return DONE;
}

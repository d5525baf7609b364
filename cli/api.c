/* Calls the admin API and tells what went wrong in words. */
#include "api.h"

#include <stdlib.h>
#include <string.h>

#include <pointsman/version.h>

#include "client.h"

#define API_TIMEOUT_MS 30000
#define API_DEFAULT    "http://127.0.0.1:9180"

static const char *api_url(const struct args *args) {
    const char *url = args_get(args, "admin");
    if (!url)
        url = getenv("POINTSMAN_ADMIN");
    return url && *url ? url : API_DEFAULT;
}

/* A line break in the token would make a header of its own. */
static bool put_headers(struct buf *out) {
    const char *token = getenv("POINTSMAN_TOKEN");
    bool ok = buf_puts(out, "User-Agent: pointsman-cli/" POINTSMAN_VERSION "\r\n"
                            "Content-Type: application/json\r\n");
    if (ok && token && *token && !strpbrk(token, "\r\n"))
        ok = buf_printf(out, "Authorization: Bearer %s\r\n", token);
    return ok && buf_append(out, "", 1);
}

static bool api_fetch(const struct args *args, const struct client_request *request,
                      struct client_answer *ret) {
    struct client_url url;
    struct err err = {""};
    if (!client_url_parse(api_url(args), &url, &err)) {
        fprintf(stderr, "pointsman: %s\n", err.text);
        return false;
    }
    size_t n = strlen(url.path);
    if (n && url.path[n - 1] == '/')
        url.path[n - 1] = 0; /* request->path begins with one */
    if (!client_send(&url, request, ret, &err)) {
        fprintf(stderr,
                "pointsman: the admin API at %s can not be asked: %s\n"
                "Is pointsman running? --admin URL or POINTSMAN_ADMIN name another address.\n",
                api_url(args), err.text);
        return false;
    }
    return true;
}

/* Link: </v1/dead?after=7>; rel="next" */
static void take_page(const struct http_head *head, struct api_answer *ret) {
    struct slice link = http_header(head, "Link");
    const char *end = link.len ? memchr(link.ptr, '>', link.len) : NULL;
    if (end && link.ptr[0] == '<' && (size_t)(end - link.ptr) < sizeof ret->next)
        snprintf(ret->next, sizeof ret->next, "%.*s", (int)(end - link.ptr) - 1, link.ptr + 1);
    if (!slice_to_u64(http_header(head, "X-Pointsman-Total"), &ret->total))
        ret->total = 0;
}

bool api_call(const struct args *args, const char *method, const char *path, const json_t *body,
              struct api_answer *ret) {
    struct client_answer answer;
    struct buf headers;
    json_error_t where;
    char *text = body ? json_dumps(body, JSON_COMPACT | JSON_REAL_PRECISION(15)) : NULL;
    buf_init(&headers, 16 * 1024);
    struct client_request request = {.method = method,
                                     .path = path,
                                     .body = text ? slice_of(text) : slice_of(""),
                                     .timeout_ms = API_TIMEOUT_MS};
    bool ok = put_headers(&headers);
    if (ok) {
        request.header_lines = buf_at(&headers);
        ok = api_fetch(args, &request, &answer);
    } else {
        fprintf(stderr, "pointsman: POINTSMAN_TOKEN is too long\n");
    }
    buf_free(&headers);
    free(text);
    if (!ok)
        return false;
    struct slice content = buf_slice(&answer.body);
    json_t *json = json_loadb(content.ptr, content.len, 0, &where);
    if (!json)
        fprintf(stderr, "pointsman: %s answered %u without JSON; is that the admin API?\n",
                api_url(args), answer.head.status);
    else {
        *ret = (struct api_answer){.status = answer.head.status, .json = json};
        take_page(&answer.head, ret);
    }
    client_answer_free(&answer);
    return json != NULL;
}

static void tell_refused(const struct api_answer *answer) {
    const char *detail = api_text(answer->json, "detail");
    fprintf(stderr, "pointsman: %s (%u)\n", *detail ? detail : "refused", answer->status);
    if (answer->status == 401)
        fprintf(stderr, "POINTSMAN_TOKEN has to hold the admin token.\n");
}

int api_check(const struct args *args, struct api_answer *answer, bool *ret_over) {
    bool refused = answer->status >= 300;
    bool raw = args_get(args, "json") != NULL;
    *ret_over = refused || raw;
    if (raw)
        api_print(answer->json);
    else if (refused)
        tell_refused(answer);
    if (*ret_over)
        json_decref(answer->json);
    return refused ? FAILED : DONE;
}

void api_print(const json_t *json) {
    json_dumpf(json, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(10));
    printf("\n");
}

bool api_get(const struct args *args, const char *path, struct api_answer *ret) {
    struct api_answer answer;
    if (!api_call(args, "GET", path, NULL, &answer))
        return false;
    if (answer.status >= 300) {
        tell_refused(&answer);
        json_decref(answer.json);
        return false;
    }
    *ret = answer;
    return true;
}

bool api_path(struct buf *out, const char *prefix, const char *segment, const char *suffix) {
    return buf_puts(out, prefix) && buf_put_escaped(out, slice_of(segment)) &&
           buf_puts(out, suffix);
}

bool api_path_source(struct buf *out, const struct args *args) {
    const char *source = args_get(args, "source");
    return (!source || (buf_puts(out, "?source=") && buf_put_escaped(out, slice_of(source)))) &&
           buf_append(out, "", 1);
}

const char *api_text(const json_t *json, const char *name) {
    const char *text = json_string_value(json_object_get(json, name));
    return text ? text : "";
}

json_int_t api_int(const json_t *json, const char *name) {
    return json_integer_value(json_object_get(json, name));
}

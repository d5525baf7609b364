/* Header fields: one line into name and value, looking them up, writing them. */
#include "http_parse.h"

/* Sets no high bit if all eight bytes are from SP to "~", as those of most values; the lowest other
 * one sets one, as nothing is carried or borrowed below it. */
static uint64_t others_of(const char *p) {
    const uint64_t ones = UINT64_MAX / 255;
    uint64_t word;

    memcpy(&word, p, 8);
    return word | (word + ones) | (word - ones * 0x20);
}

/* The last step may reach back into the name, which is of such bytes too. */
static bool value_ok(struct slice line, size_t from) {
    const uint64_t high = UINT64_MAX / 255 * 0x80;
    uint64_t others = high;

    if (line.len >= 8) {
        others = others_of(line.ptr + line.len - 8);
        for (size_t at = from; at < line.len - 8; at += 8)
            others |= others_of(line.ptr + at);
    }
    return !(others & high) || http_all(slice(line.ptr + from, line.len - from), HTTP_VALUE);
}

static const char *name_problem(struct slice line) {
    size_t at = 0;

    while (at < line.len && http_is(line.ptr[at], HTTP_TOKEN))
        at++;
    if (at == line.len)
        return "a header line has no colon";
    bool space = line.ptr[at] == ' ' || line.ptr[at] == '\t';
    if (space && at == 0)
        return "a header line begins with white space: folded lines are not accepted";
    if (space)
        return "white space before the colon of a header field";
    if (line.ptr[at] == ':')
        return "a header field has an empty name";
    return "a character in a header name that is not allowed there";
}

enum http_parse http_field_parse(struct slice line, struct http_header *ret,
                                 struct http_problem *problem) {
    const char *colon = memchr(line.ptr, ':', line.len);
    size_t len = colon ? (size_t)(colon - line.ptr) : 0;

    ret->name = slice(line.ptr, len);
    if (len == 0 || (!http_name_find(ret->name, ret) && !http_all(ret->name, HTTP_TOKEN)))
        return http_bad(problem, 400, name_problem(line));

    if (!value_ok(line, len + 1))
        return http_bad(problem, 400, "a control character in a header value");
    ret->value = slice_trim_ows(slice(line.ptr + len + 1, line.len - len - 1));
    return HTTP_OK;
}

bool http_list_next(struct slice *rest, struct slice *ret_item) {
    if (!rest->ptr)
        return false;
    const char *comma = rest->len ? memchr(rest->ptr, ',', rest->len) : NULL;
    size_t len = comma ? (size_t)(comma - rest->ptr) : rest->len;

    *ret_item = slice_trim_ows(slice(rest->ptr, len));
    *rest = comma ? slice(comma + 1, rest->len - len - 1) : slice(NULL, 0);
    return true;
}

bool http_field_put(const struct http_header *field, struct buf *out) {
    struct slice name = field->name, value = field->value;
    const char *end = value.ptr + value.len;

    /* Nearly every field came as it is written here: then it is one copy. */
    if (value.ptr == name.ptr + name.len + 2 && value.ptr[-1] == ' ' && *end == '\r')
        return buf_append(out, name.ptr, (size_t)(end + 2 - name.ptr));
    return buf_append_slice(out, name) && buf_puts(out, ": ") && buf_append_slice(out, value) &&
           buf_puts(out, "\r\n");
}

struct slice http_known_header(const struct http_head *head, enum http_name id) {
    for (unsigned i = 0; i < head->header_count; i++)
        if (head->headers[i].id == id)
            return head->headers[i].value;
    return slice(NULL, 0);
}

struct slice http_header(const struct http_head *head, const char *name) {
    struct slice wanted = slice_of(name);

    for (unsigned i = 0; i < head->header_count; i++)
        if (slice_ieq(head->headers[i].name, wanted))
            return head->headers[i].value;
    return slice(NULL, 0);
}

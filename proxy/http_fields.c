/* Header fields: one line into name and value, looking them up, and which of them end at this hop.
 */
#include "http_parse.h"

/* Header values are most of a head: eight bytes a step, and byte by byte only where one of them is
 * below SP (HTAB is allowed) or DEL. */
static bool value_ok(const char *p, size_t len) {
    const uint64_t ones = UINT64_MAX / 255, high = ones * 0x80;

    for (; len >= 8; p += 8, len -= 8) {
        uint64_t word, del;
        memcpy(&word, p, 8);
        del = word ^ (ones * 0x7f);
        if ((((word - ones * 0x20) & ~word) | ((del - ones) & ~del)) & high &&
            !http_all(slice(p, 8), HTTP_VALUE))
            return false;
    }
    return http_all(slice(p, len), HTTP_VALUE);
}

static const char *name_problem(struct slice line, size_t at) {
    if (at == line.len)
        return "a header line has no colon";
    bool space = line.ptr[at] == ' ' || line.ptr[at] == '\t';
    if (space && at == 0)
        return "a header line begins with white space: folded lines are not accepted";
    if (space)
        return "white space before the colon of a header field";
    return "a character in a header name that is not allowed there";
}

enum http_parse http_field_parse(struct slice line, struct http_header *ret,
                                 struct http_problem *problem) {
    size_t colon = 0;

    while (colon < line.len && http_is(line.ptr[colon], HTTP_TOKEN))
        colon++;
    if (colon == line.len || line.ptr[colon] != ':')
        return http_bad(problem, 400, name_problem(line, colon));
    if (colon == 0)
        return http_bad(problem, 400, "a header field has an empty name");

    struct slice value = slice(line.ptr + colon + 1, line.len - colon - 1);
    if (!value_ok(value.ptr, value.len))
        return http_bad(problem, 400, "a control character in a header value");
    while (value.len && (*value.ptr == ' ' || *value.ptr == '\t'))
        value = slice(value.ptr + 1, value.len - 1);
    while (value.len && (value.ptr[value.len - 1] == ' ' || value.ptr[value.len - 1] == '\t'))
        value.len--;
    *ret = (struct http_header){slice(line.ptr, colon), value};
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

struct slice http_header(const struct http_head *head, const char *name) {
    struct slice wanted = slice_of(name);

    for (unsigned i = 0; i < head->header_count; i++)
        if (head->headers[i].name.len == wanted.len && slice_ieq(head->headers[i].name, wanted))
            return head->headers[i].value;
    return slice(NULL, 0);
}

unsigned http_header_count(const struct http_head *head, const char *name) {
    struct slice wanted = slice_of(name);
    unsigned count = 0;

    for (unsigned i = 0; i < head->header_count; i++)
        if (head->headers[i].name.len == wanted.len && slice_ieq(head->headers[i].name, wanted))
            count++;
    return count;
}

/* A "*" at the end stands for anything. */
static bool is_one_of(struct slice name, const struct slice *names, size_t count) {
    for (size_t i = 0; i < count; i++) {
        struct slice pattern = names[i];
        bool prefix = pattern.ptr[pattern.len - 1] == '*';
        if (prefix)
            pattern.len--;
        if (prefix ? name.len < pattern.len : name.len != pattern.len)
            continue;
        if (slice_ieq(slice(name.ptr, pattern.len), pattern))
            return true;
    }
    return false;
}

static bool is_nominated(const struct http_head *head, struct slice name) {
    for (unsigned i = 0; i < head->header_count; i++) {
        const struct http_header *field = &head->headers[i];
        if (field->name.len != 10 || !slice_iis(field->name, "Connection"))
            continue;
        struct slice rest = field->value, item;
        while (http_list_next(&rest, &item))
            if (slice_ieq(item, name))
                return true;
    }
    return false;
}

#define NAME(text)                                                                                 \
    { text, sizeof(text) - 1 }

bool http_is_hop_by_hop(const struct http_head *head, struct slice name) {
    static const struct slice hop[] = {
        NAME("Connection"),
        NAME("Keep-Alive"),
        NAME("Proxy-Connection"),
        NAME("Proxy-Authenticate"),
        NAME("Proxy-Authorization"),
        NAME("TE"),
        NAME("Trailer"),
        NAME("Transfer-Encoding"),
        NAME("Upgrade"),
    };
    static const struct slice kept[] = {
        NAME("Host"),       NAME("Content-Length"),  NAME("Content-Type"), NAME("X-Hub-Signature*"),
        NAME("X-GitHub-*"), NAME("Idempotency-Key"), NAME("X-Pointsman*"),
    };

    /* Of the lengths above, one bit each: most names end here. */
    const uint32_t lengths =
        1u << 2 | 1u << 7 | 1u << 10 | 1u << 16 | 1u << 17 | 1u << 18 | 1u << 19;
    bool may_be = name.len < 32 && lengths >> name.len & 1;

    if (may_be && is_one_of(name, hop, ARRAY_LEN(hop)))
        return true;
    return head->nominates && is_nominated(head, name) && !is_one_of(name, kept, ARRAY_LEN(kept));
}

bool http_is_ours(struct slice name) {
    static const struct slice ours = NAME("X-Pointsman-");

    /* The third letter tells it from the X-GitHub-… of each event. */
    return name.len >= ours.len && (name.ptr[2] | 0x20) == 'p' &&
           slice_ieq(slice(name.ptr, ours.len), ours);
}

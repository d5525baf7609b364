/* Which event is it, and what is it about? Headers, media type and body of a GitHub request. */
#include <pointsman/router.h>

#include <string.h>

#include "form.h"
#include "github_body.h"
#include "json.h"
#include "json_mask.h"
#include "visible.h"

_Static_assert(BLOB_PADDING >= JSON_PADDING, "bodies are parsed where they are");

/* 1..max bytes 0x21–0x7e: such a text fits header fields, keys and log lines without escaping. */
static bool check_header(struct slice value, const char *name, size_t max, struct err *err) {
    if (value.len == 0) {
        err_set(err,
                "the header %s is missing or empty; 1 to %zu visible ASCII characters are needed",
                name, max);
        return false;
    }
    if (value.len > max) {
        err_set(err, "the header %s has %zu characters; 1 to %zu are allowed", name, value.len,
                max);
        return false;
    }
    size_t visible = visible_len(value);
    if (visible < value.len)
        err_set(err, "the header %s has the byte 0x%02x; visible ASCII (0x21 to 0x7e) is allowed",
                name, (unsigned char)value.ptr[visible]);
    return visible == value.len;
}

static bool read_headers(const struct event_headers *headers, bool with_hook, struct identity *id,
                         struct err *err) {
    struct slice type = headers->type, delivery = headers->delivery;
    if (!check_header(type, "X-GitHub-Event", EVENT_TYPE_MAX, err) ||
        !check_header(delivery, "X-GitHub-Delivery", EVENT_ID_MAX, err))
        return false;
    memcpy(id->type, type.ptr, type.len);
    id->type[type.len] = '\0';
    memcpy(id->id, delivery.ptr, delivery.len);
    id->id[delivery.len] = '\0';
    if (!with_hook)
        return true;
    if (!check_header(headers->hook, "X-GitHub-Hook-ID", EVENT_ID_MAX, err))
        return false;
    if (delivery.len + 1 + headers->hook.len > EVENT_ID_MAX) {
        err_set(err,
                "the headers X-GitHub-Delivery and X-GitHub-Hook-ID have %zu characters together; "
                "at most %d are allowed",
                delivery.len + headers->hook.len, EVENT_ID_MAX - 1);
        return false;
    }
    id->id[delivery.len] = '+';
    memcpy(id->id + delivery.len + 1, headers->hook.ptr, headers->hook.len);
    id->id[delivery.len + 1 + headers->hook.len] = '\0';
    return true;
}

enum media { MEDIA_OTHER = 0, MEDIA_JSON, MEDIA_FORM };

/* Parameters are passed over: JSON is UTF-8 whatever a charset says (RFC 8259 §8.1). */
static enum media media_of(struct slice content_type) {
    static const char json_prefix[] = "application/";
    static const char json_suffix[] = "+json"; /* RFC 6839 §3.1 */
    const size_t prefix_len = sizeof json_prefix - 1, suffix_len = sizeof json_suffix - 1;
    const char *semicolon =
        content_type.len ? memchr(content_type.ptr, ';', content_type.len) : NULL;
    size_t len = semicolon ? (size_t)(semicolon - content_type.ptr) : content_type.len;
    struct slice type = slice_trim_ows(slice(content_type.ptr, len));
    if (slice_iis(type, "application/json"))
        return MEDIA_JSON;
    if (slice_iis(type, "application/x-www-form-urlencoded"))
        return MEDIA_FORM;
    if (type.len > prefix_len + suffix_len && slice_iis(slice(type.ptr, prefix_len), json_prefix) &&
        slice_iis(slice(type.ptr + type.len - suffix_len, suffix_len), json_suffix))
        return MEDIA_JSON;
    return MEDIA_OTHER;
}

/* A copy of `text` without the numbers simdjson can not hold, parsed again. */
static enum json_result parse_masked(struct json_parser *p, struct slice text,
                                     struct json_value *ret_root, const char **ret_problem) {
    char *copy = json_scratch(p, text.len);
    if (!copy)
        return JSON_MEMORY;
    memmove(copy, text.ptr, text.len); /* a decoded form is in the scratch memory already */
    json_mask_numbers(copy, text.len);
    enum json_result result = json_parse(p, slice(copy, text.len), ret_root, ret_problem);
    if (result != JSON_RANGE)
        return result;
    *ret_problem = "a number is malformed";
    return JSON_BAD;
}

static enum identify read_json(struct json_parser *p, struct slice text, struct identity *id,
                               struct err *err) {
    struct json_value root;
    const char *problem = "";
    enum json_result result = json_parse(p, text, &root, &problem);
    if (result == JSON_RANGE)
        result = parse_masked(p, text, &root, &problem);
    if (result == JSON_MEMORY) {
        err_set(err, "no memory to parse a body of %zu bytes", text.len);
        return IDENTIFY_MEMORY;
    }
    if (result != JSON_OK) {
        err_set(err, "the body is not valid JSON: %s", problem);
        return IDENTIFY_BODY;
    }
    return github_body_read(&root, id, err) ? IDENTIFY_OK : IDENTIFY_BODY;
}

static enum identify read_form(struct json_parser *p, struct slice body, struct identity *id,
                               struct err *err) {
    struct slice text;
    char *scratch = json_scratch(p, body.len);
    if (!scratch) {
        err_set(err, "no memory to decode a form of %zu bytes", body.len);
        return IDENTIFY_MEMORY;
    }
    if (!form_payload(body, scratch, &text, err))
        return IDENTIFY_BODY;
    return read_json(p, text, id, err);
}

static enum identify identify(struct json_parser *p, const struct conf_source *source,
                              const struct event_headers *headers, struct slice body,
                              struct identity *id, struct err *err) {
    if (!read_headers(headers, source->event_id_with_hook, id, err))
        return IDENTIFY_HEADER;
    switch (media_of(headers->content_type)) {
    case MEDIA_JSON:
        return read_json(p, body, id, err);
    case MEDIA_FORM:
        return read_form(p, body, id, err);
    case MEDIA_OTHER:
        break;
    }
    err_set(err, "the Content-Type is none of application/json, application/*+json, "
                 "application/x-www-form-urlencoded");
    return IDENTIFY_MEDIA_TYPE;
}

enum identify identify_github(struct json_parser *p, const struct conf_source *source,
                              const struct event_headers *headers, struct slice body,
                              struct identity *ret, struct err *err) {
    enum identify result = identify(p, source, headers, body, ret, err);
    json_trim(p);
    if (result != IDENTIFY_OK)
        *ret = (struct identity){0};
    return result;
}

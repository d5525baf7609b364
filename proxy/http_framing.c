/* Where a body ends, whether the connection lives on (RFC 9112 §6 and §9.3) and which fields end
 * here (RFC 9110 §7.6.1), by the fields of the head. */
#include "http_parse.h"

#define LENGTH_DIGITS_MAX 20 /* of UINT64_MAX */

static bool has_item(struct slice list, const char *item) {
    struct slice found;

    while (http_list_next(&list, &found))
        if (slice_iis(found, item))
            return true;
    return false;
}

/* True: it nominates fields, as it names what is no option. */
static bool read_connection(struct slice list, struct http_control *ret) {
    struct slice item;
    bool nominates = false;

    while (http_list_next(&list, &item)) {
        bool close = slice_iis(item, "close"), keep_alive = slice_iis(item, "keep-alive");
        ret->close |= close;
        ret->keep_alive |= keep_alive;
        nominates |= !close && !keep_alive;
    }
    return nominates;
}

/* RFC 9110 §7.6.1. */
static void mark_nominated(struct http_head *head, struct slice list) {
    struct slice item;

    while (http_list_next(&list, &item))
        for (unsigned i = 0; i < head->header_count; i++) {
            struct http_header *field = &head->headers[i];
            if (!(field->traits & HTTP_FIXED) && slice_ieq(item, field->name))
                field->traits |= HTTP_HOP;
        }
}

void http_control_read(struct http_head *head, struct http_control *ret) {
    bool nominates = false;

    *ret = (struct http_control){0};
    for (unsigned i = 0; i < head->header_count; i++) {
        struct slice value = head->headers[i].value;
        switch (head->headers[i].id) {
        case HTTP_NAME_HOST:
            if (ret->hosts++ == 0)
                ret->host = value;
            break;
        case HTTP_NAME_CONTENT_LENGTH:
            if (ret->lengths++ == 0)
                ret->length = value;
            break;
        case HTTP_NAME_TRANSFER_ENCODING:
            ret->codings++;
            break;
        case HTTP_NAME_CONNECTION:
            nominates |= read_connection(value, ret);
            break;
        case HTTP_NAME_EXPECT:
            ret->expect_continue |= has_item(value, "100-continue");
            break;
        default:
            break;
        }
    }
    for (unsigned i = 0; nominates && i < head->header_count; i++)
        if (head->headers[i].id == HTTP_NAME_CONNECTION)
            mark_nominated(head, head->headers[i].value);
}

/* Only "chunked" alone is understood. §6.1 wants 501 for a coding not understood, §6.3 wants 400
 * where chunked is not the last; a coding that is no token, an empty element or a repeated chunked
 * hides something: 400. */
static enum http_parse check_codings(const struct http_head *head, struct http_problem *problem) {
    bool chunked = false, unknown = false;

    for (unsigned i = 0; i < head->header_count; i++) {
        struct slice rest = head->headers[i].value, item;
        if (head->headers[i].id != HTTP_NAME_TRANSFER_ENCODING)
            continue;
        while (http_list_next(&rest, &item)) {
            if (chunked)
                return http_bad(problem, 400, "Transfer-Encoding goes on after chunked");
            chunked = slice_iis(item, "chunked");
            if (chunked)
                continue;
            if (item.len == 0 || !http_all(item, HTTP_TOKEN))
                return http_bad(problem, 400, "Transfer-Encoding is malformed");
            if (slice_iis(item, "identity"))
                return http_bad(problem, 400, "Transfer-Encoding identity does not exist any more");
            unknown = true;
        }
    }
    if (unknown)
        return http_bad(problem, 501, "the only transfer coding understood here is chunked");
    return HTTP_OK;
}

static enum http_parse read_length(struct http_head *head, struct slice text,
                                   struct http_problem *problem) {
    if (text.len > LENGTH_DIGITS_MAX || !slice_to_u64(text, &head->length))
        return http_bad(problem, 400, "Content-Length is not one decimal number below 2^64");
    head->framing = head->length ? HTTP_LENGTH : HTTP_NO_BODY;
    return HTTP_OK;
}

enum http_parse http_framing_read(struct http_head *head, const struct http_control *control,
                                  struct http_problem *problem) {
    head->framing = HTTP_NO_BODY;
    head->length = 0;
    head->keep_alive = !control->close && (head->minor >= 1 || control->keep_alive);

    if (control->codings && head->minor == 0)
        return http_bad(problem, 400, "HTTP/1.0 has no Transfer-Encoding");
    if (control->codings && control->lengths)
        return http_bad(problem, 400, "Transfer-Encoding and Content-Length in one message");
    if (control->lengths > 1)
        return http_bad(problem, 400, "more than one Content-Length");
    if (control->lengths)
        return read_length(head, control->length, problem);
    if (!control->codings)
        return HTTP_OK;
    head->framing = HTTP_CHUNKED;
    return check_codings(head, problem);
}

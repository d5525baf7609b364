/* What the parsers of requests and responses share: character classes, lines, lists, framing.
 * Layer: proxy. */
#ifndef POINTSMAN_PROXY_HTTP_PARSE_H
#define POINTSMAN_PROXY_HTTP_PARSE_H

#include <pointsman/http.h>

/* ---- characters ---- */
enum http_class {
    HTTP_TOKEN = 1,  /* tchar, RFC 9110 §5.6.2 */
    HTTP_VALUE = 2,  /* in a field value or reason: HTAB, SP, VCHAR, obs-text (RFC 9110 §5.5) */
    HTTP_TARGET = 4, /* in a request target: VCHAR but "#", a target has no fragment */
    HTTP_HOST = 8,   /* in a host name: unreserved (RFC 3986 §2.3) */
};
extern const unsigned char http_classes[256]; /* sums of enum http_class */

static inline bool http_is(char c, enum http_class class) {
    return (http_classes[(unsigned char)c] & class) != 0;
}

/* True for an empty slice too. */
bool http_all(struct slice s, enum http_class class);

/* Always HTTP_BAD. `detail` is a string that lives for ever. */
static inline enum http_parse http_bad(struct http_problem *problem, unsigned status,
                                       const char *detail) {
    *problem = (struct http_problem){status, detail};
    return HTTP_BAD;
}

/* ---- lines ---- */
typedef enum http_parse (*http_start_line)(struct slice line, const struct http_limits *limits,
                                           struct http_head *ret, struct http_problem *problem);

struct http_reader {
    const char *data;
    size_t len;
    size_t seen;  /* as in http.h */
    size_t start; /* where the start line begins */
    const struct http_limits *limits;
    http_start_line start_line; /* judges that line, without its CRLF: HTTP_OK or HTTP_BAD */
};

/* Bytes that may belong to the head; nothing behind them is looked at, so the answer does not
 * depend on how much of it has arrived. */
static inline size_t http_reader_end(const struct http_reader *r) {
    return r->len < r->limits->head ? r->len : r->limits->head;
}

/* Judges each line once it is complete, in the order of the stream: the answer is the same however
 * the bytes were cut. HTTP_OK: minor and start line, headers and size are set; framing is not. *ret
 * is scratch otherwise. */
MUST_CHECK enum http_parse http_head_read(const struct http_reader *r, struct http_head *ret,
                                          struct http_problem *problem);

/* One field line without its CRLF: HTTP_OK or HTTP_BAD. */
MUST_CHECK enum http_parse http_field_parse(struct slice line, struct http_header *ret,
                                            struct http_problem *problem);

/* Sets id and traits. True: the whole name is known, so it is made of HTTP_TOKEN. */
bool http_name_find(struct slice name, struct http_header *ret);

/* "HTTP/1.0" or "HTTP/1.1": HTTP_OK or HTTP_BAD (400 or 505). */
MUST_CHECK enum http_parse http_version_parse(struct slice text, unsigned *ret_minor,
                                              struct http_problem *problem);

/* Next element of a comma list, trimmed, maybe empty. False at the end. Start with *rest = the
 * value. */
bool http_list_next(struct slice *rest, struct slice *ret_item);

/* ---- what the fields say about the message and the connection ---- */
struct http_control {
    unsigned hosts, lengths, codings; /* fields of Host, Content-Length, Transfer-Encoding */
    struct slice host, length;        /* the first of each */
    bool close, keep_alive;           /* Connection options */
    bool expect_continue;
};
/* Also marks the fields that Connection nominates as HTTP_HOP, but those that are HTTP_FIXED. */
void http_control_read(struct http_head *head, struct http_control *ret);

/* Sets framing and length by Transfer-Encoding and Content-Length alone (RFC 9112 §6.3),
 * HTTP_NO_BODY if there is neither; and keep_alive (§9.3). HTTP_OK or HTTP_BAD. */
MUST_CHECK enum http_parse http_framing_read(struct http_head *head,
                                             const struct http_control *control,
                                             struct http_problem *problem);

#endif

/* HTTP/1.1 messages: strict parsers for heads and chunked bodies, and small helpers. Pure functions
 * over (bytes, length); what is ambiguous is BAD. RFC 9112 unless said. Layer: proxy. */
#ifndef POINTSMAN_HTTP_H
#define POINTSMAN_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pointsman/buf.h>
#include <pointsman/compiler.h>
#include <pointsman/slice.h>

#define HTTP_HEADERS_MAX 100 /* upper bound of limits.header_count */

enum http_parse { HTTP_MORE = 0, HTTP_OK, HTTP_BAD };

enum http_framing {
    HTTP_NO_BODY = 0, /* also Content-Length: 0 */
    HTTP_LENGTH,
    HTTP_CHUNKED,
    HTTP_UNTIL_CLOSE, /* responses only */
};

/* The names the program asks for; what the router reads comes first. */
enum http_name {
    HTTP_NAME_SIGNATURE = 0, /* X-Hub-Signature-256 */
    HTTP_NAME_DELIVERY,      /* X-GitHub-Delivery */
    HTTP_NAME_EVENT,         /* X-GitHub-Event */
    HTTP_NAME_HOOK,          /* X-GitHub-Hook-ID */
    HTTP_NAME_CONTENT_TYPE,
    HTTP_NAMES_READ, /* how many the router reads */
    HTTP_NAME_HOST = HTTP_NAMES_READ,
    HTTP_NAME_CONNECTION,
    HTTP_NAME_KEEP_ALIVE,
    HTTP_NAME_CONTENT_LENGTH,
    HTTP_NAME_TRANSFER_ENCODING,
    HTTP_NAME_EXPECT,
    HTTP_NAME_RETRY_AFTER,
    HTTP_NAME_VIA,
    HTTP_NAME_FORWARDED_FOR, /* X-Forwarded-For */
    HTTP_NAME_TRACEPARENT,
    HTTP_NAME_OTHER,
};

enum http_trait {
    HTTP_HOP = 1,      /* about this hop only (RFC 9110 §7.6.1), or nominated by Connection */
    HTTP_FIXED = 2,    /* host, body, signature, identity, ours: can not be nominated */
    HTTP_REPLACED = 4, /* not passed on in a request as it came: said, added to or answered here */
    HTTP_OURS = 8,     /* X-Pointsman-…: said by this program alone (DESIGN §5) */
};

struct http_header {
    struct slice name;
    struct slice value; /* without surrounding white space */
    enum http_name id;
    unsigned traits; /* a sum of enum http_trait */
};

struct http_limits {
    size_t head;    /* bytes of the whole head */
    size_t target;  /* bytes of the request target */
    unsigned count; /* header fields, at most HTTP_HEADERS_MAX */
};

/* Slices point into the parsed bytes. */
struct http_head {
    /* requests */
    struct slice method;
    struct slice target; /* as sent */
    struct slice path;   /* of the target, without the query; absolute-form is reduced to it */
    struct slice query;  /* without "?"; absent if there is none */
    struct slice host;   /* Host, or the authority of absolute-form */
    bool expect_continue;
    /* responses */
    unsigned status;
    struct slice reason;
    /* both */
    unsigned minor; /* HTTP/1.minor */
    bool keep_alive;
    enum http_framing framing;
    uint64_t length; /* of HTTP_LENGTH */
    unsigned header_count;
    struct http_header headers[HTTP_HEADERS_MAX];
    size_t size; /* bytes of the head, the empty line included */
};

/* Why BAD: a sentence, and the status a server answers with: 400, 414, 431, 501, 505; 502 if a
 * response is bad. */
struct http_problem {
    unsigned status;
    const char *detail;
};

/* `seen`: bytes of `data` that an earlier call answered MORE for (0 at first), so that a head fed
 * byte by byte costs linear time. HTTP_OK: *ret is complete; else it is scratch. Each line is
 * judged when it is complete, what the fields mean together at the end; how the bytes were cut
 * never changes the answer. */
MUST_CHECK enum http_parse http_parse_request(const char *data, size_t len, size_t seen,
                                              const struct http_limits *limits,
                                              struct http_head *ret, struct http_problem *problem);
/* `to_head`: the request was HEAD. Interim 1xx heads are returned as heads with HTTP_NO_BODY; the
 * caller goes on. */
MUST_CHECK enum http_parse http_parse_response(const char *data, size_t len, size_t seen,
                                               bool to_head, const struct http_limits *limits,
                                               struct http_head *ret, struct http_problem *problem);

/* "Name: value" and CRLF, for a field of a head whose bytes are still there. False: no room. */
MUST_CHECK bool http_field_put(const struct http_header *field, struct buf *out);
/* First field of that name, in any case of its letters; absent slice if none. `id` is one of the
 * names above, not HTTP_NAME_OTHER. */
struct slice http_known_header(const struct http_head *head, enum http_name id);
struct slice http_header(const struct http_head *head, const char *name);

/* ---- chunked bodies: resumable at every byte ---- */
struct http_chunks {
    unsigned state;
    uint64_t left;     /* data bytes of the current chunk still to come */
    uint64_t overhead; /* bytes of size lines, extensions and trailers beyond what the content
                          allows: bounded */
    unsigned digits;
};
void http_chunks_init(struct http_chunks *c);
/* Takes from data what belongs to the body: *ret_used bytes consumed, of which *ret_data is one run
 * of content (maybe empty). HTTP_OK: the body ended, bytes behind *ret_used are not its. HTTP_MORE:
 * call again with the rest (also after a run of content). Trailers are dropped. Nothing may be fed
 * after HTTP_BAD. */
MUST_CHECK enum http_parse http_chunks_feed(struct http_chunks *c, const char *data, size_t len,
                                            size_t *ret_used, struct slice *ret_data,
                                            struct http_problem *problem);

const char *http_reason(unsigned status); /* "OK", "Not Found" …; "" if unknown */

#endif

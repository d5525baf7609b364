/* The request a backend gets: the sender's end-to-end headers and ours (DESIGN §5). */
#include <string.h>

#include <pointsman/digest.h>

#include "delivery.h"
#include "shared.h"
#include "worker.h"

/* Where the values of what the router reads begin in the kept head, which still moves while it
 * grows; 0: it did not come. */
struct kept {
    size_t at[HTTP_NAMES_READ];
    size_t len[HTTP_NAMES_READ];
};

static bool put(struct buf *b, struct slice name, struct slice value) {
    return buf_append_slice(b, name) && buf_puts(b, ": ") && buf_append_slice(b, value) &&
           buf_puts(b, "\r\n");
}

/* "old, added" or "added"; old are all fields of that name (RFC 9110 §5.3). */
static bool put_list(struct buf *b, enum http_name id, const struct http_head *head,
                     const char *added) {
    bool ok = true;
    for (unsigned i = 0; ok && i < head->header_count; i++) {
        const struct http_header *h = &head->headers[i];
        if (h->id == id && h->value.len)
            ok = buf_append_slice(b, h->value) && buf_puts(b, ", ");
    }
    return ok && buf_puts(b, added) && buf_puts(b, "\r\n");
}

/* W3C Trace Context §3.2: version-traceid-parentid-flags. Hashed, as samplers look at a part of the
 * bits and tokens are counted up. */
static bool put_traceparent(struct buf *b) {
    struct token token = token_new();
    uint64_t bits[3];
    char hex[2 * sizeof bits];
    for (uint64_t i = 0; i < ARRAY_LEN(bits); i++)
        bits[i] = digest_xxh3(token.text, TOKEN_LEN, i + 1);
    hex_encode(bits, sizeof bits, hex);
    return buf_puts(b, "traceparent: 00-") && buf_append(b, hex, 32) && buf_puts(b, "-") &&
           buf_append(b, hex + 32, 16) && buf_puts(b, "-01\r\n");
}

static bool keep_headers(struct delivery *d, const struct http_head *head, struct kept *kept) {
    for (unsigned i = 0; i < head->header_count; i++) {
        const struct http_header *h = &head->headers[i];
        if (h->traits & (HTTP_HOP | HTTP_REPLACED | HTTP_OURS))
            continue;
        size_t at = d->head.end + h->name.len + 2;
        if (!http_field_put(h, &d->head))
            return false;
        if (h->id >= HTTP_NAMES_READ)
            continue;
        if (kept->at[h->id] && h->id == HTTP_NAME_SIGNATURE)
            d->two_signatures = true;
        else if (kept->at[h->id])
            d->ambiguous = true;
        kept->at[h->id] = at;
        kept->len[h->id] = h->value.len;
    }
    return true;
}

static struct slice kept_slice(const struct delivery *d, const struct kept *kept,
                               enum http_name id) {
    return slice(kept->at[id] ? d->head.data + kept->at[id] : NULL, kept->len[id]);
}

bool forward_keep(struct delivery *d, const struct http_head *head, const char *peer) {
    struct kept kept = {0};
    bool ok = keep_headers(d, head, &kept) && buf_puts(&d->head, "X-Forwarded-For: ") &&
              put_list(&d->head, HTTP_NAME_FORWARDED_FOR, head, peer) &&
              buf_puts(&d->head, "X-Forwarded-Proto: http\r\nX-Forwarded-Host: ") &&
              buf_append_slice(&d->head, head->host) && buf_puts(&d->head, "\r\nVia: ") &&
              put_list(&d->head, HTTP_NAME_VIA, head, "1.1 pointsman") &&
              (http_known_header(head, HTTP_NAME_TRACEPARENT).ptr || put_traceparent(&d->head)) &&
              buf_append_slice(&d->target, head->path) &&
              (!head->query.ptr ||
               (buf_puts(&d->target, "?") && buf_append_slice(&d->target, head->query)));
    d->signature = kept_slice(d, &kept, HTTP_NAME_SIGNATURE);
    d->headers.delivery = kept_slice(d, &kept, HTTP_NAME_DELIVERY);
    d->headers.type = kept_slice(d, &kept, HTTP_NAME_EVENT);
    d->headers.hook = kept_slice(d, &kept, HTTP_NAME_HOOK);
    d->headers.content_type = kept_slice(d, &kept, HTTP_NAME_CONTENT_TYPE);
    return ok;
}

static bool configured(const struct conf_backend *backend, struct slice line) {
    for (size_t i = 0; i < backend->header_count; i++) {
        size_t len = strlen(backend->headers[i].name);
        if (line.len > len && line.ptr[len] == ':' &&
            slice_iis(slice(line.ptr, len), backend->headers[i].name))
            return true;
    }
    return false;
}

/* The kept lines but those the backend's own configuration replaces. */
static bool put_kept(struct buf *out, const struct buf *kept, const struct conf_backend *backend) {
    if (backend->header_count == 0)
        return buf_append_slice(out, buf_slice(kept));
    struct slice rest = buf_slice(kept);
    while (rest.len) {
        const char *end = memchr(rest.ptr, '\n', rest.len);
        struct slice line = slice(rest.ptr, (size_t)(end - rest.ptr) + 1);
        if (!configured(backend, line) && !buf_append_slice(out, line))
            return false;
        rest = slice(rest.ptr + line.len, rest.len - line.len);
    }
    for (size_t i = 0; i < backend->header_count; i++)
        if (!put(out, slice_of(backend->headers[i].name), slice_of(backend->headers[i].value)))
            return false;
    return true;
}

/* What stands inside a quoted string (RFC 8941 §3.3.3); mostly there is nothing to escape. */
static bool put_quoted(struct buf *out, const char *text) {
    size_t plain = strcspn(text, "\"\\");
    bool ok = buf_append(out, text, plain);
    for (const char *c = text + plain; ok && *c; c++)
        ok = ((*c != '"' && *c != '\\') || buf_puts(out, "\\")) && buf_append(out, c, 1);
    return ok;
}

/* What pointsman says of this attempt. */
static bool put_attempt(struct buf *out, const struct leg *leg) {
    const char *id = leg->delivery->id.id;
    return buf_puts(out, "X-Pointsman-Event: ") && buf_puts(out, id) &&
           buf_puts(out, "\r\nX-Pointsman-Role: ") && buf_puts(out, role_names[leg->role]) &&
           buf_puts(out, "\r\nX-Pointsman-Backend: ") && buf_puts(out, side_names[leg->side]) &&
           buf_puts(out, "\r\nX-Pointsman-Attempt: ") && buf_put_u64(out, leg->attempt) &&
           buf_puts(out, "\r\nX-Pointsman-Fence: ") && buf_put_u64(out, leg->fence) &&
           buf_puts(out, "\r\nIdempotency-Key: \"") && put_quoted(out, id) &&
           buf_puts(out, "\"\r\n");
}

static bool put_host(struct buf *out, const struct conf_url *url) {
    bool v6 = strchr(url->host, ':') != NULL;
    return buf_puts(out, v6 ? "Host: [" : "Host: ") && buf_puts(out, url->host) &&
           buf_puts(out, v6 ? "]:" : ":") && buf_put_u64(out, url->port) && buf_puts(out, "\r\n");
}

bool forward_head(struct leg *leg) {
    struct delivery *d = leg->delivery;
    const struct conf_backend *backend = &d->rules->conf->backends[leg->side];
    struct buf *out = &leg->x.request;
    return buf_reserve(out, buf_len(&d->head) + buf_len(&d->target) + 1024) &&
           buf_puts(out, "POST ") && buf_puts(out, backend->url.path) &&
           buf_append_slice(out, buf_slice(&d->target)) && buf_puts(out, " HTTP/1.1\r\n") &&
           put_host(out, &backend->url) && put_kept(out, &d->head, backend) &&
           put_attempt(out, leg) && buf_puts(out, "Content-Length: ") &&
           buf_put_u64(out, d->body->len) && buf_puts(out, "\r\n\r\n");
}

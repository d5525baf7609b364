/* The request a backend gets: the sender's end-to-end headers and ours (DESIGN §5). */
#include <string.h>

#include <pointsman/digest.h>

#include "delivery.h"
#include "shared.h"
#include "worker.h"

/* What the router reads of a request; a second one of any is ambiguous. */
static struct slice *wanted(struct delivery *d, struct slice name) {
    static const char *const names[] = {"x-hub-signature-256", "x-github-delivery",
                                        "x-github-event", "x-github-hook-id", "content-type"};
    struct slice *const places[] = {&d->signature, &d->headers.delivery, &d->headers.type,
                                    &d->headers.hook, &d->headers.content_type};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (slice_iis(name, names[i]))
            return places[i];
    return NULL;
}

/* Made anew for every backend. */
static bool is_ours(struct slice name) {
    static const char *const names[] = {"host",
                                        "content-length",
                                        "expect",
                                        "idempotency-key",
                                        "x-forwarded-for",
                                        "x-forwarded-proto",
                                        "x-forwarded-host",
                                        "via"};
    if (name.len >= 12 && slice_iis(slice(name.ptr, 12), "x-pointsman-"))
        return true;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (slice_iis(name, names[i]))
            return true;
    return false;
}

static bool put(struct buf *b, struct slice name, struct slice value) {
    return buf_append_slice(b, name) && buf_puts(b, ": ") && buf_append_slice(b, value) &&
           buf_puts(b, "\r\n");
}

/* "Name: old, added" or "Name: added". */
static bool put_list(struct buf *b, const char *name, struct slice old, const char *added) {
    return buf_puts(b, name) && buf_puts(b, ": ") &&
           (old.len == 0 || (buf_append_slice(b, old) && buf_puts(b, ", "))) &&
           buf_puts(b, added) && buf_puts(b, "\r\n");
}

/* W3C Trace Context §3.2: version-traceid-parentid-flags. */
static bool put_traceparent(struct buf *b) {
    struct token trace = token_new(), parent = token_new();
    return buf_printf(b, "traceparent: 00-%s-%.16s-01\r\n", trace.text, parent.text + 16);
}

static bool keep_headers(struct delivery *d, const struct http_head *head) {
    for (unsigned i = 0; i < head->header_count; i++) {
        const struct http_header *h = &head->headers[i];
        if (is_ours(h->name) || http_is_hop_by_hop(head, h->name))
            continue;
        size_t at = d->head.end + h->name.len + 2;
        if (!put(&d->head, h->name, h->value))
            return false;
        struct slice *place = wanted(d, h->name);
        if (!place)
            continue;
        d->ambiguous |= place->ptr != NULL;
        *place = slice((const char *)NULL + at,
                       h->value.len); /* an offset until the buffer stands still */
    }
    return true;
}

static void settle(const struct buf *b, struct slice *s) {
    if (s->ptr)
        s->ptr = b->data + (s->ptr - (const char *)NULL);
}

bool forward_keep(struct delivery *d, const struct http_head *head, const char *peer) {
    bool ok = keep_headers(d, head) &&
              put_list(&d->head, "X-Forwarded-For", http_header(head, "x-forwarded-for"), peer) &&
              put(&d->head, slice_of("X-Forwarded-Proto"), slice_of("http")) &&
              put(&d->head, slice_of("X-Forwarded-Host"), head->host) &&
              put_list(&d->head, "Via", http_header(head, "via"), "1.1 pointsman") &&
              (http_header_count(head, "traceparent") > 0 || put_traceparent(&d->head)) &&
              buf_append_slice(&d->target, head->path) &&
              (!head->query.ptr ||
               (buf_puts(&d->target, "?") && buf_append_slice(&d->target, head->query)));
    settle(&d->head, &d->signature);
    settle(&d->head, &d->headers.delivery);
    settle(&d->head, &d->headers.type);
    settle(&d->head, &d->headers.hook);
    settle(&d->head, &d->headers.content_type);
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

/* A quoted string of RFC 8941 §3.3.3. */
static bool put_quoted(struct buf *out, const char *text) {
    bool ok = buf_puts(out, "\"");
    for (const char *c = text; ok && *c; c++)
        ok = ((*c != '"' && *c != '\\') || buf_puts(out, "\\")) && buf_append(out, c, 1);
    return ok && buf_puts(out, "\"");
}

/* What pointsman says of this attempt. */
static bool put_attempt(struct buf *out, const struct leg *leg) {
    const char *id = leg->delivery->id.id;
    return buf_printf(out,
                      "X-Pointsman-Event: %s\r\nX-Pointsman-Role: %s\r\nX-Pointsman-Backend: %s\r\n"
                      "X-Pointsman-Attempt: %u\r\nX-Pointsman-Fence: %llu\r\nIdempotency-Key: ",
                      id, role_names[leg->role], side_names[leg->side], leg->attempt,
                      (unsigned long long)leg->fence) &&
           put_quoted(out, id) && buf_puts(out, "\r\n");
}

bool forward_head(struct leg *leg) {
    struct delivery *d = leg->delivery;
    const struct conf_backend *backend = &d->rules->conf->backends[leg->side];
    struct buf *out = &leg->x.request;
    bool v6 = strchr(backend->url.host, ':') != NULL;
    return buf_puts(out, "POST ") && buf_puts(out, backend->url.path) &&
           buf_append_slice(out, buf_slice(&d->target)) &&
           buf_printf(out, " HTTP/1.1\r\nHost: %s%s%s:%u\r\n", v6 ? "[" : "", backend->url.host,
                      v6 ? "]" : "", backend->url.port) &&
           put_kept(out, &d->head, backend) && put_attempt(out, leg) &&
           buf_printf(out, "Content-Length: %zu\r\n\r\n", d->body->len);
}

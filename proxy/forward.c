/* The request a backend gets: the sender's end-to-end headers and ours (DESIGN §5). */
#include <string.h>

#include <pointsman/digest.h>

#include "delivery.h"
#include "shared.h"
#include "worker.h"

/* What the router reads of a request, by its place in struct kept. */
enum {
    KEPT_SIGNATURE = 0,
    KEPT_DELIVERY,
    KEPT_TYPE,
    KEPT_HOOK,
    KEPT_CONTENT_TYPE,
    KEPT_COUNT,
    OURS = KEPT_COUNT,
    OTHER
};

/* Offsets into the kept head, which still moves while it grows. */
struct kept {
    size_t at[KEPT_COUNT];
    size_t len[KEPT_COUNT];
    bool seen[KEPT_COUNT];
};

static int kind_of(struct slice name) {
    static const struct {
        size_t len;
        const char *name;
        int kind;
    } known[] = {
#define KNOWN(text, kind) {sizeof(text) - 1, text, kind}
        KNOWN("host", OURS),
        KNOWN("content-length", OURS),
        KNOWN("expect", OURS),
        KNOWN("idempotency-key", OURS),
        KNOWN("x-forwarded-for", OURS),
        KNOWN("x-forwarded-proto", OURS),
        KNOWN("x-forwarded-host", OURS),
        KNOWN("via", OURS),
        KNOWN("x-hub-signature-256", KEPT_SIGNATURE),
        KNOWN("x-github-delivery", KEPT_DELIVERY),
        KNOWN("x-github-event", KEPT_TYPE),
        KNOWN("x-github-hook-id", KEPT_HOOK),
        KNOWN("content-type", KEPT_CONTENT_TYPE),
#undef KNOWN
    };
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (name.len == known[i].len && slice_ieq(name, slice(known[i].name, known[i].len)))
            return known[i].kind;
    return http_is_ours(name) ? OURS : OTHER;
}

static bool put(struct buf *b, struct slice name, struct slice value) {
    return buf_append_slice(b, name) && buf_puts(b, ": ") && buf_append_slice(b, value) &&
           buf_puts(b, "\r\n");
}

/* "Name: old, added" or "Name: added"; old are all fields of that name (RFC 9110 §5.3). */
static bool put_list(struct buf *b, const char *name, const struct http_head *head,
                     const char *added) {
    struct slice wanted = slice_of(name);
    bool ok = buf_append_slice(b, wanted) && buf_puts(b, ": ");
    for (unsigned i = 0; ok && i < head->header_count; i++) {
        const struct http_header *h = &head->headers[i];
        if (h->value.len && slice_ieq(h->name, wanted))
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
        int kind = kind_of(h->name);
        if (kind == OURS || http_is_hop_by_hop(head, h->name))
            continue;
        size_t at = d->head.end + h->name.len + 2;
        if (!http_field_put(h, &d->head))
            return false;
        if (kind == OTHER)
            continue;
        if (kept->seen[kind] && kind == KEPT_SIGNATURE)
            d->two_signatures = true;
        else if (kept->seen[kind])
            d->ambiguous = true;
        kept->seen[kind] = true;
        kept->at[kind] = at;
        kept->len[kind] = h->value.len;
    }
    return true;
}

static struct slice kept_slice(const struct delivery *d, const struct kept *kept, int kind) {
    return kept->seen[kind] ? slice(d->head.data + kept->at[kind], kept->len[kind])
                            : (struct slice){0};
}

bool forward_keep(struct delivery *d, const struct http_head *head, const char *peer) {
    struct kept kept = {0};
    bool ok = keep_headers(d, head, &kept) && put_list(&d->head, "X-Forwarded-For", head, peer) &&
              put(&d->head, slice_of("X-Forwarded-Proto"), slice_of("http")) &&
              put(&d->head, slice_of("X-Forwarded-Host"), head->host) &&
              put_list(&d->head, "Via", head, "1.1 pointsman") &&
              (http_header_count(head, "traceparent") > 0 || put_traceparent(&d->head)) &&
              buf_append_slice(&d->target, head->path) &&
              (!head->query.ptr ||
               (buf_puts(&d->target, "?") && buf_append_slice(&d->target, head->query)));
    d->signature = kept_slice(d, &kept, KEPT_SIGNATURE);
    d->headers.delivery = kept_slice(d, &kept, KEPT_DELIVERY);
    d->headers.type = kept_slice(d, &kept, KEPT_TYPE);
    d->headers.hook = kept_slice(d, &kept, KEPT_HOOK);
    d->headers.content_type = kept_slice(d, &kept, KEPT_CONTENT_TYPE);
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

static bool put_field(struct buf *out, const char *name, const char *value) {
    return buf_puts(out, name) && buf_puts(out, value) && buf_puts(out, "\r\n");
}

static bool put_number(struct buf *out, const char *name, uint64_t value) {
    return buf_puts(out, name) && buf_put_u64(out, value) && buf_puts(out, "\r\n");
}

/* What pointsman says of this attempt. */
static bool put_attempt(struct buf *out, const struct leg *leg) {
    const char *id = leg->delivery->id.id;
    return put_field(out, "X-Pointsman-Event: ", id) &&
           put_field(out, "X-Pointsman-Role: ", role_names[leg->role]) &&
           put_field(out, "X-Pointsman-Backend: ", side_names[leg->side]) &&
           put_number(out, "X-Pointsman-Attempt: ", leg->attempt) &&
           put_number(out, "X-Pointsman-Fence: ", leg->fence) &&
           buf_puts(out, "Idempotency-Key: ") && put_quoted(out, id) && buf_puts(out, "\r\n");
}

static bool put_host(struct buf *out, const struct conf_url *url) {
    bool v6 = strchr(url->host, ':') != NULL;
    return buf_puts(out, v6 ? "Host: [" : "Host: ") && buf_puts(out, url->host) &&
           put_number(out, v6 ? "]:" : ":", url->port);
}

bool forward_head(struct leg *leg) {
    struct delivery *d = leg->delivery;
    const struct conf_backend *backend = &d->rules->conf->backends[leg->side];
    struct buf *out = &leg->x.request;
    return buf_reserve(out, buf_len(&d->head) + buf_len(&d->target) + 1024) &&
           buf_puts(out, "POST ") && buf_puts(out, backend->url.path) &&
           buf_append_slice(out, buf_slice(&d->target)) && buf_puts(out, " HTTP/1.1\r\n") &&
           put_host(out, &backend->url) && put_kept(out, &d->head, backend) &&
           put_attempt(out, leg) && put_number(out, "Content-Length: ", d->body->len) &&
           buf_puts(out, "\r\n");
}

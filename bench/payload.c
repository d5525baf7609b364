/* Makes the deliveries: the template without its white space, numbered, signed. */
#include "payload.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pointsman/digest.h>

#define TEMPLATE_MAX ((size_t)32 << 20)
#define FRONT_MAX    4096
#define FIRST_ISSUE  1000 /* so that the numbers of up to 9,000 entities are of one length */

static const char mark[] = "{{number}}";

static bool read_file(const char *path, struct buf *out) {
    FILE *in = fopen(path, "rb");
    if (!in) {
        fprintf(stderr, "load: %s: %s\n", path, strerror(errno));
        return false;
    }
    char chunk[16384];
    size_t n;
    bool fits = true;
    while (fits && (n = fread(chunk, 1, sizeof chunk, in)) > 0)
        fits = buf_append(out, chunk, n);
    bool good = fits && !ferror(in);
    fclose(in);
    if (!good)
        fprintf(stderr, "load: %s: cannot be read, or more than %zu bytes\n", path, out->max);
    return good;
}

/* Senders send compact JSON; the template is laid out for people. */
static void squeeze(struct buf *json) {
    char *to = buf_at(json);
    const char *from = to, *end = to + buf_len(json);
    bool quoted = false;
    for (; from < end; from++) {
        if (!quoted && strchr(" \t\r\n", *from))
            continue;
        *to++ = *from;
        if (quoted && *from == '\\' && from + 1 < end)
            *to++ = *++from;
        else if (*from == '"')
            quoted = !quoted;
    }
    json->end = (size_t)(to - json->data);
}

static bool number_body(struct slice template, unsigned number, struct buf *out) {
    const char *at = template.ptr, *end = at + template.len;
    for (const char *hit; (hit = memmem(at, (size_t)(end - at), mark, sizeof mark - 1));) {
        if (!buf_append(out, at, (size_t)(hit - at)) || !buf_put_u64(out, number))
            return false;
        at = hit + sizeof mark - 1;
    }
    return buf_append(out, at, (size_t)(end - at));
}

static bool make_back(const struct buf *body, const struct hmac_key *key, struct buf *back) {
    uint8_t mac[SHA256_LEN];
    char hex[2 * SHA256_LEN];
    hmac_sha256(key, buf_at(body), buf_len(body), mac);
    hex_encode(mac, sizeof mac, hex);
    buf_init(back, buf_len(body) + FRONT_MAX);
    return buf_printf(back, "\r\nX-Hub-Signature-256: sha256=%.*s\r\nContent-Length: %zu\r\n\r\n",
                      (int)sizeof hex, hex, buf_len(body)) &&
           buf_append_slice(back, buf_slice(body));
}

static bool make_front(struct buf *front, const struct payload_options *options) {
    return buf_printf(front,
                      "POST %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n"
                      "User-Agent: GitHub-Hookshot/044aadd\r\nAccept: */*\r\n"
                      "Content-Type: application/json\r\nX-GitHub-Event: issues\r\n"
                      "X-GitHub-Hook-ID: 519283071\r\n"
                      "X-GitHub-Hook-Installation-Target-ID: 281990375\r\n"
                      "X-GitHub-Hook-Installation-Target-Type: repository\r\n"
                      "X-GitHub-Delivery: ",
                      options->path, options->port);
}

static bool make_backs(struct payload *p, struct slice template, const struct hmac_key *key,
                       unsigned entities) {
    struct buf body;
    buf_init(&body, 2 * TEMPLATE_MAX);
    bool good = true;
    for (unsigned i = 0; good && i < entities; i++) {
        buf_reset(&body);
        good = number_body(template, FIRST_ISSUE + i, &body) &&
               make_back(&body, key, &p->backs[p->count++]);
        if (i == 0)
            p->body_len = buf_len(&body);
    }
    buf_free(&body);
    return good;
}

bool payload_make(struct payload *ret, const struct payload_options *options) {
    struct payload p = {.count = 0};
    struct buf template;
    buf_init(&p.front, FRONT_MAX);
    buf_init(&template, TEMPLATE_MAX);
    if (!read_file(options->template, &template)) {
        buf_free(&template);
        return false;
    }
    squeeze(&template);

    struct hmac_key *key = hmac_key_new(options->secret, strlen(options->secret));
    p.backs = calloc(options->entities, sizeof *p.backs);
    bool good = key && p.backs && make_front(&p.front, options) &&
                make_backs(&p, buf_slice(&template), key, options->entities);
    hmac_key_free(key);
    buf_free(&template);
    if (!good) {
        fprintf(stderr, "load: no memory for %u deliveries\n", options->entities);
        payload_free(&p);
        return false;
    }
    *ret = p;
    return true;
}

void payload_free(struct payload *p) {
    buf_free(&p->front);
    for (size_t i = 0; i < p->count; i++)
        buf_free(&p->backs[i]);
    free(p->backs);
}

/* Makes the deliveries: templates numbered, made as large as asked for, signed. */
#include "payload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pointsman/digest.h>

#include "template.h"

#define BODY_MAX ((size_t)64 << 20)
#define BODIES_MAX                                                                                 \
    ((size_t)512 << 20) /* all together: they are held, and signed before the run                  \
                         */
#define FRONT_MAX   4096
#define FIRST_ISSUE 1000 /* so that the numbers of up to 9,000 entities are of one length */

/* What is needed only while deliveries are made. */
struct making {
    const struct payload_options *options;
    struct template *templates;
    size_t count;
    struct hmac_key *key; /* NULL: unsigned */
    struct buf body;      /* of one delivery, whole, to be signed */
};

/* ---- padding: more of what is in the template, as an array at the end of the object ---- */

static const char pad_begin[] = ",\"padding\":[";
static const char pad_end[] = "\"]}";

/* The object's last brace is not in `len`: the padding closes it. */
static bool make_padding(struct buf *padding, const struct template *t, size_t len) {
    buf_init(padding, BODY_MAX);
    struct buf copy;
    buf_init(&copy, BODY_MAX);
    bool good = template_number(t, FIRST_ISSUE, &copy) && buf_puts(padding, pad_begin);
    while (good && buf_len(padding) + buf_len(&copy) + 8 < len)
        good = buf_append_slice(padding, buf_slice(&copy)) && buf_puts(padding, ",");
    good = good && buf_puts(padding, "\"");
    while (good && buf_len(padding) + sizeof pad_end - 1 < len)
        good = buf_puts(padding, "x");
    buf_free(&copy);
    return good && buf_puts(padding, pad_end);
}

/* Bodies smaller than the template are made of the smallest there is. */
static bool pad(struct payload *p, struct making *m) {
    size_t size = m->options->body, len = buf_len(&m->templates[0].json);
    if (!size)
        return true;
    if (m->count != 1) {
        fprintf(stderr, "load: --body goes with one payload, not with a folder\n");
        return false;
    }
    if (size < len + sizeof pad_begin + sizeof pad_end) {
        template_free(&m->templates[0]);
        if (!template_small(&m->templates[0]))
            return false;
        len = buf_len(&m->templates[0].json);
    }
    if (size < len + sizeof pad_begin + sizeof pad_end) {
        fprintf(stderr, "load: --body %zu is too small, %zu bytes are needed\n", size,
                len + sizeof pad_begin + sizeof pad_end);
        return false;
    }
    struct buf numbered;
    buf_init(&numbered, BODY_MAX);
    bool good = template_number(&m->templates[0], FIRST_ISSUE, &numbered) &&
                make_padding(&p->padding, &m->templates[0], size - buf_len(&numbered) + 1);
    buf_free(&numbered);
    return good;
}

/* ---- requests ---- */

static bool make_front(struct buf *front, const struct payload_options *options) {
    return buf_printf(front,
                      "POST %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n"
                      "User-Agent: GitHub-Hookshot/044aadd\r\nAccept: */*\r\n"
                      "Content-Type: application/json\r\n"
                      "X-GitHub-Hook-ID: 519283071\r\n"
                      "X-GitHub-Hook-Installation-Target-ID: 281990375\r\n"
                      "X-GitHub-Hook-Installation-Target-Type: repository\r\n"
                      "X-GitHub-Delivery: ",
                      options->path, options->port);
}

static bool sign(const struct making *m, struct buf *back) {
    uint8_t mac[SHA256_LEN];
    char hex[2 * SHA256_LEN];
    if (!m->key)
        return true;
    hmac_sha256(m->key, buf_at(&m->body), buf_len(&m->body), mac);
    hex_encode(mac, sizeof mac, hex);
    return buf_printf(back, "\r\nX-Hub-Signature-256: sha256=%.*s", (int)sizeof hex, hex);
}

static bool make_back(struct making *m, unsigned entity, const struct buf *padding,
                      struct buf *back) {
    const struct template *t = &m->templates[entity % m->count];
    unsigned number = FIRST_ISSUE + entity;
    buf_reset(&m->body);
    if (!template_number(t, number, &m->body))
        return false;
    if (buf_len(padding))
        m->body.end--;
    size_t own = buf_len(&m->body);
    buf_init(back, own + FRONT_MAX);
    return buf_append_slice(&m->body, buf_slice(padding)) &&
           buf_printf(back, "\r\nX-GitHub-Event: %s\r\nX-Bench-Entity: %s%u", t->event, t->entity,
                      number) &&
           sign(m, back) &&
           buf_printf(back, "\r\nContent-Length: %zu\r\n\r\n", buf_len(&m->body)) &&
           buf_append(back, buf_at(&m->body), own);
}

static bool make_backs(struct payload *p, struct making *m) {
    size_t total = 0;
    p->backs = calloc(m->options->entities, sizeof *p->backs);
    if (!p->backs)
        return false;
    while (p->count < m->options->entities && (total < BODIES_MAX || p->count < m->count)) {
        struct buf *back = &p->backs[p->count];
        if (!make_back(m, (unsigned)p->count++, &p->padding, back))
            return false;
        total += buf_len(&m->body);
    }
    p->body_len = total / p->count;
    return true;
}

static bool begin(struct making *m, const struct payload_options *options) {
    *m = (struct making){.options = options};
    buf_init(&m->body, BODY_MAX);
    if (options->folder)
        return template_read_folder(options->folder, &m->templates, &m->count);
    m->templates = calloc(1, sizeof *m->templates);
    m->count = m->templates && template_read(m->templates, options->file);
    return m->count == 1;
}

static void end(struct making *m) {
    for (size_t i = 0; i < m->count; i++)
        template_free(&m->templates[i]);
    free(m->templates);
    hmac_key_free(m->key);
    buf_free(&m->body);
}

bool payload_make(struct payload *ret, const struct payload_options *options) {
    struct payload p = {.count = 0};
    struct making m;
    buf_init(&p.front, FRONT_MAX);
    bool good = begin(&m, options) && pad(&p, &m);
    if (good && !options->no_signature)
        m.key = hmac_key_new(options->secret, strlen(options->secret));
    if (good && ((!m.key && !options->no_signature) || !make_front(&p.front, options) ||
                 !make_backs(&p, &m))) {
        fprintf(stderr, "load: no memory for %u deliveries\n", options->entities);
        good = false;
    }
    end(&m);
    if (good)
        *ret = p;
    else
        payload_free(&p);
    return good;
}

void payload_free(struct payload *p) {
    buf_free(&p->front);
    buf_free(&p->padding);
    for (size_t i = 0; i < p->count; i++)
        buf_free(&p->backs[i]);
    free(p->backs);
}

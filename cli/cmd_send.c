/* send: signs a file as GitHub does and posts it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pointsman/digest.h>
#include <pointsman/version.h>

#include "client.h"
#include "command.h"

#define BODY_MAX        (64 * 1024 * 1024)
#define SEND_TIMEOUT_MS 60000
#define SEND_URL        "http://127.0.0.1:8080/webhooks/github"

static bool read_file(const char *name, struct buf *out) {
    FILE *file = strcmp(name, "-") == 0 ? stdin : fopen(name, "re");
    bool ok = file != NULL;
    while (ok && !feof(file)) {
        ok = buf_reserve(out, 65536);
        if (!ok) {
            errno = EFBIG;
            break;
        }
        buf_commit(out, fread(buf_room(out), 1, buf_room_len(out), file));
        ok = !ferror(file);
    }
    if (!ok)
        fprintf(stderr, "pointsman: %s: %s\n", name, strerror(errno));
    if (file && file != stdin)
        fclose(file);
    return ok;
}

/* A random UUID, as GitHub's delivery ids look. */
static void new_delivery(char out[40]) {
    uint8_t r[16];
    char hex[33];
    random_bytes(r, sizeof r);
    r[6] = (uint8_t)((r[6] & 0x0f) | 0x40);
    r[8] = (uint8_t)((r[8] & 0x3f) | 0x80);
    hex_encode(r, sizeof r, hex);
    hex[32] = 0;
    snprintf(out, 40, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
}

static bool put_signature(struct buf *out, const char *secret, struct slice body) {
    uint8_t mac[SHA256_LEN];
    char hex[2 * SHA256_LEN + 1];
    struct hmac_key *key = hmac_key_new(secret, strlen(secret));
    if (!key)
        return false;
    hmac_sha256(key, body.ptr, body.len, mac);
    hmac_key_free(key);
    hex_encode(mac, sizeof mac, hex);
    hex[2 * SHA256_LEN] = 0;
    return buf_printf(out, "X-Hub-Signature-256: sha256=%s\r\n", hex);
}

static bool put_headers(struct buf *out, const struct args *args, struct slice body) {
    const char *secret = args_get(args, "secret");
    const char *delivery = args_get(args, "delivery");
    char made[40];
    if (!secret)
        secret = getenv("GITHUB_WEBHOOK_SECRET");
    if (!delivery) {
        new_delivery(made);
        delivery = made;
    }
    return buf_printf(out,
                      "User-Agent: pointsman-send/" POINTSMAN_VERSION "\r\n"
                      "Content-Type: application/json\r\nAccept: */*\r\n"
                      "X-GitHub-Event: %s\r\nX-GitHub-Delivery: %s\r\n",
                      args_get(args, "event"), delivery) &&
           (!secret || !*secret || put_signature(out, secret, body)) && buf_append(out, "", 1);
}

static void print_answer(const struct client_answer *answer) {
    static const char ours[] = "X-Pointsman-";
    printf("%u %s\n", answer->head.status, http_reason(answer->head.status));
    for (unsigned i = 0; i < answer->head.header_count; i++) {
        const struct http_header *h = &answer->head.headers[i];
        if (h->name.len > sizeof ours - 1 && slice_iis(slice(h->name.ptr, sizeof ours - 1), ours))
            printf("%.*s: %.*s\n", SLICE_ARG(h->name), SLICE_ARG(h->value));
    }
    struct slice body = buf_slice(&answer->body);
    if (body.len)
        printf("\n%.*s%s", SLICE_ARG(body), body.ptr[body.len - 1] == '\n' ? "" : "\n");
}

static int post(const struct args *args, const struct client_url *url, struct slice body) {
    struct client_answer answer;
    struct buf headers;
    struct err err = {""};
    buf_init(&headers, 16 * 1024);
    bool ok = put_headers(&headers, args, body);
    if (ok) {
        struct client_request request = {.method = "POST",
                                         .path = "",
                                         .header_lines = buf_at(&headers),
                                         .body = body,
                                         .timeout_ms = SEND_TIMEOUT_MS};
        ok = client_send(url, &request, &answer, &err);
    } else {
        err_set(&err, "the headers are too long");
    }
    buf_free(&headers);
    if (!ok) {
        fprintf(stderr, "pointsman: %s: %s\n", url->authority, err.text);
        return FAILED;
    }
    print_answer(&answer);
    bool good = answer.head.status / 100 == 2;
    client_answer_free(&answer);
    return good ? DONE : FAILED;
}

static bool is_header_value(const char *text) {
    return !text || !strpbrk(text, "\r\n");
}

int cmd_send(const struct args *args) {
    const char *target = args_get(args, "url");
    struct client_url url;
    struct err err = {""};
    struct buf body;
    if (!args_get(args, "event"))
        return usage_error(args->command, "--event TYPE is missing");
    if (!is_header_value(args_get(args, "event")) || !is_header_value(args_get(args, "delivery")))
        return usage_error(args->command, "a header value can not hold a line break");
    if (!client_url_parse(target ? target : SEND_URL, &url, &err))
        return usage_error(args->command, "%s", err.text);
    buf_init(&body, BODY_MAX);
    int result = read_file(args->words[0], &body) ? post(args, &url, buf_slice(&body)) : FAILED;
    buf_free(&body);
    return result;
}

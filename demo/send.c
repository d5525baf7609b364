/* Sends the demo's deliveries over many connections at once and tells what became of them. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include <pointsman/clock.h>
#include <pointsman/digest.h>

#include "../cli/client.h"
#include "../cli/table.h"

#define ISSUES          288
#define SENDERS         16
#define DUPLICATE_EVERY 8  /* every eighth delivery comes a second time … */
#define DUPLICATE_AFTER 24 /* … so many deliveries later */
#define CLOSED_EVERY    12
#define PLAN_MAX        (ISSUES * 2)
#define TIMEOUT_MS      20000

enum fate { FATE_LEGACY = 0, FATE_NEW, FATE_DUPLICATE, FATE_IGNORED, FATE_FAILED, FATES };

struct delivery {
    char id[40];
    const char *action;
    const char *repository;
    unsigned number;
    enum fate fate;
    uint64_t took_us;
    unsigned status; /* of FATE_FAILED; 0: no answer */
};

struct demo {
    struct client_url url;
    struct hmac_key *key;
    struct buf template;
    struct delivery plan[PLAN_MAX];
    unsigned count;
    atomic_uint next;
};

static void plan_make(struct demo *d) {
    static const char *const repositories[] = {"octocat/Hello-World", "octocat/Spoon-Knife",
                                               "octocat/linguist", "octocat/git-consortium"};
    static const char *const actions[] = {"opened", "labeled", "assigned", "edited"};
    uint32_t run;
    random_bytes(&run, sizeof run);
    for (unsigned i = 0; i < ISSUES; i++) {
        struct delivery *x = &d->plan[d->count++];
        x->repository = repositories[i % ARRAY_LEN(repositories)];
        x->number = 1 + i / (unsigned)ARRAY_LEN(repositories);
        x->action =
            i % CLOSED_EVERY == CLOSED_EVERY - 1 ? "closed" : actions[i / 7 % ARRAY_LEN(actions)];
        snprintf(x->id, sizeof x->id, "%08x-d3f0-11f0-8000-%012x", run, i);
        if (i >= DUPLICATE_AFTER && i % DUPLICATE_EVERY == 0) {
            const struct delivery *before = &d->plan[d->count - DUPLICATE_AFTER];
            d->plan[d->count++] = *before;
        }
    }
}

/* Copies the template, its @WORDS@ replaced. */
static bool payload(const struct demo *d, const struct delivery *x, struct buf *out) {
    struct slice rest = buf_slice(&d->template);
    bool ok = true;
    while (ok && rest.len) {
        const char *at = memchr(rest.ptr, '@', rest.len);
        size_t plain = at ? (size_t)(at - rest.ptr) : rest.len;
        ok = buf_append(out, rest.ptr, plain);
        rest = slice(rest.ptr + plain, rest.len - plain);
        const char *end = rest.len ? memchr(rest.ptr + 1, '@', rest.len - 1) : NULL;
        if (!ok || !end)
            return ok && !rest.len;
        struct slice word = slice(rest.ptr + 1, (size_t)(end - rest.ptr) - 1);
        if (slice_is(word, "ACTION"))
            ok = buf_puts(out, x->action);
        else if (slice_is(word, "REPOSITORY"))
            ok = buf_puts(out, x->repository);
        else
            ok = buf_printf(out, "%u", x->number);
        rest = slice(end + 1, rest.len - word.len - 2);
    }
    return ok;
}

static bool headers(const struct demo *d, const struct delivery *x, struct slice body,
                    struct buf *out) {
    uint8_t mac[SHA256_LEN];
    char hex[2 * SHA256_LEN];
    hmac_sha256(d->key, body.ptr, body.len, mac);
    hex_encode(mac, sizeof mac, hex);
    return buf_printf(out,
                      "User-Agent: GitHub-Hookshot/demo\r\nContent-Type: application/json\r\n"
                      "X-GitHub-Event: issues\r\nX-GitHub-Delivery: %s\r\n"
                      "X-Hub-Signature-256: sha256=%.*s\r\n",
                      x->id, (int)sizeof hex, hex) &&
           buf_append(out, "", 1);
}

static enum fate fate_of(const struct client_answer *answer) {
    struct slice body = buf_slice(&answer->body);
    struct slice side = http_header(&answer->head, "X-Pointsman-Backend");
    json_t *json = json_loadb(body.ptr, body.len, 0, NULL);
    struct slice status = slice_of(json_string_value(json_object_get(json, "status")));
    enum fate fate = FATE_FAILED;
    if (answer->head.status / 100 != 2)
        fate = FATE_FAILED;
    else if (slice_is(status, "duplicate"))
        fate = FATE_DUPLICATE;
    else if (slice_is(status, "ignored"))
        fate = FATE_IGNORED;
    else if (slice_is(side, "new"))
        fate = FATE_NEW;
    else if (slice_is(side, "legacy"))
        fate = FATE_LEGACY;
    json_decref(json);
    return fate;
}

static void deliver(struct demo *d, struct delivery *x) {
    struct buf body;
    struct buf lines;
    struct client_answer answer;
    buf_init(&body, 1024 * 1024);
    buf_init(&lines, 8192);
    x->fate = FATE_FAILED;
    if (payload(d, x, &body) && headers(d, x, buf_slice(&body), &lines)) {
        struct client_request request = {.method = "POST",
                                         .path = "",
                                         .header_lines = buf_at(&lines),
                                         .body = buf_slice(&body),
                                         .timeout_ms = TIMEOUT_MS};
        uint64_t begin = clock_mono_us();
        if (client_send(&d->url, &request, &answer, NULL)) {
            x->took_us = clock_mono_us() - begin;
            x->fate = fate_of(&answer);
            x->status = answer.head.status;
            client_answer_free(&answer);
        }
    }
    buf_free(&body);
    buf_free(&lines);
}

static void *sender(void *arg) {
    struct demo *d = arg;
    for (;;) {
        unsigned i = atomic_fetch_add(&d->next, 1);
        if (i >= d->count)
            return NULL;
        deliver(d, &d->plan[i]);
    }
}

static void send_all(struct demo *d) {
    pthread_t threads[SENDERS];
    unsigned started = 0;
    while (started < SENDERS && pthread_create(&threads[started], NULL, sender, d) == 0)
        started++;
    if (started == 0)
        sender(d);
    while (started)
        pthread_join(threads[--started], NULL);
}

static int by_time(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Row of one fate; `sent`: of those that reached a backend, 0: no share is shown. */
static unsigned row(struct table *t, const struct demo *d, enum fate fate, const char *label,
                    unsigned sent) {
    uint64_t times[PLAN_MAX];
    unsigned n = 0;
    for (unsigned i = 0; i < d->count; i++) {
        if (d->plan[i].fate == fate)
            times[n++] = d->plan[i].took_us;
    }
    qsort(times, n, sizeof times[0], by_time);
    table_cell(t, "%s", label);
    table_count(t, n);
    if (sent)
        table_cell(t, "%.1f %%", n * 100.0 / sent);
    else
        table_cell(t, "%s", "");
    if (n && fate != FATE_FAILED) {
        table_cell(t, "%.1f ms", (double)times[n / 2] / 1000);
        table_cell(t, "%.1f ms", (double)times[n * 99 / 100] / 1000);
    } else {
        table_cell(t, "%s", "");
        table_cell(t, "%s", "");
    }
    return n;
}

static bool received(const char *backend, unsigned *ret) {
    struct client_url url;
    struct client_answer answer;
    struct client_request ask = {.method = "GET",
                                 .path = "/received",
                                 .header_lines = "",
                                 .body = slice_of(""),
                                 .timeout_ms = TIMEOUT_MS};
    if (!client_url_parse(backend, &url, NULL) || !client_send(&url, &ask, &answer, NULL))
        return false;
    struct slice body = buf_slice(&answer.body);
    json_t *json = json_loadb(body.ptr, body.len, 0, NULL);
    *ret = (unsigned)json_integer_value(json_object_get(json, "received"));
    json_decref(json);
    client_answer_free(&answer);
    return true;
}

/* True: the backends got what the senders were told, once each. */
static bool report(const struct demo *d, const char *legacy, const char *new) {
    struct table t;
    unsigned sent = 0;
    unsigned at_legacy = 0;
    unsigned at_new = 0;
    for (unsigned i = 0; i < d->count; i++)
        sent += d->plan[i].fate == FATE_LEGACY || d->plan[i].fate == FATE_NEW;
    table_init(&t, "lrrrr");
    static const char *const titles[] = {"", "DELIVERIES", "SHARE", "P50", "P99"};
    for (unsigned i = 0; i < ARRAY_LEN(titles); i++)
        table_cell(&t, "%s", titles[i]);
    unsigned n_legacy = row(&t, d, FATE_LEGACY, "legacy (typescript)", sent);
    unsigned n_new = row(&t, d, FATE_NEW, "new (python)", sent);
    row(&t, d, FATE_DUPLICATE, "duplicates stopped", 0);
    row(&t, d, FATE_IGNORED, "ignored (action \"closed\")", 0);
    unsigned failed = row(&t, d, FATE_FAILED, "failed", 0);
    table_print(&t, stdout);
    if (!received(legacy, &at_legacy) || !received(new, &at_new)) {
        fprintf(stderr, "demo: the backends do not answer\n");
        return false;
    }
    bool once = at_legacy == n_legacy && at_new == n_new;
    printf("\n  The backends counted %u and %u: %s.\n", at_legacy, at_new,
           once ? "each event arrived exactly once" : "that differs from the table");
    return once && failed == 0;
}

static bool load(const char *file, struct buf *out) {
    FILE *in = fopen(file, "re");
    bool ok = in && buf_reserve(out, 32768);
    if (ok)
        buf_commit(out, fread(buf_room(out), 1, buf_room_len(out), in));
    if (in)
        fclose(in);
    return ok && buf_len(out);
}

int main(int argc, char **argv) {
    static struct demo d;
    struct err err = {""};
    const char *secret = getenv("GITHUB_WEBHOOK_SECRET");
    if (argc != 5 || !secret) {
        fprintf(stderr, "usage: GITHUB_WEBHOOK_SECRET=… send WEBHOOK_URL LEGACY_URL NEW_URL "
                        "TEMPLATE\n");
        return 2;
    }
    buf_init(&d.template, 256 * 1024);
    d.key = hmac_key_new(secret, strlen(secret));
    if (!d.key || !client_url_parse(argv[1], &d.url, &err) || !load(argv[4], &d.template)) {
        fprintf(stderr, "demo: %s\n", err.text[0] ? err.text : argv[4]);
        return 1;
    }
    plan_make(&d);
    printf("Sending %u signed deliveries about %d issues, %d at a time, gradual at 25 %%:\n\n",
           d.count, ISSUES, SENDERS);
    send_all(&d);
    bool ok = report(&d, argv[2], argv[3]);
    hmac_key_free(d.key);
    buf_free(&d.template);
    return ok ? 0 : 1;
}

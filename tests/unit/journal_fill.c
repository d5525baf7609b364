/* Fills the journal of an instance that does not run, for end-to-end tests: journal_fill CONFIG,
 * and on stdin one JSON object per line: {"count", "id", "source", "state", "reason", "side",
 * "type", "action", "entity", "status", "attempt", "head", "body", "answer", "age_s"}. The row's
 * number is put behind id and entity where count is above 1. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <pointsman/clock.h>
#include <pointsman/journal.h>

#define OPEN 1000 /* puts at a time */

struct filler {
    struct journal_client *client;
    struct loop *loop;
    const json_t *spec;
    uint64_t next, count;
    unsigned open;
    bool failed;
    struct blob *body;
};

struct fill_put {
    struct journal_put put;
    struct filler *filler;
    char id[EVENT_ID_MAX + 1];
    char entity[ENTITY_MAX + 1];
};

static _Atomic uint64_t age_us; /* the writer thread reads it */

static uint64_t wall_then(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000 - age_us;
}

static struct slice text_of(const json_t *spec, const char *name, const char *otherwise) {
    const char *text = json_string_value(json_object_get(spec, name));
    return slice_of(text ? text : otherwise);
}

static unsigned index_of(const json_t *spec, const char *name, const char *const *names,
                         unsigned count, unsigned otherwise) {
    const char *text = json_string_value(json_object_get(spec, name));
    for (unsigned i = 0; text && i < count; i++)
        if (strcmp(text, names[i]) == 0)
            return i;
    if (text)
        fprintf(stderr, "journal_fill: %s is \"%s\"\n", name, text);
    return text ? count : otherwise;
}

static uint64_t number_of(const json_t *spec, const char *name, uint64_t otherwise) {
    const json_t *value = json_object_get(spec, name);
    return value ? (uint64_t)json_integer_value(value) : otherwise;
}

static bool go_on(struct filler *f);

static void put_done(struct journal_call *call) {
    struct fill_put *p = CONTAINER_OF(call, struct fill_put, put.call);
    struct filler *f = p->filler;
    if (call->result != JOURNAL_OK) {
        fprintf(stderr, "journal_fill: %s: %s\n", p->id, journal_result_names[call->result]);
        f->failed = true;
    }
    free(p);
    f->open--;
    if (!go_on(f) && f->open == 0)
        loop_stop(f->loop);
}

static struct journal_mark mark_of(const json_t *s) {
    return (struct journal_mark){
        .state = index_of(s, "state", row_state_names, ROW_STATES, ROW_DEAD),
        .reason = index_of(s, "reason", row_reason_names, ROW_REASONS, REASON_NOT_DONE),
        .side = index_of(s, "side", side_names, SIDES, SIDE_LEGACY),
        .attempt = (uint32_t)number_of(s, "attempt", 1),
        .status = (uint16_t)number_of(s, "status", 500),
        .answer = text_of(s, "answer", "{\"error\":\"boom\"}"),
    };
}

static void put_one(struct filler *f) {
    const json_t *s = f->spec;
    struct fill_put *p = calloc(1, sizeof *p);
    char number[32] = "";
    if (!p)
        abort();
    if (f->count > 1)
        snprintf(number, sizeof number, "%llu", (unsigned long long)f->next);
    snprintf(p->id, sizeof p->id, "%s%s", text_of(s, "id", "e").ptr, number);
    snprintf(p->entity, sizeof p->entity, "%s%s", text_of(s, "entity", "octocat/Hello-World#7").ptr,
             number);
    p->filler = f;
    p->put = (struct journal_put){
        .call = {.done = put_done},
        .mine = true,
        .event = {.source = text_of(s, "source", "github"),
                  .id = slice_of(p->id),
                  .type = text_of(s, "type", "issues"),
                  .action = text_of(s, "action", "opened"),
                  .entity = slice_of(p->entity),
                  .repository = slice_of("octocat/Hello-World"),
                  .owner = slice_of("octocat"),
                  .digest = slice_of(""),
                  .head = text_of(s, "head", "Content-Type: application/json\r\n"),
                  .target = slice_of("/webhooks/github"),
                  .body = f->body},
        .mark = mark_of(s),
    };
    f->next++;
    f->open++;
    journal_put(f->client, &p->put);
}

/* False: all are on their way. */
static bool go_on(struct filler *f) {
    while (!f->failed && f->next < f->count && f->open < OPEN)
        put_one(f);
    return f->next < f->count;
}

static bool fill(struct journal *journal, struct loop *loop, const json_t *spec) {
    struct filler f = {.loop = loop, .spec = spec, .count = number_of(spec, "count", 1)};
    struct slice body = text_of(spec, "body", "{\"action\":\"opened\"}");
    f.client = journal_client_new(journal, loop);
    f.body = blob_new(body.len);
    if (!f.client || !f.body)
        abort();
    memcpy(f.body->data, body.ptr, body.len);
    f.body->len = body.len;
    age_us = number_of(spec, "age_s", 0) * 1000000;
    if (go_on(&f) || f.open)
        loop_run(loop);
    journal_client_free(f.client);
    blob_unref(f.body);
    return !f.failed;
}

int main(int argc, char **argv) {
    struct conf *conf = NULL;
    struct conf_problem *problems = NULL;
    struct err err = {""};
    char *line = NULL;
    size_t cap = 0;
    bool ok = true;
    if (argc != 2 || !conf_load(argv[1], &conf, &problems)) {
        conf_problems_print(problems, argv[1], stderr);
        return 2;
    }
    clock_replace(NULL, wall_then);
    struct journal *journal = journal_open(conf, &err);
    struct loop *loop = loop_new();
    if (!journal || !loop) {
        fprintf(stderr, "journal_fill: %s\n", err.text);
        return 1;
    }
    while (ok && getline(&line, &cap, stdin) > 0) {
        json_t *spec = json_loads(line, 0, NULL);
        ok = spec && fill(journal, loop, spec);
        json_decref(spec);
    }
    free(line);
    loop_free(loop);
    journal_close(journal);
    conf_problems_free(problems);
    conf_unref(conf);
    return ok ? 0 : 1;
}

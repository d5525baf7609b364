/* Selects events by id, by filter or all, and sends them to the admin API batch by batch. */
#include "bulk.h"

#include <string.h>

#include "ask.h"
#include "progress.h"
#include "show.h"
#include "table.h"

#define PAGE       1000
#define BATCH      1000
#define RATE_MAX   100000
#define SAMPLE     10
#define PATH_BYTES (8 * 1024)

struct run {
    const struct args *args;
    const struct bulk *bulk;
    json_t *members;
    json_t *refused; /* [{event, source, why}] */
    struct progress progress;
    uint64_t rate;
    bool stopped; /* before its end: Ctrl-C, or the API said no */
};

/* ---- the selection ---- */

/* False: told on stderr what to give. */
static bool selection_ok(const struct args *args) {
    bool all = args_get(args, "all") != NULL;
    unsigned filters = rows_filters(args);
    bool only_source = filters == 1 && args_get(args, "source");
    if (args->word_count == 0 && !all && filters == 0) {
        usage_error(args->command, "no event is named: give ids, --all, or a filter (--source, "
                                   "--type, --entity, --backend, --reason, --since, --until)");
        return false;
    }
    if (args->word_count && (all || (filters && !only_source))) {
        usage_error(args->command, "ids stand alone: no --all and no filter but --source");
        return false;
    }
    return true;
}

static bool rate_of(const struct args *args, uint64_t *ret) {
    const char *text = args_get(args, "rate");
    uint64_t rate = 0;
    if (text && (!slice_to_u64(slice_of(text), &rate) || rate < 1 || rate > RATE_MAX)) {
        usage_error(args->command, "--rate is \"%s\"; allowed are 1 to %d events per second", text,
                    RATE_MAX);
        return false;
    }
    *ret = rate;
    return true;
}

/* What is known of an id: its row here, else its record in the store. An event that is neither is
 * told in `refused`. False: the API does not answer. */
static bool find_one(struct run *run, const char *id, json_t *list) {
    struct api_answer answer;
    struct buf path;
    char prefix[64];
    snprintf(prefix, sizeof prefix, "%s/", run->bulk->kind->path);
    buf_init(&path, PATH_BYTES);
    bool asked = rows_put_event(&path, prefix, id, run->args) &&
                 api_call(run->args, "GET", buf_at(&path), NULL, &answer);
    if (asked && answer.status == 404) {
        json_decref(answer.json);
        asked = rows_put_event(&path, "/v1/events/", id, run->args) &&
                api_call(run->args, "GET", buf_at(&path), NULL, &answer);
    }
    buf_free(&path);
    if (!asked)
        return false;
    if (answer.status < 300) {
        json_array_append(list, answer.json);
    } else {
        json_t *entry =
            json_pack("{s:s, s:s, s:s}", "event", id, "source",
                      args_get(run->args, "source") ? args_get(run->args, "source") : "", "why",
                      api_text(answer.json, "detail"));
        json_array_append_new(run->refused, entry);
        run->progress.refused++;
    }
    json_decref(answer.json);
    return true;
}

/* The first page. What comes in from now on is not in it, nor in the pages behind it. */
static bool find_page(struct run *run, struct api_answer *ret) {
    struct buf path;
    buf_init(&path, PATH_BYTES);
    bool ok = buf_printf(&path, "%s?count=1&limit=%d%s", run->bulk->kind->path, PAGE,
                         args_get(run->args, "until") ? "" : "&until=0s") &&
              rows_put_filters(&path, run->args) && buf_append(&path, "", 1);
    if (!ok)
        fprintf(stderr, "pointsman: the filters are too long\n");
    ok = ok && api_get(run->args, buf_at(&path), ret);
    buf_free(&path);
    return ok;
}

static bool find(struct run *run, struct api_answer *ret) {
    if (run->args->word_count == 0)
        return find_page(run, ret);
    *ret = (struct api_answer){.status = 200, .json = json_array()};
    for (unsigned i = 0; i < run->args->word_count; i++) {
        if (!find_one(run, run->args->words[i], ret->json)) {
            json_decref(ret->json);
            return false;
        }
    }
    ret->total = json_array_size(ret->json);
    return true;
}

/* ---- the work ---- */

/* Rows from..from+count as the API's {source, event}. NULL: no memory. */
static json_t *request_of(const struct run *run, const json_t *rows, size_t from, size_t count) {
    json_t *request = json_copy(run->members);
    json_t *events = json_array();
    for (size_t i = from; events && i < from + count; i++) {
        const json_t *row = json_array_get(rows, i);
        json_array_append_new(events,
                              json_pack("{s:O, s:O}", "source", json_object_get(row, "source"),
                                        "event", json_object_get(row, "event")));
    }
    if (!request || json_object_set_new(request, "events", events) != 0) {
        json_decref(request);
        return NULL;
    }
    return request;
}

/* False: it makes no sense to go on; told why. */
static bool send_batch(struct run *run, json_t *request) {
    struct api_answer answer;
    bool asked = request && api_call(run->args, "POST", run->bulk->path, request, &answer);
    json_decref(request);
    if (!asked)
        return false;
    const json_t *refused = json_object_get(answer.json, "refused");
    bool away = json_is_true(json_object_get(answer.json, "store_away"));
    bool ok = answer.status < 300;
    if (ok) {
        progress_step(&run->progress, (uint64_t)api_int(answer.json, "done"),
                      json_array_size(refused));
        json_array_extend(run->refused, (json_t *)refused);
    }
    const char *behind = run->progress.bar ? "\n" : "";
    if (away)
        fprintf(stderr, "%spointsman: the store is away; what is left was not tried\n", behind);
    if (!ok)
        fprintf(stderr, "%spointsman: %s (%u)\n", behind, api_text(answer.json, "detail"),
                answer.status);
    json_decref(answer.json);
    return ok && !away;
}

/* One page, in batches that the rate allows. */
static void work_page(struct run *run, const json_t *rows) {
    size_t count = json_array_size(rows);
    size_t batch = run->rate == 0 ? BATCH : run->rate < 10 ? 1 : (size_t)run->rate / 10;
    if (batch > PAGE)
        batch = PAGE;
    for (size_t at = 0; at < count && !run->stopped; at += batch) {
        size_t n = count - at < batch ? count - at : batch;
        run->stopped =
            !progress_pace(&run->progress) || !send_batch(run, request_of(run, rows, at, n));
    }
}

static void work(struct run *run, struct api_answer *page) {
    for (;;) {
        struct api_answer next;
        work_page(run, page->json);
        if (run->stopped || !page->next[0])
            return;
        if (!api_get(run->args, page->next, &next)) {
            run->stopped = true;
            return;
        }
        json_decref(page->json);
        *page = next;
    }
}

/* ---- what is told ---- */

static const char *events_word(uint64_t n) {
    return n == 1 ? "event" : "events";
}

static int tell_dry_run(const struct run *run, const struct api_answer *page) {
    char count[32];
    count_print(page->total, count);
    if (args_get(run->args, "json")) {
        json_t *first = json_array();
        for (size_t i = 0; i < SAMPLE && i < json_array_size(page->json); i++)
            json_array_append(first, json_array_get(page->json, i));
        json_t *json = json_pack("{s:b, s:I, s:o, s:O}", "dry_run", 1, "matching",
                                 (json_int_t)page->total, "first", first, "refused", run->refused);
        api_print(json);
        json_decref(json);
    } else if (page->total) {
        printf("%s %s would be %s%s\n\n", count, events_word(page->total), run->bulk->past,
               page->total > SAMPLE ? "; the first 10:" : ":");
        rows_table(page->json, SAMPLE, stdout);
    } else {
        printf("No event matches; nothing would be %s.\n", run->bulk->past);
    }
    return json_array_size(run->refused) ? FAILED : DONE;
}

static void tell_refused(const json_t *refused) {
    size_t i;
    json_t *one;
    json_array_foreach(refused, i, one) {
        if (i == SAMPLE)
            break;
        char text[1024];
        const char *source = api_text(one, "source");
        snprintf(text, sizeof text, "%s%s%s%s: %s", api_text(one, "event"), *source ? " (" : "",
                 source, *source ? ")" : "", api_text(one, "why"));
        show_block(text, "  refused: ", stderr);
    }
    if (json_array_size(refused) > SAMPLE)
        fprintf(stderr, "  … and %zu more; --json tells all\n", json_array_size(refused) - SAMPLE);
}

static int tell_end(const struct run *run) {
    const struct progress *p = &run->progress;
    bool bad = run->stopped || p->refused;
    char done[32];
    char refused[32];
    char total[32];
    if (args_get(run->args, "json")) {
        json_t *json =
            json_pack("{s:I, s:O, s:b, s:I}", "done", (json_int_t)p->done, "refused", run->refused,
                      "stopped", (int)run->stopped, "matching", (json_int_t)p->total);
        api_print(json);
        json_decref(json);
        return bad ? FAILED : DONE;
    }
    count_print(p->done, done);
    count_print(p->refused, refused);
    count_print(p->total, total);
    printf("%s%s %s %s", run->stopped ? "stopped early: " : "", done, events_word(p->done),
           run->bulk->past);
    if (run->stopped)
        printf(" of %s", total);
    printf("%s%s%s.\n", p->refused ? ", " : "", p->refused ? refused : "",
           p->refused ? " refused" : "");
    tell_refused(run->refused);
    return bad ? FAILED : DONE;
}

/* ---- all together ---- */

static bool consent(const struct run *run, uint64_t total) {
    char question[128];
    char count[32];
    if (total <= 1 || args_get(run->args, "yes"))
        return true;
    count_print(total, count);
    snprintf(question, sizeof question, "%s events are %s: %s them? [y/N] ", count,
             run->bulk->kind->word, run->bulk->verb);
    return ask_yes(question);
}

static int run_found(struct run *run, struct api_answer *page) {
    char reason[513];
    if (args_get(run->args, "dry-run"))
        return tell_dry_run(run, page);
    if (page->total == 0 && json_array_size(run->refused) == 0 && !args_get(run->args, "json")) {
        printf("No event matches; nothing was %s.\n", run->bulk->past);
        return DONE;
    }
    if (!consent(run, page->total)) {
        printf("Nothing was changed.\n");
        return FAILED;
    }
    if (page->total)
        ask_reason(run->args, "note", reason, sizeof reason);
    else
        reason[0] = 0;
    if (json_object_set_new(run->members, "reason", json_string(reason)) != 0)
        return usage_error(run->args->command, "the words have to be UTF-8");
    uint64_t unknown = run->progress.refused;
    progress_begin(&run->progress, page->total, run->rate);
    work(run, page);
    progress_end(&run->progress);
    run->progress.refused += unknown;
    return tell_end(run);
}

int bulk_run(const struct args *args, const struct bulk *bulk, json_t *members) {
    struct api_answer page;
    struct run run = {.args = args, .bulk = bulk, .members = members, .refused = json_array()};
    int result = WRONG_USAGE;
    if (selection_ok(args) && rate_of(args, &run.rate)) {
        result = FAILED;
        if (run.members && run.refused && find(&run, &page)) {
            result = run_found(&run, &page);
            json_decref(page.json);
        }
    }
    json_decref(run.refused);
    json_decref(run.members);
    return result;
}

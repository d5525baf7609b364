/* audit: the changes of mode and percentage. forget: lets a redelivery of an event through. */
#include <stdio.h>
#include <string.h>

#include "api.h"
#include "show.h"
#include "table.h"

int cmd_audit(const struct args *args) {
    const char *limit = args_get(args, "limit");
    const char *before = args_get(args, "before");
    struct api_answer answer;
    uint64_t number = 0;
    bool over = false;
    char path[128];
    if (limit && (!slice_to_u64(slice_of(limit), &number) || number < 1 || number > 100))
        return usage_error(args->command, "--limit is \"%s\"; allowed are 1 to 100", limit);
    if (before && (!before[0] || before[strspn(before, "0123456789-")] || strlen(before) > 41))
        return usage_error(args->command, "--before is \"%s\", which is no epoch", before);
    snprintf(path, sizeof path, "/v1/audit?limit=%s&before=%s", limit ? limit : "20",
             before ? before : "0");
    if (!api_call(args, "GET", path, NULL, &answer))
        return FAILED;
    int result = api_check(args, &answer, &over);
    if (over)
        return result;
    const json_t *list = json_object_get(answer.json, "audit");
    if (json_array_size(list) == 0)
        printf("No change so far.\n");
    else
        show_transitions(list, stdout);
    json_decref(answer.json);
    return DONE;
}

int cmd_forget(const struct args *args) {
    struct api_answer answer;
    struct buf path;
    bool over = false;
    buf_init(&path, 8192);
    if (!api_path(&path, "/v1/events/", args->words[0], "/forget") ||
        !api_path_source(&path, args)) {
        buf_free(&path);
        return usage_error(args->command, "the event id is too long");
    }
    bool asked = api_call(args, "POST", buf_at(&path), NULL, &answer);
    buf_free(&path);
    if (!asked)
        return FAILED;
    int result = api_check(args, &answer, &over);
    if (over)
        return result;
    printf("%s is forgotten (source %s): a redelivery will be let through.\n",
           api_text(answer.json, "event"), api_text(answer.json, "source"));
    json_decref(answer.json);
    return DONE;
}

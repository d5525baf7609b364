/* mode, rollout, rollback: change where events go. */
#include <stdio.h>
#include <string.h>

#include <pointsman/router.h>

#include "api.h"
#include "ask.h"
#include "show.h"

static int change(const struct args *args, const char *method, const char *path, json_t *body) {
    char reason[1024];
    char setting[96];
    struct api_answer answer;
    bool over = false;
    ask_reason(args, "reason", reason, sizeof reason);
    if (!body || json_object_set_new(body, "reason", json_string(reason)) != 0 ||
        (args_get(args, "force") && json_object_set_new(body, "force", json_true()) != 0)) {
        json_decref(body);
        return usage_error(args->command, "the words have to be UTF-8");
    }
    bool asked = api_call(args, method, path, body, &answer);
    json_decref(body);
    if (!asked)
        return FAILED;
    int result = api_check(args, &answer, &over);
    if (over)
        return result;
    show_setting(api_text(answer.json, "mode"),
                 json_number_value(json_object_get(answer.json, "rollout_percentage")), setting,
                 sizeof setting);
    printf("mode %s (change %lld)\n", setting, (long long)api_int(answer.json, "epoch"));
    if (json_is_true(json_object_get(answer.json, "pending")))
        printf("The store is away: in force on this instance only, written when it is back.\n");
    json_decref(answer.json);
    return DONE;
}

static int not_a_percentage(const struct args *args, const char *text) {
    return usage_error(args->command,
                       "\"%s\" is no percentage; allowed are 0 to 100 with up to four decimals",
                       text);
}

int cmd_mode(const struct args *args) {
    const char *percentage = args_get(args, "percentage");
    uint32_t ppm;
    if (percentage && !percentage_parse(slice_of(percentage), &ppm))
        return not_a_percentage(args, percentage);
    json_t *body = json_pack("{s:s}", "mode", args->words[0]);
    if (body && percentage)
        json_object_set_new(body, "percentage", json_string(percentage));
    return change(args, "PUT", "/v1/mode", body);
}

int cmd_rollout(const struct args *args) {
    uint32_t ppm;
    if (!percentage_parse(slice_of(args->words[0]), &ppm))
        return not_a_percentage(args, args->words[0]);
    return change(args, "PUT", "/v1/rollout", json_pack("{s:s}", "percentage", args->words[0]));
}

int cmd_rollback(const struct args *args) {
    return change(args, "POST", "/v1/rollback", json_object());
}

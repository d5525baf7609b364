/* doubt: the events whose effect is unknown: list, show, resolve. */
#include "bulk.h"

int cmd_doubt_list(const struct args *args) {
    return rows_list(args, &rows_doubt);
}

int cmd_doubt_show(const struct args *args) {
    return rows_show(args, &rows_doubt);
}

int cmd_doubt_resolve(const struct args *args) {
    static const struct bulk done = {&rows_doubt, "/v1/doubt/resolve", "call done",
                                     "settled as done"};
    static const struct bulk retry = {&rows_doubt, "/v1/doubt/resolve", "send again",
                                      "queued to be sent again"};
    bool is_done = args_get(args, "done") != NULL;
    if (is_done == (args_get(args, "retry") != NULL))
        return usage_error(args->command,
                           "one of --done (the backend did it) and --retry (it did not) is needed");
    return bulk_run(args, is_done ? &done : &retry,
                    json_pack("{s:s}", "as", is_done ? "done" : "retry"));
}

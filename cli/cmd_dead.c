/* dead: the events pointsman gave up: list, show, replay, drop. */
#include "bulk.h"

int cmd_dead_list(const struct args *args) {
    return rows_list(args, &rows_dead);
}

int cmd_dead_show(const struct args *args) {
    return rows_show(args, &rows_dead);
}

int cmd_dead_replay(const struct args *args) {
    static const struct bulk bulk = {&rows_dead, "/v1/dead/replay", "replay", "replayed"};
    const char *to = args_get(args, "to");
    json_t *members = json_object();
    if (members && to && json_object_set_new(members, "to", json_string(to)) != 0) {
        json_decref(members);
        return usage_error(args->command, "--to has to be UTF-8");
    }
    if (members && args_get(args, "again"))
        json_object_set_new(members, "again", json_true());
    return bulk_run(args, &bulk, members);
}

int cmd_dead_drop(const struct args *args) {
    static const struct bulk bulk = {&rows_dead, "/v1/dead/drop", "drop", "dropped"};
    return bulk_run(args, &bulk, json_object());
}

/* Does any backend want this event? The source's `only`. */
#include <pointsman/router.h>

#include <string.h>

static bool row_wants(const struct conf_filter *row, const struct identity *id) {
    if (strcmp(row->type, id->type) != 0)
        return false;
    for (size_t i = 0; i < row->action_count; i++)
        if (strcmp(row->actions[i], id->action) == 0)
            return true;
    return row->action_count == 0;
}

bool filter_wants(const struct conf_source *source, const struct identity *id) {
    if (source->only_count == 0 || strcmp(id->type, "ping") == 0)
        return true;
    for (size_t i = 0; i < source->only_count; i++)
        if (row_wants(&source->only[i], id))
            return true;
    return false;
}

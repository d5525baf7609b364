/* Shows times, settings and changes the same way in every command. */
#include "show.h"

#include <string.h>

#include <pointsman/domain.h>

#include "api.h"
#include "table.h"

void show_when(const json_t *json, const char *name, char out[32]) {
    const char *text = api_text(json, name);
    if (strlen(text) < 19) {
        snprintf(out, 32, "–");
        return;
    }
    snprintf(out, 32, "%.10s %.8s", text, text + 11);
}

void show_setting(const char *mode, double percentage, char *out, size_t cap) {
    if (percentage > 0 || strcmp(mode, mode_names[MODE_GRADUAL]) == 0)
        snprintf(out, cap, "%s %.10g %%", mode, percentage);
    else
        snprintf(out, cap, "%s", mode);
}

void show_transitions(const json_t *list, FILE *out) {
    struct table t;
    size_t i;
    json_t *entry;
    table_init(&t, "lrllll");
    table_cell(&t, "WHEN (UTC)");
    table_cell(&t, "CHANGE");
    table_cell(&t, "BY");
    table_cell(&t, "FROM");
    table_cell(&t, "TO");
    table_cell(&t, "REASON");
    json_array_foreach(list, i, entry) {
        char when[32];
        char from[64];
        char to[64];
        const char *action = api_text(entry, "action");
        show_when(entry, "at", when);
        show_setting(api_text(entry, "from"),
                     json_number_value(json_object_get(entry, "from_percentage")), from,
                     sizeof from);
        show_setting(api_text(entry, "to"), json_number_value(json_object_get(entry, "percentage")),
                     to, sizeof to);
        table_cell(&t, "%s", when);
        table_cell(&t, "%lld", (long long)api_int(entry, "epoch"));
        table_cell(&t, "%s", api_text(entry, "actor"));
        table_cell(&t, "%s", action[0] ? "" : from);
        table_cell(&t, "%s", action[0] ? action : to);
        table_cell(&t, "%s", api_text(entry, "reason"));
    }
    table_print(&t, out);
}

/* Shows times, settings and changes the same way in every command. */
#include "show.h"

#include <string.h>
#include <time.h>

#include <pointsman/clock.h>
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

void show_age(const json_t *json, const char *name, char out[32]) {
    static const struct {
        uint64_t from, unit;
        const char *word;
    } steps[] = {{172800, 86400, "d"}, {7200, 3600, "h"}, {120, 60, "min"}, {0, 1, "s"}};
    struct tm tm = {0};
    uint64_t now_s = clock_wall_us() / 1000000;
    if (!strptime(api_text(json, name), "%Y-%m-%dT%H:%M:%S", &tm)) {
        snprintf(out, 32, "–");
        return;
    }
    uint64_t then_s = (uint64_t)timegm(&tm);
    uint64_t age = then_s < now_s ? now_s - then_s : 0;
    size_t i = 0;
    while (age < steps[i].from)
        i++;
    snprintf(out, 32, "%llu %s", (unsigned long long)(age / steps[i].unit), steps[i].word);
}

void show_bytes(double bytes, char out[32]) {
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    size_t i = 0;
    for (; bytes >= 1024 && i + 1 < ARRAY_LEN(units); i++)
        bytes /= 1024;
    snprintf(out, 32, "%.*f %s", i && bytes < 10 ? 1 : 0, bytes, units[i]);
}

void show_block(const char *text, const char *indent, FILE *out) {
    while (*text) {
        size_t n = strcspn(text, "\n");
        fprintf(out, "%s", indent);
        for (size_t i = 0; i < n; i++)
            if ((unsigned char)text[i] >= 0x20 ? text[i] != 0x7f : text[i] == '\t')
                fputc(text[i], out);
        fputc('\n', out);
        text += n + (text[n] == '\n');
    }
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

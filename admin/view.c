/* Small values as JSON, the same way on every page. */
#include "view.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <pointsman/clock.h>

json_t *view_time(uint64_t wall_us) {
    char text[32];
    if (wall_us == 0)
        return json_null();
    clock_rfc3339(wall_us, text);
    return json_string(text);
}

json_t *view_percentage(uint32_t ppm) {
    const uint32_t whole = PPM_ALL / 100;
    return ppm % whole == 0 ? json_integer(ppm / whole) : json_real((double)ppm / whole);
}

json_t *view_number(double value, bool known) {
    if (!known)
        return json_null();
    double rounded = round(value * 1e6) / 1e6;
    if (rounded == (double)(json_int_t)rounded)
        return json_integer((json_int_t)rounded);
    return json_real(rounded);
}

json_t *view_text(const char *text) {
    return view_slice(slice_of(text));
}

json_t *view_slice(struct slice text) {
    if (!text.ptr)
        return json_null();
    bool plain = text.len == 0 || !memchr(text.ptr, 0, text.len);
    json_t *json = plain ? json_stringn(text.ptr, text.len) : NULL;
    char *copy = json ? NULL : malloc(text.len);
    if (!copy)
        return json;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        copy[i] = c == 0 || c >= 0x80 ? '?' : (char)c;
    }
    json = json_stringn(copy, text.len);
    free(copy);
    return json;
}

json_t *view_transition(const struct audit_entry *entry) {
    json_t *evidence = entry->evidence[0] ? json_loads(entry->evidence, 0, NULL) : json_null();
    if (!evidence)
        evidence = view_text(entry->evidence);
    if (entry->action[0])
        return json_pack("{s:o, s:I, s:o, s:o, s:o, s:o}", "at", view_time(entry->at_wall_us),
                         "epoch", (json_int_t)entry->epoch, "actor", view_text(entry->actor),
                         "action", view_text(entry->action), "reason", view_text(entry->reason),
                         "evidence", evidence);
    return json_pack("{s:o, s:I, s:o, s:s, s:o, s:s, s:o, s:o, s:o}", "at",
                     view_time(entry->at_wall_us), "epoch", (json_int_t)entry->epoch, "actor",
                     view_text(entry->actor), "from", mode_names[entry->from_mode],
                     "from_percentage", view_percentage(entry->from_ppm), "to",
                     mode_names[entry->mode], "percentage", view_percentage(entry->ppm), "reason",
                     view_text(entry->reason), "evidence", evidence);
}

/* Reads the filters of a list, strictly, and writes them again for the next page. */
#include "row_filter.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include <pointsman/clock.h>

#include "fields.h"

#define LIMIT_DEFAULT 100

const char *const row_filter_members[] = {"source", "type",  "entity", "backend", "reason", "since",
                                          "until",  "limit", "after",  "count",   NULL};

/* ---- times ---- */

/* `count` digits at the front of *text. */
static bool take_number(struct slice *text, unsigned count, int *ret) {
    int value = 0;
    if (text->len < count)
        return false;
    for (unsigned i = 0; i < count; i++) {
        if (text->ptr[i] < '0' || text->ptr[i] > '9')
            return false;
        value = value * 10 + (text->ptr[i] - '0');
    }
    *text = slice(text->ptr + count, text->len - count);
    *ret = value;
    return true;
}

static bool take_one_of(struct slice *text, const char *chars) {
    if (text->len == 0 || !text->ptr[0] || !strchr(chars, text->ptr[0]))
        return false;
    *text = slice(text->ptr + 1, text->len - 1);
    return true;
}

/* ":00" and ".123456" may be left out; finer digits are dropped. */
static bool take_clock(struct slice *text, struct tm *tm, uint32_t *ret_us) {
    uint32_t us = 0;
    uint32_t unit = 100000;
    int digit;
    if (!take_number(text, 2, &tm->tm_hour) || !take_one_of(text, ":") ||
        !take_number(text, 2, &tm->tm_min))
        return false;
    if (take_one_of(text, ":") && !take_number(text, 2, &tm->tm_sec))
        return false;
    if (take_one_of(text, ".")) {
        if (!take_number(text, 1, &digit))
            return false;
        do {
            us += (uint32_t)digit * unit;
            unit /= 10;
        } while (take_number(text, 1, &digit));
    }
    *ret_us = us;
    return tm->tm_hour < 24 && tm->tm_min < 60 && tm->tm_sec < 61;
}

static bool take_zone(struct slice *text, int *ret_s) {
    int hours;
    int minutes;
    *ret_s = 0;
    if (text->len == 0 || take_one_of(text, "Zz"))
        return true;
    int sign = text->ptr[0] == '-' ? -1 : 1;
    if (!take_one_of(text, "+-") || !take_number(text, 2, &hours) || !take_one_of(text, ":") ||
        !take_number(text, 2, &minutes) || hours > 23 || minutes > 59)
        return false;
    *ret_s = sign * (hours * 3600 + minutes * 60);
    return true;
}

bool time_parse(struct slice text, uint64_t now_wall_us, uint64_t *ret_wall_us) {
    struct tm tm = {0};
    uint64_t ms;
    uint32_t us = 0;
    int zone_s = 0;
    text = slice_trim_space(text);
    if (conf_parse_duration_ms(text, &ms)) {
        *ret_wall_us = ms < now_wall_us / 1000 ? now_wall_us - ms * 1000 : 1;
        return true;
    }
    if (!take_number(&text, 4, &tm.tm_year) || !take_one_of(&text, "-") ||
        !take_number(&text, 2, &tm.tm_mon) || !take_one_of(&text, "-") ||
        !take_number(&text, 2, &tm.tm_mday))
        return false;
    if (take_one_of(&text, "Tt ") && (!take_clock(&text, &tm, &us) || !take_zone(&text, &zone_s)))
        return false;
    if (text.len || tm.tm_year < 1970 || tm.tm_mon < 1 || tm.tm_mon > 12 || tm.tm_mday < 1)
        return false;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    int day = tm.tm_mday;
    int64_t seconds = (int64_t)timegm(&tm) - zone_s;
    if (tm.tm_mday != day || seconds < 0) /* February 30 moved on to March */
        return false;
    *ret_wall_us = (uint64_t)seconds * 1000000 + us + (seconds == 0 && us == 0);
    return true;
}

static bool field_time(const json_t *fields, const char *name, uint64_t now_wall_us, uint64_t *ret,
                       struct err *err) {
    char text[64] = "";
    if (!field_text(fields, name, text, sizeof text, err))
        return false;
    if (!text[0] || time_parse(slice_of(text), now_wall_us, ret))
        return true;
    err_set(err,
            "\"%s\" is \"%s\"; allowed are how long ago (90s, 2h, 14d) or a time like "
            "2026-11-21T03:40:00Z",
            name, text);
    return false;
}

/* ---- names ---- */

bool field_side(const json_t *fields, const char *name, const struct conf *conf, enum side *ret,
                struct err *err) {
    char text[128] = "";
    if (!field_text(fields, name, text, sizeof text, err))
        return false;
    if (!json_is_string(json_object_get(fields, name)))
        return true;
    for (unsigned side = 0; side < SIDES; side++) {
        if (slice_iis(slice_of(text), side_names[side]) ||
            slice_iis(slice_of(text), conf->backends[side].name)) {
            *ret = side;
            return true;
        }
    }
    err_set(err, "\"%s\" is \"%s\"; allowed are legacy (%s) and new (%s)", name, text,
            conf->backends[SIDE_LEGACY].name, conf->backends[SIDE_NEW].name);
    return false;
}

static bool field_reason(const json_t *fields, enum row_reason *ret, struct err *err) {
    char text[64] = "";
    char names[256] = "";
    size_t used = 0;
    if (!field_text(fields, "reason", text, sizeof text, err))
        return false;
    if (!text[0])
        return true;
    for (unsigned r = REASON_NONE + 1; r < ROW_REASONS; r++) {
        if (strcmp(text, row_reason_names[r]) == 0) {
            *ret = r;
            return true;
        }
        int n = snprintf(names + used, sizeof names - used, "%s%s", used ? ", " : "",
                         row_reason_names[r]);
        if (n > 0 && used + (size_t)n < sizeof names)
            used += (size_t)n;
    }
    err_set(err, "\"reason\" is \"%s\"; allowed are %s", text, names);
    return false;
}

/* ---- all together ---- */

static bool none_is_empty(const json_t *fields, struct err *err) {
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)fields, name, value) {
        if (json_is_string(value) && json_string_length(value) == 0) {
            err_set(err, "\"%s\" is empty; leave it out to have any", name);
            return false;
        }
    }
    return true;
}

bool row_filter_read(const json_t *fields, const struct conf *conf, uint64_t now_wall_us,
                     struct row_filter *ret, struct err *err) {
    struct row_filter f = {.side = SIDE_NONE, .reason = REASON_NONE};
    uint64_t limit = LIMIT_DEFAULT;
    if (!none_is_empty(fields, err) ||
        !field_text(fields, "source", f.source, sizeof f.source, err) ||
        !field_text(fields, "type", f.type, sizeof f.type, err) ||
        !field_text(fields, "entity", f.entity, sizeof f.entity, err) ||
        !field_side(fields, "backend", conf, &f.side, err) ||
        !field_reason(fields, &f.reason, err) ||
        !field_time(fields, "since", now_wall_us, &f.since_us, err) ||
        !field_time(fields, "until", now_wall_us, &f.until_us, err) ||
        !field_u64(fields, "after", &f.after, err) || !field_u64(fields, "limit", &limit, err) ||
        !field_bool(fields, "count", &f.count, err))
        return false;
    if (limit < 1 || limit > ROW_LIST_MAX) {
        err_set(err, "\"limit\" is %llu; allowed are 1 to %d", (unsigned long long)limit,
                ROW_LIST_MAX);
        return false;
    }
    f.limit = (uint32_t)limit;
    *ret = f;
    return true;
}

static bool put_member(struct buf *out, const char *name, const char *value) {
    return !value[0] || (buf_printf(out, "&%s=", name) && buf_put_escaped(out, slice_of(value)));
}

/* Rounded up to what the text can show: what changed before `until` stays before it. */
static bool put_time(struct buf *out, const char *name, uint64_t wall_us) {
    char text[32] = "";
    if (wall_us)
        clock_rfc3339((wall_us + 999) / 1000 * 1000, text);
    return put_member(out, name, text);
}

bool row_filter_next(const struct row_filter *f, const char *path, uint64_t after,
                     struct buf *out) {
    return buf_printf(out, "%s?limit=%u&after=%llu", path, f->limit, (unsigned long long)after) &&
           put_member(out, "source", f->source) && put_member(out, "type", f->type) &&
           put_member(out, "entity", f->entity) &&
           put_member(out, "backend", f->side == SIDE_NONE ? "" : side_names[f->side]) &&
           put_member(out, "reason", f->reason ? row_reason_names[f->reason] : "") &&
           put_time(out, "since", f->since_us) && put_time(out, "until", f->until_us);
}

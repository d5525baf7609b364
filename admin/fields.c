/* Reads members of a JSON body or a query, strictly: unknown names and wrong types are errors. */
#include "fields.h"

#include <stdio.h>
#include <string.h>

#include <pointsman/router.h>

#include "request.h"

static void list_names(const char *const *allowed, char *out, size_t cap) {
    size_t used = 0;
    out[0] = 0;
    for (; *allowed; allowed++) {
        int n = snprintf(out + used, cap - used, "%s%s", used ? ", " : "", *allowed);
        if (n < 0 || used + (size_t)n >= cap)
            return;
        used += (size_t)n;
    }
}

static bool is_allowed(const char *name, const char *const *allowed, struct err *err) {
    char names[200];
    for (const char *const *a = allowed; *a; a++) {
        if (strcmp(name, *a) == 0)
            return true;
    }
    list_names(allowed, names, sizeof names);
    err_set(err, "\"%.64s\" is not known here; allowed: %s", name, names[0] ? names : "nothing");
    return false;
}

bool fields_of_body(const struct request *x, const char *const *allowed, json_t **ret,
                    struct err *err) {
    struct slice body = slice_trim_space(buf_slice(&x->body));
    json_error_t where;
    const char *name;
    json_t *value;
    json_t *json =
        body.len ? json_loadb(body.ptr, body.len, JSON_REJECT_DUPLICATES, &where) : json_object();
    if (!json) {
        err_set(err, "the body is no JSON: %s (line %d)", body.len ? where.text : "no memory",
                body.len ? where.line : 0);
        return false;
    }
    if (!json_is_object(json)) {
        err_set(err, "the body is no JSON object");
        json_decref(json);
        return false;
    }
    json_object_foreach(json, name, value) {
        if (!is_allowed(name, allowed, err)) {
            json_decref(json);
            return false;
        }
    }
    *ret = json;
    return true;
}

/* One "name=value" of the query. */
static bool add_pair(json_t *json, struct slice pair, const char *const *allowed, struct err *err) {
    char name[128];
    char value[2048];
    const char *eq = memchr(pair.ptr, '=', pair.len);
    size_t n = eq ? (size_t)(eq - pair.ptr) : pair.len;
    struct slice raw = eq ? slice(eq + 1, pair.len - n - 1) : slice_of("");
    if (!percent_decode(slice(pair.ptr, n), true, name, sizeof name) ||
        !percent_decode(raw, true, value, sizeof value)) {
        err_set(err, "the query has a broken %%-escape, a NUL or a value that is too long");
        return false;
    }
    if (!is_allowed(name, allowed, err))
        return false;
    if (json_object_get(json, name)) {
        err_set(err, "the query has \"%s\" twice", name);
        return false;
    }
    if (json_object_set_new(json, name, json_string(value)) != 0) {
        err_set(err, "the value of \"%s\" is not UTF-8", name);
        return false;
    }
    return true;
}

bool fields_of_query(const struct request *x, const char *const *allowed, json_t **ret,
                     struct err *err) {
    struct slice rest = request_query(x);
    json_t *json = json_object();
    while (json && rest.len) {
        const char *and = memchr(rest.ptr, '&', rest.len);
        size_t n = and? (size_t)(and-rest.ptr) : rest.len;
        if (n && !add_pair(json, slice(rest.ptr, n), allowed, err)) {
            json_decref(json);
            return false;
        }
        size_t used = and? n + 1 : n;
        rest = slice(rest.ptr + used, rest.len - used);
    }
    if (!json) {
        err_set(err, "no memory");
        return false;
    }
    *ret = json;
    return true;
}

static const json_t *member(const json_t *fields, const char *name) {
    const json_t *value = json_object_get(fields, name);
    return json_is_null(value) ? NULL : value;
}

bool field_text(const json_t *fields, const char *name, char *ret, size_t cap, struct err *err) {
    const json_t *value = member(fields, name);
    if (!value)
        return true;
    size_t len = json_string_length(value);
    if (!json_is_string(value) || len >= cap) {
        err_set(err, "\"%s\" has to be a string of at most %zu bytes", name, cap - 1);
        return false;
    }
    memcpy(ret, json_string_value(value), len + 1);
    return true;
}

bool field_bool(const json_t *fields, const char *name, bool *ret, struct err *err) {
    const json_t *value = member(fields, name);
    struct slice text = slice_of(json_string_value(value));
    if (!value)
        return true;
    if (json_is_true(value) || slice_iis(text, "true") || slice_is(text, "1")) {
        *ret = true;
    } else if (json_is_false(value) || slice_iis(text, "false") || slice_is(text, "0")) {
        *ret = false;
    } else {
        err_set(err, "\"%s\" has to be true or false", name);
        return false;
    }
    return true;
}

bool field_u64(const json_t *fields, const char *name, uint64_t *ret, struct err *err) {
    const json_t *value = member(fields, name);
    if (!value)
        return true;
    if (json_is_integer(value) && json_integer_value(value) >= 0) {
        *ret = (uint64_t)json_integer_value(value);
        return true;
    }
    if (json_is_string(value) && slice_to_u64(slice_of(json_string_value(value)), ret))
        return true;
    err_set(err, "\"%s\" has to be a whole number from 0 on", name);
    return false;
}

bool field_percentage(const json_t *fields, const char *name, bool *ret_has, uint32_t *ret_ppm,
                      struct err *err) {
    const json_t *value = member(fields, name);
    char number[32] = "";
    const char *text = number;
    if (!value)
        return true;
    if (json_is_number(value)) /* 15 digits: what was typed, without the noise of doubles */
        snprintf(number, sizeof number, "%.15g", json_number_value(value));
    else if (json_is_string(value))
        text = json_string_value(value);
    if (!percentage_parse(slice_of(text), ret_ppm)) {
        err_set(err, "\"%s\" is %s%.40s%s; allowed are 0 to 100 with up to four decimals", name,
                *text ? "\"" : "", *text ? text : "of another type", *text ? "\"" : "");
        return false;
    }
    *ret_has = true;
    return true;
}

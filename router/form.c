/* The field `payload` of a form body, decoded strictly. */
#include "form.h"

#include <string.h>

/* WHATWG URL §5.1, but a '%' without two hex digits is an error. *ret_bad_at: where, on failure. */
static bool decode(struct slice in, char *out, size_t *ret_len, size_t *ret_bad_at) {
    size_t len = 0;
    for (size_t i = 0; i < in.len; i++) {
        char c = in.ptr[i];
        if (c == '+') {
            c = ' ';
        } else if (c == '%') {
            int high = i + 2 < in.len ? hex_value(in.ptr[i + 1]) : -1;
            int low = i + 2 < in.len ? hex_value(in.ptr[i + 2]) : -1;
            if (high < 0 || low < 0) {
                *ret_bad_at = i;
                return false;
            }
            c = (char)(high * 16 + low);
            i += 2;
        }
        out[len++] = c;
    }
    *ret_len = len;
    return true;
}

static size_t find(struct slice s, char c) {
    const char *at = s.len ? memchr(s.ptr, c, s.len) : NULL;
    return at ? (size_t)(at - s.ptr) : s.len;
}

bool form_payload(struct slice body, char *out, struct slice *ret, struct err *err) {
    struct slice payload = {0};
    struct slice rest = body;
    size_t used = 0;
    while (rest.len > 0) {
        struct slice field = slice(rest.ptr, find(rest, '&'));
        size_t taken = field.len + (field.len < rest.len ? 1 : 0);
        rest = slice(rest.ptr + taken, rest.len - taken);
        if (field.len == 0)
            continue;
        struct slice name = slice(field.ptr, find(field, '='));
        size_t value_at = name.len + (name.len < field.len ? 1 : 0);
        struct slice value = slice(field.ptr + value_at, field.len - value_at);
        char *name_out = out + used;
        size_t name_len, value_len, bad_at;
        if (!decode(name, name_out, &name_len, &bad_at)) {
            err_set(err, "the form has a '%%' without two hex digits at byte %zu",
                    (size_t)(name.ptr - body.ptr) + bad_at);
            return false;
        }
        if (!decode(value, name_out + name_len, &value_len, &bad_at)) {
            err_set(err, "the form has a '%%' without two hex digits at byte %zu",
                    (size_t)(value.ptr - body.ptr) + bad_at);
            return false;
        }
        used += name_len + value_len;
        if (!slice_is(slice(name_out, name_len), "payload"))
            continue;
        if (payload.ptr) {
            err_set(err, "the form has the field `payload` twice; exactly one is needed");
            return false;
        }
        payload = slice(name_out + name_len, value_len);
    }
    if (!payload.ptr) {
        err_set(err, "the form has no field `payload`");
        return false;
    }
    *ret = payload;
    return true;
}

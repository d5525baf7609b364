/* Numbers that are valid JSON but too large for simdjson are taken out of its way. */
#include "json_mask.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <pointsman/slice.h>

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static size_t digits_at(struct slice s, size_t at) {
    size_t n = 0;
    while (at + n < s.len && is_digit(s.ptr[at + n]))
        n++;
    return n;
}

/* RFC 8259 §6. */
static bool is_number(struct slice token, bool *ret_is_integer) {
    size_t at = token.len > 0 && token.ptr[0] == '-' ? 1 : 0;
    size_t whole = digits_at(token, at);
    if (whole == 0 || (whole > 1 && token.ptr[at] == '0'))
        return false;
    at += whole;
    *ret_is_integer = at == token.len;
    if (at < token.len && token.ptr[at] == '.') {
        size_t fraction = digits_at(token, at + 1);
        if (fraction == 0)
            return false;
        at += 1 + fraction;
    }
    if (at < token.len && (token.ptr[at] == 'e' || token.ptr[at] == 'E')) {
        at++;
        if (at < token.len && (token.ptr[at] == '+' || token.ptr[at] == '-'))
            at++;
        size_t exponent = digits_at(token, at);
        if (exponent == 0)
            return false;
        at += exponent;
    }
    return at == token.len;
}

static bool must_mask(struct slice token) {
    bool is_integer;
    uint64_t value;
    if (token.len < 3 || !is_number(token, &is_integer))
        return false;
    return !is_integer || !slice_to_u64(token, &value);
}

static size_t token_length(const char *text, size_t len) {
    size_t n = 0;
    while (n < len && (is_digit(text[n]) || (text[n] != '\0' && strchr("+-.eE", text[n]))))
        n++;
    return n;
}

void json_mask_numbers(char *text, size_t len) {
    bool in_string = false;
    for (size_t i = 0; i < len;) {
        size_t step = 1;
        if (in_string && text[i] == '\\') {
            step = 2;
        } else if (text[i] == '"') {
            in_string = !in_string;
        } else if (!in_string && (text[i] == '-' || is_digit(text[i]))) {
            step = token_length(text + i, len - i);
            if (must_mask(slice(text + i, step))) {
                memset(text + i, ' ', step);
                text[i] = '-';
                text[i + 1] = '1';
            }
        }
        i += step;
    }
}

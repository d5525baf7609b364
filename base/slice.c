/* Compares, trims and reads numbers from slices; ASCII only, whatever the locale. */
#include <pointsman/slice.h>

static uint64_t eight(const char *p) {
    uint64_t x;
    memcpy(&x, p, sizeof x);
    return x;
}

/* In each byte bit 5 is set where it holds 'A' to 'Z'; others stay. */
static uint64_t eight_lower(uint64_t x) {
    const uint64_t ones = UINT64_MAX / 255;
    uint64_t low = x & ones * 0x7f;
    uint64_t from_a = low + ones * (0x80 - 'A'), above_z = low + ones * (0x80 - 'Z' - 1);
    return x | (((from_a & ~above_z & ~x) & ones * 0x80) >> 2);
}

/* Most letters have the case of those they are compared with. */
static bool eight_ieq(uint64_t a, uint64_t b) {
    return a == b || eight_lower(a) == eight_lower(b);
}

static unsigned char to_lower(char c) {
    return c >= 'A' && c <= 'Z' ? (unsigned char)(c - 'A' + 'a') : (unsigned char)c;
}

bool slice_ieq_rest(struct slice a, struct slice b) {
    size_t at = 0;
    if (a.len >= 8) {
        for (; at < a.len - 8; at += 8)
            if (!eight_ieq(eight(a.ptr + at), eight(b.ptr + at)))
                return false;
        return eight_ieq(eight(a.ptr + a.len - 8), eight(b.ptr + a.len - 8));
    }
    for (; at < a.len; at++)
        if (a.ptr[at] != b.ptr[at] && to_lower(a.ptr[at]) != to_lower(b.ptr[at]))
            return false;
    return true;
}

static bool is_ows(char c) {
    return c == ' ' || c == '\t';
}

static bool is_space(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static struct slice trim(struct slice s, bool (*drop)(char c)) {
    while (s.len > 0 && drop(s.ptr[0])) {
        s.ptr++;
        s.len--;
    }
    while (s.len > 0 && drop(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

struct slice slice_trim_ows(struct slice s) {
    return trim(s, is_ows);
}

struct slice slice_trim_space(struct slice s) {
    return trim(s, is_space);
}

bool slice_to_u64(struct slice s, uint64_t *ret) {
    uint64_t value = 0;
    if (s.len == 0)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9')
            return false;
        unsigned digit = (unsigned)(s.ptr[i] - '0');
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, digit, &value))
            return false;
    }
    *ret = value;
    return true;
}

int hex_value(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

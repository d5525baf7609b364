/* Parsers of single values: durations, sizes, modes, percentages. Strict, but trimmed and without
 * case. */
#include <pointsman/conf.h>

struct unit {
    const char *name;
    uint64_t factor;
};

static const struct unit duration_units[] = {
    {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000},
};
/* KB and MB are missing on purpose: people read them as both 1000 and 1024. */
static const struct unit size_units[] = {
    {"", 1},
    {"B", 1},
    {"KiB", UINT64_C(1) << 10},
    {"MiB", UINT64_C(1) << 20},
    {"GiB", UINT64_C(1) << 30},
};

static size_t digits_at_front(struct slice s) {
    size_t n = 0;
    while (n < s.len && s.ptr[n] >= '0' && s.ptr[n] <= '9')
        n++;
    return n;
}

static bool parse_with_unit(struct slice text, const struct unit *units, size_t count,
                            uint64_t *ret) {
    text = slice_trim_space(text);
    size_t digits = digits_at_front(text);
    uint64_t number;
    if (!slice_to_u64(slice(text.ptr, digits), &number))
        return false;
    struct slice unit = slice(text.ptr + digits, text.len - digits);
    for (size_t i = 0; i < count; i++) {
        if (!slice_iis(unit, units[i].name))
            continue;
        if (number > UINT64_MAX / units[i].factor)
            return false;
        *ret = number * units[i].factor;
        return true;
    }
    return false;
}

bool conf_parse_duration_ms(struct slice text, uint64_t *ret) {
    return parse_with_unit(text, duration_units, ARRAY_LEN(duration_units), ret);
}

bool conf_parse_size(struct slice text, uint64_t *ret) {
    return parse_with_unit(text, size_units, ARRAY_LEN(size_units), ret);
}

static bool is_only_of(struct slice text, const char *name) {
    static const char suffix[] = "_only";
    const size_t suffix_len = sizeof(suffix) - 1;
    if (!name || !*name || text.len <= suffix_len)
        return false;
    size_t name_len = text.len - suffix_len;
    return slice_iis(slice(text.ptr + name_len, suffix_len), suffix) &&
           slice_iis(slice(text.ptr, name_len), name);
}

bool conf_parse_mode(struct slice text, const char *legacy_name, const char *new_name,
                     enum mode *ret) {
    text = slice_trim_space(text);
    for (int i = 0; i < MODES; i++) {
        if (slice_iis(text, mode_names[i])) {
            *ret = (enum mode)i;
            return true;
        }
    }
    if (is_only_of(text, legacy_name)) {
        *ret = MODE_LEGACY_ONLY;
        return true;
    }
    if (is_only_of(text, new_name)) {
        *ret = MODE_NEW_ONLY;
        return true;
    }
    return false;
}

bool conf_parse_percentage(struct slice text, uint32_t *ret_ppm) {
    text = slice_trim_space(text);
    if (text.len > 0 && text.ptr[text.len - 1] == '%')
        text = slice_trim_space(slice(text.ptr, text.len - 1));
    size_t whole_len = digits_at_front(text);
    if (whole_len == 0 || whole_len > 3)
        return false;
    uint32_t ppm = 0;
    for (size_t i = 0; i < whole_len; i++)
        ppm = ppm * 10 + (uint32_t)(text.ptr[i] - '0');
    size_t decimals = 0;
    if (whole_len < text.len) {
        struct slice fraction = slice(text.ptr + whole_len + 1, text.len - whole_len - 1);
        decimals = digits_at_front(fraction);
        if (text.ptr[whole_len] != '.' || decimals == 0 || decimals > 4 || decimals < fraction.len)
            return false;
        for (size_t i = 0; i < decimals; i++)
            ppm = ppm * 10 + (uint32_t)(fraction.ptr[i] - '0');
    }
    for (size_t i = decimals; i < 4; i++)
        ppm *= 10;
    if (ppm > PPM_ALL)
        return false;
    *ret_ppm = ppm;
    return true;
}

/* Mode and percentage as people write them, and the pair that what was SET means. */
#include <pointsman/router.h>

#include <stdio.h>
#include <string.h>

#include <pointsman/text.h>

bool mode_parse(struct slice text, const struct conf *conf, enum mode *ret) {
    return conf_parse_mode(text, conf->backends[SIDE_LEGACY].name, conf->backends[SIDE_NEW].name,
                           ret);
}

bool percentage_parse(struct slice text, uint32_t *ret_ppm) {
    return conf_parse_percentage(text, ret_ppm);
}

void percentage_print(uint32_t ppm, char out[16]) {
    const uint32_t percent = PPM_ALL / 100;
    uint32_t rest = ppm % percent;
    struct text t;
    text_begin(&t, out, 16);
    text_put_u64(&t, ppm / percent);
    text_put(&t, rest ? "." : "");
    for (uint32_t unit = percent / 10; rest > 0; rest %= unit, unit /= 10)
        text_put_u64(&t, rest / unit);
}

#define QUOTED_MAX 64

/* A value from outside for a message: cut, and what is not printable ASCII as \xHH. */
static void quote(struct slice value, char out[4 * QUOTED_MAX + 4]) {
    size_t len = 0;
    for (size_t i = 0; i < value.len && i < QUOTED_MAX; i++) {
        unsigned char c = (unsigned char)value.ptr[i];
        if (c >= 0x20 && c <= 0x7e && c != '"' && c != '\\')
            out[len++] = (char)c;
        else
            len += (size_t)snprintf(out + len, 5, "\\x%02x", c);
    }
    memcpy(out + len, value.len > QUOTED_MAX ? "..." : "", value.len > QUOTED_MAX ? 4 : 1);
}

static void set_mode_error(struct slice raw, const struct conf *conf, struct err *err) {
    const char *legacy = conf->backends[SIDE_LEGACY].name;
    const char *new = conf->backends[SIDE_NEW].name;
    char quoted[4 * QUOTED_MAX + 4];
    quote(raw, quoted);
    err_set(err, "system_mode is \"%s\"; allowed are %s, %s, %s, %s, %s, %s_only, %s_only", quoted,
            mode_names[MODE_LEGACY_ONLY], mode_names[MODE_NEW_ONLY], mode_names[MODE_PARALLEL],
            mode_names[MODE_GRADUAL], mode_names[MODE_EMERGENCY_ROLLBACK], legacy, new);
}

bool control_read(struct slice raw_mode, struct slice raw_percentage, const struct conf *conf,
                  struct control *ret, struct err *err) {
    struct control control = {.mode = MODE_LEGACY_ONLY};
    if (raw_mode.ptr && !mode_parse(raw_mode, conf, &control.mode)) {
        set_mode_error(raw_mode, conf, err);
        return false;
    }
    if (raw_percentage.ptr && !percentage_parse(raw_percentage, &control.ppm)) {
        char quoted[4 * QUOTED_MAX + 4];
        quote(raw_percentage, quoted);
        err_set(err, "rollout_percentage is \"%s\"; allowed are 0 to 100 with up to four decimals",
                quoted);
        return false;
    }
    *ret = control;
    return true;
}

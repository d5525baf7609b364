/* Setters for values that are one scalar. */
#include "set.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>

#include "address.h"

void setting_error(const struct setting *s, unsigned line, const char *format, ...) {
    char text[480];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    problems_error(s->problems, line, "%s: %s", s->shown, text);
}

void setting_refuse_silently(const struct setting *s, unsigned line, const char *what) {
    struct text allowed = {0};
    option_add_allowed(s->option, &allowed);
    setting_error(s, line, "%s; allowed: %s", what, allowed.bytes);
}

void setting_refuse(const struct setting *s, const char *what) {
    struct text text = {0};
    if (s->node->kind == NODE_SCALAR)
        text_add_quoted(&text, node_text(s->node));
    else
        text_add(&text, s->node->kind == NODE_MAP ? "a block" : "a list");
    text_add(&text, " %s; allowed: ", what);
    option_add_allowed(s->option, &text);
    setting_error(s, s->node->line, "%s", text.bytes);
}

static void write_number(const struct setting *s, uint64_t value) {
    void *at = setting_field(s);
    switch (s->option->width) {
    case sizeof(uint8_t):
        *(uint8_t *)at = (uint8_t)value;
        break;
    case sizeof(uint16_t):
        *(uint16_t *)at = (uint16_t)value;
        break;
    case sizeof(uint32_t):
        *(uint32_t *)at = (uint32_t)value;
        break;
    default:
        *(uint64_t *)at = value;
        break;
    }
}

static char *write_text(const struct setting *s) {
    char *copy = strdup(s->node->text);
    if (!copy)
        problems_no_memory(s->problems);
    *(char **)setting_field(s) = copy;
    return copy;
}

bool setting_in_range(const struct setting *s, uint64_t value) {
    if (value >= s->option->min && value <= s->option->max)
        return true;
    setting_refuse(s, value < s->option->min ? "is too little" : "is too much");
    return false;
}

static void set_text(const struct setting *s) {
    struct slice text = node_text(s->node);
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.ptr[i] < 0x20 || text.ptr[i] == 0x7f) {
            setting_refuse(s, "has a control character");
            return;
        }
    }
    if (text.len < s->option->min || text.len > s->option->max)
        setting_refuse(s, text.len == 0 ? "is empty" : "is too long");
    else
        (void)write_text(s);
}

static void set_name(const struct setting *s) {
    struct slice text = node_text(s->node);
    bool good = text.len >= 1 && text.len <= SOURCE_NAME_MAX;
    for (size_t i = 0; good && i < text.len; i++)
        good = isalnum((unsigned char)text.ptr[i]) || text.ptr[i] == '_' || text.ptr[i] == '-';
    if (!good) {
        setting_refuse(s, "is no name");
        return;
    }
    for (char *c = write_text(s); c && *c; c++)
        *c = (char)tolower((unsigned char)*c);
}

static void set_path(const struct setting *s) {
    if (path_is_valid(node_text(s->node)) && s->node->len < 1024)
        (void)write_text(s);
    else
        setting_refuse(s, "is no path");
}

static void set_bool(const struct setting *s) {
    static const char *const words[] = {"false", "true", "off", "on", "no", "yes"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (slice_iis(node_text(s->node), words[i])) {
            write_number(s, i % 2);
            return;
        }
    }
    setting_refuse(s, "is neither true nor false");
}

static void set_word(const struct setting *s) {
    for (const struct word *w = s->option->words; w->text; w++) {
        if (!slice_iis(node_text(s->node), w->text))
            continue;
        write_number(s, w->value);
        return;
    }
    setting_refuse(s, "is not known");
}

static void set_count(const struct setting *s) {
    uint64_t value;
    if (!slice_to_u64(node_text(s->node), &value))
        setting_refuse(s, "is no whole number");
    else if (setting_in_range(s, value))
        write_number(s, value);
}

static void set_duration(const struct setting *s) {
    uint64_t value;
    if (!conf_parse_duration_ms(node_text(s->node), &value))
        setting_refuse(s, "is no duration");
    else if (setting_in_range(s, value))
        write_number(s, value);
}

static void set_size(const struct setting *s) {
    uint64_t value;
    if (!conf_parse_size(node_text(s->node), &value))
        setting_refuse(s, "is no size");
    else if (setting_in_range(s, value))
        write_number(s, value);
}

static void set_address(const struct setting *s) {
    const char *why;
    if (address_parse(node_text(s->node), setting_field(s), &why))
        return;
    if (why)
        setting_refuse(s, why);
    else
        problems_no_memory(s->problems);
}

static void refuse_url(const struct setting *s, const char *why) {
    if (!why) {
        problems_no_memory(s->problems);
        return;
    }
    struct text text = {0};
    url_add_shown(&text, node_text(s->node));
    text_add(&text, " %s; allowed: ", why);
    option_add_allowed(s->option, &text);
    setting_error(s, s->node->line, "%s", text.bytes);
}

static void set_url(const struct setting *s) {
    const char *why;
    if (!url_parse(node_text(s->node), setting_field(s), &why))
        refuse_url(s, why);
}

static void set_redis(const struct setting *s) {
    struct conf *conf = s->base;
    struct redis_login login;
    const char *why;
    if (!redis_url_parse(node_text(s->node), &conf->redis, &login, &why)) {
        refuse_url(s, why);
        return;
    }
    conf->redis_user = login.user;
    conf->redis_password = login.password;
    conf->redis_db = login.db;
}

static void set_sticky(const struct setting *s) {
    struct conf *conf = s->base;
    uint64_t ms;
    if (slice_iis(node_text(s->node), "in_flight")) {
        conf->sticky = STICKY_IN_FLIGHT;
    } else if (slice_iis(node_text(s->node), "closed")) {
        conf->sticky = STICKY_CLOSED;
        conf->sticky_ms = s->option->max;
    } else if (!conf_parse_duration_ms(node_text(s->node), &ms)) {
        setting_refuse(s, "is no duration");
    } else if (setting_in_range(s, ms)) {
        conf->sticky = STICKY_DURATION;
        conf->sticky_ms = ms;
    }
}

static void set_mode(const struct setting *s) {
    struct conf *conf = s->base;
    if (conf_parse_mode(node_text(s->node), s->names[SIDE_LEGACY], s->names[SIDE_NEW],
                        &conf->start_mode))
        conf->has_start = true;
    else
        setting_refuse(s, "is no mode");
}

static void set_percentage(const struct setting *s) {
    uint32_t ppm;
    if (!conf_parse_percentage(node_text(s->node), &ppm))
        setting_refuse(s, "is no percentage");
    else if (setting_in_range(s, ppm))
        write_number(s, ppm);
}

static const struct {
    void (*set)(const struct setting *s);
    bool takes_blocks; /* judges lists and blocks itself */
} setters[OPTION_TYPES] = {
    [OPTION_TEXT] = {set_text, false},         [OPTION_NAME] = {set_name, false},
    [OPTION_PATH] = {set_path, false},         [OPTION_BOOL] = {set_bool, false},
    [OPTION_WORD] = {set_word, false},         [OPTION_COUNT] = {set_count, false},
    [OPTION_DURATION] = {set_duration, false}, [OPTION_SIZE] = {set_size, false},
    [OPTION_ADDRESS] = {set_address, false},   [OPTION_URL] = {set_url, false},
    [OPTION_REDIS] = {set_redis, false},       [OPTION_STICKY] = {set_sticky, false},
    [OPTION_MODE] = {set_mode, false},         [OPTION_PERCENTAGE] = {set_percentage, false},
    [OPTION_SECRETS] = {set_secrets, true},    [OPTION_TOKEN] = {set_token, true},
    [OPTION_HEADERS] = {set_headers, true},    [OPTION_STATUSES] = {set_statuses, true},
    [OPTION_FILTER] = {set_filter, true},      [OPTION_LADDER] = {set_ladder, true},
};

bool setting_is_scalar(const struct option *o) {
    return !setters[o->type].takes_blocks;
}

void setting_apply(const struct setting *s) {
    if (setters[s->option->type].takes_blocks || s->node->kind == NODE_SCALAR)
        setters[s->option->type].set(s);
    else
        setting_refuse(s, "cannot stand here");
}

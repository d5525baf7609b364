/* Setters for values that are lists or blocks: headers, statuses, filters, the ladder. */
#include <ctype.h>
#include <stdlib.h>

#include "set.h"

/* RFC 9110 §5.6.2 */
static bool is_token(struct slice text, size_t max) {
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c >= 0x80 || (!isalnum(c) && !strchr("!#$%&'*+-.^_`|~", c)))
            return false;
    }
    return text.len > 0 && text.len <= max;
}

/* Those that frame a message, name its host or are about this hop, and our own. */
static bool is_reserved(struct slice name) {
    static const char *const reserved[] = {
        "Host",       "Content-Length",  "Transfer-Encoding",
        "Connection", "Keep-Alive",      "Upgrade",
        "TE",         "Trailer",         "Expect",
        "Via",        "Idempotency-Key", "Proxy-Connection",
    };
    static const char own[] = "X-Pointsman-";
    for (size_t i = 0; i < ARRAY_LEN(reserved); i++) {
        if (slice_iis(name, reserved[i]))
            return true;
    }
    return name.len >= sizeof(own) - 1 && slice_iis(slice(name.ptr, sizeof(own) - 1), own);
}

/* Values are not shown: they carry passwords of backends. */
static bool header_is_good(const struct setting *s, const struct node *node) {
    struct text name = text_quoted(slice_of(node->key));
    if (!is_token(slice_of(node->key), 128)) {
        setting_error(s, node->line, "%s is no name of a header field", name.bytes);
        return false;
    }
    if (is_reserved(slice_of(node->key))) {
        setting_error(s, node->line, "%s is set by pointsman itself; leave it out", name.bytes);
        return false;
    }
    bool good = node->kind == NODE_SCALAR && node->len <= 4096;
    for (size_t i = 0; good && i < node->len; i++) {
        unsigned char c = (unsigned char)node->text[i];
        good = c == '\t' || (c >= 0x20 && c < 0x7f);
    }
    if (!good)
        setting_error(s, node->line,
                      "the value of %s cannot be sent; allowed: up to 4096 bytes of printable "
                      "ASCII",
                      name.bytes);
    for (const struct node *other = s->node->first; good && other != node; other = other->next) {
        if (slice_ieq(slice_of(other->key), slice_of(node->key))) {
            setting_error(s, node->line, "%s stands twice", name.bytes);
            return false;
        }
    }
    return good;
}

void set_headers(const struct setting *s) {
    struct conf_backend *backend = s->base;
    if (s->node->kind != NODE_MAP || s->node->count > s->option->max) {
        setting_refuse_silently(s, s->node->line,
                                s->node->kind == NODE_MAP ? "there are too many"
                                                          : "what stands here is no block");
        return;
    }
    backend->headers = calloc(s->node->count + 1, sizeof(*backend->headers));
    if (!backend->headers) {
        problems_no_memory(s->problems);
        return;
    }
    for (const struct node *n = s->node->first; n; n = n->next) {
        if (!header_is_good(s, n))
            continue;
        struct slice value = slice_trim_ows(node_text(n));
        struct conf_pair *pair = &backend->headers[backend->header_count++];
        pair->name = strdup(n->key);
        pair->value = strndup(value.ptr, value.len);
        if (!pair->name || !pair->value)
            problems_no_memory(s->problems);
    }
}

static bool has_status(const struct conf_backend *backend, uint64_t status) {
    for (size_t i = 0; i < backend->not_done_count; i++) {
        if (backend->not_done[i] == status)
            return true;
    }
    return false;
}

void set_statuses(const struct setting *s) {
    struct conf_backend *backend = s->base;
    if (s->node->kind != NODE_LIST) {
        setting_refuse(s, "is no list");
        return;
    }
    /* no more than there are statuses, as each may stand once */
    backend->not_done = calloc(s->option->max - s->option->min + 1, sizeof(*backend->not_done));
    if (!backend->not_done) {
        problems_no_memory(s->problems);
        return;
    }
    for (const struct node *n = s->node->first; n; n = n->next) {
        struct setting item = *s;
        uint64_t status;
        item.node = n;
        if (n->kind != NODE_SCALAR || !slice_to_u64(node_text(n), &status) ||
            status < s->option->min || status > s->option->max)
            setting_refuse(&item, "is no status that can mean not done");
        else if (has_status(backend, status))
            setting_refuse(&item, "stands twice");
        else
            backend->not_done[backend->not_done_count++] = (uint16_t)status;
    }
}

static bool take_actions(const struct setting *s, const struct node *list,
                         struct conf_filter *row) {
    if (list->kind == NODE_SCALAR && slice_iis(node_text(list), "all"))
        return true;
    if (list->kind != NODE_LIST || list->count == 0) {
        setting_error(s, list->line,
                      "%s has no list of actions; allowed: a list like [opened, edited], or the "
                      "word all",
                      text_quoted(slice_of(list->key)).bytes);
        return false;
    }
    row->actions = calloc(list->count, sizeof(*row->actions));
    if (!row->actions) {
        problems_no_memory(s->problems);
        return false;
    }
    for (const struct node *n = list->first; n; n = n->next) {
        struct setting item = *s;
        item.node = n;
        if (n->kind != NODE_SCALAR || !is_token(node_text(n), EVENT_ACTION_MAX)) {
            setting_refuse(&item, "is no action");
            continue;
        }
        row->actions[row->action_count] = strdup(n->text);
        if (row->actions[row->action_count])
            row->action_count++;
        else
            problems_no_memory(s->problems);
    }
    return true;
}

void set_filter(const struct setting *s) {
    struct conf_source *source = s->base;
    size_t count = s->node->count;
    if (s->node->kind != NODE_MAP || count == 0 || count > s->option->max) {
        setting_refuse(s, s->node->kind != NODE_MAP ? "is no block of event types"
                          : count == 0 ? "is empty, so nothing would be wanted; leave it out"
                                       : "has too many event types");
        return;
    }
    source->only = calloc(count, sizeof(*source->only));
    if (!source->only) {
        problems_no_memory(s->problems);
        return;
    }
    for (const struct node *n = s->node->first; n; n = n->next) {
        struct conf_filter *row = &source->only[source->only_count];
        if (!is_token(slice_of(n->key), EVENT_TYPE_MAX)) {
            setting_error(s, n->line, "%s is no event type; allowed: like issues, pull_request",
                          text_quoted(slice_of(n->key)).bytes);
            continue;
        }
        row->type = strdup(n->key);
        source->only_count++;
        if (!row->type)
            problems_no_memory(s->problems);
        (void)take_actions(s, n, row);
    }
}

void set_ladder(const struct setting *s) {
    struct conf *conf = s->base;
    size_t count = s->node->count;
    if (s->node->kind != NODE_LIST || count == 0 || count > RETRY_STEPS_MAX) {
        setting_refuse(s, s->node->kind != NODE_LIST ? "is no list"
                          : count == 0               ? "is empty"
                                                     : "has too many steps");
        return;
    }
    conf->ladder_ms = calloc(count, sizeof(*conf->ladder_ms));
    if (!conf->ladder_ms) {
        problems_no_memory(s->problems);
        return;
    }
    for (const struct node *n = s->node->first; n; n = n->next) {
        struct setting item = *s;
        uint64_t ms;
        item.node = n;
        if (n->kind != NODE_SCALAR || !conf_parse_duration_ms(node_text(n), &ms))
            setting_refuse(&item, "is no duration");
        else if (setting_in_range(&item, ms))
            conf->ladder_ms[conf->ladder_count++] = (uint32_t)ms;
    }
}

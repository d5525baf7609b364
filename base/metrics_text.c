/* Prints all metrics in the Prometheus text format 0.0.4. */
#include "metrics_cells.h"

/* One label combination of one metric, on its way into the text. */
struct sample {
    const struct metric_def *def;
    unsigned index[3];
    struct buf *out;
};

static const char *const kind_names[] = {"counter", "gauge", "histogram"};

static bool put_char(struct buf *out, char c) {
    return buf_append(out, &c, 1);
}

/* Help text escapes \ and newline, a label value the double quote too. */
static bool put_escaped(struct buf *out, const char *text, bool quotes) {
    bool ok = true;
    for (; *text && ok; text++) {
        if (*text == '\n')
            ok = buf_puts(out, "\\n");
        else if (*text == '\\' || (*text == '"' && quotes))
            ok = put_char(out, '\\') && put_char(out, *text);
        else
            ok = put_char(out, *text);
    }
    return ok;
}

static bool put_i64(struct buf *out, int64_t value) {
    if (value < 0 && !put_char(out, '-'))
        return false;
    return buf_put_u64(out, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

/* Exact, without trailing zeros: 10 is 0.00001. */
static bool put_seconds(struct buf *out, uint64_t us) {
    char digits[7] = ".000000";
    size_t len = sizeof digits;
    uint64_t rest = us % 1000000;
    for (size_t at = sizeof digits - 1; at > 0; at--, rest /= 10)
        digits[at] = (char)('0' + rest % 10);
    while (digits[len - 1] == '0')
        len--;
    return buf_put_u64(out, us / 1000000) && buf_append(out, digits, len == 1 ? 0 : len);
}

static bool put_labels(const struct sample *s) {
    for (int i = 0; i < 3 && s->def->labels[i].name; i++) {
        const struct metric_label *label = &s->def->labels[i];
        if (!put_char(s->out, i == 0 ? '{' : ',') || !buf_puts(s->out, label->name) ||
            !buf_puts(s->out, "=\"") || !put_escaped(s->out, label->values[s->index[i]], true) ||
            !put_char(s->out, '"'))
            return false;
    }
    return true;
}

static bool put_name(const struct sample *s, const char *suffix) {
    const char *end = s->def->labels[0].name ? "} " : " ";
    return buf_puts(s->out, s->def->name) && buf_puts(s->out, suffix) && put_labels(s) &&
           buf_puts(s->out, end);
}

static bool put_bucket(const struct sample *s, size_t bucket, uint64_t count) {
    bool ok = buf_puts(s->out, s->def->name) && buf_puts(s->out, "_bucket") && put_labels(s) &&
              put_char(s->out, s->def->labels[0].name ? ',' : '{') && buf_puts(s->out, "le=\"");
    if (ok && bucket < METRICS_BOUNDS)
        ok = put_seconds(s->out, metrics_bounds_us[bucket]);
    else if (ok)
        ok = buf_puts(s->out, "+Inf");
    return ok && buf_puts(s->out, "\"} ") && buf_put_u64(s->out, count) && put_char(s->out, '\n');
}

static bool put_histogram(struct metrics *m, const struct sample *s, size_t cell) {
    uint64_t counts[METRICS_BUCKETS];
    uint64_t seen = 0;
    uint64_t total = metrics_sum_buckets(m, cell, counts);
    for (size_t i = 0; i < METRICS_BUCKETS; i++) {
        seen += counts[i];
        if (!put_bucket(s, i, seen))
            return false;
    }
    uint64_t sum_us = (uint64_t)metrics_sum_cell(m, cell + METRICS_SUM_CELL);
    return put_name(s, "_sum") && put_seconds(s->out, sum_us) && put_char(s->out, '\n') &&
           put_name(s, "_count") && buf_put_u64(s->out, total) && put_char(s->out, '\n');
}

static bool put_sample(struct metrics *m, const struct sample *s, size_t cell) {
    if (s->def->kind == METRIC_HISTOGRAM)
        return put_histogram(m, s, cell);
    return put_name(s, "") && put_i64(s->out, metrics_sum_cell(m, cell)) && put_char(s->out, '\n');
}

static bool put_metric(struct metrics *m, unsigned def, struct buf *out) {
    const struct metrics_layout *layout = &m->layouts[def];
    struct sample s = {.def = &m->defs[def], .out = out};
    size_t cell = layout->first;
    if (!buf_puts(out, "# HELP ") || !buf_puts(out, s.def->name) || !put_char(out, ' ') ||
        !put_escaped(out, s.def->help, false) || !buf_puts(out, "\n# TYPE ") ||
        !buf_puts(out, s.def->name) || !put_char(out, ' ') ||
        !buf_puts(out, kind_names[s.def->kind]) || !put_char(out, '\n'))
        return false;
    for (s.index[0] = 0; s.index[0] < layout->counts[0]; s.index[0]++)
        for (s.index[1] = 0; s.index[1] < layout->counts[1]; s.index[1]++)
            for (s.index[2] = 0; s.index[2] < layout->counts[2]; s.index[2]++) {
                if (!put_sample(m, &s, cell))
                    return false;
                cell += layout->width;
            }
    return true;
}

bool metrics_print(struct metrics *m, struct buf *out) {
    for (unsigned def = 0; def < m->count; def++)
        if (!put_metric(m, def, out))
            return false;
    return true;
}

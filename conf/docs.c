/* docs/CONFIG.md and the sample, written from the option table. */
#include "options.h"

static const char docs_head[] =
    "# Configuration\n"
    "\n"
    "<!-- Written from the option table by `make docs`. Do not edit. -->\n"
    "\n"
    "One YAML file. `pointsman check -c FILE` prints everything that is wrong or odd in it; "
    "SIGHUP reloads it, and a file with an error changes nothing. Anchors, aliases and tags are "
    "not supported.\n"
    "\n"
    "Durations are whole numbers with `ms`, `s`, `m`, `h` or `d`; sizes with `KiB`, `MiB`, `GiB` "
    "or nothing for bytes. Words and names are read without regard to case. Relative paths are "
    "relative to the working directory.\n"
    "\n"
    "**Takes effect**: *reload*: at SIGHUP; *restart*: when the process starts; *first start*: "
    "only while neither store nor disk know a mode.\n";

static const char sample_head[] =
    "# A pointsman.yaml. Lines with \"#\" in front show an option that may be left out, mostly "
    "with its default.\n"
    "# Check a file with: pointsman check -c FILE\n";

static const char *effect_name(enum option_effect effect) {
    static const char *const names[] = {"reload", "restart", "first start"};
    return names[effect];
}

/* "|" would end a cell of a Markdown table. */
static bool put_cell(struct buf *out, const char *text) {
    bool fits = true;
    for (; *text && fits; text++)
        fits = (*text == '|' ? buf_puts(out, "\\|") : buf_append(out, text, 1));
    return fits;
}

static bool put_default(struct buf *out, const struct option *o) {
    if (o->required)
        return buf_puts(out, "needed");
    return o->def ? buf_printf(out, "`%s`", o->def) : buf_puts(out, o->absent);
}

static bool put_row(struct buf *out, const struct option *o) {
    struct text allowed = {0};
    option_add_allowed(o, &allowed);
    return buf_printf(out, "| `%s` | ", o->path) && put_cell(out, allowed.bytes) &&
           buf_puts(out, " | ") && put_default(out, o) &&
           buf_printf(out, " | %s | ", effect_name(o->effect)) && put_cell(out, o->help) &&
           buf_puts(out, " |\n");
}

/* In the docs an option of one side stands with those of both. */
static bool is_documented_in(const struct option *o, const struct section *s) {
    return option_is_in(o, s, s->kind == SECTION_SIDES ? "backends.new" : s->path);
}

static bool put_section(struct buf *out, const struct section *s) {
    bool fits = buf_printf(out, "\n## %s%s%s\n\n%s\n", *s->path ? "`" : "",
                           *s->path ? s->path : "Top level", *s->path ? "`" : "", s->help);
    bool head = false;
    for (size_t i = 0; fits && i < option_count; i++) {
        if (!is_documented_in(&options[i], s))
            continue;
        if (!head)
            fits = buf_puts(out, "\n| option | allowed | default | takes effect | |\n"
                                 "|---|---|---|---|---|\n");
        head = true;
        fits = fits && put_row(out, &options[i]);
    }
    return fits;
}

bool conf_print_docs(struct buf *out) {
    bool fits = buf_puts(out, docs_head);
    for (size_t i = 0; fits && i < section_count; i++)
        fits = put_section(out, &sections[i]);
    return fits;
}

/* ---- the sample ---- */

/* Where a section is being printed. */
struct place {
    struct buf *out;
    unsigned indent;
    bool item;   /* the next key gets "- " before it */
    bool hidden; /* the whole section is a comment */
    enum side side;
};

static bool put_indent(struct place *p, bool comment) {
    unsigned n = p->indent;
    bool fits = true;
    while (fits && n-- > (p->item ? 2u : 0u))
        fits = buf_puts(p->out, " ");
    if (fits && p->item)
        fits = buf_puts(p->out, "- ");
    p->item = false;
    return fits && (!comment || buf_puts(p->out, "# "));
}

static struct slice sample_of(const struct option *o, enum side side) {
    const char *text = o->sample ? o->sample : o->def;
    const char *bar = strchr(text, '|');
    if (!bar)
        return slice_of(text);
    return side == SIDE_LEGACY ? slice(text, (size_t)(bar - text)) : slice_of(bar + 1);
}

static bool put_option(struct place *p, const struct option *o) {
    /* what is needed cannot be a comment; its help stands behind it, as "- " may stand before */
    bool comment = p->hidden || !o->required;
    struct slice key = path_key(o->path);
    return put_indent(p, comment) && buf_printf(p->out, "%.*s: %.*s  # %s\n", SLICE_ARG(key),
                                                SLICE_ARG(sample_of(o, p->side)), o->help);
}

static bool put_block(struct place p, const struct section *s, const char *shown);

static bool put_sides(const struct place *parent, const struct section *s) {
    bool fits = true;
    for (int side = 0; fits && side < SIDES; side++) {
        struct place p = *parent;
        char shown[64];
        p.side = (enum side)side;
        (void)snprintf(shown, sizeof(shown), "backends.%s", side_names[side]);
        fits = put_indent(&p, false) && buf_printf(p.out, "%s:\n", side_names[side]);
        p.indent += 2;
        fits = fits && put_block(p, s, shown);
    }
    return fits;
}

/* Has the section something that cannot be left out? */
static bool is_needed(const struct section *s) {
    for (size_t i = 0; i < option_count; i++) {
        struct slice at = slice_of(options[i].path);
        size_t len = strlen(s->path);
        if (options[i].required && at.len > len && slice_is(slice(at.ptr, len), s->path))
            return true;
    }
    return false;
}

static bool put_child(const struct place *parent, const struct section *s) {
    struct place p = *parent;
    struct slice key = path_key(s->path);
    /* at the top a block without options is harmless, and its options can be shown one by one */
    p.hidden = p.indent > 0 && !is_needed(s);
    if (p.indent == 0 && !buf_puts(p.out, "\n"))
        return false;
    bool fits =
        put_indent(&p, p.hidden) && buf_printf(p.out, "%.*s:  # %s\n", SLICE_ARG(key), s->help);
    p.item = s->kind == SECTION_LIST;
    p.indent += p.item ? 4 : 2;
    return fits && put_block(p, s, s->path);
}

static bool put_block(struct place p, const struct section *s, const char *shown) {
    bool fits = true;
    for (size_t i = 0; fits && i < option_count; i++) {
        if (option_is_in(&options[i], s, shown))
            fits = put_option(&p, &options[i]);
    }
    for (size_t i = 0; fits && i < section_count; i++) {
        if (!section_is_in(&sections[i], s))
            continue;
        fits = sections[i].kind == SECTION_SIDES ? put_sides(&p, &sections[i])
                                                 : put_child(&p, &sections[i]);
    }
    return fits;
}

bool conf_print_sample(struct buf *out) {
    const struct place p = {.out = out};
    return buf_puts(out, sample_head) && put_block(p, &sections[0], "");
}

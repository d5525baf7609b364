/* Takes a chunked body apart: content out; sizes, extensions, trailers checked (RFC 9112 §7.1).
 *
 *   SIZE ─ EXT… ─ SIZE_LF ─ DATA ─ DATA_CR ─ DATA_LF ─ SIZE …
 *                    └─ size 0 ─ LINE ─ NAME ─ FIELD ─ FIELD_LF ─ LINE … LAST_LF ─ DONE
 */
#include "http_parse.h"

#define DIGITS_MAX     16    /* of 2^64 - 1 */
#define OVERHEAD_MAX   16384 /* bytes beyond what the content accounts for */
#define OVERHEAD_CHUNK 16 /* bytes each chunk may spend, and as many again as twice its content */

enum chunks_state {
    CHUNKS_SIZE = 0,   /* in the hex digits */
    CHUNKS_EXT,        /* behind ";", before a name */
    CHUNKS_EXT_NAME,   /* in the name */
    CHUNKS_EXT_EQUALS, /* behind "=" */
    CHUNKS_EXT_TOKEN,  /* in a bare value */
    CHUNKS_EXT_QUOTED, /* in a quoted value */
    CHUNKS_EXT_ESCAPE, /* behind a backslash in it */
    CHUNKS_EXT_CLOSED, /* behind the closing quote */
    CHUNKS_SIZE_LF,    /* expects the LF of the size line */
    CHUNKS_DATA,       /* in the content */
    CHUNKS_DATA_CR,
    CHUNKS_DATA_LF,
    CHUNKS_LINE,  /* at the start of a trailer line */
    CHUNKS_NAME,  /* in a trailer's name */
    CHUNKS_FIELD, /* in its value */
    CHUNKS_FIELD_LF,
    CHUNKS_LAST_LF,
    CHUNKS_DONE,
};

void http_chunks_init(struct http_chunks *c) {
    *c = (struct http_chunks){CHUNKS_SIZE, 0, 0, 0};
}

static const char *step_size(struct http_chunks *c, char ch) {
    int value = hex_value(ch);

    if (value >= 0) {
        if (c->digits == DIGITS_MAX)
            return "a chunk size has more than 16 digits";
        c->digits++;
        c->left = c->left * 16 + (uint64_t)value;
        return NULL;
    }
    if (c->digits == 0 || (ch != ';' && ch != '\r'))
        return "a chunk size is hex digits, then CRLF or an extension";
    c->state = ch == ';' ? CHUNKS_EXT : CHUNKS_SIZE_LF;
    return NULL;
}

/* chunk-ext without the white space that only "bad" senders put in, but for some behind ";". */
static const char *step_extension(struct http_chunks *c, char ch) {
    bool token = http_is(ch, HTTP_TOKEN), named = c->state == CHUNKS_EXT_NAME;
    bool may_end = named || c->state == CHUNKS_EXT_TOKEN || c->state == CHUNKS_EXT_CLOSED;

    if (may_end && (ch == ';' || ch == '\r')) {
        c->state = ch == ';' ? CHUNKS_EXT : CHUNKS_SIZE_LF;
    } else if (c->state == CHUNKS_EXT && token) {
        c->state = CHUNKS_EXT_NAME;
    } else if (c->state == CHUNKS_EXT_EQUALS && (token || ch == '"')) {
        c->state = token ? CHUNKS_EXT_TOKEN : CHUNKS_EXT_QUOTED;
    } else if (named && ch == '=') {
        c->state = CHUNKS_EXT_EQUALS;
    } else if (c->state == CHUNKS_EXT_ESCAPE && http_is(ch, HTTP_VALUE)) {
        c->state = CHUNKS_EXT_QUOTED;
    } else if (c->state == CHUNKS_EXT_QUOTED && http_is(ch, HTTP_VALUE)) {
        c->state = ch == '"'    ? CHUNKS_EXT_CLOSED
                   : ch == '\\' ? CHUNKS_EXT_ESCAPE
                                : CHUNKS_EXT_QUOTED;
    } else {
        bool space = c->state == CHUNKS_EXT && (ch == ' ' || ch == '\t');
        bool inside = token && (named || c->state == CHUNKS_EXT_TOKEN);
        if (!space && !inside)
            return "a chunk extension is malformed";
    }
    return NULL;
}

static const char *step_trailer(struct http_chunks *c, char ch) {
    switch ((enum chunks_state)c->state) {
    case CHUNKS_LINE:
        if (ch != '\r' && !http_is(ch, HTTP_TOKEN))
            return "a trailer line begins with neither a name nor CRLF";
        c->state = ch == '\r' ? CHUNKS_LAST_LF : CHUNKS_NAME;
        return NULL;
    case CHUNKS_NAME:
        if (ch == ':')
            c->state = CHUNKS_FIELD;
        else if (!http_is(ch, HTTP_TOKEN))
            return "a trailer name is not followed by a colon";
        return NULL;
    default:
        if (ch == '\r')
            c->state = CHUNKS_FIELD_LF;
        else if (!http_is(ch, HTTP_VALUE))
            return "a control character in a trailer";
        return NULL;
    }
}

/* At the end of a size line. Chunks may be small and many, but what is not content must not
 * outweigh it: a sender of one-byte chunks with long extensions would keep us busy for nothing
 * (CVE-2023-39326). */
static void begin_chunk(struct http_chunks *c) {
    uint64_t allowed = c->left < OVERHEAD_MAX ? OVERHEAD_CHUNK + 2 * c->left : OVERHEAD_MAX;

    c->overhead = c->overhead > allowed ? c->overhead - allowed : 0;
    c->digits = 0;
    c->state = c->left ? CHUNKS_DATA : CHUNKS_LINE;
}

static const char *step_end(struct http_chunks *c, char ch, char wanted, enum chunks_state next,
                            const char *detail) {
    if (ch != wanted)
        return detail;
    c->state = next;
    return NULL;
}

/* One byte that is not content. NULL: fine; else what is wrong. */
static const char *step(struct http_chunks *c, char ch) {
    static const char unended[] = "the content of a chunk is not followed by CRLF";
    static const char bare_cr[] = "a bare CR in the framing of a chunked body";

    switch ((enum chunks_state)c->state) {
    case CHUNKS_SIZE:
        return step_size(c, ch);
    case CHUNKS_EXT:
    case CHUNKS_EXT_NAME:
    case CHUNKS_EXT_EQUALS:
    case CHUNKS_EXT_TOKEN:
    case CHUNKS_EXT_QUOTED:
    case CHUNKS_EXT_ESCAPE:
    case CHUNKS_EXT_CLOSED:
        return step_extension(c, ch);
    case CHUNKS_LINE:
    case CHUNKS_NAME:
    case CHUNKS_FIELD:
        return step_trailer(c, ch);
    case CHUNKS_DATA_CR:
        return step_end(c, ch, '\r', CHUNKS_DATA_LF, unended);
    case CHUNKS_DATA_LF:
        return step_end(c, ch, '\n', CHUNKS_SIZE, unended);
    case CHUNKS_FIELD_LF:
        return step_end(c, ch, '\n', CHUNKS_LINE, bare_cr);
    case CHUNKS_LAST_LF:
        return step_end(c, ch, '\n', CHUNKS_DONE, bare_cr);
    default: /* CHUNKS_SIZE_LF */
        if (ch != '\n')
            return bare_cr;
        begin_chunk(c);
        return NULL;
    }
}

enum http_parse http_chunks_feed(struct http_chunks *c, const char *data, size_t len,
                                 size_t *ret_used, struct slice *ret_data,
                                 struct http_problem *problem) {
    size_t at = 0, run = 0;

    while (at < len && c->state != CHUNKS_DONE && c->state != CHUNKS_DATA) {
        if (c->overhead == OVERHEAD_MAX)
            return http_bad(problem, c->state >= CHUNKS_LINE ? 431 : 400,
                            "chunk sizes, extensions and trailers outweigh the content");
        c->overhead++;
        const char *detail = step(c, data[at]);
        if (detail)
            return http_bad(problem, 400, detail);
        at++;
    }
    if (c->state == CHUNKS_DATA) {
        run = len - at < c->left ? len - at : (size_t)c->left;
        c->left -= run;
        if (c->left == 0)
            c->state = CHUNKS_DATA_CR;
    }
    *ret_data = slice(run ? data + at : NULL, run);
    *ret_used = at + run;
    return c->state == CHUNKS_DONE ? HTTP_OK : HTTP_MORE;
}

/* Writes JSON text: commas, escapes, and U+FFFD for each byte that is not part of valid UTF-8. */
#include <pointsman/jsonw.h>

#include <string.h>

#include <pointsman/text.h>

/* Mostly there is room, and the bytes are few: then no call is worth its price. */
static inline void put(struct jsonw *w, const void *ptr, size_t len) {
    struct buf *out = w->out;
    if (len <= buf_room_len(out) && len > 0) {
        memcpy(buf_room(out), ptr, len);
        out->end += len;
    } else if (!buf_append(out, ptr, len)) {
        w->failed = true;
    }
}

static inline void put_char(struct jsonw *w, char c) {
    put(w, &c, 1);
}

/* True: none of the eight bytes needs a closer look. A borrow can only make it falsely say no. */
static bool eight_plain(const char *p) {
    const uint64_t ones = 0x0101010101010101u;
    uint64_t x;
    memcpy(&x, p, sizeof x);
    uint64_t odd = x | (x - ones * 0x20) | ((x ^ ones * '"') - ones) | ((x ^ ones * '\\') - ones);
    return (odd & ones * 0x80) == 0;
}

static bool is_plain(unsigned char c) {
    return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

static size_t plain_run(const char *p, size_t len) {
    size_t n = 0;
    while (len - n >= 8 && eight_plain(p + n))
        n += 8;
    while (n < len && is_plain((unsigned char)p[n]))
        n++;
    return n;
}

/* Length of the well-formed sequence at p, 0 if there is none: RFC 3629 §4 (no overlong forms, no
 * surrogates, nothing above U+10FFFF). */
static size_t utf8_len(const unsigned char *p, size_t left) {
    unsigned char low = 0x80, high = 0xbf; /* of the second byte */
    size_t n;
    if (p[0] >= 0xc2 && p[0] <= 0xdf)
        n = 2;
    else if (p[0] >= 0xe0 && p[0] <= 0xef)
        n = 3;
    else if (p[0] >= 0xf0 && p[0] <= 0xf4)
        n = 4;
    else
        return 0;
    if (p[0] == 0xe0)
        low = 0xa0;
    if (p[0] == 0xed)
        high = 0x9f;
    if (p[0] == 0xf0)
        low = 0x90;
    if (p[0] == 0xf4)
        high = 0x8f;
    if (left < n || p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < n; i++)
        if (p[i] < 0x80 || p[i] > 0xbf)
            return 0;
    return n;
}

static void put_escape(struct jsonw *w, unsigned char c) {
    static const char letters[] = "\"\"\\\\\bb\ff\nn\rr\tt";
    static const char hex[] = "0123456789abcdef";
    for (size_t i = 0; i < sizeof letters - 1; i += 2) {
        if (letters[i] == (char)c) {
            put(w, (char[]){'\\', letters[i + 1]}, 2);
            return;
        }
    }
    put(w, (char[]){'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]}, 6);
}

/* Most texts need no escape: they are put with one check of the room. */
static bool put_plain(struct jsonw *w, struct slice s) {
    struct buf *out = w->out;
    if (s.len + 2 > buf_room_len(out) || plain_run(s.ptr, s.len) < s.len)
        return false;
    char *at = buf_room(out);
    *at++ = '"';
    memcpy(at, s.ptr, s.len);
    at[s.len] = '"';
    out->end += s.len + 2;
    return true;
}

static void put_string(struct jsonw *w, struct slice s) {
    if (put_plain(w, s))
        return;
    put_char(w, '"');
    for (size_t at = 0; at < s.len;) {
        size_t n = plain_run(s.ptr + at, s.len - at);
        put(w, s.ptr + at, n);
        at += n;
        if (at == s.len)
            break;
        unsigned char c = (unsigned char)s.ptr[at];
        if (c < 0x80) {
            put_escape(w, c);
            at++;
            continue;
        }
        n = utf8_len((const unsigned char *)s.ptr + at, s.len - at);
        if (n > 0)
            put(w, s.ptr + at, n);
        else
            put(w, "\xef\xbf\xbd", 3);
        at += n > 0 ? n : 1;
    }
    put_char(w, '"');
}

void jsonw_put_str(struct jsonw *w, struct slice s) {
    if (s.ptr)
        put_string(w, s);
    else
        put(w, "null", 4);
}

void jsonw_put_open(struct jsonw *w) {
    put_char(w, '{');
    w->comma = false;
}

void jsonw_close(struct jsonw *w) {
    put_char(w, '}');
    w->comma = true;
}

void jsonw_begin(struct jsonw *w, struct buf *out) {
    *w = (struct jsonw){.out = out};
    jsonw_put_open(w);
}

void jsonw_end(struct jsonw *w) {
    jsonw_close(w);
}

void jsonw_put_key(struct jsonw *w, struct slice key) {
    struct buf *out = w->out;
    if (key.len + 4 > buf_room_len(out) && !buf_reserve(out, key.len + 4)) {
        w->failed = true;
        return;
    }
    char *at = buf_room(out);
    *at = ',';
    at += w->comma;
    *at++ = '"';
    memcpy(at, key.ptr, key.len);
    memcpy(at + key.len, "\":", 2);
    out->end = (size_t)(at + key.len + 2 - out->data);
    w->comma = true;
}

void jsonw_put_u64(struct jsonw *w, uint64_t value) {
    char digits[U64_DIGITS];
    put(w, digits, u64_print(value, digits));
}

void jsonw_put_milli(struct jsonw *w, uint64_t thousandths) {
    char text[U64_DIGITS + 4];
    size_t len = u64_print(thousandths / 1000, text);
    unsigned rest = (unsigned)(thousandths % 1000);
    text[len] = '.';
    text[len + 1] = (char)('0' + rest / 100);
    text[len + 2] = (char)('0' + rest / 10 % 10);
    text[len + 3] = (char)('0' + rest % 10);
    put(w, text, len + 4);
}

void jsonw_put_raw(struct jsonw *w, struct slice json) {
    put(w, json.ptr, json.len);
}

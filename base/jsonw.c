/* Writes JSON text: commas, escapes, and U+FFFD for each byte that is not part of valid UTF-8. */
#include <pointsman/jsonw.h>

#include <string.h>

#include <pointsman/text.h>

static void put(struct jsonw *w, const void *ptr, size_t len) {
    if (!buf_append(w->out, ptr, len))
        w->failed = true;
}

static bool is_plain(unsigned char c) {
    return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

/* Not 0: one of the eight bytes needs a closer look. A borrow can only make it say so falsely. */
static uint64_t odd_of(uint64_t x) {
    const uint64_t ones = 0x0101010101010101u;
    uint64_t odd = x | (x - ones * 0x20) | ((x ^ ones * '"') - ones) | ((x ^ ones * '\\') - ones);
    return odd & ones * 0x80;
}

static uint64_t copy_eight(char *to, const char *from) {
    uint64_t x;
    memcpy(&x, from, sizeof x);
    memcpy(to, &x, sizeof x);
    return odd_of(x);
}

static uint64_t copy_four(char *to, const char *from) {
    uint32_t x;
    memcpy(&x, from, sizeof x);
    memcpy(to, &x, sizeof x);
    return x;
}

/* By words, of which the last overlaps: most keys and texts are short, and a call would cost more.
 * False: a byte that was copied needs a closer look. */
static ALWAYS_INLINE bool copy(char *to, struct slice s) {
    uint64_t odd = 0;
    if (s.len >= 8) {
        for (size_t n = 0; n < s.len - 8; n += 8)
            odd |= copy_eight(to + n, s.ptr + n);
        odd |= copy_eight(to + s.len - 8, s.ptr + s.len - 8);
    } else if (s.len >= 4) {
        odd = odd_of(copy_four(to, s.ptr) | copy_four(to + s.len - 4, s.ptr + s.len - 4) << 32);
    } else {
        for (size_t n = 0; n < s.len; n++) {
            to[n] = s.ptr[n];
            odd |= !is_plain((unsigned char)s.ptr[n]);
        }
    }
    return odd == 0;
}

static size_t plain_run(const char *p, size_t len) {
    size_t n = 0;
    while (n < len && is_plain((unsigned char)p[n]))
        n++;
    return n;
}

bool jsonw_make_room(struct jsonw *w, size_t n) {
    if (!buf_reserve(w->out, n))
        w->failed = true;
    return !w->failed;
}

static inline bool has_room(struct jsonw *w, size_t n) {
    return n <= buf_room_len(w->out) || jsonw_make_room(w, n);
}

static inline void put_comma(struct jsonw *w, char *at) {
    *at = ',';
    w->out->end = (size_t)(at + 1 - w->out->data);
}

static inline void end_object(struct jsonw *w, const char *end) {
    if (w->failed)
        return;
    w->out->end -= buf_room(w->out)[-1] == ',';
    put(w, end, strlen(end));
}

void jsonw_put_open(struct jsonw *w) {
    put(w, "{", 1);
}

void jsonw_close(struct jsonw *w) {
    end_object(w, "},");
}

void jsonw_begin(struct jsonw *w, struct buf *out) {
    *w = (struct jsonw){.out = out};
    jsonw_put_open(w);
}

void jsonw_end(struct jsonw *w) {
    end_object(w, "}");
}

void jsonw_put_raw(struct jsonw *w, struct slice json) {
    put(w, json.ptr, json.len);
    put(w, ",", 1);
}

void jsonw_put_u64(struct jsonw *w, uint64_t value) {
    if (!has_room(w, U64_DIGITS + 1))
        return;
    char *at = buf_room(w->out);
    put_comma(w, at + u64_print(value, at));
}

void jsonw_milli(struct jsonw *w, struct slice key, uint64_t thousandths) {
    if (!has_room(w, key.len + MILLI_LEN + 4))
        return;
    char *at = buf_room(w->out);
    *at++ = '"';
    copy(at, key);
    at += key.len;
    memcpy(at, "\":", 2);
    at += 2;
    put_comma(w, at + milli_print(thousandths, at));
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

/* With a closer look, and no more room than it takes. */
static COLD void put_odd(struct jsonw *w, struct slice s) {
    put(w, "\"", 1);
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
    put(w, "\",", 2);
}

void jsonw_put_str(struct jsonw *w, struct slice value) {
    if (!value.ptr) {
        jsonw_put_raw(w, slice_of("null"));
        return;
    }
    char *at = buf_room(w->out);
    if (value.len + 3 > buf_room_len(w->out) || !copy(at + 1, value)) {
        put_odd(w, value);
        return;
    }
    *at = '"';
    at[value.len + 1] = '"';
    put_comma(w, at + value.len + 2);
}

void jsonw_put_strz(struct jsonw *w, const char *value) {
    jsonw_put_str(w, slice_of(value));
}

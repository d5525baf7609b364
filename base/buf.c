/* Grows, compacts and fills a bounded buffer. */
#include <pointsman/buf.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pointsman/text.h>

#define BUF_SMALLEST 256

void buf_init(struct buf *b, size_t max) {
    *b = (struct buf){.max = max};
}

void buf_free(struct buf *b) {
    free(b->data);
    buf_init(b, b->max);
}

void buf_reset(struct buf *b) {
    b->start = 0;
    b->end = 0;
}

void buf_hand_over(struct buf *from, struct buf *to) {
    buf_reset(from);
    if (to->data || from->cap > to->max)
        return;
    to->data = from->data;
    to->cap = from->cap;
    buf_init(from, from->max);
}

/* What was consumed is not copied, so growing costs the unread bytes only. */
static bool grow(struct buf *b, size_t need) {
    size_t len = buf_len(b);
    size_t cap = b->cap > b->max / 2 ? b->max : b->cap * 2;
    if (cap < BUF_SMALLEST)
        cap = BUF_SMALLEST;
    if (cap < need)
        cap = need;
    if (cap > b->max)
        cap = b->max;
    char *data = malloc(cap);
    if (!data)
        return false;
    if (len > 0)
        memcpy(data, buf_at(b), len);
    free(b->data);
    b->data = data;
    b->start = 0;
    b->end = len;
    b->cap = cap;
    return true;
}

bool buf_reserve(struct buf *b, size_t n) {
    if (buf_room_len(b) >= n)
        return true;
    size_t len = buf_len(b);
    if (len > b->max || n > b->max - len)
        return false;
    if (n > b->cap - len)
        return grow(b, len + n);
    memmove(b->data, buf_at(b), len);
    b->start = 0;
    b->end = len;
    return true;
}

void buf_commit(struct buf *b, size_t n) {
    b->end += n;
}

void buf_consume(struct buf *b, size_t n) {
    b->start += n;
    if (b->start == b->end)
        buf_reset(b);
}

/* vsnprintf also writes a NUL, for which the last byte of a full buffer has no room: such text
 * takes the way over a copy. */
static bool print_long(struct buf *b, const char *format, va_list args) {
    char *text;
    int n = vasprintf(&text, format, args);
    if (n < 0)
        return false;
    bool ok = buf_append(b, text, (size_t)n);
    free(text);
    return ok;
}

bool buf_printf(struct buf *b, const char *format, ...) {
    va_list args;
    va_start(args, format);
    int n = vsnprintf(b->data ? buf_room(b) : NULL, buf_room_len(b), format, args);
    va_end(args);
    if (n < 0)
        return false;
    if ((size_t)n < buf_room_len(b)) {
        b->end += (size_t)n;
        return true;
    }
    va_start(args, format);
    bool ok = print_long(b, format, args);
    va_end(args);
    return ok;
}

bool buf_put_u64(struct buf *b, uint64_t value) {
    char digits[U64_DIGITS];
    return buf_append(b, digits, u64_print(value, digits));
}

bool buf_put_escaped(struct buf *b, struct slice text) {
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
    bool ok = true;
    for (size_t i = 0; ok && i < text.len; i++) {
        const char c = text.ptr[i];
        ok = memchr(plain, c, sizeof plain - 1) ? buf_append(b, &c, 1)
                                                : buf_printf(b, "%%%02X", (unsigned char)c);
    }
    return ok;
}

/* Texts in fixed room and decimal numbers. */
#include <pointsman/text.h>

#include <string.h>

size_t u64_print(uint64_t value, char out[U64_DIGITS]) {
    char digits[U64_DIGITS];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    memcpy(out, digits + at, sizeof digits - at);
    return sizeof digits - at;
}

void text_begin(struct text *t, char *out, size_t room) {
    *t = (struct text){out, out + room - 1, false};
    *out = '\0';
}

void text_put_slice(struct text *t, struct slice piece) {
    size_t room = (size_t)(t->end - t->at), n = piece.len < room ? piece.len : room;
    if (n)
        memcpy(t->at, piece.ptr, n);
    t->at += n;
    *t->at = '\0';
    t->cut |= n < piece.len;
}

void text_put(struct text *t, const char *piece) {
    text_put_slice(t, slice_of(piece));
}

void text_put_u64(struct text *t, uint64_t value) {
    char digits[U64_DIGITS];
    text_put_slice(t, slice(digits, u64_print(value, digits)));
}

/* Texts in fixed room and decimal numbers. */
#include <pointsman/text.h>

#include <string.h>

/* Two digits a step: divisions are what a number costs. */
static const char pairs[] = "00010203040506070809101112131415161718192021222324"
                            "25262728293031323334353637383940414243444546474849"
                            "50515253545556575859606162636465666768697071727374"
                            "75767778798081828384858687888990919293949596979899";

size_t u64_print(uint64_t value, char out[U64_DIGITS]) {
    char digits[U64_DIGITS];
    size_t at = sizeof digits;
    while (value >= 10) {
        at -= 2;
        memcpy(digits + at, pairs + 2 * (value % 100), 2);
        value /= 100;
    }
    if (value > 0 || at == sizeof digits)
        digits[--at] = (char)('0' + value);
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

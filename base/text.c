/* Texts in fixed room and decimal numbers. */
#include <pointsman/text.h>

#include <string.h>

/* Two digits a step: divisions are what a number costs. */
static const char pairs[] = "00010203040506070809101112131415161718192021222324"
                            "25262728293031323334353637383940414243444546474849"
                            "50515253545556575859606162636465666768697071727374"
                            "75767778798081828384858687888990919293949596979899";

/* A bit is worth 1233 / 4096 of a digit: that tells how many there are, or one less. */
static size_t digits_of(uint64_t value) {
    /* clang-format off */
    static const uint64_t tens[U64_DIGITS] = {
        0, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000, 10000000000,
        100000000000, 1000000000000, 10000000000000, 100000000000000, 1000000000000000,
        10000000000000000, 100000000000000000, 1000000000000000000, 10000000000000000000u,
    };
    /* clang-format on */
    size_t bits = 64 - (size_t)__builtin_clzll(value | 1);
    size_t digits = bits * 1233 / 4096;
    return digits + (value >= tens[digits]);
}

size_t u64_print(uint64_t value, char out[U64_DIGITS]) {
    size_t len = digits_of(value);
    char *at = out + len;
    for (; value >= 100; value /= 100) {
        at -= 2;
        memcpy(at, pairs + 2 * (value % 100), 2);
    }
    if (value >= 10)
        memcpy(out, pairs + 2 * value, 2);
    else
        out[0] = (char)('0' + value);
    return len;
}

size_t milli_print(uint64_t value, char out[MILLI_LEN]) {
    size_t len = u64_print(value / 1000, out);
    unsigned rest = (unsigned)(value % 1000);
    out[len] = '.';
    memcpy(out + len + 1, pairs + 2 * (rest / 10), 2);
    out[len + 3] = (char)('0' + rest % 10);
    return len + 4;
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

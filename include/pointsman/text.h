/* Short texts built piece by piece into fixed room, without printf; what does not fit is cut.
 * Layer: base. */
#ifndef POINTSMAN_TEXT_H
#define POINTSMAN_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include <pointsman/slice.h>

#define U64_DIGITS 20

/* Decimal digits of value, no NUL; how many. */
size_t u64_print(uint64_t value, char out[U64_DIGITS]);

/* Of thousandths, with three decimals: 1500 is 1.500. No NUL; how many bytes. */
#define MILLI_LEN (U64_DIGITS + 1)
size_t milli_print(uint64_t value, char out[MILLI_LEN]);

struct text {
    char *at;
    char *end; /* the last byte of the room, kept for the NUL */
    bool cut;
};

/* room >= 1; the text is NUL-terminated after every step. */
void text_begin(struct text *t, char *out, size_t room);
void text_put(struct text *t, const char *piece);
void text_put_slice(struct text *t, struct slice piece);
void text_put_u64(struct text *t, uint64_t value);

#endif

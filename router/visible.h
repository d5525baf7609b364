/* Visible ASCII, which is what nearly all identifiers consist of. Layer: router, private. */
#ifndef POINTSMAN_ROUTER_VISIBLE_H
#define POINTSMAN_ROUTER_VISIBLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <pointsman/slice.h>

/* A byte below 0x21 or above 0x7e sets its upper bit in the sum or in the difference; a carry or
 * borrow only ever comes from such a byte. */
static inline bool eight_visible(const char *p) {
    const uint64_t ones = UINT64_MAX / 255;
    uint64_t x;
    memcpy(&x, p, sizeof x);
    return (((x + ones) | (x - ones * 0x21)) & ones * 0x80) == 0;
}

/* How many bytes 0x21 to 0x7e the text begins with. */
static inline size_t visible_len(struct slice text) {
    size_t n = 0;
    while (text.len - n >= 8 && eight_visible(text.ptr + n))
        n += 8;
    while (n < text.len && text.ptr[n] >= 0x21 && text.ptr[n] <= 0x7e)
        n++;
    return n;
}

#endif

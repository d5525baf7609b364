/* The two clocks; tests replace them. Layer: base. */
#ifndef POINTSMAN_CLOCK_H
#define POINTSMAN_CLOCK_H

#include <stdint.h>

/* Never goes back, counts suspended time too (CLOCK_BOOTTIME): leases are judged by it. */
uint64_t clock_mono_us(void);
/* Since 1970; for people and for what crosses machines. */
uint64_t clock_wall_us(void);

/* NULL puts the real clock back. Not while threads run. */
void clock_replace(uint64_t (*mono_us)(void), uint64_t (*wall_us)(void));

/* "2026-11-21T03:40:00.123Z"; room for 32 bytes. */
void clock_rfc3339(uint64_t wall_us, char out[32]);

#endif

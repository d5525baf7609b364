/* Reads the clocks and writes RFC 3339 time. */
#include <pointsman/clock.h>

#include <string.h>
#include <time.h>

static uint64_t (*mono_source)(void);
static uint64_t (*wall_source)(void);

static uint64_t read_us(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

uint64_t clock_mono_us(void) {
    return mono_source ? mono_source() : read_us(CLOCK_BOOTTIME);
}

uint64_t clock_wall_us(void) {
    return wall_source ? wall_source() : read_us(CLOCK_REALTIME);
}

void clock_replace(uint64_t (*mono_us)(void), uint64_t (*wall_us)(void)) {
    mono_source = mono_us;
    wall_source = wall_us;
}

static char *put_digits(char *at, uint64_t value, int digits) {
    for (int i = digits - 1; i >= 0; i--) {
        at[i] = (char)('0' + value % 10);
        value /= 10;
    }
    return at + digits;
}

/* The calendar starts in March of year 0, so that the leap day is a year's last; 400 years have
 * 146,097 days. gmtime_r would take a lock all threads share. */
static void civil_date(uint64_t days, uint64_t *ret_year, uint64_t *ret_month, uint64_t *ret_day) {
    days += 719468; /* from 0000-03-01 to 1970-01-01 */
    uint64_t era = days / 146097;
    uint64_t of_era = days % 146097;
    uint64_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    uint64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    uint64_t from_march = (5 * of_year + 2) / 153;
    *ret_day = of_year - (153 * from_march + 2) / 5 + 1;
    *ret_month = from_march < 10 ? from_march + 3 : from_march - 9;
    *ret_year = era * 400 + year_of_era + (*ret_month <= 2 ? 1 : 0);
}

/* Without the fraction of the second. */
static void print_second(uint64_t second, char *at) {
    uint64_t year, month, day;
    civil_date(second / 86400, &year, &month, &day);
    at = put_digits(at, year, 4);
    *at++ = '-';
    at = put_digits(at, month, 2);
    *at++ = '-';
    at = put_digits(at, day, 2);
    *at++ = 'T';
    at = put_digits(at, second / 3600 % 24, 2);
    *at++ = ':';
    at = put_digits(at, second / 60 % 60, 2);
    *at++ = ':';
    put_digits(at, second % 60, 2);
}

/* A busy thread asks many times a second. */
static _Thread_local struct {
    uint64_t second;
    char text[sizeof "1970-01-01T00:00:00"];
} last = {0, "1970-01-01T00:00:00"};

void clock_rfc3339(uint64_t wall_us, char out[32]) {
    uint64_t second = wall_us / 1000000;
    if (second != last.second) {
        print_second(second, last.text);
        last.second = second;
    }
    memcpy(out, last.text, sizeof last.text);
    char *at = out + sizeof last.text - 1;
    *at++ = '.';
    at = put_digits(at, wall_us / 1000 % 1000, 3);
    memcpy(at, "Z", 2);
}

/* Dates as HTTP writes them. */
#include <pointsman/date.h>

#include <time.h>

bool date_parse(struct slice text, int64_t *ret_s) {
    static const char *const forms[] = {"%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT",
                                        "%a %b %e %H:%M:%S %Y"};
    char copy[64];
    if (text.len >= sizeof copy || memchr(text.ptr ? text.ptr : "", '\0', text.len))
        return false;
    memcpy(copy, text.ptr ? text.ptr : "", text.len);
    copy[text.len] = '\0';
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        struct tm tm = {0};
        const char *end = strptime(copy, forms[i], &tm);
        if (!end || *end)
            continue;
        int day = tm.tm_mday, leap = tm.tm_sec > 59;
        tm.tm_sec -= leap;
        time_t at = timegm(&tm);
        if (tm.tm_mday != day) /* February 30 */
            return false;
        *ret_s = (int64_t)at + leap;
        return true;
    }
    return false;
}

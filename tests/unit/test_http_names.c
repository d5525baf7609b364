/* Which header names are known, and what that says of the way on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../proxy/http_parse.h"

struct name_case {
    const char *name;
    enum http_name id;
    unsigned traits;
};

static const struct name_case whole[] = {
    {"x-hub-signature-256", HTTP_NAME_SIGNATURE, HTTP_FIXED},
    {"x-github-delivery", HTTP_NAME_DELIVERY, HTTP_FIXED},
    {"x-github-event", HTTP_NAME_EVENT, HTTP_FIXED},
    {"x-github-hook-id", HTTP_NAME_HOOK, HTTP_FIXED},
    {"content-type", HTTP_NAME_CONTENT_TYPE, HTTP_FIXED},
    {"host", HTTP_NAME_HOST, HTTP_FIXED | HTTP_REPLACED},
    {"connection", HTTP_NAME_CONNECTION, HTTP_HOP},
    {"keep-alive", HTTP_NAME_KEEP_ALIVE, HTTP_HOP},
    {"content-length", HTTP_NAME_CONTENT_LENGTH, HTTP_FIXED | HTTP_REPLACED},
    {"transfer-encoding", HTTP_NAME_TRANSFER_ENCODING, HTTP_HOP},
    {"expect", HTTP_NAME_EXPECT, HTTP_REPLACED},
    {"retry-after", HTTP_NAME_RETRY_AFTER, 0},
    {"via", HTTP_NAME_VIA, HTTP_REPLACED},
    {"x-forwarded-for", HTTP_NAME_FORWARDED_FOR, HTTP_REPLACED},
    {"traceparent", HTTP_NAME_TRACEPARENT, 0},
    {"te", HTTP_NAME_OTHER, HTTP_HOP},
    {"trailer", HTTP_NAME_OTHER, HTTP_HOP},
    {"upgrade", HTTP_NAME_OTHER, HTTP_HOP},
    {"proxy-connection", HTTP_NAME_OTHER, HTTP_HOP},
    {"proxy-authenticate", HTTP_NAME_OTHER, HTTP_HOP},
    {"proxy-authorization", HTTP_NAME_OTHER, HTTP_HOP},
    {"idempotency-key", HTTP_NAME_OTHER, HTTP_FIXED | HTTP_REPLACED},
    {"x-forwarded-host", HTTP_NAME_OTHER, HTTP_REPLACED},
    {"x-forwarded-proto", HTTP_NAME_OTHER, HTTP_REPLACED},
};

/* Of names that are not known as a whole; the longest that fits counts. */
static const struct name_case beginnings[] = {
    {"x-pointsman", HTTP_NAME_OTHER, HTTP_FIXED},
    {"x-pointsman-", HTTP_NAME_OTHER, HTTP_FIXED | HTTP_OURS},
    {"x-github-", HTTP_NAME_OTHER, HTTP_FIXED},
    {"x-hub-signature", HTTP_NAME_OTHER, HTTP_FIXED},
};

static unsigned traits_of_beginning(const char *name, size_t len) {
    unsigned traits = 0;
    for (size_t i = 0; i < ARRAY_LEN(beginnings); i++) {
        size_t n = strlen(beginnings[i].name);
        if (len >= n && strncasecmp(name, beginnings[i].name, n) == 0)
            traits = beginnings[i].traits;
    }
    return traits;
}

static void expect(const char *name, size_t len, enum http_name id, unsigned traits) {
    struct http_header field;
    bool known = http_name_find(slice(name, len), &field);
    if (field.id != id || field.traits != traits)
        fail_msg("%.*s is name %d with traits %u, not %d with %u", (int)len, name, (int)field.id,
                 field.traits, (int)id, traits);
    if (known && !http_all(slice(name, len), HTTP_TOKEN))
        fail_msg("%.*s is known but no token", (int)len, name);
}

static void expect_unknown(const char *name, size_t len) {
    expect(name, len, HTTP_NAME_OTHER, traits_of_beginning(name, len));
}

/* Of the letters whose bits are set in `upper`. */
static void change_case(const char *name, unsigned upper, char *out) {
    for (unsigned i = 0; name[i]; i++)
        out[i] = (char)(name[i] >= 'a' && name[i] <= 'z' && upper >> i & 1 ? name[i] - 'a' + 'A'
                                                                           : name[i]);
}

static void a_name_is_known_in_any_case_of_its_letters(void **state) {
    (void)state;
    char name[32];
    for (size_t i = 0; i < ARRAY_LEN(whole); i++) {
        size_t len = strlen(whole[i].name);
        for (unsigned upper = 0; upper < 1u << len; upper++) {
            change_case(whole[i].name, upper, name);
            expect(name, len, whole[i].id, whole[i].traits);
        }
    }
}

static void a_beginning_is_known_in_any_case_and_whatever_follows(void **state) {
    (void)state;
    char name[32];
    for (size_t i = 0; i < ARRAY_LEN(beginnings); i++) {
        size_t len = strlen(beginnings[i].name);
        for (unsigned upper = 0; upper < 1u << len; upper++) {
            change_case(beginnings[i].name, upper, name);
            expect(name, len, HTTP_NAME_OTHER, beginnings[i].traits);
            name[len] = 'q';
            expect(name, len + 1, HTTP_NAME_OTHER, beginnings[i].traits);
        }
    }
}

/* One byte different, missing or too many, at each place; and all of that in capitals. */
static void what_is_nearly_a_name_is_none(void **state) {
    (void)state;
    for (size_t i = 0; i < 2 * (ARRAY_LEN(whole) + ARRAY_LEN(beginnings)); i++) {
        const struct name_case *its =
            i / 2 < ARRAY_LEN(whole) ? &whole[i / 2] : &beginnings[i / 2 - ARRAY_LEN(whole)];
        size_t len = strlen(its->name);
        char name[32], near[33];
        change_case(its->name, i % 2 ? UINT32_MAX : 0, name);
        for (size_t at = 0; at < len; at++) {
            memcpy(near, name, len);
            for (int byte = 0; byte < 256; byte++) {
                near[at] = (char)byte;
                if (strncasecmp(near, name, len) != 0 || byte == 0)
                    expect_unknown(near, len);
            }
            memcpy(near + at, name + at + 1, len - at - 1);
            expect_unknown(near, len - 1);
        }
        for (size_t at = 0; at <= len; at++) {
            memcpy(near, name, at);
            near[at] = '-';
            memcpy(near + at + 1, name + at, len - at);
            expect_unknown(near, len + 1);
        }
    }
    expect_unknown("", 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_is_known_in_any_case_of_its_letters),
        cmocka_unit_test(a_beginning_is_known_in_any_case_and_whatever_follows),
        cmocka_unit_test(what_is_nearly_a_name_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

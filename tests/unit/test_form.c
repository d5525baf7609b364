/* Form bodies: exactly one `payload`, decoded strictly. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../../router/form.h"

/* The room is exactly as large as promised, so that a sanitizer sees a byte too many. */
static bool decode(struct slice body, char **ret_room, struct slice *ret, struct err *err) {
    *ret_room = malloc(body.len ? body.len : 1);
    assert_non_null(*ret_room);
    return form_payload(body, *ret_room, ret, err);
}

static void payload_is_found_and_decoded(void **state) {
    (void)state;
    static const struct {
        const char *body;
        const char *payload;
    } cases[] = {
        {"payload=%7B%22zen%22%3A%22Keep+it+logically+awesome.%22%7D",
         "{\"zen\":\"Keep it logically awesome.\"}"},
        {"payload={}", "{}"},
        {"a=1&payload={}&b=2", "{}"},
        {"%70ayload={}", "{}"},
        {"payload=a=b", "a=b"},
        {"payload=", ""},
        {"payload", ""},
        {"&&payload=x&&", "x"},
        {"payload=%e2%82%AC", "\xe2\x82\xac"},
        {"payload=%2B%26%25", "+&%"},
        {"Payload=x&payload=y&payload2=z&payloa=w", "y"},
        {"=x&payload=y", "y"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct slice payload;
        struct err err;
        char *room;
        if (!decode(slice_of(cases[i].body), &room, &payload, &err))
            fail_msg("%s: %s", cases[i].body, err.text);
        if (!slice_is(payload, cases[i].payload))
            fail_msg("%s: %.*s", cases[i].body, SLICE_ARG(payload));
        free(room);
    }
}

static void a_form_without_exactly_one_clean_payload_is_refused(void **state) {
    (void)state;
    static const struct {
        const char *body;
        const char *message;
    } cases[] = {
        {"", "the form has no field `payload`"},
        {"&", "the form has no field `payload`"},
        {"a=payload", "the form has no field `payload`"},
        {"payload=1&payload=1", "the form has the field `payload` twice; exactly one is needed"},
        {"payload&a=1&%70ayload", "the form has the field `payload` twice; exactly one is needed"},
        {"payload=%", "the form has a '%' without two hex digits at byte 8"},
        {"payload=%2", "the form has a '%' without two hex digits at byte 8"},
        {"payload=x%2g", "the form has a '%' without two hex digits at byte 9"},
        {"payload=%%20", "the form has a '%' without two hex digits at byte 8"},
        {"payload=%+1", "the form has a '%' without two hex digits at byte 8"},
        {"payload=x&a=%zz", "the form has a '%' without two hex digits at byte 12"},
        {"a%=1&payload=x", "the form has a '%' without two hex digits at byte 1"},
        {"payload=%2&0=1", "the form has a '%' without two hex digits at byte 8"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct slice payload = slice_of("untouched");
        struct err err = {""};
        char *room;
        assert_false(decode(slice_of(cases[i].body), &room, &payload, &err));
        assert_string_equal(err.text, cases[i].message);
        assert_true(slice_is(payload, "untouched"));
        free(room);
    }
}

static void a_nul_is_decoded_like_any_byte(void **state) {
    (void)state;
    struct slice payload;
    struct err err;
    char *room;
    assert_true(decode(slice_of("payload=a%00b"), &room, &payload, &err));
    assert_int_equal(payload.len, 3);
    assert_memory_equal(payload.ptr, "a\0b", 3);
    free(room);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(payload_is_found_and_decoded),
        cmocka_unit_test(a_form_without_exactly_one_clean_payload_is_refused),
        cmocka_unit_test(a_nul_is_decoded_like_any_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

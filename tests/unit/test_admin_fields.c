/* What members of a body or a query are accepted, and what is said of the others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "../../admin/fields.h"
#include "../../admin/request.h"

static const char *const allowed[] = {"mode", "percentage", "force", "limit", NULL};

static struct request x;

static json_t *body(const char *text, struct err *err) {
    json_t *json = NULL;
    buf_init(&x.body, REQUEST_BODY_MAX);
    assert_true(buf_puts(&x.body, text));
    bool ok = fields_of_body(&x, allowed, &json, err);
    buf_free(&x.body);
    return ok ? json : NULL;
}

static json_t *query(const char *text, struct err *err) {
    json_t *json = NULL;
    x.path_len = 2;
    x.query_len = strlen(text);
    memcpy(x.target + x.path_len, text, x.query_len);
    return fields_of_query(&x, allowed, &json, err) ? json : NULL;
}

static void an_empty_body_or_query_is_an_empty_object(void **state) {
    (void)state;
    static const char *const empty[] = {"", " \r\n", "{}"};
    struct err err = {""};
    for (size_t i = 0; i < ARRAY_LEN(empty); i++) {
        json_t *json = body(empty[i], &err);
        assert_non_null(json);
        assert_int_equal(json_object_size(json), 0);
        json_decref(json);
    }
    json_t *json = query("", &err);
    assert_int_equal(json_object_size(json), 0);
    json_decref(json);
}

static void what_is_no_object_or_not_known_is_named(void **state) {
    (void)state;
    static const struct {
        const char *text, *said;
    } cases[] = {
        {"[1]", "no JSON object"},
        {"{\"mode\":", "no JSON"},
        {"{} x", "no JSON"},
        {"{\"reasn\":\"x\"}", "\"reasn\" is not known here; allowed: mode, "},
        {"{\"mode\":1,\"mode\":2}", "duplicate"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err err = {""};
        assert_null(body(cases[i].text, &err));
        if (!strstr(err.text, cases[i].said))
            fail_msg("%s: %s", cases[i].text, err.text);
    }
}

static void a_query_is_read_strictly(void **state) {
    (void)state;
    static const char *const refused[] = {"reasn=x",  "mode=%zz", "mode=a&mode=b",
                                          "mode=%ff", "=x",       "mode=%00"};
    struct err err = {""};
    json_t *json = query("mode=new+only&&percentage=12%2E5%25&force", &err);
    assert_non_null(json);
    assert_string_equal(json_string_value(json_object_get(json, "mode")), "new only");
    assert_string_equal(json_string_value(json_object_get(json, "percentage")), "12.5%");
    assert_string_equal(json_string_value(json_object_get(json, "force")), "");
    json_decref(json);
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        if (query(refused[i], &err))
            fail_msg("%s", refused[i]);
    }
}

static void percentages_come_as_numbers_or_text(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool ok, has;
        uint32_t ppm;
    } cases[] = {
        {"{}", true, false, 0},
        {"{\"percentage\":null}", true, false, 0},
        {"{\"percentage\":25}", true, true, 250000},
        {"{\"percentage\":12.5}", true, true, 125000},
        {"{\"percentage\":0.1}", true, true, 1000},
        {"{\"percentage\":33.3333}", true, true, 333333},
        {"{\"percentage\":1e2}", true, true, 1000000},
        {"{\"percentage\":\" 12.5 % \"}", true, true, 125000},
        {"{\"percentage\":\"12.5%\"}", true, true, 125000},
        {"{\"percentage\":100.1}", false, false, 0},
        {"{\"percentage\":-1}", false, false, 0},
        {"{\"percentage\":0.00001}", false, false, 0},
        {"{\"percentage\":true}", false, false, 0},
        {"{\"percentage\":\"\"}", false, false, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err err = {""};
        bool has = false;
        uint32_t ppm = 0;
        json_t *json = body(cases[i].text, &err);
        bool ok = field_percentage(json, "percentage", &has, &ppm, &err);
        json_decref(json);
        if (ok != cases[i].ok || has != cases[i].has || (has && ppm != cases[i].ppm))
            fail_msg("%s: %d %d %u %s", cases[i].text, ok, has, ppm, err.text);
    }
}

static void wrong_types_are_refused(void **state) {
    (void)state;
    struct err err = {""};
    json_t *json = body("{\"mode\":7,\"force\":\"yes\",\"limit\":-1}", &err);
    char text[8] = "as it is";
    bool flag = true;
    uint64_t number = 3;
    assert_false(field_text(json, "mode", text, sizeof text, &err));
    assert_false(field_bool(json, "force", &flag, &err));
    assert_false(field_u64(json, "limit", &number, &err));
    assert_true(flag);
    assert_int_equal(number, 3);
    json_decref(json);
    json = body("{\"mode\":\"12345678\",\"force\":false,\"limit\":\"17\"}", &err);
    assert_false(field_text(json, "mode", text, sizeof text, &err));
    assert_true(field_bool(json, "force", &flag, &err));
    assert_true(field_u64(json, "limit", &number, &err));
    assert_false(flag);
    assert_int_equal(number, 17);
    json_decref(json);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_body_or_query_is_an_empty_object),
        cmocka_unit_test(what_is_no_object_or_not_known_is_named),
        cmocka_unit_test(a_query_is_read_strictly),
        cmocka_unit_test(percentages_come_as_numbers_or_text),
        cmocka_unit_test(wrong_types_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

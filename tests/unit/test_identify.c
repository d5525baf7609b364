/* Headers, media types, forms, sizes and the parser's memory; the body's meaning is in
 * test_github_body.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <pointsman/router.h>

#define JSON "application/json"
#define FORM "application/x-www-form-urlencoded"

struct request {
    bool with_hook;
    struct event_headers headers;
    struct slice body;
};

static struct json_parser *parser;

static int make_parser(void **state) {
    (void)state;
    parser = json_parser_new();
    return parser ? 0 : -1;
}

static int free_parser(void **state) {
    (void)state;
    json_parser_free(parser);
    return 0;
}

static struct request request_of(const char *content_type, const char *body) {
    return (struct request){
        .headers = {.delivery = slice_of("72d3162e-cc78-11e3-81ab-4c9367dc0958"),
                    .type = slice_of("issues"),
                    .hook = slice_of("292430182"),
                    .content_type = slice_of(content_type)},
        .body = slice_of(body),
    };
}

static enum identify identify(const struct request *request, struct identity *ret,
                              struct err *err) {
    const struct conf_source source = {.event_id_with_hook = request->with_hook};
    char *copy = calloc(1, request->body.len + BLOB_PADDING);
    assert_non_null(copy);
    if (request->body.len)
        memcpy(copy, request->body.ptr, request->body.len);
    memset(ret, 'x', sizeof *ret);
    err->text[0] = '\0';
    enum identify result = identify_github(parser, &source, &request->headers,
                                           slice(copy, request->body.len), ret, err);
    free(copy);
    return result;
}

static void id_and_type_come_from_the_headers(void **state) {
    (void)state;
    struct request request = request_of(JSON, "{}");
    struct identity id;
    struct err err;
    assert_int_equal(identify(&request, &id, &err), IDENTIFY_OK);
    assert_string_equal(id.id, "72d3162e-cc78-11e3-81ab-4c9367dc0958");
    assert_string_equal(id.type, "issues");
    assert_string_equal(id.entity, id.id);
    request.with_hook = true;
    assert_int_equal(identify(&request, &id, &err), IDENTIFY_OK);
    assert_string_equal(id.id, "72d3162e-cc78-11e3-81ab-4c9367dc0958+292430182");
    assert_string_equal(id.entity, id.id);
}

static char long_text[EVENT_ID_MAX + 2]; /* one too many for an id */

static void a_header_that_is_no_identifier_is_refused(void **state) {
    (void)state;
    memset(long_text, 'x', EVENT_ID_MAX + 1);
    const struct {
        const char *delivery, *type, *hook;
        const char *message;
    } cases[] = {
        {NULL, "issues", "1",
         "the header X-GitHub-Delivery is missing or empty; 1 to 255 visible ASCII characters are "
         "needed"},
        {"", "issues", "1",
         "the header X-GitHub-Delivery is missing or empty; 1 to 255 visible ASCII characters are "
         "needed"},
        {"guid", NULL, "1",
         "the header X-GitHub-Event is missing or empty; 1 to 64 visible ASCII characters are "
         "needed"},
        {"guid", "", "1",
         "the header X-GitHub-Event is missing or empty; 1 to 64 visible ASCII characters are "
         "needed"},
        {"guid", "issues", NULL,
         "the header X-GitHub-Hook-ID is missing or empty; 1 to 255 visible ASCII characters are "
         "needed"},
        {"gu id", "issues", "1",
         "the header X-GitHub-Delivery has the byte 0x20; visible ASCII (0x21 to 0x7e) is allowed"},
        {"guid", "iss\tues", "1",
         "the header X-GitHub-Event has the byte 0x09; visible ASCII (0x21 to 0x7e) is allowed"},
        {"guid", "issues", "1\xc3\xa9",
         "the header X-GitHub-Hook-ID has the byte 0xc3; visible ASCII (0x21 to 0x7e) is allowed"},
        {"gu\x7fid", "issues", "1",
         "the header X-GitHub-Delivery has the byte 0x7f; visible ASCII (0x21 to 0x7e) is allowed"},
        {long_text, "issues", "1",
         "the header X-GitHub-Delivery has 256 characters; 1 to 255 are allowed"},
        {"guid", long_text, "1",
         "the header X-GitHub-Event has 256 characters; 1 to 64 are allowed"},
        {long_text + 2, "issues", "1",
         "the headers X-GitHub-Delivery and X-GitHub-Hook-ID have 255 characters together; at "
         "most 254 are allowed"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct request request = request_of(JSON, "{}");
        struct identity id;
        struct err err;
        request.with_hook = true;
        request.headers.delivery = slice_of(cases[i].delivery);
        request.headers.type = slice_of(cases[i].type);
        request.headers.hook = slice_of(cases[i].hook);
        assert_int_equal(identify(&request, &id, &err), IDENTIFY_HEADER);
        assert_string_equal(err.text, cases[i].message);
        assert_string_equal(id.id, "");
        assert_string_equal(id.type, "");
    }
}

/* Eight bytes are looked at together, the rest one by one. */
static void a_header_is_refused_wherever_its_bad_byte_stands(void **state) {
    (void)state;
    static const unsigned char bad[] = {0x00, 0x09, 0x20, 0x7f, 0x80, 0xff};
    for (size_t at = 0; at < 20; at++) {
        for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
            char type[] = "!!!!~~~~!~!~xxxx!~~!", message[128];
            struct request request = request_of(JSON, "{}");
            struct identity id;
            struct err err;
            request.headers.type = slice(type, 20);
            assert_int_equal(identify(&request, &id, &err), IDENTIFY_OK);
            assert_string_equal(id.type, type);
            type[at] = (char)bad[i];
            assert_int_equal(identify(&request, &id, &err), IDENTIFY_HEADER);
            snprintf(message, sizeof message,
                     "the header X-GitHub-Event has the byte 0x%02x; visible ASCII (0x21 to 0x7e) "
                     "is allowed",
                     bad[i]);
            assert_string_equal(err.text, message);
        }
    }
}

static void identifiers_may_be_as_long_as_the_limit(void **state) {
    (void)state;
    struct request request = request_of(JSON, "{}");
    struct identity id;
    struct err err;
    memset(long_text, 'x', EVENT_ID_MAX + 1);
    request.headers.delivery = slice(long_text, EVENT_ID_MAX);
    request.headers.type = slice(long_text, EVENT_TYPE_MAX);
    request.headers.hook = slice_of(NULL); /* not needed */
    assert_int_equal(identify(&request, &id, &err), IDENTIFY_OK);
    assert_int_equal(strlen(id.id), EVENT_ID_MAX);
    assert_int_equal(strlen(id.type), EVENT_TYPE_MAX);
    request.with_hook = true;
    request.headers.delivery = slice(long_text, EVENT_ID_MAX - 2);
    request.headers.hook = slice_of("1");
    assert_int_equal(identify(&request, &id, &err), IDENTIFY_OK);
    assert_int_equal(strlen(id.id), EVENT_ID_MAX);
}

static void the_media_type_is_json_or_form(void **state) {
    (void)state;
    static const struct {
        const char *content_type;
        const char *body;
        enum identify wanted;
    } cases[] = {
        {JSON, "{}", IDENTIFY_OK},
        {"Application/JSON", "{}", IDENTIFY_OK},
        {"application/json; charset=utf-8", "{}", IDENTIFY_OK},
        {" application/json\t;x", "{}", IDENTIFY_OK},
        {"application/vnd.github+json", "{}", IDENTIFY_OK},
        {"application/cloudevents+JSON; v=1", "{}", IDENTIFY_OK},
        {FORM, "payload={}", IDENTIFY_OK},
        {"APPLICATION/X-WWW-Form-Urlencoded;charset=UTF-8", "payload={}", IDENTIFY_OK},
        {FORM, "{}", IDENTIFY_BODY},
        {JSON, "payload={}", IDENTIFY_BODY},
        {NULL, "{}", IDENTIFY_MEDIA_TYPE},
        {"", "{}", IDENTIFY_MEDIA_TYPE},
        {";", "{}", IDENTIFY_MEDIA_TYPE},
        {"text/json", "{}", IDENTIFY_MEDIA_TYPE},
        {"text/plain", "{}", IDENTIFY_MEDIA_TYPE},
        {"application/jsonx", "{}", IDENTIFY_MEDIA_TYPE},
        {"application/+json", "{}", IDENTIFY_MEDIA_TYPE},
        {"text/x+json", "{}", IDENTIFY_MEDIA_TYPE},
        {"multipart/form-data", "payload={}", IDENTIFY_MEDIA_TYPE},
        {"text/plain; application/json", "{}", IDENTIFY_MEDIA_TYPE},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct request request = request_of(cases[i].content_type, cases[i].body);
        struct identity id;
        struct err err;
        enum identify got = identify(&request, &id, &err);
        if (got != cases[i].wanted)
            fail_msg("%s: %u %s", cases[i].content_type, got, err.text);
        assert_true((got == IDENTIFY_OK) == (err.text[0] == '\0'));
    }
}

static void a_form_is_decoded_and_then_read_like_json(void **state) {
    (void)state;
    static const struct {
        const char *body;
        const char *entity;
        const char *message;
    } cases[] = {
        {"payload=%7B%22issue%22%3A%7B%22number%22%3A7%7D%2C%22repository%22%3A%7B%22full_name%22"
         "%3A%22o%2Fr%22%7D%7D",
         "o/r#7", ""},
        {"a=1&payload={\"x\":1e999,\"number\":8,\"repository\":{\"full_name\":\"o/r\"}}&b=2",
         "o/r#8", ""},
        {"payload=%7B%7D&payload=%7B%7D", NULL,
         "the form has the field `payload` twice; exactly one is needed"},
        {"payload=%7B%7D%", NULL, "the form has a '%' without two hex digits at byte 14"},
        {"x=%7B%7D", NULL, "the form has no field `payload`"},
        {"", NULL, "the form has no field `payload`"},
        {"payload=", NULL, "the body is not valid JSON: it is empty"},
        {"payload={\"a\":\"%FF\"}", NULL, "the body is not valid JSON: it is not UTF-8"},
        {"payload=[]", NULL, "the body is a list; an object is allowed"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct request request = request_of(FORM, cases[i].body);
        struct identity id;
        struct err err;
        enum identify got = identify(&request, &id, &err);
        assert_int_equal(got, cases[i].entity ? IDENTIFY_OK : IDENTIFY_BODY);
        assert_string_equal(err.text, cases[i].message);
        if (cases[i].entity)
            assert_string_equal(id.entity, cases[i].entity);
    }
}

static void texts_may_be_as_long_as_the_limit_and_no_longer(void **state) {
    (void)state;
    static const struct {
        int action;
        int repository;
        const char *number;
        const char *message; /* NULL: fine */
    } cases[] = {
        {EVENT_ACTION_MAX, 10, "1", NULL},
        {EVENT_ACTION_MAX + 1, 10, "1", "in the body action has 65 bytes; 1 to 64 are allowed"},
        {1, ENTITY_MAX, "null", NULL},
        {1, ENTITY_MAX + 1, "null",
         "in the body repository.full_name has 512 bytes; 1 to 511 are allowed"},
        {1, ENTITY_MAX - 2, "1", NULL},
        {1, ENTITY_MAX - 21, "18446744073709551615", NULL},
        {1, ENTITY_MAX - 1, "1",
         "in the body repository.full_name and number have 512 bytes together; at most 511 are "
         "allowed"},
    };
    char text[ENTITY_MAX + 2];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char body[1024];
        struct identity id;
        struct err err;
        snprintf(body, sizeof body,
                 "{\"action\":\"%.*s\",\"repository\":{\"full_name\":\"%.*s\"},\"number\":%s}",
                 cases[i].action, text, cases[i].repository, text, cases[i].number);
        struct request request = request_of(JSON, body);
        assert_int_equal(identify(&request, &id, &err),
                         cases[i].message ? IDENTIFY_BODY : IDENTIFY_OK);
        assert_string_equal(err.text, cases[i].message ? cases[i].message : "");
    }
}

/* simdjson refuses them, but a sender's own data (client_payload) may hold what JSON allows. */
static void numbers_too_large_for_the_parser_do_not_lose_the_event(void **state) {
    (void)state;
    static const char *const numbers[] = {"123456789012345678901234567890",
                                          "-123456789012345678901234567890",
                                          "18446744073709551616",
                                          "-9223372036854775809",
                                          "1e400",
                                          "-1E+400",
                                          "1.5e999",
                                          "[1e400,2,\"\\\"1e400\",\"3e400\\\\\",1e400]"};
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        char body[256];
        struct identity id;
        struct err err;
        snprintf(body, sizeof body,
                 "{\"client_payload\":%s,\"number\":12345678901234567890,"
                 "\"repository\":{\"full_name\":\"o/1e400\"}}",
                 numbers[i]);
        struct request request = request_of(JSON, body);
        if (identify(&request, &id, &err) != IDENTIFY_OK)
            fail_msg("%s: %s", body, err.text);
        assert_string_equal(id.entity, "o/1e400#12345678901234567890");
        assert_string_equal(request.body.ptr, body);
    }
}

/* Grows and shrinks the parser's memory; a sanitizer sees what is used after it was given back. */
static void one_parser_reads_small_and_huge_bodies_in_any_order(void **state) {
    (void)state;
    static const size_t sizes[] = {64, 100000, 64, 9u << 20, 64, 600000, 64, 70000};
    static const char *const types[] = {JSON, FORM};
    for (size_t i = 0; i < 2 * ARRAY_LEN(sizes); i++) {
        size_t size = sizes[i / 2];
        char *body = malloc(size + 128);
        struct identity id;
        struct err err;
        assert_non_null(body);
        int len =
            snprintf(body, 128, "%s{\"repository\":{\"full_name\":\"o/r\"},\"number\":%zu,\"x\":\"",
                     i % 2 ? "payload=" : "", i);
        memset(body + len, 'y', size);
        memcpy(body + len + (int)size, "\"}", 3);
        struct request request = request_of(types[i % 2], body);
        char entity[32];
        snprintf(entity, sizeof entity, "o/r#%zu", i);
        assert_int_equal(identify(&request, &id, &err), IDENTIFY_OK);
        assert_string_equal(id.entity, entity);
        free(body);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(id_and_type_come_from_the_headers),
        cmocka_unit_test(a_header_that_is_no_identifier_is_refused),
        cmocka_unit_test(a_header_is_refused_wherever_its_bad_byte_stands),
        cmocka_unit_test(identifiers_may_be_as_long_as_the_limit),
        cmocka_unit_test(the_media_type_is_json_or_form),
        cmocka_unit_test(a_form_is_decoded_and_then_read_like_json),
        cmocka_unit_test(texts_may_be_as_long_as_the_limit_and_no_longer),
        cmocka_unit_test(numbers_too_large_for_the_parser_do_not_lose_the_event),
        cmocka_unit_test(one_parser_reads_small_and_huge_bodies_in_any_order),
    };
    return cmocka_run_group_tests(tests, make_parser, free_parser);
}

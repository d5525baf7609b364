/* What of a journal's row is shown, and what never is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "../../admin/row_view.h"

static struct journal_row row_of(const char *head, struct slice answer, struct blob *body) {
    return (struct journal_row){
        .seq = 7,
        .event = {.source = slice_of("github"),
                  .id = slice_of("abc"),
                  .type = slice_of("issues"),
                  .action = slice_of("opened"),
                  .entity = slice_of("o/r#7"),
                  .digest = slice_of("d1"),
                  .head = slice_of(head),
                  .target = slice_of("/webhooks/github"),
                  .body = body},
        .mark = {.state = ROW_DEAD,
                 .reason = REASON_NOT_DONE,
                 .side = SIDE_NEW,
                 .attempt = 9,
                 .status = 500,
                 .answer = answer},
        .at_wall_us = 1000000,
        .changed_wall_us = 2000000,
    };
}

static const char *text_of(const json_t *json, const char *name) {
    return json_string_value(json_object_get(json, name));
}

static const char *header(const json_t *row, const char *name) {
    size_t i;
    json_t *one;
    json_array_foreach(json_object_get(row, "headers"), i, one) {
        if (strcmp(text_of(one, "name"), name) == 0)
            return text_of(one, "value");
    }
    return NULL;
}

static void a_list_shows_who_where_and_why(void **state) {
    (void)state;
    struct journal_row row = row_of("", slice(NULL, 0), NULL);
    json_t *json = row_view(&row);
    assert_string_equal(text_of(json, "event"), "abc");
    assert_string_equal(text_of(json, "source"), "github");
    assert_string_equal(text_of(json, "entity"), "o/r#7");
    assert_string_equal(text_of(json, "backend"), "new");
    assert_string_equal(text_of(json, "reason"), "not_done");
    assert_string_equal(text_of(json, "at"), "1970-01-01T00:00:02.000Z");
    assert_int_equal(json_integer_value(json_object_get(json, "attempts")), 9);
    assert_int_equal(json_integer_value(json_object_get(json, "status")), 500);
    assert_int_equal(json_integer_value(json_object_get(json, "seq")), 7);
    json_decref(json);
    row.mark.side = SIDE_NONE;
    json = row_view(&row);
    assert_true(json_is_null(json_object_get(json, "backend")));
    json_decref(json);
}

static void what_lets_somebody_in_is_never_shown(void **state) {
    (void)state;
    struct journal_row row = row_of("X-GitHub-Event: issues\r\n"
                                    "AUTHORIZATION: Basic abc\r\n"
                                    "Proxy-Authorization: x\r\n"
                                    "Cookie: a=b\r\n"
                                    "X-Gitlab-Token: s3cret\r\n"
                                    "X-Api-Key: k\r\n"
                                    "no header\r\n"
                                    "X-Hub-Signature-256: sha256=00\r\n",
                                    slice(NULL, 0), NULL);
    json_t *json = row_view_whole(&row, true);
    char *all = json_dumps(json, 0);
    assert_string_equal(header(json, "X-GitHub-Event"), "issues");
    assert_string_equal(header(json, "X-Hub-Signature-256"), "sha256=00");
    assert_string_equal(header(json, "AUTHORIZATION"), "(not shown)");
    assert_string_equal(header(json, "Proxy-Authorization"), "(not shown)");
    assert_string_equal(header(json, "Cookie"), "(not shown)");
    assert_string_equal(header(json, "X-Gitlab-Token"), "(not shown)");
    assert_string_equal(header(json, "X-Api-Key"), "(not shown)");
    assert_null(strstr(all, "s3cret"));
    free(all);
    json_decref(json);
}

static struct blob *blob_of(const char *bytes, size_t len) {
    struct blob *b = blob_new(len);
    assert_non_null(b);
    memcpy(b->data, bytes, len);
    b->len = len;
    return b;
}

static void a_body_is_shown_where_asked_for_and_text(void **state) {
    (void)state;
    static char big[ROW_VIEW_BODY_MAX + 1];
    static const struct {
        const char *bytes;
        size_t len;
        bool shown;
    } cases[] = {
        {"{\"a\":\"\xc3\xa9\"}", 10, true},
        {"", 0, true},
        {"a\0b", 3, false},
        {"\xff\xfe", 2, false},
        {big, sizeof big, false},
        {big, sizeof big - 1, true},
    };
    memset(big, 'x', sizeof big);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct blob *body = blob_of(cases[i].bytes, cases[i].len);
        struct journal_row row = row_of("", slice(NULL, 0), body);
        json_t *json = row_view_whole(&row, true);
        assert_int_equal(json_is_string(json_object_get(json, "body")), cases[i].shown);
        assert_int_equal(json_integer_value(json_object_get(json, "body_bytes")), cases[i].len);
        json_decref(json);
        json = row_view_whole(&row, false);
        assert_true(json_is_null(json_object_get(json, "body")));
        json_decref(json);
        blob_unref(body);
    }
}

static void an_answer_that_was_cut_in_a_character_stays_text(void **state) {
    (void)state;
    static const struct {
        const char *bytes, *shown;
    } cases[] = {
        {"plain", "plain"},
        {"caf\xc3\xa9", "caf\xc3\xa9"},
        {"caf\xc3", "caf"},
        {"\xe2\x82\xac and \xe2\x82", "\xe2\x82\xac and "},
        {"\xf0\x9f\x9a", ""},
        {"\xf0\x9f\x9a\x82", "\xf0\x9f\x9a\x82"},
        {"no \xff text", "no ? text"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct journal_row row = row_of("", slice_of(cases[i].bytes), NULL);
        json_t *json = row_view_whole(&row, false);
        assert_string_equal(text_of(json_object_get(json, "answer"), "body"), cases[i].shown);
        json_decref(json);
    }
}

static void without_an_answer_there_is_none(void **state) {
    (void)state;
    struct journal_row row = row_of("", slice(NULL, 0), NULL);
    row.mark.status = 0;
    json_t *json = row_view_whole(&row, false);
    assert_true(json_is_null(json_object_get(json, "answer")));
    json_decref(json);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_shows_who_where_and_why),
        cmocka_unit_test(what_lets_somebody_in_is_never_shown),
        cmocka_unit_test(a_body_is_shown_where_asked_for_and_text),
        cmocka_unit_test(an_answer_that_was_cut_in_a_character_stays_text),
        cmocka_unit_test(without_an_answer_there_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

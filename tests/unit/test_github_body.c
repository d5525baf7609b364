/* What a GitHub body says: entity, number, action; wrong types, doubles and malformed documents. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <pointsman/router.h>

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

/* The body is copied with its padding and not a byte more. */
static enum identify identify(struct slice body, struct identity *ret, struct err *err) {
    static const struct conf_source source = {0};
    const struct event_headers headers = {
        .delivery = slice_of("guid"),
        .type = slice_of("issues"),
        .content_type = slice_of("application/json"),
    };
    char *copy = calloc(1, body.len + BLOB_PADDING);
    assert_non_null(copy);
    memcpy(copy, body.ptr, body.len);
    memset(ret, 'x', sizeof *ret);
    err->text[0] = '\0';
    enum identify result =
        identify_github(parser, &source, &headers, slice(copy, body.len), ret, err);
    free(copy);
    return result;
}

static void assert_identified(const char *body, struct identity *ret) {
    struct err err;
    if (identify(slice_of(body), ret, &err) != IDENTIFY_OK)
        fail_msg("%s: %s", body, err.text);
}

static void assert_refused(struct slice body, const char *message) {
    struct identity id;
    struct err err;
    if (identify(body, &id, &err) != IDENTIFY_BODY)
        fail_msg("%.*s: taken", SLICE_ARG(body));
    assert_string_equal(err.text, message);
    assert_string_equal(id.id, "");
    assert_string_equal(id.entity, "");
}

#define REPO "\"repository\":{\"id\":5,\"full_name\":\"o/r\",\"owner\":{\"login\":\"o\"}}"

static void the_entity_is_repository_and_number_or_the_next_best(void **state) {
    (void)state;
    static const struct {
        const char *body;
        const char *entity;
        int number; /* -1: none */
    } cases[] = {
        {"{\"action\":\"opened\",\"issue\":{\"number\":7}," REPO "}", "o/r#7", 7},
        {"{" REPO ",\"pull_request\":{\"number\":8}}", "o/r#8", 8},
        {"{\"number\":9," REPO "}", "o/r#9", 9},
        {"{\"number\":9,\"pull_request\":{\"number\":8},\"issue\":{\"number\":7}," REPO "}",
         "o/r#7", 7},
        {"{\"number\":9,\"issue\":{\"id\":1}," REPO "}", "o/r#9", 9},
        {"{\"issue\":{\"number\":0}," REPO "}", "o/r#0", 0},
        {"{" REPO "}", "o/r", -1},
        {"{\"installation\":{\"id\":123}," REPO "}", "o/r", -1},
        {"{\"installation\":{\"id\":123}}", "123", -1},
        {"{\"installation\":{\"id\":123},\"number\":4}", "123", 4},
        {"{\"zen\":\"x\",\"hook\":{}}", "guid", -1},
        {"{}", "guid", -1},
        {" \t\r\n{} \n", "guid", -1},
        {"{\"installation\":{}}", "guid", -1},
        /* null is absent */
        {"{\"repository\":null,\"issue\":null,\"installation\":{\"id\":1}}", "1", -1},
        {"{\"repository\":{\"full_name\":null},\"installation\":{\"id\":null},\"action\":null,"
         "\"number\":null,\"pull_request\":null,\"organization\":null}",
         "guid", -1},
        {"{\"issue\":{\"number\":null},\"number\":3," REPO "}", "o/r#3", 3},
        /* by path, not by the first textual match */
        {"{\"forkee\":{\"full_name\":\"x/fork\",\"number\":1},\"changes\":{\"old_repository\":"
         "{\"full_name\":\"x/old\"},\"old_issue\":{\"number\":99},\"issue\":{\"number\":98}},"
         "\"issue\":{\"user\":{\"number\":97},\"number\":7},\"repository\":{\"parent\":"
         "{\"full_name\":\"x/parent\"},\"full_name\":\"o/r\"}}",
         "o/r#7", 7},
        {"{\"pull_request\":{\"head\":{\"repo\":{\"full_name\":\"x/fork\"},\"number\":2},"
         "\"number\":8}," REPO "}",
         "o/r#8", 8},
        {"{\"text\":\"\\\"repository\\\":{\\\"full_name\\\":\\\"x/y\\\"}\"," REPO "}", "o/r", -1},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct identity id;
        assert_identified(cases[i].body, &id);
        if (strcmp(id.entity, cases[i].entity) != 0)
            fail_msg("%s: %s", cases[i].body, id.entity);
        assert_int_equal(id.has_number, cases[i].number >= 0);
        assert_int_equal(id.number, cases[i].number >= 0 ? cases[i].number : 0);
    }
}

static void keys_and_texts_are_unescaped(void **state) {
    (void)state;
    struct identity id;
    assert_identified(
        "{\"\\u0072epository\":{\"full\\u005fname\":\"o\\/caf\\u00e9\\ud83d\\ude00\"},"
        "\"iss\\u0075e\":{\"n\\u0075mber\":7},\"\\u0061ction\":\"cl\\u006fsed\"}",
        &id);
    assert_string_equal(id.entity, "o/caf\xc3\xa9\xf0\x9f\x98\x80#7");
    assert_string_equal(id.repository, "o/caf\xc3\xa9\xf0\x9f\x98\x80");
    assert_string_equal(id.owner, "o");
    assert_string_equal(id.action, "closed");
    assert_true(id.closes);
}

/* Of a key only the length, then the first letter, then all of it is compared. */
static void a_key_is_found_wherever_it_stands_and_none_of_its_likes(void **state) {
    (void)state;
    static const char likes[] =
        "\"\":1,\"n\":2,\"numbe\":3,\"numbers\":4,\"numbeR\":5,\"Number\":6,\"nxmber\":7,"
        "\"number\\u0000\":8,\"numbe\\u0000\":9,\"labels\":[{\"number\":10}],\"user\":"
        "{\"number\":11,\"number\":12},"
        "\"number6789012345678901234567890123456789012345678901234567890123456789\":13";
    static const char *const keys[] = {"number", "\\u006eumber", "numbe\\u0072",
                                       "\\u006e\\u0075\\u006d\\u0062\\u0065\\u0072"};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        char bodies[4][1024];
        struct identity id;
        snprintf(bodies[0], sizeof bodies[0], "{\"issue\":{\"%s\":70,%s}}", keys[i], likes);
        snprintf(bodies[1], sizeof bodies[1], "{\"issue\":{%s,\"%s\":70}}", likes, keys[i]);
        snprintf(bodies[2], sizeof bodies[2], "{\"%s\":70,%s}", keys[i], likes);
        snprintf(bodies[3], sizeof bodies[3], "{%s,\"%s\":70}", likes, keys[i]);
        for (size_t j = 0; j < ARRAY_LEN(bodies); j++) {
            assert_identified(bodies[j], &id);
            assert_true(id.has_number);
            assert_int_equal(id.number, 70);
        }
        snprintf(bodies[0], sizeof bodies[0], "{\"issue\":{\"%s\":70,%s,\"number\":70}}", keys[i],
                 likes);
        assert_refused(slice_of(bodies[0]),
                       "the body has the key issue.number twice; once is allowed");
    }
}

static void the_owner_is_of_the_repository_else_the_organization(void **state) {
    (void)state;
    struct identity id;
    assert_identified("{\"organization\":{\"login\":\"acme\"}," REPO "}", &id);
    assert_string_equal(id.owner, "o");
    assert_identified("{\"organization\":{\"login\":\"acme\"}}", &id);
    assert_string_equal(id.owner, "acme");
    assert_string_equal(id.repository, "");
    assert_identified(
        "{\"organization\":{\"login\":\"acme\"},\"repository\":{\"full_name\":\"r\"}}", &id);
    assert_string_equal(id.owner, "acme");
    assert_string_equal(id.entity, "r");
    assert_identified("{}", &id);
    assert_string_equal(id.owner, "");
}

static void three_actions_close_an_entity(void **state) {
    (void)state;
    static const struct {
        const char *action;
        bool closes;
    } cases[] = {{"closed", true},  {"deleted", true}, {"transferred", true},
                 {"opened", false}, {"Closed", false}, {"reopened", false}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct identity id;
        char body[64];
        snprintf(body, sizeof body, "{\"action\":\"%s\"}", cases[i].action);
        assert_identified(body, &id);
        assert_string_equal(id.action, cases[i].action);
        assert_int_equal(id.closes, cases[i].closes);
    }
}

static void a_wrong_type_on_the_way_to_the_identity_is_refused(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"[]", "the body is a list; an object is allowed"},
        {"null", "the body is null; an object is allowed"},
        {"7", "the body is a number; an object is allowed"},
        {"{\"repository\":\"o/r\"}", "in the body repository is a text; an object is allowed"},
        {"{\"repository\":[]}", "in the body repository is a list; an object is allowed"},
        {"{\"repository\":{\"full_name\":5}}",
         "in the body repository.full_name is a number; a text is allowed"},
        {"{\"repository\":{\"full_name\":{}}}",
         "in the body repository.full_name is an object; a text is allowed"},
        {"{\"issue\":7," REPO "}", "in the body issue is a number; an object is allowed"},
        {"{\"issue\":{\"number\":\"7\"}}",
         "in the body issue.number is a text; an integer of 0 to 2^64-1 is allowed"},
        {"{\"issue\":{\"number\":-7}}",
         "in the body issue.number is a number that is negative, a fraction or above 2^64-1; "
         "an integer of 0 to 2^64-1 is allowed"},
        {"{\"pull_request\":{\"number\":7.0}}",
         "in the body pull_request.number is a number that is negative, a fraction or above "
         "2^64-1; an integer of 0 to 2^64-1 is allowed"},
        {"{\"number\":18446744073709551616}",
         "in the body number is a number that is negative, a fraction or above 2^64-1; "
         "an integer of 0 to 2^64-1 is allowed"},
        {"{\"number\":true,\"issue\":{\"number\":1}}",
         "in the body number is true or false; an integer of 0 to 2^64-1 is allowed"},
        {"{\"installation\":{\"id\":\"1\"}," REPO "}",
         "in the body installation.id is a text; an integer of 0 to 2^64-1 is allowed"},
        {"{\"installation\":1}", "in the body installation is a number; an object is allowed"},
        {"{\"action\":1}", "in the body action is a number; a text is allowed"},
        {"{\"action\":\"\"}", "in the body action has 0 bytes; 1 to 64 are allowed"},
        {"{\"organization\":\"acme\"}", "in the body organization is a text; an object is allowed"},
        {"{\"repository\":{\"full_name\":\"a\\u0000b\"}}",
         "in the body repository.full_name has the control character 0x00"},
        {"{\"action\":\"a\\nb\"}", "in the body action has the control character 0x0a"},
        {"{\"action\":\"eight_ok\\u001f\"}", "in the body action has the control character 0x1f"},
        {"{\"action\":\"eight ok and then caf\\u00e9\\u001f\"}",
         "in the body action has the control character 0x1f"},
        {"{\"organization\":{\"login\":\"\\u007f\"}}",
         "in the body organization.login has the control character 0x7f"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_refused(slice_of(cases[i][0]), cases[i][1]);
}

static void a_double_key_on_the_way_is_refused_however_it_is_written(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"{\"action\":\"a\",\"action\":\"a\"}", "action"},
        {"{\"action\":null,\"action\":\"a\"}", "action"},
        {"{\"action\":\"a\",\"action\":\"b\",\"action\":\"c\"}", "action"},
        {"{\"number\":1,\"n\\u0075mber\":1}", "number"},
        {"{" REPO "," REPO "}", "repository"},
        {"{\"repository\":null," REPO "}", "repository"},
        {"{\"issue\":{},\"issue\":{}}", "issue"},
        {"{\"pull_request\":{},\"pull_request\":{}}", "pull_request"},
        {"{\"installation\":{},\"installation\":{}}", "installation"},
        {"{\"organization\":{},\"organization\":{}}", "organization"},
        {"{\"repository\":{\"full_name\":\"o/r\",\"full_name\":\"x/y\"}}", "repository.full_name"},
        {"{\"issue\":{\"number\":1,\"number\":2}}", "issue.number"},
        {"{\"pull_request\":{\"number\":1,\"number\":1}}", "pull_request.number"},
        {"{\"installation\":{\"id\":1,\"id\":1}}", "installation.id"},
        {"{\"organization\":{\"login\":\"a\",\"login\":\"a\"}}", "organization.login"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char message[128];
        snprintf(message, sizeof message, "the body has the key %s twice; once is allowed",
                 cases[i][1]);
        assert_refused(slice_of(cases[i][0]), message);
    }
    struct identity id;
    assert_identified("{\"x\":1,\"x\":2,\"issue\":{\"id\":1,\"id\":2},\"user\":{\"number\":1,"
                      "\"number\":2}}",
                      &id);
}

#define BAD "the body is not valid JSON: "
#define BRACKETS                                                                                   \
    BAD "brackets, commas or colons are out of place, or something stands before or behind it"

static void a_malformed_document_is_refused_wherever_the_fault_is(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"", BAD "it is empty"},
        {" \n", BAD "it is empty"},
        {"{" REPO "}x", BRACKETS},
        {"{" REPO "}{}", BRACKETS},
        {"{" REPO ",}", BRACKETS},
        {"{" REPO, BRACKETS},
        {"{" REPO "]", BRACKETS},
        {"{'a':1}", BRACKETS},
        {"{" REPO ",\"a\":[1 2]}", BRACKETS},
        {"{}//", BRACKETS},
        {"\xef\xbb\xbf{}", BRACKETS}, /* a byte order mark: RFC 8259 §8.1 forbids sending one */
        {"{" REPO ",\"a\":\"\\x\"}", BAD "a string has a bad escape"},
        {"{" REPO ",\"a\":\"\\ud800\"}", BAD "a string has a bad escape"},
        {"{" REPO ",\"a\":\"\\udc00\"}", BAD "a string has a bad escape"},
        {"{" REPO ",\"a\":\"\n\"}", BAD "a string has an unescaped control character"},
        {"{" REPO ",\"a\":\"x}", BAD "a string is not closed"},
        {"{" REPO ",\"a\":\"\xff\"}", BAD "it is not UTF-8"},
        {"{" REPO ",\"a\":\"\xc0\xaf\"}", BAD "it is not UTF-8"},
        {"{" REPO ",\"a\":tru}", BAD "a word is none of true, false, null"},
        {"{" REPO ",\"a\":nul}", BAD "a word is none of true, false, null"},
        {"{" REPO ",\"a\":01}", BAD "a number is malformed"},
        {"{" REPO ",\"a\":1.}", BAD "a number is malformed"},
        {"{" REPO ",\"a\":-}", BAD "a number is malformed"},
        {"{" REPO ",\"a\":1e400,\"b\":1e}", BAD "a number is malformed"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_refused(slice_of(cases[i][0]), cases[i][1]);
    assert_refused(slice("{}\0", 3), BRACKETS);
    assert_refused(slice("{\"a\":\"\0\"}", 9), BAD "a string has an unescaped control character");
}

static void ten_thousand_levels_are_refused(void **state) {
    (void)state;
    enum { LEVELS = 10000 };
    char *body = malloc(5 + 2 * LEVELS + 1);
    assert_non_null(body);
    memcpy(body, "{\"a\":", 5);
    memset(body + 5, '[', LEVELS);
    memset(body + 5 + LEVELS, ']', LEVELS);
    body[5 + 2 * LEVELS] = '}';
    assert_refused(slice(body, 5 + 2 * LEVELS + 1), BAD "it is nested deeper than 1024 levels");
    free(body);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_entity_is_repository_and_number_or_the_next_best),
        cmocka_unit_test(keys_and_texts_are_unescaped),
        cmocka_unit_test(a_key_is_found_wherever_it_stands_and_none_of_its_likes),
        cmocka_unit_test(the_owner_is_of_the_repository_else_the_organization),
        cmocka_unit_test(three_actions_close_an_entity),
        cmocka_unit_test(a_wrong_type_on_the_way_to_the_identity_is_refused),
        cmocka_unit_test(a_double_key_on_the_way_is_refused_however_it_is_written),
        cmocka_unit_test(a_malformed_document_is_refused_wherever_the_fault_is),
        cmocka_unit_test(ten_thousand_levels_are_refused),
    };
    return cmocka_run_group_tests(tests, make_parser, free_parser);
}

/* What senders are told: each answer's status, headers and body, as the contract has them. */
#include <jansson.h>

#include <pointsman/digest.h>

#include "rig.h"

static const struct rig_conf plain = {.mode = MODE_LEGACY_ONLY};

/* DESIGN §5, by hand: what a table generated from the code could not find wrong. */
static void the_table_is_the_contract(void **state) {
    (void)state;
    static const struct {
        enum answer answer;
        unsigned status;
        bool problem;
        bool retry;
    } rows[ANSWER_COUNT] = {
        {ANSWER_BACKEND, 0, false, false},      {ANSWER_SUMMARY, 200, false, false},
        {ANSWER_IGNORED, 200, false, false},    {ANSWER_DUPLICATE, 200, false, false},
        {ANSWER_IN_PROGRESS, 503, false, true}, {ANSWER_IN_DOUBT, 504, false, false},
        {ANSWER_ACCEPTED, 202, false, false},   {ANSWER_QUEUED, 202, false, false},
        {ANSWER_SIGNATURE, 401, true, false},   {ANSWER_EVENT, 400, true, false},
        {ANSWER_HTTP, 400, true, false},        {ANSWER_PATH, 404, true, false},
        {ANSWER_METHOD, 405, true, false},      {ANSWER_MEDIA_TYPE, 415, true, false},
        {ANSWER_SLOW, 408, true, false},        {ANSWER_BODY, 413, true, false},
        {ANSWER_OVERLOAD, 503, true, true},     {ANSWER_BUSY, 503, true, true},
        {ANSWER_STORE, 503, true, true},        {ANSWER_JOURNAL, 503, true, true},
        {ANSWER_BREAKER, 503, true, true},      {ANSWER_UNREACHED, 502, true, false},
        {ANSWER_REDIRECT, 502, true, false},    {ANSWER_DEADLINE, 504, true, false},
    };
    for (int i = 0; i < ANSWER_COUNT; i++) {
        const struct answer_row *row = &answers[rows[i].answer];
        if (row->status != rows[i].status || (row->title != NULL) != rows[i].problem ||
            (row->retry_after_s > 0) != rows[i].retry)
            fail_msg("%s: %u, %s, retry %u", row->name, row->status, row->title,
                     row->retry_after_s);
        for (int k = 0; k < i; k++)
            assert_string_not_equal(answers[rows[k].answer].name, row->name);
    }
}

static void every_metric_is_named_and_labelled(void **state) {
    (void)state;
    for (int i = 0; i < METRICS_COUNT; i++) {
        const struct metric_def *m = &metric_defs[i];
        assert_non_null(m->name);
        assert_memory_equal(m->name, "pointsman_", 10);
        assert_non_null(m->help);
        const char *end = strrchr(m->name, '_');
        assert_int_equal(strcmp(end, "_total") == 0, m->kind == METRIC_COUNTER);
        assert_int_equal(strcmp(end, "_seconds") == 0, m->kind == METRIC_HISTOGRAM);
        for (int l = 0; l < 3; l++)
            for (unsigned v = 0; m->labels[l].name && v < m->labels[l].count; v++)
                assert_non_null(m->labels[l].values[v]);
    }
}

/* One whole answer; the caller frees *ret_json, NULL where the body is none. */
static struct http_head take(struct rig *r, struct sender *s, json_t **ret_json) {
    struct http_head head;
    struct slice body = {0};
    RIG_UNTIL(r, sender_answer(s, &head, &body));
    *ret_json = json_loadb(body.ptr, body.len, 0, NULL);
    return head;
}

static const char *text_of(const json_t *json, const char *key) {
    const char *text = json_string_value(json_object_get(json, key));
    return text ? text : "";
}

struct refusal {
    const char *type, *delivery, *event,
        *body; /* content type and the rest; NULL: no such header */
    enum answer answer;
    const char *told; /* the id as far as it can be told */
};

static const struct refusal refusals[] = {
    {"application/json", "d", "issues", "{", ANSWER_EVENT, "d"},
    {"application/json", "d", "issues", "{\"number\":1,\"number\":2}", ANSWER_EVENT, "d"},
    {"application/json", "d", NULL, "{}", ANSWER_EVENT, "d"},
    {"application/json", NULL, "issues", "{}", ANSWER_EVENT, "-"},
    {"application/json", "d d", "issues", "{}", ANSWER_EVENT, "-"},
    {"application/json", "d\r\nX-GitHub-Delivery: e", "issues", "{}", ANSWER_EVENT, NULL},
    {"text/plain", "d", "issues", "{}", ANSWER_MEDIA_TYPE, "d"},
};

static void a_refused_event_is_a_problem_with_its_members(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
        const struct refusal *c = &refusals[i];
        struct rig r;
        char text[1024], type[64];
        json_t *json;
        rig_start(&r, &plain);
        snprintf(text, sizeof text,
                 "POST /w HTTP/1.1\r\nHost: h\r\nContent-Type: %s\r\n%s%s%s%s%s%s"
                 "Content-Length: %zu\r\n\r\n%s",
                 c->type, c->delivery ? "X-GitHub-Delivery: " : "", c->delivery ? c->delivery : "",
                 c->delivery ? "\r\n" : "", c->event ? "X-GitHub-Event: " : "",
                 c->event ? c->event : "", c->event ? "\r\n" : "", strlen(c->body), c->body);
        struct sender *s = rig_sender(&r);
        sender_says(&r, s, text);
        struct http_head head = take(&r, s, &json);
        snprintf(type, sizeof type, "urn:pointsman:problem:%s", answers[c->answer].name);
        assert_int_equal(head.status, answers[c->answer].status);
        assert_string_equal(text_of(json, "type"), type);
        assert_string_equal(text_of(json, "title"), answers[c->answer].title);
        assert_int_equal(json_integer_value(json_object_get(json, "status")), head.status);
        assert_true(strlen(text_of(json, "detail")) > 0);
        assert_header(&head, "content-type", "application/problem+json");
        if (c->told)
            assert_header(&head, "x-pointsman-event", c->told);
        assert_header(&head, "x-pointsman-backend", NULL);
        assert_header(&head, "x-pointsman-mode", NULL); /* nothing was decided */
        json_decref(json);
        assert_int_equal(r.stubs[SIDE_LEGACY].accepted, 0);
        rig_stop(&r);
    }
}

/* The signature header's value; NULL: there is none. */
static void post_signed(struct rig *r, struct sender *s, const char *signature) {
    char text[2048];
    const char *event = rig_event("signed", 1);
    const char *lines = strstr(event, "Host:");
    snprintf(text, sizeof text, "POST /w HTTP/1.1\r\n%s%s%s%s",
             signature ? "X-Hub-Signature-256: " : "", signature ? signature : "",
             signature ? "\r\n" : "", lines);
    sender_says(r, s, text);
}

static void only_what_is_signed_rightly_is_taken(void **state) {
    (void)state;
    struct rig r;
    struct rig_conf conf = {.mode = MODE_LEGACY_ONLY, .secrets = "[{value: s3cret}]"};
    rig_start(&r, &conf);
    r.stubs[SIDE_LEGACY].answer = OK_ANSWER;
    struct sender *s = rig_sender(&r);
    const char *body = strstr(rig_event("signed", 1), "\r\n\r\n") + 4;
    uint8_t mac[SHA256_LEN];
    char right[8 + 2 * SHA256_LEN] = "sha256=", wrong[8 + 2 * SHA256_LEN], both[256];
    struct hmac_key *key = hmac_key_new("s3cret", 6);
    hmac_sha256(key, body, strlen(body), mac);
    hmac_key_free(key);
    hex_encode(mac, sizeof mac, right + 7);
    right[7 + 2 * SHA256_LEN] = '\0';
    memcpy(wrong, right, sizeof wrong);
    wrong[10] = wrong[10] == 'a' ? 'b' : 'a';
    snprintf(both, sizeof both, "%s\r\nX-Hub-Signature-256: %s", right, right);
    const char *refused[] = {NULL, "", "sha256=", "sha1=abc", wrong, both};
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        post_signed(&r, s, refused[i]);
        struct http_head head = rig_expect(&r, s, 401, "urn:pointsman:problem:signature");
        assert_header(&head, "www-authenticate", "X-Hub-Signature-256");
    }
    assert_int_equal(r.stubs[SIDE_LEGACY].accepted, 0);
    assert_false(rig_look(&r, "signed", "").ret_has_event);
    post_signed(&r, s, right);
    rig_expect(&r, s, 200, "ok");
    char expected[8 + 16];
    snprintf(expected, sizeof expected, "hmac:%.16s", right + 7); /* tells bodies apart */
    assert_string_equal(rig_look(&r, "signed", "").ret_digest, expected);
    rig_stop(&r);
}

static void what_no_backend_wants_is_ignored(void **state) {
    (void)state;
    struct rig r;
    struct rig_conf conf = {.mode = MODE_LEGACY_ONLY, .source = ", only: {issues: [edited]}"};
    json_t *json;
    rig_start(&r, &conf);
    struct sender *s = rig_post(&r, "unwanted", 1);
    struct http_head head = take(&r, s, &json);
    assert_int_equal(head.status, 200);
    assert_header(&head, "content-type", "application/json");
    assert_header(&head, "x-pointsman-event", "unwanted");
    assert_string_equal(text_of(json, "status"), "ignored");
    assert_string_equal(text_of(json, "event"), "unwanted");
    assert_string_equal(text_of(json, "action"), "opened");
    assert_int_equal(json_object_size(json), 3);
    json_decref(json);
    assert_int_equal(r.stubs[SIDE_LEGACY].accepted, 0);
    rig_stop(&r);
}

static void a_date_stands_in_our_own_answers(void **state) {
    (void)state;
    struct rig r;
    struct tm tm;
    rig_start(&r, &plain);
    struct sender *s = rig_sender(&r);
    sender_says(&r, s, "GET /nowhere HTTP/1.1\r\nHost: h\r\n\r\n");
    struct http_head head = rig_expect(&r, s, 404, "");
    struct slice date = http_header(&head, "date");
    assert_int_equal(date.len, 29);
    char text[32];
    memcpy(text, date.ptr, 29);
    text[29] = '\0';
    const char *end = strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &tm);
    assert_non_null(end);
    assert_int_equal(*end, '\0');
    double off = difftime(timegm(&tm), (time_t)(clock_wall_us() / RIG_SECOND_US));
    assert_true(off <= 0 && off > -60);
    rig_stop(&r);
}

static void a_decided_event_says_where_and_how(void **state) {
    (void)state;
    static const struct {
        struct control control;
        const char *mode, *backend;
    } cases[] = {
        {{MODE_LEGACY_ONLY, 0, 1}, "legacy_only", "legacy"},
        {{MODE_NEW_ONLY, 0, 1}, "new_only", "new"},
        {{MODE_GRADUAL, PPM_ALL, 1}, "gradual", "new"},
        {{MODE_GRADUAL, 0, 1}, "gradual", "legacy"},
        {{MODE_PARALLEL, 0, 1}, "parallel", "legacy"},
        {{MODE_EMERGENCY_ROLLBACK, 0, 1}, "emergency_rollback", "legacy"},
    };
    struct rig r;
    rig_start(&r, &plain);
    r.stubs[SIDE_LEGACY].answer = r.stubs[SIDE_NEW].answer = OK_ANSWER;
    struct sender *s = rig_sender(&r);
    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        char id[16];
        snprintf(id, sizeof id, "e%u", i);
        r.worker->control = cases[i].control;
        sender_says(&r, s, rig_event(id, i));
        struct http_head head = rig_expect(&r, s, 200, "ok");
        assert_header(&head, "x-pointsman-event", id);
        assert_header(&head, "x-pointsman-mode", cases[i].mode);
        assert_header(&head, "x-pointsman-backend", cases[i].backend);
    }
    rig_stop(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_is_the_contract),
        cmocka_unit_test(every_metric_is_named_and_labelled),
        cmocka_unit_test(a_refused_event_is_a_problem_with_its_members),
        cmocka_unit_test(only_what_is_signed_rightly_is_taken),
        cmocka_unit_test(what_no_backend_wants_is_ignored),
        cmocka_unit_test(a_date_stands_in_our_own_answers),
        cmocka_unit_test(a_decided_event_says_where_and_how),
    };
    return cmocka_run_group_tests(tests, rig_clock_on, rig_clock_off);
}

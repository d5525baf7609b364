/* Looking fields up, and which of them end at this hop. */
#include <stdio.h>

#include "http_cases.h"

static struct replay_result parsed(const char *bytes) {
    struct replay_result r;
    replay_ok(REPLAY_REQUEST, slice_of(bytes), &usual_limits, &r);
    assert_int_equal(r.parse, HTTP_OK);
    return r;
}

static void a_field_is_found_in_any_case_and_the_first_counts(void **state) {
    (void)state;
    struct replay_result r = parsed("GET / HTTP/1.1\r\nHost: a\r\nX-One: 1\r\nx-oNE: 2\r\n"
                                    "X-Empty:\r\nX-On: 3\r\nvIA: 4\r\nVia: 5\r\nExpect:\r\n\r\n");
    assert_slice(http_header(&r.head, "x-one"), "1");
    assert_slice(http_header(&r.head, "X-ONE"), "1");
    assert_slice(http_header(&r.head, "x-empty"), "");
    assert_slice(http_header(&r.head, "x-none"), NULL);
    assert_slice(http_header(&r.head, "x-on"), "3");
    assert_slice(http_header(&r.head, "x-o"), NULL);
    assert_slice(http_known_header(&r.head, HTTP_NAME_VIA), "4");
    assert_slice(http_known_header(&r.head, HTTP_NAME_EXPECT), "");
    assert_slice(http_known_header(&r.head, HTTP_NAME_TRACEPARENT), NULL);
    replay_clear(&r);
}

/* `lines`: one for each field of a request, besides Host. Does it end here? */
static void expect_hop(const char *connection, const char *const *lines, size_t count, bool hop) {
    for (size_t i = 0; i < count; i++) {
        char text[1024];
        snprintf(text, sizeof text, "GET / HTTP/1.1\r\n%s\r\nHost: a\r\n%s\r\n\r\n", lines[i],
                 connection);
        struct replay_result r = parsed(text);
        if (!(r.head.headers[0].traits & HTTP_HOP) == hop)
            fail_msg("%s, %s", lines[i], hop ? "passed on" : "not passed on");
        replay_clear(&r);
    }
}

static void fields_about_the_hop_end_here(void **state) {
    (void)state;
    static const char *const hop[] = {
        "Connection: close",
        "Keep-Alive: x",
        "Proxy-Connection: x",
        "Proxy-Authenticate: x",
        "Proxy-Authorization: x",
        "TE: x",
        "Trailer: x",
        "uPGRADE: x",
        "Upgrade: x",
        "transfer-ENCODING: chunked",
    };
    static const char *const end[] = {
        "Accept: x",      "Authorization: x", "Content-Length: 1", "TEE: x", "T: x",
        "Keep-Alive2: x", "Via: x",           "Close: x",
    };
    expect_hop("Connection:", hop, ARRAY_LEN(hop), true);
    expect_hop("Connection: close, keep-alive", end, ARRAY_LEN(end), false);
}

static void connection_nominates_fields_that_end_here(void **state) {
    (void)state;
    static const char connection[] =
        "Connection: close, X-One ,,\r\nX-Other: 1\r\nconnection: x-two\r\nConnection: close";
    static const char *const hop[] = {"x-one: 1", "X-Two: 1", "Close: 1"};
    static const char *const end[] = {"X-Three: 1", "X-On: 1", "X-One1: 1"};
    expect_hop(connection, hop, ARRAY_LEN(hop), true);
    expect_hop(connection, end, ARRAY_LEN(end), false);
}

static void signature_and_identity_can_not_be_nominated_away(void **state) {
    (void)state;
    static const char connection[] =
        "Connection: content-length, content-type, X-Hub-Signature, x-hub-signature-256\r\n"
        "Connection: X-GitHub-Delivery, x-github-event, idempotency-key, X-Pointsman-Fence\r\n"
        "Connection: x-pointsman, x-hub, idempotency-keys, transfer-encoding, host";
    static const char *const kept[] = {
        "content-length: 1",      "Content-Type: x",      "X-Hub-Signature: x",
        "X-Hub-Signature-256: x", "x-github-delivery: x", "X-GitHub-Event: x",
        "Idempotency-Key: x",     "X-Pointsman-Fence: x", "x-pointsman: x",
    };
    static const char *const hop[] = {"X-Hub: x", "Idempotency-Keys: x",
                                      "Transfer-Encoding: chunked"};
    expect_hop(connection, kept, ARRAY_LEN(kept), false);
    expect_hop(connection, hop, ARRAY_LEN(hop), true);
    struct replay_result r = parsed("GET / HTTP/1.1\r\nHost: a\r\nConnection: host\r\n\r\n");
    assert_false(r.head.headers[0].traits & HTTP_HOP);
    replay_clear(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_field_is_found_in_any_case_and_the_first_counts),
        cmocka_unit_test(fields_about_the_hop_end_here),
        cmocka_unit_test(connection_nominates_fields_that_end_here),
        cmocka_unit_test(signature_and_identity_can_not_be_nominated_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

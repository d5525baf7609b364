/* Looking fields up, and which of them end at this hop. */
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
                                    "X-Empty:\r\nX-On: 3\r\n\r\n");
    assert_slice(http_header(&r.head, "x-one"), "1");
    assert_slice(http_header(&r.head, "X-ONE"), "1");
    assert_slice(http_header(&r.head, "x-empty"), "");
    assert_slice(http_header(&r.head, "x-none"), NULL);
    assert_int_equal(http_header_count(&r.head, "X-one"), 2);
    assert_int_equal(http_header_count(&r.head, "x-on"), 1);
    assert_int_equal(http_header_count(&r.head, "x-o"), 0);
    replay_clear(&r);
}

static void fields_about_the_hop_end_here(void **state) {
    (void)state;
    static const char *const hop[] = {
        "Connection",
        "Keep-Alive",
        "Proxy-Connection",
        "Proxy-Authenticate",
        "Proxy-Authorization",
        "TE",
        "Trailer",
        "Transfer-Encoding",
        "Upgrade",
        "uPGRADE",
    };
    static const char *const end[] = {
        "Host", "Accept", "Authorization", "Content-Length", "TEE", "T", "Keep-Alive2", "Via",
    };
    struct replay_result r = parsed("GET / HTTP/1.1\r\nHost: a\r\nConnection:\r\n\r\n");
    for (size_t i = 0; i < ARRAY_LEN(hop); i++)
        assert_true(http_is_hop_by_hop(&r.head, slice_of(hop[i])));
    for (size_t i = 0; i < ARRAY_LEN(end); i++)
        assert_false(http_is_hop_by_hop(&r.head, slice_of(end[i])));
    replay_clear(&r);
}

static void connection_nominates_fields_that_end_here(void **state) {
    (void)state;
    struct replay_result r = parsed("GET / HTTP/1.1\r\nHost: a\r\nConnection: close, X-One ,,\r\n"
                                    "X-One: 1\r\nconnection: x-two\r\n\r\n");
    assert_true(http_is_hop_by_hop(&r.head, slice_of("x-one")));
    assert_true(http_is_hop_by_hop(&r.head, slice_of("X-Two")));
    assert_true(http_is_hop_by_hop(&r.head, slice_of("Close")));
    assert_false(http_is_hop_by_hop(&r.head, slice_of("X-Three")));
    assert_false(http_is_hop_by_hop(&r.head, slice_of("X-On")));
    replay_clear(&r);
}

static void signature_and_identity_can_not_be_nominated_away(void **state) {
    (void)state;
    static const char *const kept[] = {
        "Host",
        "content-length",
        "Content-Type",
        "X-Hub-Signature",
        "X-Hub-Signature-256",
        "x-github-delivery",
        "X-GitHub-Event",
        "Idempotency-Key",
        "X-Pointsman-Fence",
        "x-pointsman",
    };
    struct replay_result r = parsed(
        "GET / HTTP/1.1\r\nHost: a\r\n"
        "Connection: host, Content-Length, content-type, X-Hub-Signature, x-hub-signature-256\r\n"
        "Connection: X-GitHub-Delivery, x-github-event, idempotency-key, X-Pointsman-Fence\r\n"
        "Connection: x-pointsman, x-hub, idempotency-keys, transfer-encoding\r\n\r\n");
    for (size_t i = 0; i < ARRAY_LEN(kept); i++)
        assert_false(http_is_hop_by_hop(&r.head, slice_of(kept[i])));
    assert_true(http_is_hop_by_hop(&r.head, slice_of("X-Hub")));
    assert_true(http_is_hop_by_hop(&r.head, slice_of("Idempotency-Keys")));
    assert_true(http_is_hop_by_hop(&r.head, slice_of("Transfer-Encoding")));
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

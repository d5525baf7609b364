/* Signatures: official vectors, rotation, and every wrong shape. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pointsman/digest.h>
#include <pointsman/router.h>

#define GITHUB_SECRET    "It's a Secret to Everybody"
#define GITHUB_BODY      "Hello, World!"
#define GITHUB_HEX       "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
#define GITHUB_SIGNATURE "sha256=" GITHUB_HEX

static struct verifier *verifier_of(const char *const *secrets, size_t count) {
    struct conf_secret list[4];
    for (size_t i = 0; i < count; i++)
        list[i] = (struct conf_secret){.bytes = (char *)secrets[i], .len = strlen(secrets[i])};
    struct conf_source source = {.secrets = list, .secret_count = count};
    struct verifier *v = verifier_new(&source);
    assert_non_null(v);
    return v;
}

static enum verify verify(const struct verifier *v, struct slice signature, struct slice body) {
    struct verify_item item = {.verifier = v, .signature = signature, .body = body};
    verify_all(NULL, &item, 1);
    return item.verdict;
}

static enum verify verify_with(const char *secret, struct slice signature, const char *body) {
    struct verifier *v = verifier_of(&secret, 1);
    enum verify result = verify(v, signature, slice_of(body));
    verifier_free(v);
    return result;
}

/* facts/vectors.json: github-256 (docs.github.com), octokit-256, github-form. */
static void published_signatures_are_right(void **state) {
    (void)state;
    static const struct {
        const char *secret;
        const char *body;
        const char *signature;
    } cases[] = {
        {GITHUB_SECRET, GITHUB_BODY, GITHUB_SIGNATURE},
        {"mysecret", "{\n  \"foo\": \"bar\"\n}\n",
         "sha256=e3eccac34c43c7dc1cbb905488b1b81347fcc700a7b025697a9d07862256023f"},
        {GITHUB_SECRET, "payload=%7B%22zen%22%3A%22Keep+it+logically+awesome.%22%7D",
         "sha256=1fc8bf6145b8e3b76b01404760bc7e884a641ad0fe4b9b66ced27d4a983cce1c"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct slice signature = slice_of(cases[i].signature);
        assert_int_equal(verify_with(cases[i].secret, signature, cases[i].body), VERIFY_OK);
        assert_int_equal(verify_with("another", signature, cases[i].body), VERIFY_WRONG);
        assert_int_equal(verify_with(cases[i].secret, signature, "another"), VERIFY_WRONG);
    }
}

static void a_signature_of_the_wrong_shape_is_refused_by_its_kind(void **state) {
    (void)state;
    static const struct {
        const char *signature;
        enum verify wanted;
    } cases[] = {
        {NULL, VERIFY_MISSING},
        {"", VERIFY_EMPTY},
        {"sha256=", VERIFY_EMPTY},
        {"sha256", VERIFY_MALFORMED},
        {"sha1=01dc10d0c83e72ed246219cdd91669667fe2ca59", VERIFY_MALFORMED},
        {GITHUB_HEX, VERIFY_MALFORMED},
        {"SHA256=" GITHUB_HEX, VERIFY_MALFORMED},
        {"sha256 =" GITHUB_HEX, VERIFY_MALFORMED},
        {"sha256=757107EA0EB2509FC211221CCE984B8A37570B6D7586C22C46F4379C8B043E17",
         VERIFY_MALFORMED},
        {GITHUB_SIGNATURE "0", VERIFY_MALFORMED},
        {GITHUB_SIGNATURE " ", VERIFY_MALFORMED},
        {" " GITHUB_SIGNATURE, VERIFY_MALFORMED},
        {GITHUB_SIGNATURE "," GITHUB_SIGNATURE, VERIFY_MALFORMED},
        {"sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e1",
         VERIFY_MALFORMED},
        {"sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e1g",
         VERIFY_MALFORMED},
        {"sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e16", VERIFY_WRONG},
        {"sha256=0000000000000000000000000000000000000000000000000000000000000000", VERIFY_WRONG},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        enum verify got = verify_with(GITHUB_SECRET, slice_of(cases[i].signature), GITHUB_BODY);
        if (got != cases[i].wanted)
            fail_msg("%s: %s, not %s", cases[i].signature, verify_names[got],
                     verify_names[cases[i].wanted]);
    }
}

static void a_nul_inside_the_signature_is_malformed(void **state) {
    (void)state;
    char signature[] = GITHUB_SIGNATURE;
    signature[40] = '\0';
    assert_int_equal(
        verify_with(GITHUB_SECRET, slice(signature, sizeof signature - 1), GITHUB_BODY),
        VERIFY_MALFORMED);
}

static void any_of_several_secrets_is_right(void **state) {
    (void)state;
    const char *const secrets[] = {"first", GITHUB_SECRET, "third"};
    for (size_t right = 0; right < 3; right++) {
        const char *turned[3];
        for (size_t i = 0; i < 3; i++)
            turned[i] = secrets[(i + right) % 3];
        struct verifier *v = verifier_of(turned, 3);
        assert_int_equal(verify(v, slice_of(GITHUB_SIGNATURE), slice_of(GITHUB_BODY)), VERIFY_OK);
        verifier_free(v);
    }
    const char *const others[] = {"first", "second"};
    struct verifier *v = verifier_of(others, 2);
    assert_int_equal(verify(v, slice_of(GITHUB_SIGNATURE), slice_of(GITHUB_BODY)), VERIFY_WRONG);
    verifier_free(v);
}

static void a_source_without_secrets_takes_everything(void **state) {
    (void)state;
    struct verifier *v = verifier_of(NULL, 0);
    assert_int_equal(verify(v, slice_of(NULL), slice_of(GITHUB_BODY)), VERIFY_OK);
    assert_int_equal(verify(v, slice_of("nonsense"), slice_of(GITHUB_BODY)), VERIFY_OK);
    verifier_free(v);
    verifier_free(NULL);
}

static void an_empty_body_and_long_secrets_can_be_signed(void **state) {
    (void)state;
    char secret[200];
    memset(secret, 's', sizeof secret - 1);
    secret[sizeof secret - 1] = '\0';
    struct hmac_key *key = hmac_key_new(secret, strlen(secret));
    uint8_t hash[SHA256_LEN];
    char signature[7 + 2 * SHA256_LEN] = "sha256=";
    assert_non_null(key);
    hmac_sha256(key, "", 0, hash);
    hmac_key_free(key);
    hex_encode(hash, sizeof hash, signature + 7);
    assert_int_equal(verify_with(secret, slice(signature, sizeof signature), ""), VERIFY_OK);
}

/* Forty events of several sources, some with two secrets, some forged: each gets its own verdict,
 * in whatever sets they are hashed. */
static void events_judged_together_get_the_verdicts_of_each_alone(void **state) {
    (void)state;
    enum { COUNT = 40, BODY = 12000 };
    static char bodies[COUNT][BODY], signatures[COUNT][7 + 2 * SHA256_LEN + 1];
    const char *const secrets[] = {"old", "new"};
    struct verifier *verifiers[] = {verifier_of(secrets, 1), verifier_of(secrets, 2),
                                    verifier_of(NULL, 0)};
    struct hmac_key *keys[] = {hmac_key_new("old", 3), hmac_key_new("new", 3)};
    struct hmac_lanes *lanes = hmac_lanes_new();
    struct verify_item items[COUNT];
    uint64_t seed;
    random_bytes(&seed, sizeof seed);
    srandom((unsigned)seed);
    print_message("seed %u\n", (unsigned)seed);
    for (int i = 0; i < COUNT; i++) {
        size_t len = i % 3 ? (size_t)random() % BODY : 11000;
        uint8_t mac[SHA256_LEN];
        for (size_t at = 0; at < len; at++)
            bodies[i][at] = (char)random();
        hmac_sha256(keys[random() % 2], bodies[i], len, mac);
        memcpy(signatures[i], "sha256=", 7);
        hex_encode(mac, sizeof mac, signatures[i] + 7);
        signatures[i][10 + random() % 400 % 60] ^= random() % 3 == 0;
        items[i] = (struct verify_item){.verifier = verifiers[random() % 3],
                                        .signature = slice_of(signatures[i]),
                                        .body = slice(bodies[i], len)};
    }
    verify_all(lanes, items, COUNT);
    for (int i = 0; i < COUNT; i++)
        if (items[i].verdict != verify(items[i].verifier, items[i].signature, items[i].body))
            fail_msg("event %d of seed %u: %s", i, (unsigned)seed, verify_names[items[i].verdict]);
    hmac_lanes_free(lanes);
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        hmac_key_free(keys[i]);
    for (size_t i = 0; i < ARRAY_LEN(verifiers); i++)
        verifier_free(verifiers[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_signatures_are_right),
        cmocka_unit_test(a_signature_of_the_wrong_shape_is_refused_by_its_kind),
        cmocka_unit_test(a_nul_inside_the_signature_is_malformed),
        cmocka_unit_test(any_of_several_secrets_is_right),
        cmocka_unit_test(a_source_without_secrets_takes_everything),
        cmocka_unit_test(an_empty_body_and_long_secrets_can_be_signed),
        cmocka_unit_test(events_judged_together_get_the_verdicts_of_each_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

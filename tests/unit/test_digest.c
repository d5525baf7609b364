/* Digests against published vectors, hex, and tokens. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/hmac.h>
#include <pthread.h>

#include <pointsman/digest.h>

#define REP4(s)  s s s s
#define REP20(s) REP4(s) REP4(s) REP4(s) REP4(s) REP4(s)

static void assert_hmac(struct slice secret, struct slice text, const char *expect_hex) {
    struct hmac_key *key = hmac_key_new(secret.ptr, secret.len);
    assert_non_null(key);
    uint8_t mac[SHA256_LEN];
    char hex[2 * SHA256_LEN];
    for (int round = 0; round < 2; round++) { /* the key is not used up */
        hmac_sha256(key, text.ptr, text.len, mac);
        hex_encode(mac, sizeof mac, hex);
        assert_memory_equal(hex, expect_hex, sizeof hex);
    }
    hmac_key_free(key);
}

#define LITERAL(text) slice(text, sizeof(text) - 1)

static void hmac_agrees_with_rfc_4231(void **state) {
    (void)state;
    assert_hmac(LITERAL(REP20("\x0b")), LITERAL("Hi There"),
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    assert_hmac(LITERAL("Jefe"), LITERAL("what do ya want for nothing?"),
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    assert_hmac(LITERAL(REP20("\xaa")), LITERAL(REP20("\xdd\xdd") REP4("\xdd\xdd") "\xdd\xdd"),
                "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
    assert_hmac(LITERAL("\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12"
                        "\x13\x14\x15\x16\x17\x18\x19"),
                LITERAL(REP20("\xcd\xcd") REP4("\xcd\xcd") "\xcd\xcd"),
                "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b");
    char long_secret[131];
    memset(long_secret, 0xaa, sizeof long_secret);
    assert_hmac(slice(long_secret, sizeof long_secret),
                LITERAL("Test Using Larger Than Block-Size Key - Hash Key First"),
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    assert_hmac(slice(long_secret, sizeof long_secret),
                LITERAL("This is a test using a larger than block-size key and a larger than "
                        "block-size data. The key needs to be hashed before being used by the HMAC "
                        "algorithm."),
                "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2");
}

static void hmac_agrees_with_what_github_publishes(void **state) {
    (void)state;
    assert_hmac(LITERAL("It's a Secret to Everybody"), LITERAL("Hello, World!"),
                "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17");
    assert_hmac(LITERAL("mysecret"), LITERAL("{\n  \"foo\": \"bar\"\n}\n"),
                "e3eccac34c43c7dc1cbb905488b1b81347fcc700a7b025697a9d07862256023f");
}

static void hmac_agrees_with_openssl_at_every_secret_length(void **state) {
    (void)state;
    uint8_t bytes[200];
    random_bytes(bytes, sizeof bytes);
    for (size_t len = 0; len <= 130; len++) {
        uint8_t ours[SHA256_LEN], theirs[SHA256_LEN];
        struct hmac_key *key = hmac_key_new(bytes, len);
        assert_non_null(key);
        hmac_sha256(key, bytes, sizeof bytes - len, ours);
        hmac_key_free(key);
        assert_non_null(
            HMAC(EVP_sha256(), bytes, (int)len, bytes, sizeof bytes - len, theirs, NULL));
        assert_memory_equal(ours, theirs, sizeof ours);
    }
}

static void sha256_agrees_with_fips_180(void **state) {
    (void)state;
    uint8_t hash[SHA256_LEN];
    char hex[2 * SHA256_LEN];
    digest_sha256("abc", 3, hash);
    hex_encode(hash, sizeof hash, hex);
    assert_memory_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
                        sizeof hex);
}

/* The hash of the empty input is the one xxHash 0.8 tests itself with. */
static void xxh3_agrees_with_xxhash_and_minds_the_seed(void **state) {
    (void)state;
    assert_int_equal(digest_xxh3("", 0, 0), 0x2d06800538d394c2u);
    assert_int_not_equal(digest_xxh3("a", 1, 0), digest_xxh3("a", 1, 1));
}

static void equal_means_every_byte(void **state) {
    (void)state;
    uint8_t a[SHA256_LEN] = {0}, b[SHA256_LEN] = {0};
    assert_true(digest_equal(a, b, sizeof a));
    for (size_t i = 0; i < sizeof a; i++) {
        b[i] = 0x80;
        assert_false(digest_equal(a, b, sizeof a));
        b[i] = 0;
    }
}

static void hex_takes_exactly_its_lower_case_digits(void **state) {
    (void)state;
    uint8_t out[2] = {7, 7};
    static const char *const bad[] = {"", "00f", "00ff0", "00ff00", "00fF", "00g0", "0x00", " 0ff"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(hex_decode(slice_of(bad[i]), out, sizeof out));
    assert_int_equal(out[0], 7);
    assert_true(hex_decode(slice_of("09af"), out, sizeof out));
    assert_int_equal(out[0], 0x09);
    assert_int_equal(out[1], 0xaf);
}

enum { TOKENS = 1000 };

static void *make_tokens(void *arg) {
    struct token *tokens = arg;
    for (int i = 0; i < TOKENS; i++)
        tokens[i] = token_new();
    return NULL;
}

static int compare_tokens(const void *a, const void *b) {
    return strcmp(((const struct token *)a)->text, ((const struct token *)b)->text);
}

static void of_a_thread_s_tokens_the_second_half_counts(void **state) {
    (void)state;
    struct token one = token_new(), next = token_new();
    assert_memory_equal(one.text, next.text, TOKEN_LEN / 2);
    assert_int_equal(strtoull(next.text + TOKEN_LEN / 2, NULL, 16),
                     strtoull(one.text + TOKEN_LEN / 2, NULL, 16) + 1);
}

static void tokens_differ_over_all_threads(void **state) {
    (void)state;
    static struct token tokens[3][TOKENS];
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, make_tokens, tokens[i]), 0);
    make_tokens(tokens[2]);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    struct token *all = &tokens[0][0];
    qsort(all, 3 * TOKENS, sizeof *all, compare_tokens);
    for (int i = 0; i < 3 * TOKENS; i++) {
        uint8_t bytes[TOKEN_LEN / 2];
        assert_true(hex_decode(slice_of(all[i].text), bytes, sizeof bytes));
        if (i > 0)
            assert_string_not_equal(all[i - 1].text, all[i].text);
    }
}

/* Every number of messages up to three sets, of the lengths at which blocks and lanes end, and each
 * with its own key. Without such a processor this checks the way one by one. */
static void many_messages_hash_as_each_alone(void **state) {
    (void)state;
    enum { MANY = 48, LONG = 70000 };
    static const size_t lengths[] = {0, 1, 55, 56, 63, 64, 65, 119, 120, 2048, 11256, 64999, 65001};
    static uint8_t text[LONG];
    struct hmac_lanes *lanes = hmac_lanes_new();
    struct hmac_key *keys[MANY];
    struct hmac_job jobs[MANY];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (uint8_t)(i * 31 + i / 256);
    for (size_t i = 0; i < MANY; i++)
        keys[i] = hmac_key_new(&i, sizeof i);
    for (size_t count = 0; count <= MANY; count++) {
        for (size_t i = 0; i < count; i++) {
            size_t len =
                count % 2 ? 11256 : lengths[(i + count) % (sizeof lengths / sizeof lengths[0])];
            jobs[i] = (struct hmac_job){.key = keys[i], .data = text + i, .len = len};
        }
        hmac_sha256_many(lanes, jobs, count);
        for (size_t i = 0; i < count; i++) {
            uint8_t mac[SHA256_LEN];
            hmac_sha256(keys[i], jobs[i].data, jobs[i].len, mac);
            assert_memory_equal(jobs[i].mac, mac, sizeof mac);
        }
    }
    for (size_t i = 0; i < MANY; i++)
        hmac_key_free(keys[i]);
    hmac_lanes_free(lanes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_messages_hash_as_each_alone),
        cmocka_unit_test(hmac_agrees_with_rfc_4231),
        cmocka_unit_test(hmac_agrees_with_what_github_publishes),
        cmocka_unit_test(hmac_agrees_with_openssl_at_every_secret_length),
        cmocka_unit_test(sha256_agrees_with_fips_180),
        cmocka_unit_test(xxh3_agrees_with_xxhash_and_minds_the_seed),
        cmocka_unit_test(equal_means_every_byte),
        cmocka_unit_test(hex_takes_exactly_its_lower_case_digits),
        cmocka_unit_test(of_a_thread_s_tokens_the_second_half_counts),
        cmocka_unit_test(tokens_differ_over_all_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

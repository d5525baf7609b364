/* HMAC, hashes, hex and random bytes over OpenSSL, xxHash and the kernel. */

#include <pointsman/digest.h>

#include "digest_int.h" /* before OpenSSL's own */

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <openssl/crypto.h>
#include <xxhash.h>

struct hmac_key *hmac_key_new(const void *secret, size_t len) {
    struct hmac_key *key = malloc(sizeof *key);
    if (!key)
        return NULL;
    uint8_t ipad[SHA256_CBLOCK] = {0};
    uint8_t opad[SHA256_CBLOCK];
    if (len > sizeof ipad)
        digest_sha256(secret, len, ipad);
    else if (len > 0)
        memcpy(ipad, secret, len);
    for (size_t i = 0; i < sizeof ipad; i++) {
        opad[i] = ipad[i] ^ 0x5c;
        ipad[i] ^= 0x36;
    }
    SHA256_Init(&key->inner);
    SHA256_Update(&key->inner, ipad, sizeof ipad);
    SHA256_Init(&key->outer);
    SHA256_Update(&key->outer, opad, sizeof opad);
    OPENSSL_cleanse(ipad, sizeof ipad);
    OPENSSL_cleanse(opad, sizeof opad);
    return key;
}

void hmac_key_free(struct hmac_key *key) {
    if (!key)
        return;
    OPENSSL_cleanse(key, sizeof *key);
    free(key);
}

void hmac_sha256(const struct hmac_key *key, const void *data, size_t len,
                 uint8_t out[SHA256_LEN]) {
    uint8_t inner[SHA256_LEN];
    SHA256_CTX state = key->inner;
    SHA256_Update(&state, data, len);
    SHA256_Final(inner, &state);
    state = key->outer;
    SHA256_Update(&state, inner, sizeof inner);
    SHA256_Final(out, &state);
}

void digest_sha256(const void *data, size_t len, uint8_t out[SHA256_LEN]) {
    SHA256_CTX state;
    SHA256_Init(&state);
    SHA256_Update(&state, data, len);
    SHA256_Final(out, &state);
}

bool digest_equal(const void *a, const void *b, size_t len) {
    return CRYPTO_memcmp(a, b, len) == 0;
}

uint64_t digest_xxh3(const void *data, size_t len, uint64_t seed) {
    return XXH3_64bits_withSeed(data, len, seed);
}

void hex_encode(const void *data, size_t len, char *out) {
    static const char digits[] = "0123456789abcdef";
    const uint8_t *bytes = data;
    for (size_t i = 0; i < len; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
}

/* One more than the value of a lower-case digit; 0: it is none. */
static const uint8_t digit_values[256] = {
    ['0'] = 1, ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,  ['6'] = 7,  ['7'] = 8,
    ['8'] = 9, ['9'] = 10, ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
};

/* Above 15: it is none. */
static uint8_t digit_of(char c) {
    return (uint8_t)(digit_values[(uint8_t)c] - 1);
}

bool hex_decode(struct slice hex, uint8_t *out, size_t len) {
    uint8_t bad = 0;
    if (hex.len % 2 != 0 || hex.len / 2 != len)
        return false;
    for (size_t i = 0; i < hex.len; i++)
        bad |= digit_of(hex.ptr[i]);
    if (bad & 0xf0)
        return false;
    for (size_t i = 0; i < len; i++)
        out[i] = (uint8_t)(digit_of(hex.ptr[2 * i]) << 4 | digit_of(hex.ptr[2 * i + 1]));
    return true;
}

void random_bytes(void *out, size_t len) {
    uint8_t *at = out;
    while (len > 0) {
        ssize_t n = getrandom(at, len, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            abort();
        at += n;
        len -= (size_t)n;
    }
}

struct token token_new(void) {
    static _Thread_local uint64_t counted;
    static _Thread_local struct token last; /* its first half stays */
    uint64_t own;
    if (counted++ == 0) {
        random_bytes(&own, sizeof own);
        hex_encode(&own, sizeof own, last.text);
    }
    uint64_t big_endian = htobe64(counted);
    hex_encode(&big_endian, sizeof big_endian, last.text + 2 * sizeof own);
    return last;
}

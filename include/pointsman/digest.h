/* HMAC, constant-time compare, hashes, hex, random bytes. OpenSSL and xxHash stay behind it. Layer:
 * base. */
#ifndef POINTSMAN_DIGEST_H
#define POINTSMAN_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pointsman/compiler.h>
#include <pointsman/slice.h>

#define SHA256_LEN 32

/* A key made ready once; immutable, so all threads may use it at the same time. */
struct hmac_key;
MUST_CHECK struct hmac_key *hmac_key_new(const void *secret, size_t len); /* NULL: no memory */
void hmac_key_free(struct hmac_key *key); /* wipes; NULL is allowed */
void hmac_sha256(const struct hmac_key *key, const void *data, size_t len, uint8_t out[SHA256_LEN]);

/* ---- several messages at once ---- */

/* Processors with AVX-512 hash sixteen messages in the time of about seven, those with SHA
 * extensions two in the time of one and a half. Memory for that; belongs to one thread. */
struct hmac_lanes;
struct hmac_lanes *hmac_lanes_new(void); /* NULL: not on this machine, or no memory */
void hmac_lanes_free(struct hmac_lanes *lanes);

struct hmac_job {
    const struct hmac_key *key;
    const void *data;
    size_t len;
    uint8_t mac[SHA256_LEN]; /* the result */
};
/* Fills in every mac; lanes NULL: one by one. */
void hmac_sha256_many(struct hmac_lanes *lanes, struct hmac_job *jobs, size_t count);

void digest_sha256(const void *data, size_t len, uint8_t out[SHA256_LEN]);

/* Time depends on len only. */
MUST_CHECK bool digest_equal(const void *a, const void *b, size_t len);

uint64_t digest_xxh3(const void *data, size_t len, uint64_t seed);

/* Lower-case; out holds 2 * len bytes, no NUL. */
void hex_encode(const void *data, size_t len, char *out);
/* Exactly 2 * len lower-case digits, else false. */
MUST_CHECK bool hex_decode(struct slice hex, uint8_t *out, size_t len);

/* From the kernel; does not fail (aborts where getrandom does). */
void random_bytes(void *out, size_t len);

/* 128 bits, unique over all instances: 64 random per thread and boot, 64 counted. */
#define TOKEN_LEN 32
struct token {
    char text[TOKEN_LEN + 1]; /* lower-case hex, NUL-terminated; empty: none */
};
struct token token_new(void);

#endif

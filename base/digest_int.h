/* What the digest files share. Layer: base. */
#ifndef POINTSMAN_BASE_DIGEST_INT_H
#define POINTSMAN_BASE_DIGEST_INT_H

/* The SHA256_* functions are deprecated, but their state is a plain struct: a prepared key is
 * copied in nanoseconds, where EVP_MAC_CTX_dup allocates several times per message. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>

/* RFC 2104: H(key ^ opad, H(key ^ ipad, text)); both states have taken in their key block. */
struct hmac_key {
    SHA256_CTX inner;
    SHA256_CTX outer;
};

#endif

/* Is the body what the sender signed? HMAC-SHA256 over the raw bytes, several secrets for rotation.
 */
#include <pointsman/router.h>

#include <stdlib.h>

#include <pointsman/digest.h>

const char *const verify_names[VERIFIES] = {"ok", "missing", "empty", "malformed", "wrong"};

struct verifier {
    size_t count;
    struct hmac_key *keys[];
};

struct verifier *verifier_new(const struct conf_source *source) {
    struct verifier *v = calloc(1, sizeof *v + source->secret_count * sizeof(struct hmac_key *));
    if (!v)
        return NULL;
    for (size_t i = 0; i < source->secret_count; i++) {
        v->keys[i] = hmac_key_new(source->secrets[i].bytes, source->secrets[i].len);
        if (!v->keys[i]) {
            verifier_free(v);
            return NULL;
        }
        v->count++;
    }
    return v;
}

void verifier_free(struct verifier *v) {
    if (!v)
        return;
    for (size_t i = 0; i < v->count; i++)
        hmac_key_free(v->keys[i]);
    free(v);
}

enum verify verify(const struct verifier *v, struct slice signature, struct slice body) {
    static const char prefix[] = "sha256=";
    const size_t prefix_len = sizeof prefix - 1;
    uint8_t given[SHA256_LEN];
    if (v->count == 0)
        return VERIFY_OK;
    if (!signature.ptr)
        return VERIFY_MISSING;
    /* Gitea without a secret sends the prefix alone. */
    if (signature.len == 0 || slice_is(signature, prefix))
        return VERIFY_EMPTY;
    if (signature.len < prefix_len || !slice_is(slice(signature.ptr, prefix_len), prefix) ||
        !hex_decode(slice(signature.ptr + prefix_len, signature.len - prefix_len), given,
                    sizeof given))
        return VERIFY_MALFORMED;
    /* No early exit: the time must not tell which secret is the right one. */
    bool right = false;
    for (size_t i = 0; i < v->count; i++) {
        uint8_t wanted[SHA256_LEN];
        hmac_sha256(v->keys[i], body.ptr, body.len, wanted);
        right |= digest_equal(wanted, given, sizeof wanted);
    }
    return right ? VERIFY_OK : VERIFY_WRONG;
}

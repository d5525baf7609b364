/* Is the body what the sender signed? HMAC-SHA256 over the raw bytes, several secrets for rotation.
 */
#include <pointsman/router.h>

#include <stdlib.h>
#include <string.h>

#include <pointsman/digest.h>

#define BATCH 16 /* messages that are hashed together, as many as the widest processors take */

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

/* VERIFY_OK: there is a MAC to compare with. */
static enum verify read_signature(struct slice signature, uint8_t given[SHA256_LEN]) {
    static const char prefix[] = "sha256=";
    const size_t prefix_len = sizeof prefix - 1;
    if (!signature.ptr)
        return VERIFY_MISSING;
    /* Gitea without a secret sends the prefix alone. */
    if (signature.len == 0 || slice_is(signature, prefix))
        return VERIFY_EMPTY;
    if (signature.len < prefix_len || !slice_is(slice(signature.ptr, prefix_len), prefix) ||
        !hex_decode(slice(signature.ptr + prefix_len, signature.len - prefix_len), given,
                    SHA256_LEN))
        return VERIFY_MALFORMED;
    return VERIFY_OK;
}

/* What is hashed together, and for whom. */
struct batch {
    struct hmac_lanes *lanes;
    size_t count;
    struct hmac_job jobs[BATCH];
    struct verify_item *items[BATCH];
    uint8_t given[BATCH][SHA256_LEN];
};

static void judge(struct batch *b) {
    hmac_sha256_many(b->lanes, b->jobs, b->count);
    for (size_t i = 0; i < b->count; i++)
        if (digest_equal(b->jobs[i].mac, b->given[i], SHA256_LEN))
            b->items[i]->verdict = VERIFY_OK;
    b->count = 0;
}

/* No early exit over the secrets: the time must not tell which is the right one. */
static void put_in(struct batch *b, struct verify_item *item, const uint8_t given[SHA256_LEN]) {
    item->verdict = VERIFY_WRONG;
    for (size_t i = 0; i < item->verifier->count; i++) {
        size_t at = b->count++;
        b->jobs[at] = (struct hmac_job){
            .key = item->verifier->keys[i], .data = item->body.ptr, .len = item->body.len};
        b->items[at] = item;
        memcpy(b->given[at], given, SHA256_LEN);
        if (b->count == BATCH)
            judge(b);
    }
}

void verify_all(struct hmac_lanes *lanes, struct verify_item *items, size_t count) {
    struct batch b;
    uint8_t given[SHA256_LEN];
    b.lanes = lanes;
    b.count = 0;
    for (size_t i = 0; i < count; i++) {
        struct verify_item *item = &items[i];
        if (item->verifier->count == 0)
            item->verdict = VERIFY_OK;
        else if ((item->verdict = read_signature(item->signature, given)) == VERIFY_OK)
            put_in(&b, item, given);
    }
    judge(&b);
}

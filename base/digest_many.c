/* HMACs of several messages at once, over Intel's IPsec multi-buffer library where it is there. */
#include <pointsman/digest.h>

#include "digest_int.h"

static void one_by_one(struct hmac_job *jobs, size_t count) {
    for (size_t i = 0; i < count; i++)
        hmac_sha256(jobs[i].key, jobs[i].data, jobs[i].len, jobs[i].mac);
}

#ifdef HAVE_IPSEC_MB

#include <stdlib.h>

#include <intel-ipsec-mb.h>

#define LANES      16    /* of AVX-512 */
#define WORTH      9     /* a set of lanes costs as much as so many of its longest message alone */
#define LONGEST    65000 /* bytes; the library counts the rest of a lane in 16 bits */
#define PAIR_LEAST 2048  /* bytes; below, handing over costs what is saved */

struct hmac_lanes {
    IMB_MGR *wide; /* AVX-512; NULL: the processor has none */
    IMB_MGR *pair; /* SHA extensions, two messages interleaved; NULL likewise */
};

static IMB_MGR *manager(void (*init)(IMB_MGR *), uint64_t features) {
    IMB_MGR *m = alloc_mb_mgr(0);
    if (!m)
        return NULL;
    bool able = (m->features & features) == features;
    if (able)
        init(m);
    if (able && m->imb_errno == 0)
        return m;
    free_mb_mgr(m);
    return NULL;
}

struct hmac_lanes *hmac_lanes_new(void) {
    struct hmac_lanes *lanes = malloc(sizeof *lanes);
    if (!lanes)
        return NULL;
    lanes->wide = manager(init_mb_mgr_avx512, IMB_CPUFLAGS_AVX512);
    lanes->pair = manager(init_mb_mgr_avx2, IMB_CPUFLAGS_AVX2 | IMB_FEATURE_SHANI);
    if (lanes->wide || lanes->pair)
        return lanes;
    hmac_lanes_free(lanes);
    return NULL;
}

void hmac_lanes_free(struct hmac_lanes *lanes) {
    if (!lanes)
        return;
    if (lanes->wide)
        free_mb_mgr(lanes->wide);
    if (lanes->pair)
        free_mb_mgr(lanes->pair);
    free(lanes);
}

/* Counts what is done; whatever the library refused is hashed here. */
static size_t done(const IMB_JOB *job) {
    struct hmac_job *of = job->user_data;
    if (job->status != IMB_STATUS_COMPLETED)
        one_by_one(of, 1);
    return 1;
}

static void submit(IMB_MGR *m, struct hmac_job *of, size_t *left) {
    IMB_JOB *job = IMB_GET_NEXT_JOB(m);
    *job = (IMB_JOB){
        .cipher_mode = IMB_CIPHER_NULL,
        .cipher_direction = IMB_DIR_ENCRYPT,
        .chain_order = IMB_ORDER_HASH_CIPHER,
        .hash_alg = IMB_AUTH_HMAC_SHA_256,
        .src = of->data,
        .msg_len_to_hash_in_bytes = of->len,
        .auth_tag_output = of->mac,
        .auth_tag_output_len_in_bytes = SHA256_LEN,
        .user_data = of,
    };
    job->u.HMAC._hashed_auth_key_xor_ipad = (const uint8_t *)of->key->inner.h;
    job->u.HMAC._hashed_auth_key_xor_opad = (const uint8_t *)of->key->outer.h;
    for (job = IMB_SUBMIT_JOB(m); job; job = IMB_GET_COMPLETED_JOB(m))
        *left -= done(job);
}

static void run(IMB_MGR *m, struct hmac_job *jobs, size_t count) {
    size_t left = count;
    for (size_t i = 0; i < count; i++)
        submit(m, &jobs[i], &left);
    while (left > 0) {
        const IMB_JOB *job = IMB_FLUSH_JOB(m);
        if (!job)
            abort(); /* a message that nobody hashed must not count as judged */
        left -= done(job);
    }
}

/* At most LANES of them. */
static void run_set(struct hmac_lanes *lanes, struct hmac_job *jobs, size_t count) {
    size_t total = 0, longest = 0;
    for (size_t i = 0; i < count; i++) {
        total += jobs[i].len;
        longest = jobs[i].len > longest ? jobs[i].len : longest;
    }
    if (longest > LONGEST || total < 2 * PAIR_LEAST)
        one_by_one(jobs, count);
    else if (lanes->wide && total >= WORTH * longest)
        run(lanes->wide, jobs, count);
    else if (lanes->pair && 2 * total >= 3 * longest)
        run(lanes->pair, jobs, count);
    else
        one_by_one(jobs, count);
}

void hmac_sha256_many(struct hmac_lanes *lanes, struct hmac_job *jobs, size_t count) {
    if (!lanes) {
        one_by_one(jobs, count);
        return;
    }
    for (size_t at = 0; at < count; at += LANES)
        run_set(lanes, jobs + at, count - at < LANES ? count - at : LANES);
}

#else

struct hmac_lanes *hmac_lanes_new(void) {
    return NULL;
}

void hmac_lanes_free(struct hmac_lanes *lanes) {
    (void)lanes;
}

void hmac_sha256_many(struct hmac_lanes *lanes, struct hmac_job *jobs, size_t count) {
    (void)lanes;
    one_by_one(jobs, count);
}

#endif

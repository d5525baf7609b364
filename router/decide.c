/* Which side gets the event: mode, percentage and bucket. Pin and owner of the entity are the
 * store's. */
#include <pointsman/router.h>

const char *const why_names[WHYS] = {"mode", "bucket", "no_number", "pin", "owner", "fallback"};

/* Known in every mode, for explain; modulo without a number has none. */
static uint32_t bucket_for(const struct conf *conf, const struct identity *id) {
    if (conf->bucket == BUCKET_XXH3)
        return bucket_of(rollout_key_of(conf, id), conf->salt);
    return id->has_number ? (uint32_t)(id->number % 100) : BUCKET_NONE;
}

static struct decision by_mode(enum side side, uint32_t bucket) {
    return (struct decision){.side = side, .absolute = true, .bucket = bucket, .why = WHY_MODE};
}

static struct decision by_bucket(const struct conf *conf, uint32_t ppm, uint32_t bucket) {
    struct decision d = {.side = SIDE_LEGACY, .bucket = bucket, .why = WHY_BUCKET};
    uint32_t width = conf->bucket == BUCKET_MODULO ? PPM_ALL / 100 : 1;
    if (bucket == BUCKET_NONE)
        d.why = WHY_NO_NUMBER;
    else if (bucket * width < ppm)
        d.side = SIDE_NEW;
    return d;
}

struct decision decide(const struct conf *conf, const struct control *control,
                       const struct identity *id) {
    uint32_t bucket = bucket_for(conf, id);
    struct decision d = by_mode(SIDE_LEGACY, bucket);
    switch (control->mode) {
    case MODE_NEW_ONLY:
        d.side = SIDE_NEW;
        break;
    case MODE_PARALLEL:
        d.shadow = true;
        break;
    case MODE_GRADUAL:
        if (control->ppm >= PPM_ALL)
            d.side = SIDE_NEW;
        else if (control->ppm > 0)
            d = by_bucket(conf, control->ppm, bucket);
        break;
    case MODE_LEGACY_ONLY:
    case MODE_EMERGENCY_ROLLBACK:
    case MODES:
        break;
    }
    return d;
}

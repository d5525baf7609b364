/* Which text is hashed, and to which bucket of a million. */
#include <pointsman/router.h>

#include <string.h>

#include <pointsman/digest.h>

struct slice rollout_key_of(const struct conf *conf, const struct identity *id) {
    const char *text = id->entity;
    switch (conf->key) {
    case KEY_ENTITY:
        break;
    case KEY_REPOSITORY:
        text = id->repository;
        break;
    case KEY_OWNER:
        text = id->owner;
        break;
    case KEY_EVENT:
        text = id->id;
        break;
    }
    return slice_of(text[0] ? text : id->entity);
}

uint32_t bucket_of(struct slice key, const char *salt) {
    uint64_t seed = salt && salt[0] ? digest_xxh3(salt, strlen(salt), 0) : 0;
    uint64_t high = digest_xxh3(key.ptr, key.len, seed) >> 32;
    return (uint32_t)(high * 1000000 >> 32);
}

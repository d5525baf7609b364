/* Calls as Redis commands, and replies as results. Layer: store. */
#ifndef POINTSMAN_STORE_REDIS_CMD_H
#define POINTSMAN_STORE_REDIS_CMD_H

#include <stdbool.h>
#include <stdint.h>

#include <pointsman/buf.h>
#include <pointsman/compiler.h>
#include <pointsman/slice.h>
#include <pointsman/store.h>

struct redisReply;

#define REDIS_INCARNATION_MAX 160
#define REDIS_VERSION_LEN     8

/* What all commands of a store share; immutable. */
struct redis_names {
    char prefix[256];
    char version[REDIS_VERSION_LEN + 1]; /* of the library */
    char instance[33];                   /* random, of this process */
    uint64_t remember_ms;
    uint64_t sticky_ms; /* the longest this configuration asks for */
};

/* Appends one command to out; scratch is overwritten. store_us: about what Redis' clock says now,
 * for a stickiness to be counted from; 0: not known, Redis looks. False: no room. */
MUST_CHECK bool redis_cmd(const struct redis_names *names, const char *incarnation,
                          uint64_t store_us, const struct store_call *call, struct buf *scratch,
                          struct buf *out);
MUST_CHECK bool redis_cmd_incarnation(const struct redis_names *names, const char *word,
                                      struct buf *out);
MUST_CHECK bool redis_cmd_ping(const struct redis_names *names,
                               struct buf *out); /* GET incarnation */
MUST_CHECK bool redis_cmd_load(const struct redis_names *names, struct buf *out);
MUST_CHECK bool redis_cmd_words(const struct slice *words, unsigned count, struct buf *out);

enum redis_said {
    SAID_ANSWER = 0, /* the result and the ret_ fields are set */
    SAID_FORGOT,     /* another incarnation, or none */
    SAID_UNLOADED,   /* the library is gone */
    SAID_LATER,      /* refused for now: out of memory, disk full … */
    SAID_ELSEWHERE,  /* not this server, not now: loading, a replica, not allowed in */
    SAID_NONSENSE    /* an error of another kind, or not an answer to this */
};
/* *ret_until_us: by Redis' clock, of a claim that is granted; else 0. */
enum redis_said redis_reply(struct store_call *call, const struct redisReply *reply,
                            uint64_t *ret_until_us);
/* The kind of an error reply. */
enum redis_said redis_error_kind(const struct redisReply *reply);

#endif

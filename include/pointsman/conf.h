/* The configuration: one YAML file, checked by the option table, then an immutable snapshot. Layer:
 * conf. A snapshot is shared by all threads; the last reference frees it. */
#ifndef POINTSMAN_CONF_H
#define POINTSMAN_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <pointsman/buf.h>
#include <pointsman/compiler.h>
#include <pointsman/domain.h>

/* X-Hub-Signature-256 … of other senders follow with their issue. */
enum provider { PROVIDER_GITHUB = 0, PROVIDERS };
enum reply_kind { REPLY_BACKEND = 0, REPLY_SUMMARY, REPLY_ACCEPTED };
enum rollout_key { KEY_ENTITY = 0, KEY_REPOSITORY, KEY_OWNER, KEY_EVENT };
enum bucket_kind { BUCKET_XXH3 = 0, BUCKET_MODULO };
enum sticky_kind { STICKY_DURATION = 0, STICKY_IN_FLIGHT, STICKY_CLOSED };
enum store_kind { STORE_EMBEDDED = 0, STORE_REDIS };
enum when_down { WHEN_DOWN_HOLD = 0, WHEN_DOWN_LOCAL, WHEN_DOWN_REFUSE };

struct conf_address { /* numeric IPv4 or [IPv6] and port, for listeners */
    char *text;       /* as written */
    char *host;
    uint16_t port; /* 0: any free port; the log line "listening" names it */
};

struct conf_pair {
    char *name;
    char *value;
};

struct conf_url { /* http://host[:port][/path] */
    char *text;
    char *host; /* without brackets; name or address */
    uint16_t port;
    char *path; /* "" or begins with "/", without a trailing "/" */
};

struct conf_backend {
    char *name; /* as people call it; defaults to "legacy" / "new" */
    struct conf_url url;
    uint32_t timeout_ms; /* one attempt: connect to the end of the answer's head */
    bool idempotent;
    bool fallback;     /* new only: what new refused unsent goes to legacy */
    char *health_path; /* NULL: no probe */
    uint32_t health_interval_ms;
    uint32_t max_in_flight;
    uint32_t idle_ms; /* an idle pooled connection is closed after this */
    struct conf_pair *headers;
    size_t header_count;
    uint16_t *not_done; /* statuses that mean "not done" */
    size_t not_done_count;
};

struct conf_filter { /* one row of `only` */
    char *type;
    char **actions; /* none: every action of the type */
    size_t action_count;
};

struct conf_secret {
    char *bytes; /* never logged */
    size_t len;
    char *origin; /* "env GITHUB_WEBHOOK_SECRET", for messages */
};

struct conf_source {
    char *name; /* in store keys and logs; defaults to the provider's name */
    char *path; /* exact match */
    enum provider provider;
    struct conf_secret *secrets;
    size_t secret_count; /* 0: `secrets: none` */
    struct conf_filter *only;
    size_t only_count; /* 0: everything is wanted */
    bool event_id_with_hook;
    uint32_t deadline_ms; /* the sender hangs up after it */
    enum reply_kind reply;
    bool queues;  /* on_failure: queue */
    bool ordered; /* order: entity */
};

#define RETRY_STEPS_MAX 32

struct conf {
    _Atomic int refs;
    char *file;

    struct conf_address *listeners;
    size_t listener_count;
    struct conf_address admin;
    char *admin_token; /* NULL: none, loopback only */
    uint32_t workers;  /* already resolved: at least 1 */
    uint32_t drain_ms; /* how long SIGTERM waits for what is in flight */

    enum store_kind store_kind;
    char *directory;
    enum when_down when_down;
    uint64_t remember_ms;
    bool claims;           /* false: nothing is claimed (benchmarks only) */
    struct conf_url redis; /* host NULL: none given; its text is without user and password */
    char *redis_user;
    char *redis_password;
    uint32_t redis_db;
    char *redis_prefix;

    struct conf_backend backends[SIDES];

    enum rollout_key key;
    enum bucket_kind bucket;
    char *salt;
    enum sticky_kind sticky;
    uint64_t sticky_ms; /* of STICKY_DURATION; at most 90 days, which STICKY_CLOSED uses */
    bool has_start;     /* a starting mode was given */
    enum mode start_mode;
    uint32_t start_ppm;

    struct conf_source *sources;
    size_t source_count;

    uint32_t *ladder_ms; /* before the second try, the third … */
    size_t ladder_count; /* 1..RETRY_STEPS_MAX */
    uint32_t retry_jitter_ppm;
    uint32_t retry_budget_ppm; /* of live traffic */
    uint32_t breaker_failures; /* in a row */
    uint32_t breaker_rate_ppm; /* of failures within the window … */
    uint32_t breaker_window_ms;
    uint32_t breaker_samples; /* … once so many attempts ended in it */
    uint32_t breaker_open_ms;
    uint32_t breaker_probes;
    bool rollback_on_new_down;
    uint64_t journal_max_bytes;
    uint64_t journal_keep_ms;

    uint64_t limit_body; /* bytes */
    uint64_t limit_in_flight;
    uint32_t limit_connections;
    uint32_t limit_queue_delay_ms;
    uint32_t limit_headers; /* bytes of a message's head */
    uint32_t limit_header_count;
};

/* One finding of the loader. Texts name file, line, the value found and what is allowed. */
struct conf_problem {
    struct conf_problem *next;
    bool fatal; /* false: legal but odd */
    unsigned line;
    char text[512];
};
void conf_problems_free(struct conf_problem *list);
void conf_problems_print(const struct conf_problem *list, const char *file, FILE *out);

/* Reads and checks; *ret_problems holds every error and warning in the order of lines (may be set
 * on success too: warnings), the caller frees it. False: at least one error, *ret_conf untouched.
 */
MUST_CHECK bool conf_load(const char *file, struct conf **ret_conf,
                          struct conf_problem **ret_problems);
/* The same on text, for tests; `file` only names it. */
MUST_CHECK bool conf_load_text(const char *file, const char *text, size_t len,
                               struct conf **ret_conf, struct conf_problem **ret_problems);
struct conf *conf_ref(struct conf *conf);
void conf_unref(struct conf *conf);

/* What of `next` takes effect only at a restart (listeners, workers, store, admin): the option's
 * name, or NULL. */
const char *conf_needs_restart(const struct conf *now, const struct conf *next);

/* The option table as docs/CONFIG.md and as a commented sample. False: buffer full. */
MUST_CHECK bool conf_print_docs(struct buf *out);
MUST_CHECK bool conf_print_sample(struct buf *out);

/* Parsers of single values, used by CLI and API too. Trimmed, case ignored. */
MUST_CHECK bool conf_parse_duration_ms(struct slice text, uint64_t *ret); /* 250ms 9s 5m 72h 14d */
MUST_CHECK bool conf_parse_size(struct slice text, uint64_t *ret); /* 64KiB 25MiB 10GiB, bytes */
/* A canonical mode, or <backend's name>_only; the names may be NULL. */
MUST_CHECK bool conf_parse_mode(struct slice text, const char *legacy_name, const char *new_name,
                                enum mode *ret);
/* 25 12.5 25%: 0–100 with up to four decimals, in parts per million. */
MUST_CHECK bool conf_parse_percentage(struct slice text, uint32_t *ret_ppm);

#endif

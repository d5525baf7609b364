/* Cross checks between options: what collides, what is missing, what is legal but odd. */
#include "check.h"

#include <inttypes.h>

#include "address.h"
#include "options.h"

#define GITHUB_PATIENCE_MS   10000
#define GITHUB_REDELIVERS_MS UINT64_C(259200000)

struct check {
    const struct conf *conf;
    const struct node *root;
    struct problems *problems;
};

/* Of an item of a list; `field` begins with ".", or is empty. */
static unsigned item_line(const struct check *c, const char *list, size_t i, const char *field) {
    struct text path = {0};
    text_add(&path, "%s[%zu]%s", list, i, field);
    return tree_line(c->root, path.bytes);
}

static bool same(const char *a, const char *b) {
    return a && b && strcmp(a, b) == 0;
}

static bool same_address(const struct conf_address *a, const struct conf_address *b) {
    return a->port != 0 && a->port == b->port && same(a->host, b->host);
}

static void check_addresses(const struct check *c) {
    const struct conf *conf = c->conf;
    for (size_t i = 0; i < conf->listener_count; i++) {
        const struct conf_address *a = &conf->listeners[i];
        unsigned line = item_line(c, "listeners", i, ".address");
        if (same_address(a, &conf->admin))
            problems_error(c->problems, line,
                           "listeners[%zu].address: \"%s\" is admin.address too; allowed: another "
                           "port",
                           i, a->text);
        for (size_t j = 0; j < i; j++) {
            if (same_address(a, &conf->listeners[j]))
                problems_error(c->problems, line,
                               "listeners[%zu].address: \"%s\" is the address of listeners[%zu] "
                               "too; allowed: another port",
                               i, a->text, j);
        }
    }
}

static void check_admin(const struct check *c) {
    if (!c->conf->admin.host || c->conf->admin_token || address_is_loopback(&c->conf->admin) ||
        tree_find(c->root, "admin.token"))
        return;
    problems_error(c->problems, tree_line(c->root, "admin.address"),
                   "admin.address: \"%s\" can be reached from outside and admin.token is missing; "
                   "allowed without a token: 127.0.0.0/8 and [::1]",
                   c->conf->admin.text);
}

static void check_store(const struct check *c) {
    const struct conf *conf = c->conf;
    const struct node *redis = tree_find(c->root, "store.redis");
    if (conf->store_kind == STORE_REDIS && !tree_find(c->root, "store.redis.url"))
        problems_error(c->problems, tree_line(c->root, "store.redis"),
                       "store.redis.url: is missing beside kind: redis; allowed: "
                       "redis://[[user]:password@]host[:port][/db]");
    const struct node *kind = tree_find(c->root, "store.kind");
    bool embedded = !kind || slice_iis(node_text(kind), "embedded");
    if (embedded && redis)
        problems_warning(c->problems, redis->line,
                         "store.redis: is not used, as store.kind is embedded");
    if (!conf->claims)
        problems_warning(c->problems, tree_line(c->root, "store.claims"),
                         "store.claims: off: events may be processed twice, or at both sides "
                         "(promises 2 and 3 are given up)");
    if (conf->remember_ms > 0 && conf->remember_ms < GITHUB_REDELIVERS_MS)
        problems_warning(c->problems, tree_line(c->root, "store.remember"),
                         "store.remember: is shorter than 72h, for which GitHub redelivers events; "
                         "later repetitions are processed again");
}

/* `taken`: the other side's own word, which would read wrongly as <name>_only. */
static void check_backend_name(const struct check *c, const char *path, const char *name,
                               const char *taken) {
    if (same(name, taken))
        problems_error(c->problems, tree_line(c->root, path),
                       "%s: \"%s\" is the other side's word, %s_only would be ambiguous; allowed: "
                       "another name",
                       path, name, name);
}

static void check_not_done(const struct check *c, enum side side) {
    const struct conf_backend *b = &c->conf->backends[side];
    for (size_t i = 0; i < b->not_done_count; i++) {
        if (b->not_done[i] != 502 && b->not_done[i] != 504)
            continue;
        struct text path = {0};
        text_add(&path, "backends.%s.not_done", side_names[side]);
        problems_warning(c->problems, tree_line(c->root, path.bytes),
                         "%s: %u does not say whether the backend worked; an event may be "
                         "processed twice",
                         path.bytes, (unsigned)b->not_done[i]);
    }
}

static void check_backends(const struct check *c) {
    const struct conf_backend *old = &c->conf->backends[SIDE_LEGACY];
    const struct conf_backend *new = &c->conf->backends[SIDE_NEW];
    check_backend_name(c, "backends.legacy.name", old->name, side_names[SIDE_NEW]);
    check_backend_name(c, "backends.new.name", new->name, side_names[SIDE_LEGACY]);
    if (same(old->name, new->name))
        problems_error(c->problems, tree_line(c->root, "backends.new.name"),
                       "backends.new.name: \"%s\" is the name of backends.legacy too; allowed: "
                       "another name",
                       new->name);
    if (same(old->url.host, new->url.host) && old->url.port == new->url.port &&
        same(old->url.path, new->url.path))
        problems_warning(c->problems, tree_line(c->root, "backends.new.url"),
                         "backends.new.url: \"%s\" is the URL of backends.legacy too",
                         new->url.text);
    check_not_done(c, SIDE_LEGACY);
    check_not_done(c, SIDE_NEW);
    for (int side = 0; side < SIDES; side++) {
        struct text path = {0};
        text_add(&path, "backends.%s.health.interval", side_names[side]);
        if (!c->conf->backends[side].health_path && tree_find(c->root, path.bytes))
            problems_warning(c->problems, tree_line(c->root, path.bytes),
                             "%s: has no effect without a path", path.bytes);
    }
}

static void check_rollout(const struct check *c) {
    const struct conf *conf = c->conf;
    bool gradual = conf->has_start && conf->start_mode == MODE_GRADUAL;
    bool refused = !conf->has_start && tree_find(c->root, "rollout.mode");
    if (tree_find(c->root, "rollout.percentage") && !gradual && !refused)
        problems_warning(c->problems, tree_line(c->root, "rollout.percentage"),
                         "rollout.percentage: has no effect without mode: gradual");
    if (gradual && !tree_find(c->root, "rollout.percentage"))
        problems_warning(c->problems, tree_line(c->root, "rollout.mode"),
                         "rollout.mode: gradual without a percentage gives new nothing");
    if (conf->bucket != BUCKET_MODULO)
        return;
    if (conf->salt && *conf->salt)
        problems_warning(c->problems, tree_line(c->root, "rollout.salt"),
                         "rollout.salt: has no effect with bucket: modulo");
    if (conf->key != KEY_ENTITY)
        problems_warning(c->problems, tree_line(c->root, "rollout.key"),
                         "rollout.key: has no effect with bucket: modulo");
}

static void check_collisions(const struct check *c, size_t i, size_t j) {
    const struct conf_source *a = &c->conf->sources[i];
    const struct conf_source *b = &c->conf->sources[j];
    if (same(a->path, b->path))
        problems_error(c->problems, item_line(c, "sources", i, ".path"),
                       "sources[%zu].path: \"%s\" is the path of sources[%zu] too (line %u); "
                       "allowed: another path",
                       i, a->path, j, item_line(c, "sources", j, ".path"));
    if (same(a->name, b->name))
        problems_error(c->problems, item_line(c, "sources", i, ".name"),
                       "sources[%zu].name: \"%s\" is the name of sources[%zu] too (line %u); "
                       "allowed: another name",
                       i, a->name, j, item_line(c, "sources", j, ".name"));
}

/* Of an item of sources; NULL: not given. */
static const struct node *source_option(const struct check *c, size_t i, const char *key) {
    struct text path = {0};
    text_add(&path, "sources[%zu].%s", i, key);
    return tree_find(c->root, path.bytes);
}

static void check_queueing(const struct check *c, size_t i) {
    const struct conf_source *source = &c->conf->sources[i];
    const struct node *on_failure = source_option(c, i, "on_failure");
    bool answers =
        on_failure && on_failure->kind == NODE_SCALAR && slice_iis(node_text(on_failure), "answer");
    if (answers && source->reply == REPLY_ACCEPTED)
        problems_warning(c->problems, on_failure->line,
                         "sources[%zu].on_failure: answer has no effect with reply: accepted, as "
                         "the sender was answered already; what fails is queued",
                         i);
    if (source->ordered && !source->queues)
        problems_warning(c->problems, item_line(c, "sources", i, ".order"),
                         "sources[%zu].order: entity with on_failure: answer: what failed comes "
                         "again when the sender likes, behind later events",
                         i);
}

static void check_sources(const struct check *c) {
    for (size_t i = 0; i < c->conf->source_count; i++) {
        const struct conf_source *source = &c->conf->sources[i];
        for (size_t j = 0; j < i; j++)
            check_collisions(c, i, j);
        const struct node *secrets = source_option(c, i, "secrets");
        if (secrets && secrets->kind == NODE_SCALAR && slice_iis(node_text(secrets), "none"))
            problems_warning(c->problems, secrets->line,
                             "sources[%zu].secrets: none: whoever reaches the path can send events",
                             i);
        check_queueing(c, i);
        if (source->provider == PROVIDER_GITHUB && source->deadline_ms >= GITHUB_PATIENCE_MS)
            problems_warning(c->problems, item_line(c, "sources", i, ".deadline"),
                             "sources[%zu].deadline: GitHub hangs up after 10s, and would not "
                             "see the answer",
                             i);
    }
}

static void check_retry(const struct check *c) {
    for (size_t i = 1; i < c->conf->ladder_count; i++) {
        if (c->conf->ladder_ms[i] >= c->conf->ladder_ms[i - 1])
            continue;
        struct text text = {0};
        text_add_duration(&text, c->conf->ladder_ms[i]);
        text_add(&text, " stands behind ");
        text_add_duration(&text, c->conf->ladder_ms[i - 1]);
        problems_warning(c->problems, item_line(c, "retry.ladder", i, ""),
                         "retry.ladder: %s; pauses mostly grow", text.bytes);
    }
}

static void check_limits(const struct check *c) {
    const struct conf *conf = c->conf;
    if (conf->limit_body > 0 && conf->limit_in_flight > 0 &&
        conf->limit_in_flight < conf->limit_body)
        problems_error(c->problems, tree_line(c->root, "limits.in_flight"),
                       "limits.in_flight: %" PRIu64 " bytes hold no event of limits.body; allowed: "
                       "%" PRIu64 " bytes and more",
                       conf->limit_in_flight, conf->limit_body);
    if (conf->journal_max_bytes > 0 && conf->journal_max_bytes < conf->limit_body)
        problems_warning(c->problems, tree_line(c->root, "journal.max_bytes"),
                         "journal.max_bytes: %" PRIu64
                         " bytes hold no event of limits.body (%" PRIu64
                         " bytes), which could not be queued",
                         conf->journal_max_bytes, conf->limit_body);
}

void check_whole(const struct conf *conf, const struct node *root, struct problems *problems) {
    const struct check c = {.conf = conf, .root = root, .problems = problems};
    check_addresses(&c);
    check_admin(&c);
    check_store(&c);
    check_backends(&c);
    check_rollout(&c);
    check_sources(&c);
    check_retry(&c);
    check_limits(&c);
}

/* What a reload cannot change is named. */
#include "conf_text.h"

#define REDIS "store: {kind: redis, redis: {url: \"redis://:p@r/1\", prefix: x}}\n"

static void check(const char *now, const char *next, const char *expect) {
    struct conf *a = load_good(now);
    struct conf *b = load_good(next);
    const char *got = conf_needs_restart(a, b);
    conf_unref(a);
    conf_unref(b);
    if (expect)
        assert_string_equal(got ? got : "nothing", expect);
    else
        assert_null(got);
}

static void what_is_bound_at_the_start_needs_a_restart(void **state) {
    (void)state;
    static const struct {
        const char *next;
        const char *expect;
    } cases[] = {
        {LEAST, NULL},
        {LEAST "workers: 200\n", "workers"},
        {LEAST "admin: {address: 127.0.0.1:1}\n", "admin.address"},
        {LEAST "admin: {address: 127.0.0.2:9180}\n", "admin.address"},
        {LEAST "admin: {token: {value: t}}\n", "admin.token"},
        {LEAST "store: {directory: x}\n", "store.directory"},
        {LEAST "store: {when_down: local}\n", "store.when_down"},
        {LEAST "store: {remember: 73h}\n", "store.remember"},
        {LEAST REDIS, "store.kind"},
        {BACKENDS SOURCES "listeners: [{address: 127.0.0.1:8081}]\n", "listeners"},
        {BACKENDS SOURCES "listeners: [{address: 127.0.0.1:8080}, {address: 127.0.0.1:1}]\n",
         "listeners"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        check(LEAST, cases[i].next, cases[i].expect);
        check(cases[i].next, LEAST, cases[i].expect);
    }
}

static void another_redis_needs_a_restart(void **state) {
    (void)state;
    check(LEAST REDIS, LEAST REDIS, NULL);
    check(LEAST REDIS, LEAST "store: {kind: redis, redis: {url: \"redis://:q@r/1\", prefix: x}}\n",
          "store.redis.url");
    check(LEAST REDIS, LEAST "store: {kind: redis, redis: {url: \"redis://:p@r/2\", prefix: x}}\n",
          "store.redis.url");
    check(LEAST REDIS, LEAST "store: {kind: redis, redis: {url: \"redis://u:p@r/1\", prefix: x}}\n",
          "store.redis.url");
    check(LEAST REDIS, LEAST "store: {kind: redis, redis: {url: \"redis://:p@r/1\", prefix: y}}\n",
          "store.redis.prefix");
}

static void the_rest_can_be_reloaded(void **state) {
    (void)state;
    check(LEAST,
          LISTENERS "backends: {legacy: {url: \"http://c\", name: x, timeout: 1s}, new: {url: "
                    "\"http://d\"}}\n"
                    "sources: [{path: /x, secrets: [{value: t}]}]\n"
                    "limits: {body: 1KiB}\ndrain: 1s\n"
                    "retry: {ladder: [1s], jitter: 0}\nbreaker: {failures: 1}\n"
                    "auto_rollback: {on_new_down: off}\njournal: {max_bytes: 1GiB, keep: 1d}\n"
                    "rollout: {sticky: closed, salt: x, mode: parallel}\n",
          NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_bound_at_the_start_needs_a_restart),
        cmocka_unit_test(another_redis_needs_a_restart),
        cmocka_unit_test(the_rest_can_be_reloaded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

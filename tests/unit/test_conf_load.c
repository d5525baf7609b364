/* From text to snapshot: defaults, values, and what is reported. */
#include "conf_text.h"

#include <sched.h>

#define ALLOWED_DURATION "100ms to 10m, like 250ms, 9s, 5m"

static void what_is_left_out_gets_its_default(void **state) {
    (void)state;
    struct conf *c = load_good(LEAST);
    cpu_set_t cores;
    assert_int_equal(sched_getaffinity(0, sizeof(cores), &cores), 0);
    assert_int_equal(c->workers, CPU_COUNT(&cores));
    assert_string_equal(c->file, "f");
    assert_int_equal(c->drain_ms, 30000);
    assert_string_equal(c->admin.host, "127.0.0.1");
    assert_int_equal(c->admin.port, 9180);
    assert_null(c->admin_token);
    assert_int_equal(c->store_kind, STORE_EMBEDDED);
    assert_string_equal(c->directory, "var");
    assert_int_equal(c->when_down, WHEN_DOWN_HOLD);
    assert_int_equal(c->remember_ms, 72 * 3600000);
    assert_true(c->claims);
    assert_null(c->redis.host);
    assert_string_equal(c->redis_prefix, "pointsman:");
    assert_int_equal(c->key, KEY_ENTITY);
    assert_int_equal(c->bucket, BUCKET_XXH3);
    assert_string_equal(c->salt, "");
    assert_int_equal(c->sticky, STICKY_DURATION);
    assert_int_equal(c->sticky_ms, 30 * 60000);
    assert_false(c->has_start);
    assert_int_equal(c->limit_body, 40 << 20);
    assert_int_equal(c->limit_in_flight, 1 << 30);
    assert_int_equal(c->limit_connections, 10000);
    assert_int_equal(c->limit_headers, 65536);
    assert_int_equal(c->limit_header_count, 100);
    conf_unref(c);
}

static void backends_and_sources_get_their_defaults(void **state) {
    (void)state;
    static const uint16_t not_done[] = {408, 425, 429, 500, 503};
    struct conf *c = load_good(LEAST);
    for (int side = 0; side < SIDES; side++) {
        const struct conf_backend *b = &c->backends[side];
        assert_string_equal(b->name, side_names[side]);
        assert_int_equal(b->timeout_ms, 60000);
        assert_false(b->idempotent);
        assert_int_equal(b->fallback, side == SIDE_NEW);
        assert_null(b->health_path);
        assert_int_equal(b->health_interval_ms, 5000);
        assert_int_equal(b->max_in_flight, 1000);
        assert_int_equal(b->idle_ms, 4000);
        assert_int_equal(b->header_count, 0);
        assert_int_equal(b->not_done_count, ARRAY_LEN(not_done));
        assert_memory_equal(b->not_done, not_done, sizeof(not_done));
    }
    const struct conf_source *s = &c->sources[0];
    assert_int_equal(c->source_count, 1);
    assert_string_equal(s->name, "github");
    assert_int_equal(s->provider, PROVIDER_GITHUB);
    assert_int_equal(s->only_count, 0);
    assert_false(s->event_id_with_hook);
    assert_int_equal(s->deadline_ms, 9000);
    assert_int_equal(s->reply, REPLY_BACKEND);
    conf_unref(c);
}

static void delivery_gets_its_defaults(void **state) {
    (void)state;
    static const uint32_t ladder_s[] = {5, 30, 120, 600, 1800, 7200, 18000, 36000, 36000};
    struct conf *c = load_good(LEAST);
    assert_true(c->sources[0].queues);
    assert_false(c->sources[0].ordered);
    assert_int_equal(c->ladder_count, ARRAY_LEN(ladder_s));
    for (size_t i = 0; i < ARRAY_LEN(ladder_s); i++)
        assert_int_equal(c->ladder_ms[i], ladder_s[i] * 1000);
    assert_int_equal(c->retry_jitter_ppm, 200000);
    assert_int_equal(c->retry_budget_ppm, 200000);
    assert_int_equal(c->breaker_failures, 5);
    assert_int_equal(c->breaker_rate_ppm, 500000);
    assert_int_equal(c->breaker_window_ms, 60000);
    assert_int_equal(c->breaker_samples, 20);
    assert_int_equal(c->breaker_open_ms, 60000);
    assert_int_equal(c->breaker_probes, 3);
    assert_true(c->rollback_on_new_down);
    assert_true(c->journal_max_bytes == UINT64_C(10) << 30);
    assert_int_equal(c->journal_keep_ms, 14 * 86400000);
    conf_unref(c);
}

static void values_of_delivery_are_taken(void **state) {
    (void)state;
    struct conf *c = load_good(
        LISTENERS BACKENDS
        "sources:\n"
        "- {path: /a, secrets: [{value: x}], name: a, on_failure: Answer}\n"
        "- {path: /b, secrets: [{value: x}], name: b, on_failure: queue, order: entity}\n"
        "- {path: /c, secrets: [{value: x}], name: c, reply: accepted}\n"
        "store: {when_down: hold}\n"
        "retry: {ladder: [10ms, 1h, 24h], jitter: 0, budget: 12.5%}\n"
        "breaker: {failures: 1, rate: 100%, window: 1s, samples: 2, open: 3s, probes: 4}\n"
        "auto_rollback: {on_new_down: no}\n"
        "journal: {max_bytes: 40MiB, keep: 0s}\n");
    assert_false(c->sources[0].queues);
    assert_true(c->sources[1].queues);
    assert_true(c->sources[1].ordered);
    assert_int_equal(c->sources[2].reply, REPLY_ACCEPTED);
    assert_true(c->sources[2].queues);
    assert_int_equal(c->when_down, WHEN_DOWN_HOLD);
    assert_int_equal(c->ladder_count, 3);
    assert_int_equal(c->ladder_ms[0], 10);
    assert_int_equal(c->ladder_ms[2], 86400000);
    assert_int_equal(c->retry_jitter_ppm, 0);
    assert_int_equal(c->retry_budget_ppm, 125000);
    assert_int_equal(c->breaker_failures, 1);
    assert_int_equal(c->breaker_rate_ppm, PPM_ALL);
    assert_int_equal(c->breaker_window_ms, 1000);
    assert_int_equal(c->breaker_samples, 2);
    assert_int_equal(c->breaker_open_ms, 3000);
    assert_int_equal(c->breaker_probes, 4);
    assert_false(c->rollback_on_new_down);
    assert_int_equal(c->journal_max_bytes, 40 << 20);
    assert_int_equal(c->journal_keep_ms, 0);
    conf_unref(c);
}

static void blocks_without_options_are_empty(void **state) {
    (void)state;
    conf_unref(
        load_good(LEAST "store:\nrollout: ~\nretry:\nbreaker: {}\nlimits: {}\nadmin: null\n"));
}

static void values_of_the_process_are_taken(void **state) {
    (void)state;
    struct conf *c = load_good(
        "listeners: [{address: 0.0.0.0:80}, {address: \"[::0]:0\"}]\n"
        "admin: {address: 10.0.0.1:1, token: {value: tok}}\n"
        "workers: 3\ndrain: 0s\n" BACKENDS SOURCES
        "store: {kind: redis, directory: /tmp/x, when_down: local, remember: 90d,\n"
        "  redis: {url: \"redis://me:p%40ss@r:7/3\", prefix: \"\"}}\n"
        "rollout: {key: owner, bucket: xxh3, salt: Salt, sticky: closed, mode: gradual, "
        "percentage: "
        "12.5%}\n"
        "limits: {body: 1KiB, in_flight: 2KiB, connections: 5, headers: 2KiB, header_count: 20}\n");
    assert_int_equal(c->listener_count, 2);
    assert_string_equal(c->listeners[1].host, "::");
    assert_string_equal(c->listeners[1].text, "[::0]:0");
    assert_int_equal(c->listeners[1].port, 0);
    assert_string_equal(c->admin_token, "tok");
    assert_int_equal(c->workers, 3);
    assert_int_equal(c->drain_ms, 0);
    assert_int_equal(c->store_kind, STORE_REDIS);
    assert_int_equal(c->when_down, WHEN_DOWN_LOCAL);
    assert_int_equal(c->remember_ms, UINT64_C(7776000000));
    assert_string_equal(c->redis.text, "redis://r:7/3");
    assert_string_equal(c->redis.host, "r");
    assert_int_equal(c->redis.port, 7);
    assert_string_equal(c->redis_user, "me");
    assert_string_equal(c->redis_password, "p@ss");
    assert_int_equal(c->redis_db, 3);
    assert_string_equal(c->redis_prefix, "");
    assert_int_equal(c->key, KEY_OWNER);
    assert_string_equal(c->salt, "Salt");
    assert_int_equal(c->sticky, STICKY_CLOSED);
    assert_int_equal(c->sticky_ms, UINT64_C(7776000000));
    assert_true(c->has_start);
    assert_int_equal(c->start_mode, MODE_GRADUAL);
    assert_int_equal(c->start_ppm, 125000);
    assert_int_equal(c->limit_body, 1024);
    assert_int_equal(c->limit_header_count, 20);
    conf_unref(c);
}

static void values_of_backends_and_sources_are_taken(void **state) {
    (void)state;
    struct conf *c = load_good(
        LISTENERS
        "rollout: {mode: Python_ONLY, sticky: in_flight}\n"
        "backends:\n"
        "  new: {name: Python, url: \"http://[::1]:9/p/\", idempotent: yes, fallback: off,\n"
        "    health: {path: /h, interval: 1s}, headers: {Authorization: ' Bearer x '},\n"
        "    not_done: []}\n"
        "  legacy: {url: \"http://h\", timeout: 1s, max_in_flight: 1, idle: 1s}\n"
        "sources:\n"
        "- {path: /a, secrets: [{value: x}, {value: y}], name: One, reply: summary,\n"
        "   only: {issues: [opened, edited], push: all}, event_id: delivery+hook,\n"
        "   deadline: 250ms, on_failure: answer, order: none}\n"
        "- {path: /b, secrets: [{value: x}]}\n");
    const struct conf_backend *b = &c->backends[SIDE_NEW];
    assert_int_equal(c->start_mode, MODE_NEW_ONLY);
    assert_int_equal(c->sticky, STICKY_IN_FLIGHT);
    assert_string_equal(b->name, "python");
    assert_string_equal(b->url.host, "::1");
    assert_string_equal(b->url.path, "/p");
    assert_true(b->idempotent);
    assert_false(b->fallback);
    assert_string_equal(b->health_path, "/h");
    assert_int_equal(b->header_count, 1);
    assert_string_equal(b->headers[0].name, "Authorization");
    assert_string_equal(b->headers[0].value, "Bearer x");
    assert_int_equal(b->not_done_count, 0);
    assert_int_equal(c->backends[SIDE_LEGACY].timeout_ms, 1000);
    const struct conf_source *s = &c->sources[0];
    assert_string_equal(s->name, "one");
    assert_int_equal(s->secret_count, 2);
    assert_int_equal(s->reply, REPLY_SUMMARY);
    assert_int_equal(s->only_count, 2);
    assert_string_equal(s->only[0].type, "issues");
    assert_int_equal(s->only[0].action_count, 2);
    assert_string_equal(s->only[0].actions[1], "edited");
    assert_int_equal(s->only[1].action_count, 0);
    assert_true(s->event_id_with_hook);
    assert_string_equal(c->sources[1].name, "github");
    conf_unref(c);
}

static void every_problem_is_reported_in_the_order_of_lines(void **state) {
    (void)state;
    static const struct report_case cases[] = {
        {"sources: [{path: /w, deadline: 9 seconds}]\n"
         "workers: many\n"
         "rollouts: {}\n"
         "backends: {legacy: {url: \"http://a\", timeuot: 3s}}\n",
         "f:1: listeners: is missing; allowed: a list of 1 to 64 blocks, each begins with \"- \"\n"
         "f:1: sources[0].secrets: is missing; allowed: a list of {env: NAME}, {file: PATH} or "
         "{value: SECRET}, or the word none\n"
         "f:1: sources[0].deadline: \"9 seconds\" is no duration; allowed: " ALLOWED_DURATION "\n"
         "f:2: workers: \"many\" is no whole number; allowed: a whole number from 0 to 256\n"
         "f:3: unknown key \"rollouts\", did you mean rollout?; allowed: workers, drain, "
         "listeners, admin, store, backends, rollout, sources, retry, breaker, auto_rollback, "
         "journal, limits\n"
         "f:4: backends.legacy: unknown key \"timeuot\", did you mean timeout?; allowed: url, "
         "name, timeout, idempotent, max_in_flight, idle, headers, not_done, health\n"
         "f:4: backends.new.url: is missing; allowed: http://host[:port][/path]\n"},
        {"", "f:1: listeners: is missing; allowed: a list of 1 to 64 blocks, each begins with \"- "
             "\"\n"
             "f:1: backends.legacy.url: is missing; allowed: http://host[:port][/path]\n"
             "f:1: backends.new.url: is missing; allowed: http://host[:port][/path]\n"
             "f:1: sources: is missing; allowed: a list of 1 to 64 blocks, each begins with \"- "
             "\"\n"},
        {"- a\n", "f:1: the file is no block of options; allowed: lines like \"listeners:\"\n"},
    };
    check_reports(cases, ARRAY_LEN(cases));
}

static void a_value_of_the_wrong_shape_is_refused(void **state) {
    (void)state;
    static const struct report_case cases[] = {
        {LEAST "workers: [1]\n",
         "f:4: workers: a list cannot stand here; allowed: a whole number from 0 to 256\n"},
        {LEAST "rollout: fast\n", "f:4: rollout: is no block of options\n"},
        {BACKENDS SOURCES "listeners: 127.0.0.1:8080\n",
         "f:3: listeners: is no such list; allowed: a list of 1 to 64 blocks, each begins with "
         "\"- \"\n"},
        {BACKENDS SOURCES "listeners: [127.0.0.1:8080]\n",
         "f:3: listeners[0]: is no block of options\n"},
        {LEAST "rollout:\n  sticky:\n",
         "f:5: rollout.sticky: \"\" is no duration; allowed: 1ms to 90d, like 250ms, 9s, 5m, or "
         "in_flight, or closed\n"},
        {LEAST "workers: 257\n",
         "f:4: workers: \"257\" is too much; allowed: a whole number from 0 to 256\n"},
        {LEAST "limits: {headers: 1B}\n",
         "f:4: limits.headers: \"1B\" is too little; allowed: 1KiB to 1MiB, like 64KiB\n"},
        {LEAST "store: {directory: \"a\\tb\"}\n",
         "f:4: store.directory: \"a?b\" has a control character; allowed: 1 to 1023 printable "
         "bytes\n"},
        {LEAST "rollout: {mode: python_only}\n",
         "f:4: rollout.mode: \"python_only\" is no mode; allowed: legacy_only, new_only, parallel, "
         "gradual, emergency_rollback, or a backend's name followed by _only\n"},
        {LEAST "rollout: {mode: gradual, percentage: 101}\n",
         "f:4: rollout.percentage: \"101\" is no percentage; allowed: 0 to 100 with up to four "
         "decimals\n"},
    };
    check_reports(cases, ARRAY_LEN(cases));
}

#define STEPS8        "1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s"
#define ALLOWED_STEPS "a list of 1 to 32 durations, each 10ms to 1d, like 250ms, 9s, 5m\n"

static void a_ladder_is_a_list_of_durations(void **state) {
    (void)state;
    static const struct report_case cases[] = {
        {LEAST "retry: {ladder: 5s}\n",
         "f:4: retry.ladder: \"5s\" is no list; allowed: " ALLOWED_STEPS},
        {LEAST "retry: {ladder: []}\n",
         "f:4: retry.ladder: a list is empty; allowed: " ALLOWED_STEPS},
        {LEAST "retry: {ladder: [" STEPS8 ", " STEPS8 ", " STEPS8 ", " STEPS8 "]}\n", ""},
        {LEAST "retry: {ladder: [" STEPS8 ", " STEPS8 ", " STEPS8 ", " STEPS8 ", 1s]}\n",
         "f:4: retry.ladder: a list has too many steps; allowed: " ALLOWED_STEPS},
        {LEAST "retry:\n  ladder:\n  - 9ms\n  - soon\n  - 25h\n  - [1s]\n",
         "f:6: retry.ladder: \"9ms\" is too little; allowed: " ALLOWED_STEPS
         "f:7: retry.ladder: \"soon\" is no duration; allowed: " ALLOWED_STEPS
         "f:8: retry.ladder: \"25h\" is too much; allowed: " ALLOWED_STEPS
         "f:9: retry.ladder: a list is no duration; allowed: " ALLOWED_STEPS},
    };
    check_reports(cases, ARRAY_LEN(cases));
}

static void a_share_has_limits(void **state) {
    (void)state;
    static const struct report_case cases[] = {
        {LEAST "retry: {jitter: 50.0001%, budget: 100%}\n",
         "f:4: retry.jitter: \"50.0001%\" is too much; allowed: 0 to 50 with up to four "
         "decimals\n"},
        {LEAST "breaker: {rate: 0.9}\n",
         "f:4: breaker.rate: \"0.9\" is too little; allowed: 1 to 100 with up to four "
         "decimals\n"},
        {LEAST "retry: {budget: all}\n",
         "f:4: retry.budget: \"all\" is no percentage; allowed: 0 to 100 with up to four "
         "decimals\n"},
        {LEAST "store: {when_down: wait}\n",
         "f:4: store.when_down: \"wait\" is not known; allowed: hold, local, refuse\n"},
    };
    check_reports(cases, ARRAY_LEN(cases));
}

static void what_later_versions_have_is_refused_by_name(void **state) {
    (void)state;
    static const struct report_case cases[] = {
        {BACKENDS SOURCES "listeners: [{address: \"[::]:1\", tls: {key: k}}]\n",
         "f:3: listeners[0].tls: is not available in this version; leave it out\n"},
    };
    check_reports(cases, ARRAY_LEN(cases));
}

static void a_file_that_cannot_be_read_is_named(void **state) {
    (void)state;
    struct conf *conf = NULL;
    struct conf_problem *problems = NULL;
    assert_false(conf_load("/nonexistent/f", &conf, &problems));
    assert_string_equal(problems->text, "cannot be read: No such file or directory");
    conf_problems_free(problems);
    assert_false(conf_load("/", &conf, &problems));
    assert_string_equal(problems->text, "cannot be read: Is a directory");
    conf_problems_free(problems);
    assert_null(conf);
}

static void a_snapshot_lives_until_its_last_reference(void **state) {
    (void)state;
    struct conf *c = load_good(LEAST);
    assert_ptr_equal(conf_ref(c), c);
    conf_unref(c);
    assert_string_equal(c->sources[0].path, "/w");
    conf_unref(c);
    conf_unref(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_left_out_gets_its_default),
        cmocka_unit_test(backends_and_sources_get_their_defaults),
        cmocka_unit_test(delivery_gets_its_defaults),
        cmocka_unit_test(values_of_delivery_are_taken),
        cmocka_unit_test(blocks_without_options_are_empty),
        cmocka_unit_test(values_of_the_process_are_taken),
        cmocka_unit_test(values_of_backends_and_sources_are_taken),
        cmocka_unit_test(every_problem_is_reported_in_the_order_of_lines),
        cmocka_unit_test(a_value_of_the_wrong_shape_is_refused),
        cmocka_unit_test(a_ladder_is_a_list_of_durations),
        cmocka_unit_test(a_share_has_limits),
        cmocka_unit_test(what_later_versions_have_is_refused_by_name),
        cmocka_unit_test(a_file_that_cannot_be_read_is_named),
        cmocka_unit_test(a_snapshot_lives_until_its_last_reference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

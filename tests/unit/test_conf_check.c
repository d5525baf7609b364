/* Between options: collisions, what is missing beside another, what is legal but odd. */
#include "conf_text.h"

static void equal_addresses_collide(void **state) {
    (void)state;
    static const struct report_case cases[] = {
        {BACKENDS SOURCES "listeners:\n- address: \"[::1]:80\"\n- address: \"[0::1]:80\"\n",
         "f:5: listeners[1].address: \"[0::1]:80\" is the address of listeners[0] too; allowed: "
         "another port\n"},
        {BACKENDS SOURCES "listeners:\n- address: 127.0.0.1:9180\n",
         "f:4: listeners[0].address: \"127.0.0.1:9180\" is admin.address too; allowed: another "
         "port\n"},
        /* any free port is not the same twice */
        {BACKENDS SOURCES "listeners: [{address: 127.0.0.1:0}, {address: 127.0.0.1:0}]\n"
                          "admin: {address: 127.0.0.1:0}\n",
         ""},
        {BACKENDS SOURCES "listeners: [{address: 127.0.0.1:1}, {address: 127.0.0.2:1}]\n", ""},
    };
    check_reports(cases, ARRAY_LEN(cases));
}

static void admin_beyond_loopback_needs_a_token(void **state) {
    (void)state;
    static const struct report_case cases[] = {
        {LEAST "admin:\n  address: 0.0.0.0:1\n",
         "f:5: admin.address: \"0.0.0.0:1\" can be reached from outside and admin.token is "
         "missing; allowed without a token: 127.0.0.0/8 and [::1]\n"},
        {LEAST "admin: {address: 0.0.0.0:1, token: {value: t}}\n", ""},
        {LEAST "admin: {address: 127.1.2.3:1}\n", ""},
        {LEAST "admin: {address: \"[::1]:1\"}\n", ""},
        /* a refused token is one error, not two */
        {LEAST "admin: {address: 0.0.0.0:1, token: {value: ''}}\n",
         "f:4: admin.token: the secret from the configuration is empty; allowed: 1 to 4096 "
         "bytes\n"},
    };
    check_reports(cases, ARRAY_LEN(cases));
}

static void the_store_fits_its_kind(void **state) {
    (void)state;
    static const struct report_case cases[] = {
        {LEAST "store:\n  kind: redis\n",
         "f:4: store.redis.url: is missing beside kind: redis; allowed: "
         "redis://[[user]:password@]host[:port][/db]\n"},
        {LEAST "store:\n  kind: redis\n  redis: {prefix: p}\n",
         "f:6: store.redis.url: is missing beside kind: redis; allowed: "
         "redis://[[user]:password@]host[:port][/db]\n"},
        {LEAST "store:\n  redis: {url: \"redis://r\"}\n",
         "f:5: warning: store.redis: is not used, as store.kind is embedded\n"},
        {LEAST "store:\n  kind: embedded\n  redis: {url: \"rediss://:hush@r\"}\n",
         "f:6: store.redis.url: \"rediss://***@r\" needs TLS to Redis, which is not available in "
         "this version; allowed: redis://[[user]:password@]host[:port][/db]\n"
         "f:6: warning: store.redis: is not used, as store.kind is embedded\n"},
        {LEAST "store: {kind: reddis, redis: {url: \"redis://r\"}}\n",
         "f:4: store.kind: \"reddis\" is not known; allowed: embedded, redis\n"},
        {LEAST "store: {claims: off, remember: 71h}\n",
         "f:4: warning: store.claims: off: events may be processed twice, or at both sides "
         "(promises 2 and 3 are given up)\n"
         "f:4: warning: store.remember: is shorter than 72h, for which GitHub redelivers events; "
         "later repetitions are processed again\n"},
        {LEAST "store: {claims: maybe}\n",
         "f:4: store.claims: \"maybe\" is neither true nor false; allowed: true, false (or on, "
         "off, yes, no)\n"},
    };
    check_reports(cases, ARRAY_LEN(cases));
}

#define NAMES(legacy, new)                                                                         \
    LISTENERS SOURCES "backends:\n"                                                                \
                      "  legacy: {url: \"http://a\", name: " legacy "}\n"                          \
                      "  new: {url: \"http://b\", name: " new "}\n"

static void backends_have_names_of_their_own(void **state) {
    (void)state;
    static const struct report_case cases[] = {
        {NAMES("x", "X"),
         "f:5: backends.new.name: \"x\" is the name of backends.legacy too; allowed: another "
         "name\n"},
        {NAMES("new", "old"),
         "f:4: backends.legacy.name: \"new\" is the other side's word, new_only would be "
         "ambiguous; allowed: another name\n"},
        {NAMES("old", "Legacy"),
         "f:5: backends.new.name: \"legacy\" is the other side's word, legacy_only would be "
         "ambiguous; allowed: another name\n"},
        {NAMES("legacy", "new"), ""},
        {NAMES("a b", "''"),
         "f:4: backends.legacy.name: \"a b\" is no name; allowed: 1 to 63 of a-z, 0-9, _ and -\n"
         "f:5: backends.new.name: \"\" is no name; allowed: 1 to 63 of a-z, 0-9, _ and -\n"},
        {NAMES("ä", "0123456789012345678901234567890123456789012345678901234567890123"),
         "f:4: backends.legacy.name: \"ä\" is no name; allowed: 1 to 63 of a-z, 0-9, _ and -\n"
         "f:5: backends.new.name: "
         "\"012345678901234567890123456789012345678901234567890123456789…\" "
         "is no name; allowed: 1 to 63 of a-z, 0-9, _ and -\n"},
    };
    check_reports(cases, ARRAY_LEN(cases));
}

static void odd_backends_are_warned_of(void **state) {
    (void)state;
    static const struct report_case cases[] = {
        {LISTENERS SOURCES "backends:\n"
                           "  legacy: {url: \"http://a:80/x/\", health: {interval: 1s}}\n"
                           "  new: {url: \"http://a/x\", not_done: [502, 503,\n   504]}\n",
         "f:4: warning: backends.legacy.health.interval: has no effect without a path\n"
         "f:5: warning: backends.new.url: \"http://a/x\" is the URL of backends.legacy too\n"
         "f:5: warning: backends.new.not_done: 502 does not say whether the backend worked; an "
         "event may be processed twice\n"
         "f:5: warning: backends.new.not_done: 504 does not say whether the backend worked; an "
         "event may be processed twice\n"},
    };
    check_reports(cases, ARRAY_LEN(cases));
}

static void options_of_rollout_without_effect_are_warned_of(void **state) {
    (void)state;
    static const struct report_case cases[] = {
        {LEAST "rollout: {percentage: 5}\n",
         "f:4: warning: rollout.percentage: has no effect without mode: gradual\n"},
        {LEAST "rollout: {mode: parallel, percentage: 5}\n",
         "f:4: warning: rollout.percentage: has no effect without mode: gradual\n"},
        {LEAST "rollout: {mode: gradual}\n",
         "f:4: warning: rollout.mode: gradual without a percentage gives new nothing\n"},
        {LEAST "rollout: {mode: gradual, percentage: 5}\n", ""},
        {LEAST "rollout: {bucket: modulo, salt: x, key: owner}\n",
         "f:4: warning: rollout.salt: has no effect with bucket: modulo\n"
         "f:4: warning: rollout.key: has no effect with bucket: modulo\n"},
        {LEAST "rollout: {mode: gradul, percentage: 5}\n",
         "f:4: rollout.mode: \"gradul\" is no mode; allowed: legacy_only, new_only, parallel, "
         "gradual, emergency_rollback, or a backend's name followed by _only\n"},
    };
    check_reports(cases, ARRAY_LEN(cases));
}

static void sources_have_names_and_paths_of_their_own(void **state) {
    (void)state;
    static const struct report_case cases[] = {
        {LISTENERS BACKENDS "sources:\n"
                            "- path: /w\n"
                            "  secrets: [{value: s}]\n"
                            "- path: /w\n"
                            "  secrets: [{value: s}]\n"
                            "  name: GITHUB\n",
         "f:6: sources[1].path: \"/w\" is the path of sources[0] too (line 4); allowed: another "
         "path\n"
         "f:8: sources[1].name: \"github\" is the name of sources[0] too (line 4); allowed: "
         "another name\n"},
        {LISTENERS BACKENDS "sources:\n"
                            "- {path: /a, secrets: [{value: s}]}\n"
                            "- {path: /A, secrets: [{value: s}], name: other}\n",
         ""},
        {LISTENERS BACKENDS "sources: [{path: w, secrets: none}, {path: '/w?x', secrets: None,\n"
                            "  name: other, deadline: 10s}]\n",
         "f:3: sources[0].path: \"w\" is no path; allowed: a path that begins with /, without "
         "query, spaces and fragment\n"
         "f:3: sources[1].path: \"/w?x\" is no path; allowed: a path that begins with /, without "
         "query, spaces and fragment\n"
         "f:3: warning: sources[0].secrets: none: whoever reaches the path can send events\n"
         "f:3: warning: sources[1].secrets: none: whoever reaches the path can send events\n"
         "f:4: warning: sources[1].deadline: GitHub hangs up after 10s, and would not see the "
         "answer\n"},
    };
    check_reports(cases, ARRAY_LEN(cases));
}

static void sources_that_keep_and_answer_are_warned_of(void **state) {
    (void)state;
    static const struct report_case cases[] = {
        {LISTENERS BACKENDS "sources:\n"
                            "- path: /a\n"
                            "  secrets: [{value: s}]\n"
                            "  reply: accepted\n"
                            "  on_failure: answer\n"
                            "  order: entity\n",
         "f:7: warning: sources[0].on_failure: answer has no effect with reply: accepted, as the "
         "sender was answered already; what fails is queued\n"},
        {LISTENERS BACKENDS "sources:\n"
                            "- path: /a\n"
                            "  secrets: [{value: s}]\n"
                            "  on_failure: answer\n"
                            "  order: entity\n",
         "f:7: warning: sources[0].order: entity with on_failure: answer: what failed comes again "
         "when the sender likes, behind later events\n"},
    };
    check_reports(cases, ARRAY_LEN(cases));
}

static void an_odd_ladder_or_journal_is_warned_of(void **state) {
    (void)state;
    static const struct report_case cases[] = {
        {LEAST "retry:\n  ladder:\n  - 5s\n  - 30m\n  - 2m\n  - 2m\n",
         "f:8: warning: retry.ladder: 2m stands behind 30m; pauses mostly grow\n"},
        {LEAST "journal:\n  max_bytes: 1MiB\n",
         "f:5: warning: journal.max_bytes: 1048576 bytes hold no event of limits.body (41943040 "
         "bytes), which could not be queued\n"},
        {LEAST "journal: {max_bytes: 1MiB}\nlimits: {body: 1MiB}\n", ""},
    };
    check_reports(cases, ARRAY_LEN(cases));
}

static void one_event_fits_into_all_events(void **state) {
    (void)state;
    static const struct report_case cases[] = {
        {LEAST "limits:\n  in_flight: 1MiB\n",
         "f:5: limits.in_flight: 1048576 bytes hold no event of limits.body; allowed: 41943040 "
         "bytes and more\n"},
        {LEAST "limits: {body: 1MiB, in_flight: 1MiB}\n", ""},
    };
    check_reports(cases, ARRAY_LEN(cases));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_addresses_collide),
        cmocka_unit_test(admin_beyond_loopback_needs_a_token),
        cmocka_unit_test(the_store_fits_its_kind),
        cmocka_unit_test(backends_have_names_of_their_own),
        cmocka_unit_test(odd_backends_are_warned_of),
        cmocka_unit_test(options_of_rollout_without_effect_are_warned_of),
        cmocka_unit_test(sources_have_names_and_paths_of_their_own),
        cmocka_unit_test(sources_that_keep_and_answer_are_warned_of),
        cmocka_unit_test(an_odd_ladder_or_journal_is_warned_of),
        cmocka_unit_test(one_event_fits_into_all_events),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Buckets: pinned values, an even spread, and that raising the percentage only adds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <pointsman/router.h>

#define KEYS 20000

/* Computed by a program of its own from xxHash's one-shot functions (XXH3_64bits of nothing:
 * 2d06800538d394c2). These never change: entities would change sides. */
static void buckets_are_pinned_for_ever(void **state) {
    (void)state;
    static const struct {
        const char *key;
        const char *salt;
        uint32_t bucket;
    } cases[] = {
        {"octocat/Hello-World#7", "", 79256},
        {"octocat/Hello-World#7", NULL, 79256},
        {"octocat/Hello-World", "", 741086},
        {"Codertocat/Hello-World#1", "", 737291},
        {"", "", 175880},
        {"a", "", 901461},
        {"12345678", "", 386270},
        {"octocat/Hello-World#7", "2026-q4", 975342},
        {"octocat/Hello-World", "2026-q4", 837750},
        {"Codertocat/Hello-World#1", "2026-q4", 250769},
        {"", "2026-q4", 90951},
        {"a", "2026-q4", 53252},
        {"12345678", "2026-q4", 172507},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(bucket_of(slice_of(cases[i].key), cases[i].salt), cases[i].bucket);
}

static uint32_t bucket_of_issue(unsigned number, const char *salt) {
    char key[64];
    snprintf(key, sizeof key, "octocat/Hello-World#%u", number);
    return bucket_of(slice_of(key), salt);
}

/* Within five standard deviations of the binomial. */
static void each_percentage_takes_its_share_of_keys(void **state) {
    (void)state;
    static const uint32_t ppms[] = {0, 10000, 125000, 250000, 500000, 990000, 1000000};
    for (size_t i = 0; i < ARRAY_LEN(ppms); i++) {
        double share = ppms[i] / 1e6, variance = KEYS * share * (1 - share);
        unsigned taken = 0;
        for (unsigned number = 0; number < KEYS; number++)
            taken += bucket_of_issue(number, "") < ppms[i];
        double off = taken - KEYS * share;
        if (off * off > 25 * variance)
            fail_msg("at %u ppm %u of %u keys", ppms[i], taken, KEYS);
    }
}

static void a_raised_percentage_only_adds_entities(void **state) {
    (void)state;
    const struct conf conf = {.key = KEY_ENTITY, .salt = (char *)""};
    for (unsigned number = 0; number < KEYS; number++) {
        struct identity id = {0};
        bool was_new = false;
        snprintf(id.entity, sizeof id.entity, "octocat/Hello-World#%u", number);
        for (uint32_t ppm = 0; ppm <= PPM_ALL; ppm += 62500) {
            const struct control control = {MODE_GRADUAL, ppm, 1};
            bool is_new = decide(&conf, &control, &id).side == SIDE_NEW;
            assert_true(is_new || !was_new);
            was_new = is_new;
        }
        assert_true(was_new);
    }
}

static void another_salt_deals_the_entities_anew(void **state) {
    (void)state;
    unsigned both = 0;
    for (unsigned number = 0; number < KEYS; number++)
        both += bucket_of_issue(number, "") < 500000 && bucket_of_issue(number, "x") < 500000;
    assert_in_range(both, KEYS / 4 - 500, KEYS / 4 + 500);
}

static void the_key_is_what_rollout_key_names_else_the_entity(void **state) {
    (void)state;
    struct identity id = {.id = "guid", .entity = "o/r#1", .repository = "o/r", .owner = "o"};
    static const struct {
        enum rollout_key key;
        const char *full;
    } cases[] = {
        {KEY_ENTITY, "o/r#1"}, {KEY_REPOSITORY, "o/r"}, {KEY_OWNER, "o"}, {KEY_EVENT, "guid"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct conf conf = {.key = cases[i].key};
        assert_true(slice_is(rollout_key_of(&conf, &id), cases[i].full));
    }
    id = (struct identity){.id = "guid", .entity = "42"};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct conf conf = {.key = cases[i].key};
        const char *wanted = cases[i].key == KEY_EVENT ? "guid" : "42";
        assert_true(slice_is(rollout_key_of(&conf, &id), wanted));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buckets_are_pinned_for_ever),
        cmocka_unit_test(each_percentage_takes_its_share_of_keys),
        cmocka_unit_test(a_raised_percentage_only_adds_entities),
        cmocka_unit_test(another_salt_deals_the_entities_anew),
        cmocka_unit_test(the_key_is_what_rollout_key_names_else_the_entity),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

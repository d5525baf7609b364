/* The bench's entities: the shares they get. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../bench/distribution.h"

enum { ENTITIES = 100, EVENTS = 200000 };

static unsigned seen[ENTITIES];

static void draw(enum distribution_kind kind) {
    struct distribution d;
    assert_true(distribution_init(&d, kind, ENTITIES));
    memset(seen, 0, sizeof seen);
    for (uint64_t event = 0; event < EVENTS; event++) {
        unsigned entity = distribution_entity(&d, event);
        assert_in_range(entity, 0, ENTITIES - 1);
        assert_int_equal(entity, distribution_entity(&d, event));
        seen[entity]++;
    }
    distribution_free(&d);
}

static void uniform_gives_each_the_same_share(void **state) {
    (void)state;
    draw(DISTRIBUTION_UNIFORM);
    for (unsigned i = 0; i < ENTITIES; i++)
        assert_in_range(seen[i], EVENTS / ENTITIES * 85 / 100, EVENTS / ENTITIES * 115 / 100);
}

static void zipf_gives_the_kth_a_kth_of_the_first(void **state) {
    (void)state;
    draw(DISTRIBUTION_ZIPF);
    for (unsigned k = 1; k <= ENTITIES; k *= 3)
        assert_in_range(seen[k - 1] * k, seen[0] * 80 / 100, seen[0] * 120 / 100);
}

static void hot_gives_the_first_nine_of_ten(void **state) {
    (void)state;
    draw(DISTRIBUTION_HOT);
    assert_in_range(seen[0], EVENTS * 89 / 100, EVENTS * 91 / 100);
    for (unsigned i = 1; i < ENTITIES; i++)
        assert_in_range(seen[i], EVENTS / 990 * 60 / 100, EVENTS / 990 * 140 / 100);
}

static void one_entity_gets_all(void **state) {
    (void)state;
    for (int kind = 0; kind < DISTRIBUTIONS; kind++) {
        struct distribution d;
        assert_true(distribution_init(&d, (enum distribution_kind)kind, 1));
        for (uint64_t event = 0; event < 100; event++)
            assert_int_equal(distribution_entity(&d, event), 0);
        distribution_free(&d);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(uniform_gives_each_the_same_share),
        cmocka_unit_test(zipf_gives_the_kth_a_kth_of_the_first),
        cmocka_unit_test(hot_gives_the_first_nine_of_ten),
        cmocka_unit_test(one_entity_gets_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

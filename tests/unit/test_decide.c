/* DESIGN §3: what each mode gives to whom. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <pointsman/router.h>

/* Bucket 79256 of a million, by entity and without a salt. */
#define ENTITY "octocat/Hello-World#7"
#define BUCKET 79256

static struct decision decide_for(enum bucket_kind bucket, enum mode mode, uint32_t ppm,
                                  const char *entity, int number) {
    const struct conf conf = {.bucket = bucket};
    const struct control control = {mode, ppm, 1};
    struct identity id = {.has_number = number >= 0, .number = number >= 0 ? (uint64_t)number : 0};
    snprintf(id.entity, sizeof id.entity, "%s", entity);
    return decide(&conf, &control, &id);
}

static void each_mode_gives_what_the_table_says(void **state) {
    (void)state;
    static const struct {
        enum mode mode;
        uint32_t ppm;
        enum side side;
        bool absolute;
        bool shadow;
        enum why why;
    } cases[] = {
        {MODE_LEGACY_ONLY, 0, SIDE_LEGACY, true, false, WHY_MODE},
        {MODE_LEGACY_ONLY, 1000000, SIDE_LEGACY, true, false, WHY_MODE},
        {MODE_EMERGENCY_ROLLBACK, 1000000, SIDE_LEGACY, true, false, WHY_MODE},
        {MODE_NEW_ONLY, 0, SIDE_NEW, true, false, WHY_MODE},
        {MODE_NEW_ONLY, 1000000, SIDE_NEW, true, false, WHY_MODE},
        {MODE_PARALLEL, 0, SIDE_LEGACY, true, true, WHY_MODE},
        {MODE_PARALLEL, 1000000, SIDE_LEGACY, true, true, WHY_MODE},
        {MODE_GRADUAL, 0, SIDE_LEGACY, true, false, WHY_MODE},
        {MODE_GRADUAL, 1, SIDE_LEGACY, false, false, WHY_BUCKET},
        {MODE_GRADUAL, BUCKET, SIDE_LEGACY, false, false, WHY_BUCKET},
        {MODE_GRADUAL, BUCKET + 1, SIDE_NEW, false, false, WHY_BUCKET},
        {MODE_GRADUAL, 999999, SIDE_NEW, false, false, WHY_BUCKET},
        {MODE_GRADUAL, 1000000, SIDE_NEW, true, false, WHY_MODE},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct decision d = decide_for(BUCKET_XXH3, cases[i].mode, cases[i].ppm, ENTITY, 7);
        if (d.side != cases[i].side || d.absolute != cases[i].absolute ||
            d.shadow != cases[i].shadow || d.why != cases[i].why)
            fail_msg("%s at %u: %s, %s", mode_names[cases[i].mode], cases[i].ppm, side_name(d.side),
                     why_names[d.why]);
        assert_int_equal(d.bucket, BUCKET);
    }
}

/* Story 8.3's own example: issues 1 and 24 are new's at 25 %, 25 and 99 are not. */
static void modulo_compares_the_number_with_the_percentage(void **state) {
    (void)state;
    static const struct {
        int number;
        uint32_t ppm;
        enum side side;
        uint32_t bucket;
    } cases[] = {
        {1, 250000, SIDE_NEW, 1},       {24, 250000, SIDE_NEW, 24},
        {25, 250000, SIDE_LEGACY, 25},  {99, 250000, SIDE_LEGACY, 99},
        {100, 250000, SIDE_NEW, 0},     {124, 250000, SIDE_NEW, 24},
        {125, 250000, SIDE_LEGACY, 25}, {0, 1, SIDE_NEW, 0},
        {12, 125000, SIDE_NEW, 12},     {13, 125000, SIDE_LEGACY, 13},
        {12, 120000, SIDE_LEGACY, 12},  {99, 999999, SIDE_NEW, 99},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct decision d =
            decide_for(BUCKET_MODULO, MODE_GRADUAL, cases[i].ppm, ENTITY, cases[i].number);
        if (d.side != cases[i].side)
            fail_msg("%d at %u: %s", cases[i].number, cases[i].ppm, side_name(d.side));
        assert_int_equal(d.bucket, cases[i].bucket);
        assert_int_equal(d.why, WHY_BUCKET);
        assert_false(d.absolute);
    }
}

static void modulo_without_a_number_is_legacys(void **state) {
    (void)state;
    struct decision d = decide_for(BUCKET_MODULO, MODE_GRADUAL, 990000, "octocat/Hello-World", -1);
    assert_int_equal(d.side, SIDE_LEGACY);
    assert_int_equal(d.why, WHY_NO_NUMBER);
    assert_int_equal(d.bucket, BUCKET_NONE);
    assert_false(d.absolute);
    d = decide_for(BUCKET_MODULO, MODE_GRADUAL, 1000000, "octocat/Hello-World", -1);
    assert_int_equal(d.side, SIDE_NEW);
    assert_int_equal(d.why, WHY_MODE);
    assert_true(d.absolute);
}

static void the_same_entity_always_gets_the_same_side(void **state) {
    (void)state;
    for (int i = 0; i < 1000; i++) {
        char entity[64];
        snprintf(entity, sizeof entity, "o/r#%d", i);
        struct decision first = decide_for(BUCKET_XXH3, MODE_GRADUAL, 500000, entity, i);
        struct decision again = decide_for(BUCKET_XXH3, MODE_GRADUAL, 500000, entity, -1);
        assert_int_equal(first.side, again.side);
        assert_int_equal(first.side == SIDE_NEW, first.bucket < 500000);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_mode_gives_what_the_table_says),
        cmocka_unit_test(modulo_compares_the_number_with_the_percentage),
        cmocka_unit_test(modulo_without_a_number_is_legacys),
        cmocka_unit_test(the_same_entity_always_gets_the_same_side),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

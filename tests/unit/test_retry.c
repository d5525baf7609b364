/* Pauses, Retry-After and the retry budget. Random parts print their seed; SEED=n repeats. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <pointsman/clock.h>
#include <pointsman/router.h>

#define SECOND_US UINT64_C(1000000)
#define DAY_MS    UINT64_C(86400000)

static uint64_t seed;

static uint64_t rnd(void) {
    seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    return seed >> 20;
}

static uint32_t ladder[] = {5000, 30000, 120000};
static const struct conf conf = {.ladder_ms = ladder,
                                 .ladder_count = ARRAY_LEN(ladder),
                                 .retry_jitter_ppm = 200000,
                                 .retry_budget_ppm = 200000};

/* ---- pauses ---- */

static void the_ladder_has_one_step_for_each_try_but_the_last(void **state) {
    (void)state;
    struct conf plain = conf;
    uint64_t ms = 7;
    plain.retry_jitter_ppm = 0;
    assert_false(retry_pause_ms(&plain, 0, 0, rnd(), &ms));
    for (uint32_t i = 0; i < ARRAY_LEN(ladder); i++) {
        assert_true(retry_pause_ms(&plain, i + 1, 0, rnd(), &ms));
        assert_int_equal(ms, ladder[i]);
    }
    ms = 7;
    assert_false(retry_pause_ms(&plain, ARRAY_LEN(ladder) + 1, 0, rnd(), &ms));
    assert_false(retry_pause_ms(&plain, UINT32_MAX, 60000, rnd(), &ms));
    assert_int_equal(ms, 7);
}

static void jitter_goes_both_ways_and_no_further(void **state) {
    (void)state;
    uint64_t ms, least = UINT64_MAX, most = 0;
    for (unsigned i = 0; i < 100000; i++) {
        assert_true(retry_pause_ms(&conf, 2, 0, rnd(), &ms));
        least = ms < least ? ms : least;
        most = ms > most ? ms : most;
    }
    assert_in_range(least, 24000, 24100);
    assert_in_range(most, 35900, 36000);
    assert_true(retry_pause_ms(&conf, 2, 0, 0, &ms));
    assert_int_equal(ms, 24000);
    assert_true(retry_pause_ms(&conf, 2, 0, 12000, &ms));
    assert_int_equal(ms, 36000);
}

static void retry_after_lengthens_a_pause_to_twice_the_step_at_most(void **state) {
    (void)state;
    static const struct {
        uint64_t asked, random, expect;
    } cases[] = {
        {1, 0, 24000},     {24001, 0, 24001}, {24001, 12000, 36000},     {59999, 12000, 59999},
        {60000, 0, 60000}, {60001, 0, 60000}, {UINT64_MAX, 12000, 60000}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint64_t ms;
        assert_true(retry_pause_ms(&conf, 2, cases[i].asked, cases[i].random, &ms));
        assert_int_equal(ms, cases[i].expect);
    }
}

/* ---- Retry-After ---- */

/* Sun, 06 Nov 1994 08:49:37 GMT */
#define THEN_US (UINT64_C(784111777) * SECOND_US)
#define NONE    UINT64_MAX

static void retry_after_is_seconds_or_a_date(void **state) {
    (void)state;
    static const struct {
        const char *value;
        uint64_t expect;
    } cases[] = {
        {"0", 0},
        {"120", 120000},
        {" 120\t", 120000},
        {"007", 7000},
        {"86399", 86399000},
        {"86401", DAY_MS},
        {"99999999999999999999999999", DAY_MS},
        {"Sun, 06 Nov 1994 08:49:37 GMT", 0},
        {"Sun, 06 Nov 1994 08:49:38 GMT", 1000},
        {"Sun, 06 Nov 1994 08:50:60 GMT", 83000},
        {"Sun, 06 Nov 1994 08:49:36 GMT", 0},
        {"Thu, 01 Jan 1970 00:00:00 GMT", 0},
        {"Mon, 07 Nov 1994 08:49:37 GMT", DAY_MS},
        {"Sat, 06 Nov 2094 08:49:37 GMT", DAY_MS},
        {"Sunday, 06-Nov-94 08:50:37 GMT", 60000},
        {"Sun Nov  6 08:50:37 1994", 60000},
        {"Mon Feb 28 08:50:37 2095", DAY_MS},
        {"", NONE},
        {"-1", NONE},
        {"+1", NONE},
        {"1.5", NONE},
        {"0x10", NONE},
        {"120 s", NONE},
        {"soon", NONE},
        {"Sun, 06 Nov 1994 08:49:37", NONE},
        {"Sun, 06 Nov 1994 08:49:37 CET", NONE},
        {"Sun, 06 Nov 1994 08:49:37 GMT, 5", NONE},
        {"Sun, 30 Feb 1994 08:49:37 GMT", NONE},
        {"Sun, 06 Nov 1994 24:49:37 GMT", NONE},
        {"06 Nov 1994 08:49:37 GMT", NONE},
        {"Sun, 06 Nov 1994 08:49:37 GMT                                      .", NONE},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint64_t got = NONE;
        bool ok = retry_after_parse(slice_of(cases[i].value), THEN_US + 999999, &got);
        if (ok != (cases[i].expect != NONE) || got != cases[i].expect)
            fail_msg("\"%s\": %d, %llu", cases[i].value, ok, (unsigned long long)got);
    }
    uint64_t got;
    assert_false(retry_after_parse((struct slice){0}, THEN_US, &got));
    assert_false(retry_after_parse(slice("Sun, 06 Nov 1994 08:49:38 GMT\0x", 31), THEN_US, &got));
}

static void garbage_in_retry_after_does_no_harm(void **state) {
    (void)state;
    static const char from[] = "Sun, 06 Nov 1994 08:49:37 GMT Sunday-94 \t\x01\xff";
    for (unsigned i = 0; i < 200000; i++) {
        char *text = malloc(80); /* its end is watched by the sanitizer */
        assert_non_null(text);
        size_t len = rnd() % 80;
        memcpy(text, from, len < sizeof from ? len : sizeof from);
        for (size_t j = rnd() % 2 ? 0 : rnd() % 80; j < len; j += 1 + rnd() % 8)
            text[j] = from[rnd() % sizeof from];
        char *exact = realloc(text, len ? len : 1);
        uint64_t ms = 0;
        (void)!retry_after_parse(slice(exact, len), THEN_US, &ms);
        assert_true(ms <= DAY_MS);
        free(exact);
    }
}

/* ---- the budget ---- */

static void without_live_traffic_the_floor_is_left(void **state) {
    (void)state;
    struct retry_budget b = {0};
    uint64_t now = 1;
    assert_int_equal(retry_budget_take(&b, now, 1000), RETRY_FLOOR);
    assert_int_equal(retry_budget_take(&b, now, 1000), 0);
    for (int i = 0; i < 600; i++) {
        now += SECOND_US / 2;
        assert_int_equal(retry_budget_take(&b, now, 1000), RETRY_FLOOR / 2);
    }
    now += 3600 * SECOND_US;
    assert_int_equal(retry_budget_take(&b, now, 1000), RETRY_FLOOR); /* a second's worth */
}

static void live_traffic_saves_its_share_and_what_is_saved_fades(void **state) {
    (void)state;
    struct retry_budget b = {0};
    uint64_t now = 1;
    for (int i = 0; i < 1000; i++)
        retry_budget_live(&b, &conf, now);
    assert_int_equal(retry_budget_take(&b, now, 50), 50);
    assert_int_equal(retry_budget_take(&b, now, 1000), 160);
    for (int i = 0; i < 1000; i++)
        retry_budget_live(&b, &conf, now);
    now += 5 * RETRY_SAVE_MS * 1000;
    assert_in_range(retry_budget_take(&b, now, 1000), RETRY_FLOOR, RETRY_FLOOR + 2);
    /* at a steady rate nobody saves more than RETRY_SAVE_MS of it: 200 a second of 1000 */
    for (int i = 0; i < 3600 * 100; i++) {
        now += SECOND_US / 100;
        for (int j = 0; j < 10; j++)
            retry_budget_live(&b, &conf, now);
    }
    assert_in_range(retry_budget_take(&b, now, UINT32_MAX), 1990, 2030);
}

static void what_is_given_back_can_be_taken_again(void **state) {
    (void)state;
    struct retry_budget b = {0};
    for (int i = 0; i < 100; i++)
        retry_budget_live(&b, &conf, 1);
    assert_int_equal(retry_budget_take(&b, 1, 25), 25);
    retry_budget_give_back(&b, 20);
    assert_int_equal(retry_budget_take(&b, 1, 100), 25);
    assert_int_equal(retry_budget_take(&b, 1, 100), 0);
}

static void taking_and_giving_back_saves_nothing(void **state) {
    (void)state;
    struct retry_budget b = {0};
    uint64_t now = 1;
    for (int i = 0; i < 10000; i++) {
        uint32_t got = retry_budget_take(&b, now, 64);
        now += 5000;
        retry_budget_give_back(&b, got);
    }
    assert_int_equal(retry_budget_take(&b, now, 1000), RETRY_FLOOR);
}

/* Never more than the share of the live events so far, what the floor gives and one burst of it. */
static void retries_stay_within_share_and_floor(void **state) {
    (void)state;
    for (int round = 0; round < 200; round++) {
        struct conf c = conf;
        struct retry_budget b = {0};
        uint64_t begin = 1 + rnd(), now = begin, live = 0, tried = 0;
        c.retry_budget_ppm = (uint32_t)(rnd() % (PPM_ALL + 1));
        for (int i = 0; i < 3000; i++) {
            uint64_t step = rnd() % 20 ? rnd() % 20000 : rnd() % (20 * SECOND_US);
            now = rnd() % 50 ? now + step : now - rnd() % (now < 1000 ? now : 1000);
            for (uint64_t n = rnd() % 4 ? 0 : rnd() % 50; n > 0; n--, live++)
                retry_budget_live(&b, &c, now);
            if (rnd() % 2) {
                uint32_t want = (uint32_t)(rnd() % 64), got = retry_budget_take(&b, now, want);
                assert_true(got <= want);
                uint32_t unused = got ? (uint32_t)(rnd() % (got + 1)) : 0;
                retry_budget_give_back(&b, unused);
                tried += got - unused;
            }
            double share = (double)live * c.retry_budget_ppm / PPM_ALL;
            double floor = RETRY_FLOOR * ((double)(b.at_us - begin) / SECOND_US + 1);
            if ((double)tried > share + floor + 0.001)
                fail_msg("%llu tries of %llu live events", (unsigned long long)tried,
                         (unsigned long long)live);
        }
    }
}

static void no_second_without_live_traffic_has_more_than_floor_and_burst(void **state) {
    (void)state;
    enum { TAKES = 5000 };
    static uint64_t at[TAKES];
    static uint32_t got[TAKES];
    struct retry_budget b = {0};
    uint64_t now = 1 + rnd();
    for (int i = 0; i < TAKES; i++) {
        now += rnd() % 10 ? rnd() % 100000 : rnd() % (3 * SECOND_US);
        at[i] = now;
        got[i] = retry_budget_take(&b, now, (uint32_t)(rnd() % 40));
        uint32_t unused = got[i] ? (uint32_t)(rnd() % (got[i] + 1)) : 0;
        got[i] -= unused;
        now += rnd() % 1000;
        retry_budget_give_back(&b, unused);
        unsigned sum = 0;
        for (int j = i; j >= 0 && now - at[j] < SECOND_US; j--)
            sum += got[j];
        assert_true(sum <= 2 * RETRY_FLOOR);
    }
}

static int begin(void **state) {
    (void)state;
    const char *given = getenv("SEED");
    seed = given ? strtoull(given, NULL, 10) : clock_wall_us();
    print_message("SEED=%llu\n", (unsigned long long)seed);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_ladder_has_one_step_for_each_try_but_the_last),
        cmocka_unit_test(jitter_goes_both_ways_and_no_further),
        cmocka_unit_test(retry_after_lengthens_a_pause_to_twice_the_step_at_most),
        cmocka_unit_test(retry_after_is_seconds_or_a_date),
        cmocka_unit_test(garbage_in_retry_after_does_no_harm),
        cmocka_unit_test(without_live_traffic_the_floor_is_left),
        cmocka_unit_test(live_traffic_saves_its_share_and_what_is_saved_fades),
        cmocka_unit_test(what_is_given_back_can_be_taken_again),
        cmocka_unit_test(taking_and_giving_back_saves_nothing),
        cmocka_unit_test(retries_stay_within_share_and_floor),
        cmocka_unit_test(no_second_without_live_traffic_has_more_than_floor_and_burst),
    };
    return cmocka_run_group_tests(tests, begin, NULL);
}

/* Packed bodies: what goes in comes out; nothing is packed for nothing; damage is told, not read.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../store/pack.h"

#define MOST 70000

static uint32_t seed;

static uint32_t roll(uint32_t end) {
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % end;
}

/* JSON's kind: words again and again, with something new between. */
static void fill_words(char *to, size_t len) {
    static const char words[] = "\"repository\":{\"html_url\":\"https://api.example.org/\",";
    for (size_t i = 0; i < len; i++)
        to[i] = roll(12) ? words[i % (sizeof(words) - 1)] : (char)('a' + roll(26));
}

static void what_is_packed_comes_out_again(void **state) {
    struct pack p = {.room = NULL};
    struct slice packed;
    char *body = malloc(MOST), *opened = malloc(MOST);
    (void)state;
    for (int round = 0; round < 300; round++) {
        size_t len = 512 + roll(MOST - 512);
        fill_words(body, len);
        assert_true(pack_body(&p, slice(body, len), &packed));
        assert_true(packed.len <= len - len / 8);
        assert_true(pack_holds(packed.len, len));
        assert_true(pack_open(packed, len, opened));
        assert_memory_equal(opened, body, len);
        pack_trim(&p);
    }
    pack_free(&p);
    free(opened);
    free(body);
}

static void the_most_that_can_be_saved_is_opened(void **state) {
    size_t len = 8 << 20;
    struct pack p = {.room = NULL};
    struct slice packed;
    char *body = calloc(1, len), *opened = malloc(len);
    (void)state;
    assert_true(pack_body(&p, slice(body, len), &packed));
    assert_true(packed.len < len / 250);
    assert_true(pack_open(packed, len, opened));
    assert_memory_equal(opened, body, len);
    assert_true(p.cap > 1 << 20);
    pack_trim(&p);
    assert_int_equal(p.cap, 0);
    pack_free(&p);
    free(opened);
    free(body);
}

static void what_gains_nothing_stays_as_it_is(void **state) {
    struct pack p = {.room = NULL};
    struct slice packed;
    char body[4096];
    (void)state;
    for (size_t i = 0; i < sizeof(body); i++)
        body[i] = (char)roll(256);
    assert_false(pack_body(&p, slice(body, sizeof(body)), &packed));
    memset(body, 'x', sizeof(body));
    assert_false(pack_body(&p, slice("", 0), &packed));
    assert_false(pack_body(&p, slice(body, 511), &packed));
    assert_true(pack_body(&p, slice(body, 512), &packed));
    pack_free(&p);
}

/* Any byte, any length, any size: with the sanitizers, that nothing else is read or written. */
static void damage_is_told_or_gives_as_many_bytes(void **state) {
    struct pack p = {.room = NULL};
    struct slice packed;
    char body[3000];
    (void)state;
    fill_words(body, sizeof(body));
    assert_true(pack_body(&p, slice(body, sizeof(body)), &packed));
    for (int round = 0; round < 20000; round++) {
        size_t len = roll(4) ? packed.len : roll((uint32_t)packed.len + 1);
        size_t size = roll(4) ? sizeof(body) : roll(2 * sizeof(body));
        char *damaged = malloc(len), *opened = malloc(size);
        memcpy(damaged, packed.ptr, len);
        for (uint32_t i = roll(4); i > 0 && len > 0; i--)
            damaged[roll((uint32_t)len)] = (char)roll(256);
        bool whole = len == packed.len && memcmp(damaged, packed.ptr, len) == 0;
        bool ok = pack_open(slice(damaged, len), size, opened);
        assert_true(ok || !whole || size != sizeof(body));
        assert_false(ok && whole && size != sizeof(body));
        free(opened);
        free(damaged);
    }
    pack_free(&p);
}

static void sizes_that_can_not_be_are_seen_before_memory_is_taken(void **state) {
    static const struct {
        uint64_t packed, size;
        bool holds;
    } cases[] = {
        {0, 0, true},
        {1, 1, true},
        {1, 255, true},
        {1, 510, false},
        {2, 1, false},
        {100, 25499, true},
        {100, 30000, false},
        {1 << 20, 200 << 20, true},
        {1 << 30, 1 << 30, true},
        {1 << 30, (1 << 30) + 1, false},
        {1, UINT64_MAX, false},
        {UINT64_MAX, UINT64_MAX, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (pack_holds(cases[i].packed, cases[i].size) != cases[i].holds)
            fail_msg("%llu of %llu", (unsigned long long)cases[i].packed,
                     (unsigned long long)cases[i].size);
}

int main(void) {
    const char *given = getenv("SEED");
    seed = given ? (uint32_t)strtoul(given, NULL, 10) : (uint32_t)time(NULL) ^ (uint32_t)getpid();
    printf("seed %u\n", seed);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_packed_comes_out_again),
        cmocka_unit_test(the_most_that_can_be_saved_is_opened),
        cmocka_unit_test(what_gains_nothing_stays_as_it_is),
        cmocka_unit_test(damage_is_told_or_gives_as_many_bytes),
        cmocka_unit_test(sizes_that_can_not_be_are_seen_before_memory_is_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The bounded buffer: order of bytes, the maximum, and failures that change nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pointsman/buf.h>
#include <pointsman/digest.h>

static void an_unused_buffer_is_empty_and_owns_nothing(void **state) {
    (void)state;
    struct buf b;
    buf_init(&b, 100);
    assert_int_equal(buf_len(&b), 0);
    assert_null(b.data);
    assert_true(slice_is(buf_slice(&b), ""));
    assert_non_null(buf_slice(&b).ptr); /* empty, not absent */
    assert_true(buf_append(&b, NULL, 0));
    buf_free(&b);
}

static void appended_bytes_come_out_in_order(void **state) {
    (void)state;
    struct buf b;
    buf_init(&b, 1000);
    assert_true(buf_puts(&b, "one "));
    assert_true(buf_append_slice(&b, slice_of("two ")));
    assert_true(buf_printf(&b, "%s-%d ", "three", 3));
    assert_true(buf_put_u64(&b, 0));
    assert_true(buf_put_u64(&b, UINT64_MAX));
    assert_true(slice_is(buf_slice(&b), "one two three-3 018446744073709551615"));
    buf_consume(&b, 4);
    assert_true(slice_is(buf_slice(&b), "two three-3 018446744073709551615"));
    buf_reset(&b);
    assert_int_equal(buf_len(&b), 0);
    assert_non_null(b.data);
    buf_free(&b);
    assert_null(b.data);
    assert_int_equal(b.max, 1000);
    assert_true(buf_puts(&b, "again"));
    buf_free(&b);
}

static void the_maximum_is_exact(void **state) {
    (void)state;
    struct buf b;
    buf_init(&b, 10);
    assert_false(buf_append(&b, "12345678901", 11));
    assert_int_equal(buf_len(&b), 0);
    assert_true(buf_append(&b, "1234567890", 10));
    assert_false(buf_append(&b, "x", 1));
    assert_false(buf_reserve(&b, SIZE_MAX));
    assert_true(slice_is(buf_slice(&b), "1234567890"));
    buf_consume(&b, 3); /* what was read makes room again */
    assert_true(buf_append(&b, "abc", 3));
    assert_true(slice_is(buf_slice(&b), "4567890abc"));
    assert_true(b.cap <= b.max);
    buf_free(&b);
}

static void printed_text_may_fill_the_buffer_to_the_last_byte(void **state) {
    (void)state;
    struct buf b;
    buf_init(&b, 10);
    assert_false(buf_printf(&b, "%s", "12345678901"));
    assert_int_equal(buf_len(&b), 0);
    assert_true(buf_printf(&b, "%s", "12345"));
    assert_false(buf_printf(&b, "%s", "678901"));
    assert_true(buf_printf(&b, "%s", "67890"));
    assert_true(slice_is(buf_slice(&b), "1234567890"));
    assert_true(buf_printf(&b, "%s", ""));
    buf_free(&b);
}

static void reserved_room_is_written_in_place(void **state) {
    (void)state;
    struct buf b;
    buf_init(&b, 5000);
    assert_true(buf_reserve(&b, 3000));
    assert_true(buf_room_len(&b) >= 3000);
    memset(buf_room(&b), 'x', 3000);
    buf_commit(&b, 3000);
    buf_consume(&b, 2999);
    assert_true(buf_reserve(&b, 4999));
    assert_false(buf_reserve(&b, 5000));
    assert_true(slice_is(buf_slice(&b), "x"));
    buf_consume(&b, 1);
    assert_int_equal(b.start, 0); /* an empty buffer starts over, at no cost */
    buf_free(&b);
}

static void any_order_of_writing_and_reading_keeps_the_stream(void **state) {
    (void)state;
    uint64_t seed;
    random_bytes(&seed, sizeof seed);
    print_message("seed %llu\n", (unsigned long long)seed);
    srandom((unsigned)seed);
    enum { MAX = 3000 };
    struct buf b;
    buf_init(&b, MAX);
    uint8_t in = 0, out = 0; /* the stream counts up */
    for (int step = 0; step < 50000; step++) {
        uint8_t bytes[400];
        size_t n = (size_t)random() % sizeof bytes;
        size_t held = buf_len(&b);
        if (random() % 2) {
            for (size_t i = 0; i < n; i++)
                bytes[i] = (uint8_t)(in + i);
            bool fits = buf_append(&b, bytes, n);
            assert_int_equal(fits, held + n <= MAX);
            assert_int_equal(buf_len(&b), fits ? held + n : held);
            in = (uint8_t)(in + (fits ? n : 0));
        } else {
            n = n > held ? held : n;
            for (size_t i = 0; i < n; i++)
                assert_int_equal((uint8_t)buf_at(&b)[i], out++);
            buf_consume(&b, n);
        }
    }
    buf_free(&b);
}

static void what_is_escaped_survives_a_url(void **state) {
    (void)state;
    struct buf b;
    buf_init(&b, 64);
    assert_true(buf_put_escaped(&b, slice("aZ9-._~ /#%+&=\"\xc3\xa9\0", 18)));
    assert_true(slice_is(buf_slice(&b), "aZ9-._~%20%2F%23%25%2B%26%3D%22%C3%A9%00"));
    assert_false(buf_put_escaped(&b, slice_of("////////////////////")));
    buf_free(&b);
}

static void memory_is_handed_over_where_it_is_wanted_and_fits(void **state) {
    (void)state;
    struct buf from, to, small;
    buf_init(&from, 1000);
    buf_init(&to, 600);
    buf_init(&small, 100);
    assert_true(buf_reserve(&from, 500) && buf_puts(&from, "old"));
    const char *memory = from.data;
    buf_hand_over(&from, &small);
    assert_null(small.data);
    assert_int_equal(buf_len(&from), 0);
    buf_hand_over(&from, &to);
    assert_ptr_equal(to.data, memory);
    assert_null(from.data);
    assert_int_equal(from.max, 1000);
    assert_int_equal(buf_len(&to), 0);
    assert_false(buf_reserve(&to, 601));
    assert_true(buf_puts(&from, "new"));
    buf_hand_over(&from, &to);
    assert_ptr_equal(to.data, memory);
    assert_non_null(from.data);
    buf_free(&from);
    buf_free(&to);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_unused_buffer_is_empty_and_owns_nothing),
        cmocka_unit_test(appended_bytes_come_out_in_order),
        cmocka_unit_test(the_maximum_is_exact),
        cmocka_unit_test(printed_text_may_fill_the_buffer_to_the_last_byte),
        cmocka_unit_test(reserved_room_is_written_in_place),
        cmocka_unit_test(any_order_of_writing_and_reading_keeps_the_stream),
        cmocka_unit_test(what_is_escaped_survives_a_url),
        cmocka_unit_test(memory_is_handed_over_where_it_is_wanted_and_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

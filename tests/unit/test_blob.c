/* Blobs: growing keeps the bytes, the padding is there, the last reference frees. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>

#include <pointsman/blob.h>

static struct blob *blob_with(const char *text, size_t cap) {
    struct blob *b = blob_new(cap);
    assert_non_null(b);
    b->len = strlen(text);
    memcpy(b->data, text, b->len);
    return b;
}

static void growing_keeps_the_bytes_and_doubles(void **state) {
    (void)state;
    struct blob *b = blob_with("body", 4);
    assert_ptr_equal(blob_grow(b, 3), b);
    assert_int_equal(b->cap, 4);
    b = blob_grow(b, 5);
    assert_non_null(b);
    assert_int_equal(b->cap, 8);
    b = blob_grow(b, 1000);
    assert_non_null(b);
    assert_int_equal(b->cap, 1000);
    assert_true(slice_is(blob_slice(b), "body"));
    blob_unref(b);
}

static void each_byte_survives_growing_from_small_to_large(void **state) {
    (void)state;
    const size_t most = (size_t)33 * 1024 * 1024, step = 64 * 1024;
    struct blob *b = blob_new(step);
    assert_non_null(b);
    while (b->len + step <= most) {
        b = blob_grow(b, b->len + step);
        assert_non_null(b);
        memset(b->data + b->len, (int)(b->len / step % 251), step);
        b->len += step;
        memset(b->data + b->cap, 0xff, BLOB_PADDING);
    }
    assert_int_equal(b->len, most);
    for (size_t i = 0; i < most; i += 1021)
        assert_int_equal((unsigned char)b->data[i], i / step % 251);
    assert_int_equal((unsigned char)b->data[most - 1], (most / step - 1) % 251);
    assert_null(blob_grow(b, SIZE_MAX / 4));
    assert_int_equal((unsigned char)b->data[most - 1], (most / step - 1) % 251);
    blob_unref(b);
}

/* The sanitizers see a byte too far. */
static void the_padding_lies_behind_the_room(void **state) {
    (void)state;
    struct blob *b = blob_with("x", 1);
    memset(b->data + b->cap, 0, BLOB_PADDING);
    b = blob_grow(b, 300);
    assert_non_null(b);
    memset(b->data + b->cap, 0, BLOB_PADDING);
    blob_unref(b);
}

static void a_size_beyond_memory_is_refused_and_the_blob_intact(void **state) {
    (void)state;
    assert_null(blob_new(SIZE_MAX));
    assert_null(blob_new(SIZE_MAX - BLOB_PADDING));
    struct blob *b = blob_with("body", 4);
    assert_null(blob_grow(b, SIZE_MAX));
    assert_true(slice_is(blob_slice(b), "body"));
    blob_unref(b);
}

static void *use_and_drop(void *arg) {
    struct blob *b = arg;
    for (int i = 0; i < 10000; i++)
        blob_unref(blob_ref(b));
    char last = b->data[b->len - 1];
    blob_unref(b);
    return last == 'y' ? arg : NULL;
}

static void the_last_of_many_threads_frees(void **state) {
    (void)state;
    struct blob *b = blob_with("body", 4);
    pthread_t threads[3];
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use_and_drop, blob_ref(b)), 0);
    blob_unref(b);
    for (int i = 0; i < 3; i++) {
        void *ok;
        pthread_join(threads[i], &ok);
        assert_non_null(ok);
    }
    blob_unref(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(growing_keeps_the_bytes_and_doubles),
        cmocka_unit_test(each_byte_survives_growing_from_small_to_large),
        cmocka_unit_test(the_padding_lies_behind_the_room),
        cmocka_unit_test(a_size_beyond_memory_is_refused_and_the_blob_intact),
        cmocka_unit_test(the_last_of_many_threads_frees),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

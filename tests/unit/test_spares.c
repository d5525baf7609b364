/* The memory of an event that is over serves the next one, which finds nothing of it. */
#include "rig.h"

static const struct rig_conf plain = {.mode = MODE_LEGACY_ONLY};

static void post_with_a_line(struct rig *r, struct sender *s, const char *id, size_t line_len) {
    static char text[16 * 1024];
    const char *event = rig_event(id, 1);
    const char *behind = strstr(event, "Content-Type");
    int len = snprintf(text, sizeof text, "%.*sX-Line: %0*d\r\n%s", (int)(behind - event), event,
                       (int)line_len, 1, behind);
    sender_send(r, s, text, (size_t)len);
}

static void the_next_event_is_a_clean_one(void **state) {
    (void)state;
    static const char *const ids[] = {"one", "two-with-a-longer-id", "3"};
    struct rig r;
    rig_start(&r, &plain);
    struct stub *b = &r.stubs[SIDE_LEGACY];
    struct sender *s = rig_sender(&r);
    struct delivery *first = NULL;
    for (unsigned i = 0; i < 3; i++) {
        post_with_a_line(&r, s, ids[i], i == 1 ? 3000 : 10);
        RIG_UNTIL(&r, b->requests == i + 1);
        struct delivery *d = rig_delivery(&r);
        first = first ? first : d;
        assert_ptr_equal(d, first);
        assert_int_equal(r.worker->spare_count, 0);
        assert_false(d->answered);
        assert_int_equal(d->legs[SIDE_NEW].phase, PHASE_NONE);
        assert_int_equal(d->at_us[STEP_REPLY], 0);
        assert_string_equal(d->id.id, ids[i]);
        assert_true((strstr(buf_at(&b->seen), "longer-id") != NULL) == (i == 1));
        stub_says(b, i == 0 ? "HTTP/1.1 200 OK\r\nX-First: 1\r\nContent-Length: 2\r\n\r\nok"
                            : OK_ANSWER);
        struct http_head head = rig_expect(&r, s, 200, "ok");
        assert_header(&head, "x-first", i == 0 ? "1" : NULL);
        RIG_UNTIL(&r, r.proxy->deliveries == 0);
        assert_int_equal(r.worker->spare_count, 1);
    }
    rig_stop(&r);
}

static void much_memory_is_not_kept(void **state) {
    (void)state;
    struct rig r;
    rig_start(&r, &plain);
    struct stub *b = &r.stubs[SIDE_LEGACY];
    struct sender *s = rig_sender(&r);
    for (unsigned i = 0; i < 2; i++) {
        post_with_a_line(&r, s, i ? "small" : "large", i ? 10 : 8000);
        RIG_UNTIL(&r, b->requests == i + 1);
        assert_true((rig_delivery(&r)->head.cap > 4096) == (i == 0));
        stub_says(b, OK_ANSWER);
        rig_expect(&r, s, 200, "ok");
        RIG_UNTIL(&r, r.proxy->deliveries == 0);
    }
    rig_stop(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_next_event_is_a_clean_one),
        cmocka_unit_test(much_memory_is_not_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The reply: whole answers, large ones in order as they come, cut ones, and summaries of both
 * sides. */
#include "rig.h"

#define HUGE_LEN (6 * 1024 * 1024)

static const struct rig_conf plain = {.mode = MODE_LEGACY_ONLY};

static struct sender *start(struct rig *r, const struct rig_conf *conf) {
    rig_start(r, conf);
    struct sender *s = rig_post(r, "e", 1);
    RIG_UNTIL(r, r->stubs[SIDE_LEGACY].requests == 1);
    return s;
}

/* Every byte tells where it belongs. */
static const char *pattern(size_t len) {
    static char bytes[HUGE_LEN];
    assert_true(len <= sizeof bytes);
    if (!bytes[1])
        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = (char)(1 + (i * 31 + i / 251) % 250);
    return bytes;
}

static void says_head(struct rig *r, size_t len) {
    char head[96];
    snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nX-Kept: yes\r\nContent-Length: %zu\r\n\r\n",
             len);
    stub_says(&r->stubs[SIDE_LEGACY], head);
}

static void expect_pattern(struct rig *r, struct sender *s, size_t len) {
    struct http_head head;
    struct slice body;
    RIG_UNTIL(r, sender_answer(s, &head, &body));
    assert_int_equal(head.status, 200);
    assert_int_equal(body.len, len);
    if (memcmp(body.ptr, pattern(len), len) != 0)
        fail_msg("an answer of %zu bytes is not what was sent", len);
}

static bool leg_has(const struct rig *r, size_t bytes) {
    const struct leg *leg = &rig_delivery(r)->legs[SIDE_LEGACY];
    return buf_len(&leg->answer) + buf_len(&leg->overflow) >= bytes;
}

/* The second piece begins before, at and behind the 64 KiB that are held back, while the record is
 * with the store and after it. */
static void answers_around_64_kib_come_whole_and_in_order(void **state) {
    (void)state;
    static const size_t lens[] = {65536, 65537, 200000};
    static const size_t firsts[] = {1, 65530, 65536};
    for (size_t i = 0; i < ARRAY_LEN(lens) * ARRAY_LEN(firsts) * 2; i++) {
        size_t len = lens[i / 2 / ARRAY_LEN(firsts)], first = firsts[i / 2 % ARRAY_LEN(firsts)];
        struct rig r;
        struct sender *s = start(&r, &plain);
        if (i % 2)
            rig_hold_store(&r);
        says_head(&r, len);
        first = first < len ? first : len;
        stub_say(&r.stubs[SIDE_LEGACY], pattern(len), first);
        RIG_UNTIL(&r, leg_has(&r, first) || r.proxy->deliveries == 0);
        stub_say(&r.stubs[SIDE_LEGACY], pattern(len) + first, len - first);
        for (int turns = 0; turns < 5; turns++)
            rig_turn(&r);
        if (i % 2)
            assert_int_equal(buf_len(&s->got), 0); /* nothing before the record */
        rig_let_store_go(&r);
        expect_pattern(&r, s, len);
        r.stubs[SIDE_LEGACY].answer = OK_ANSWER;
        sender_says(&r, s, rig_event("next", 1)); /* the connection is still good */
        rig_expect(&r, s, 200, "ok");
        rig_stop(&r);
    }
}

static void says_chunk(struct buf *out, size_t at, size_t len) {
    assert_true(buf_printf(out, "%zx\r\n", len) && buf_append(out, pattern(at + len) + at, len) &&
                buf_puts(out, "\r\n"));
}

/* A large chunk that nearly fills what is held back, then small ones of all sizes, in one go. */
static void says_chunks(struct rig *r, size_t len) {
    struct buf out;
    size_t at = 65530, sizes[] = {100, 3, 1, 2, 5000};
    buf_init(&out, 2 * len);
    assert_true(buf_puts(&out, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"));
    says_chunk(&out, 0, at);
    for (size_t i = 0; at < len; i++) {
        size_t size = sizes[i % ARRAY_LEN(sizes)];
        size = size < len - at ? size : len - at;
        says_chunk(&out, at, size);
        at += size;
    }
    assert_true(buf_puts(&out, "0\r\n\r\n"));
    stub_say(&r->stubs[SIDE_LEGACY], buf_at(&out), buf_len(&out));
    buf_free(&out);
}

static void assert_chunks(struct sender *s, size_t len) {
    struct http_chunks chunks;
    http_chunks_init(&chunks);
    const char *at = strstr(sender_got(s), "\r\n\r\n") + 4;
    size_t left = buf_len(&s->got) - (size_t)(at - buf_at(&s->got)), seen = 0, used;
    enum http_parse parsed = HTTP_MORE;
    while (parsed == HTTP_MORE) {
        struct slice piece = {0};
        struct http_problem problem;
        parsed = http_chunks_feed(&chunks, at, left, &used, &piece, &problem);
        assert_true(used > 0 && seen + piece.len <= len);
        assert_memory_equal(piece.len ? piece.ptr : "", pattern(len) + seen, piece.len);
        seen += piece.len;
        at += used;
        left -= used;
    }
    assert_int_equal(parsed, HTTP_OK);
    assert_int_equal(seen, len);
}

static bool ends_with(struct sender *s, const char *text) {
    size_t len = strlen(text);
    return buf_len(&s->got) >= len && memcmp(buf_room(&s->got) - len, text, len) == 0;
}

static void an_answer_of_unknown_length_is_passed_on_in_chunks(void **state) {
    (void)state;
    for (int held = 0; held < 2; held++) {
        struct rig r;
        struct sender *s = start(&r, &plain);
        if (held)
            rig_hold_store(&r);
        says_chunks(&r, 300000);
        if (held)
            RIG_UNTIL(&r, rig_delivery(&r)->legs[SIDE_LEGACY].x.paused);
        assert_true(!held || buf_len(&s->got) == 0);
        rig_let_store_go(&r);
        RIG_UNTIL(&r, ends_with(s, "\r\n0\r\n\r\n"));
        assert_non_null(strstr(sender_got(s), "Transfer-Encoding: chunked\r\n"));
        assert_chunks(s, 300000);
        rig_stop(&r);
    }
}

static void a_cut_answer_is_never_passed_on_as_whole(void **state) {
    (void)state;
    static const size_t cuts[] = {0, 5, 65536, 100000};
    for (size_t i = 0; i < ARRAY_LEN(cuts); i++) {
        struct rig r;
        struct sender *s = start(&r, &plain);
        says_head(&r, 150000);
        if (cuts[i])
            stub_say(&r.stubs[SIDE_LEGACY], pattern(cuts[i]), cuts[i]);
        RIG_UNTIL(&r, leg_has(&r, cuts[i] < 65536 ? cuts[i] : 65536) || r.proxy->deliveries == 0 ||
                          buf_len(&s->got));
        stub_flush(r.stubs[SIDE_LEGACY].now);
        RIG_UNTIL(&r, buf_len(&r.stubs[SIDE_LEGACY].now->out) == 0);
        stub_hang_up(r.stubs[SIDE_LEGACY].now);
        RIG_UNTIL(&r, s->eof);
        if (cuts[i]) { /* without a byte of the body there is nothing to pass on */
            assert_non_null(strstr(sender_got(s), "Content-Length: 150000\r\n"));
            const char *body = strstr(sender_got(s), "\r\n\r\n") + 4;
            size_t len = buf_len(&s->got) - (size_t)(body - buf_at(&s->got));
            assert_int_equal(len, cuts[i]);
            assert_memory_equal(body, pattern(len), len);
        }
        RIG_UNTIL(&r, r.proxy->deliveries == 0);
        assert_int_equal(rig_leg(&r, "e", SIDE_LEGACY), LEG_DONE); /* its head was whole */
        rig_stop(&r);
    }
}

static void a_sender_that_reads_slowly_holds_the_backend_back(void **state) {
    (void)state;
    struct rig r;
    struct sender *s = start(&r, &plain);
    s->deaf = true;
    says_head(&r, HUGE_LEN);
    stub_say(&r.stubs[SIDE_LEGACY], pattern(HUGE_LEN), HUGE_LEN);
    RIG_UNTIL(&r, rig_delivery(&r)->legs[SIDE_LEGACY].x.paused);
    struct conn *c = LIST_FIRST(&r.worker->conns);
    assert_true(buf_len(&c->out) <= 512 * 1024);
    s->deaf = false;
    expect_pattern(&r, s, HUGE_LEN);
    rig_stop(&r);
}

static void a_sender_that_stops_reading_is_let_go(void **state) {
    (void)state;
    struct rig r;
    struct sender *s = start(&r, &plain);
    s->deaf = true;
    says_head(&r, HUGE_LEN);
    stub_say(&r.stubs[SIDE_LEGACY], pattern(HUGE_LEN), HUGE_LEN);
    RIG_UNTIL(&r, rig_delivery(&r)->legs[SIDE_LEGACY].x.paused);
    for (int i = 0; i < 20 && !rig_is_idle(&r); i++) /* the kernel may still take some bytes */
        rig_advance(&r, 11 * RIG_SECOND_US);
    RIG_UNTIL(&r, rig_is_idle(&r));
    RIG_UNTIL(&r, r.stubs[SIDE_LEGACY].now->fd < 0);
    assert_int_equal(rig_leg(&r, "e", SIDE_LEGACY), LEG_DONE);
    rig_stop(&r);
}

static void a_sender_gone_in_the_middle_of_an_answer_ends_it(void **state) {
    (void)state;
    struct rig r;
    struct sender *s = start(&r, &plain);
    says_head(&r, 200000);
    stub_say(&r.stubs[SIDE_LEGACY], pattern(100000), 100000);
    RIG_UNTIL(&r, buf_len(&s->got) > 65536);
    sender_leaves(&r, s);
    RIG_UNTIL(&r, r.stubs[SIDE_LEGACY].now->fd < 0);
    RIG_UNTIL(&r, r.proxy->deliveries == 0);
    assert_int_equal(rig_leg(&r, "e", SIDE_LEGACY), LEG_DONE);
    rig_stop(&r);
}

static void an_answer_that_never_ends_is_passed_on_up_to_the_deadline_and_beyond(void **state) {
    (void)state;
    struct rig r;
    struct sender *s = start(&r, &plain);
    says_head(&r, 10);
    stub_say(&r.stubs[SIDE_LEGACY], pattern(10), 5);
    RIG_UNTIL(&r, rig_delivery(&r)->legs[SIDE_LEGACY].phase == PHASE_RECORDED);
    assert_int_equal(buf_len(&s->got), 0);
    rig_advance(&r, 9100000);
    RIG_UNTIL(&r, buf_len(&s->got) > 0);
    stub_say(&r.stubs[SIDE_LEGACY], pattern(10) + 5, 5);
    expect_pattern(&r, s, 10);
    rig_stop(&r);
}

static unsigned count_of(const struct http_head *head, const char *name) {
    unsigned count = 0;
    for (unsigned i = 0; i < head->header_count; i++)
        count += slice_iis(head->headers[i].name, name);
    return count;
}

static void headers_of_the_hop_and_ours_are_not_passed_back(void **state) {
    (void)state;
    struct rig r;
    struct sender *s = start(&r, &plain);
    stub_says(&r.stubs[SIDE_LEGACY],
              "HTTP/1.1 200 OK\r\nConnection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\n"
              "X-Pointsman-Mode: forged\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nX-End: yes\r\n"
              "Content-Length: 2\r\n\r\nok");
    struct http_head head = rig_expect(&r, s, 200, "ok");
    assert_header(&head, "x-hop", NULL);
    assert_header(&head, "keep-alive", NULL);
    assert_header(&head, "x-end", "yes");
    assert_header(&head, "x-pointsman-mode", "legacy_only");
    assert_header(&head, "x-pointsman-event", "e");
    assert_int_equal(count_of(&head, "x-pointsman-mode"), 1);
    assert_int_equal(count_of(&head, "set-cookie"), 2);
    rig_stop(&r);
}

/* ---- reply: summary ---- */

static const struct rig_conf summary = {.mode = MODE_PARALLEL,
                                        .legacy = ", name: typescript",
                                        .new = ", name: python",
                                        .source = ", reply: summary"};

static struct sender *start_both(struct rig *r) {
    struct sender *s = start(r, &summary);
    RIG_UNTIL(r, r->stubs[SIDE_NEW].requests == 1);
    return s;
}

static void a_summary_waits_for_both_sides(void **state) {
    (void)state;
    struct rig r;
    struct sender *s = start_both(&r);
    stub_says(&r.stubs[SIDE_LEGACY],
              "HTTP/1.1 201 Created\r\nContent-Length: 26\r\n\r\n{\"status\":\"started\",\"n\":1}");
    RIG_UNTIL(&r, rig_delivery(&r)->legs[SIDE_LEGACY].phase == PHASE_RECORDED);
    assert_int_equal(buf_len(&s->got), 0);
    stub_says(&r.stubs[SIDE_NEW], "HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\noops");
    rig_expect(&r, s, 200,
               "{\"status\":\"routed\",\"systems\":[{\"status\":\"started\",\"n\":1,"
               "\"system\":\"typescript\"},{\"system\":\"python\",\"http_status\":500}],"
               "\"mode\":\"parallel\"}");
    rig_stop(&r);
}

static void a_summary_calls_a_slow_shadow_pending_at_the_deadline(void **state) {
    (void)state;
    struct rig r;
    struct sender *s = start_both(&r);
    stub_says(&r.stubs[SIDE_LEGACY], OK_ANSWER);
    RIG_UNTIL(&r, rig_delivery(&r)->legs[SIDE_LEGACY].phase == PHASE_RECORDED);
    rig_advance(&r, 9100000);
    rig_expect(&r, s, 200,
               "[{\"system\":\"typescript\",\"http_status\":200},"
               "{\"system\":\"python\",\"status\":\"pending\"}]");
    stub_says(&r.stubs[SIDE_NEW], OK_ANSWER);
    RIG_UNTIL(&r, r.proxy->deliveries == 0);
    assert_int_equal(rig_leg(&r, "e", SIDE_NEW), LEG_DONE);
    rig_stop(&r);
}

static void a_summary_names_the_outcome_of_a_side_without_an_answer(void **state) {
    (void)state;
    struct rig r;
    struct sender *s = start_both(&r);
    stub_hang_up(r.stubs[SIDE_NEW].now);
    stub_says(&r.stubs[SIDE_LEGACY], OK_ANSWER);
    rig_expect(&r, s, 200, "{\"system\":\"python\",\"status\":\"in_doubt\"}");
    rig_stop(&r);
}

static void a_summary_of_a_failure_is_the_failure(void **state) {
    (void)state;
    struct rig r;
    struct sender *s = start_both(&r);
    stub_says(&r.stubs[SIDE_LEGACY], "HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\noops");
    rig_expect(&r, s, 500, "oops");
    stub_says(&r.stubs[SIDE_NEW], OK_ANSWER);
    rig_stop(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_around_64_kib_come_whole_and_in_order),
        cmocka_unit_test(an_answer_of_unknown_length_is_passed_on_in_chunks),
        cmocka_unit_test(a_cut_answer_is_never_passed_on_as_whole),
        cmocka_unit_test(a_sender_that_reads_slowly_holds_the_backend_back),
        cmocka_unit_test(a_sender_that_stops_reading_is_let_go),
        cmocka_unit_test(a_sender_gone_in_the_middle_of_an_answer_ends_it),
        cmocka_unit_test(an_answer_that_never_ends_is_passed_on_up_to_the_deadline_and_beyond),
        cmocka_unit_test(headers_of_the_hop_and_ours_are_not_passed_back),
        cmocka_unit_test(a_summary_waits_for_both_sides),
        cmocka_unit_test(a_summary_calls_a_slow_shadow_pending_at_the_deadline),
        cmocka_unit_test(a_summary_names_the_outcome_of_a_side_without_an_answer),
        cmocka_unit_test(a_summary_of_a_failure_is_the_failure),
    };
    return cmocka_run_group_tests(tests, rig_clock_on, rig_clock_off);
}

/* The row of an event under way where its writes fail: an fsync that refuses leaves it unknown what
 * is on disk. */
#include <sys/mman.h>

#include "../vfs/vfs.h"
#include "rig_rows.h"

static struct test_vfs_control *vfs;

static int vfs_on(void **state) {
    vfs = mmap(NULL, TEST_VFS_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return vfs == MAP_FAILED || !test_vfs_register(vfs) ? -1 : rig_clock_on(state);
}

/* The next writes reach the file, and their fsync is answered with an error. */
static void fail_syncs(int count) {
    atomic_store(&vfs->fields[TEST_VFS_FAIL_SYNC], count);
}

/* The journal's file is opened again. */
static void heal(struct rig *r) {
    fail_syncs(0);
    rig_advance(r, 6 * RIG_SECOND_US);
    RIG_UNTIL(r, rig_journal_state(r).accepts);
}

static const struct rig_conf accepts = {
    .mode = MODE_LEGACY_ONLY, .source = ", reply: accepted", .journal = true};
static const struct rig_conf in_order = {
    .mode = MODE_LEGACY_ONLY, .source = ", order: entity, on_failure: queue", .journal = true};

/* Where closing the file fails as well, it lies there as sending, though the write was said to have
 * failed. Its holder queues it again. */
static void sending_fails(int syncs) {
    struct rig r;
    rig_start(&r, &in_order);
    rig_hold_store(&r);
    struct sender *s = rig_post(&r, "one", 1);
    RIG_UNTIL(&r, rig_delivery(&r)->state == DELIVERY_CLAIMING);
    fail_syncs(syncs);
    rig_let_store_go(&r);
    rig_expect(&r, s, 503, "urn:pointsman:problem:journal");
    assert_int_equal(r.stubs[SIDE_LEGACY].accepted, 0);
    heal(&r);
    RIG_UNTIL_OVER(&r);
    assert_int_equal(rig_row(&r, "one").mark.state, ROW_QUEUED);
    assert_int_equal(rig_leg(&r, "one", SIDE_LEGACY), LEG_UNSENT);
    r.stubs[SIDE_LEGACY].answer = OK_ANSWER;
    queue_open(r.worker);
    rig_advance(&r, 16 * RIG_SECOND_US);
    journal_nudge(r.worker->journal);
    rig_until_row(&r, "one", ROW_DONE);
    assert_int_equal(r.stubs[SIDE_LEGACY].requests, 1);
    rig_stop(&r);
}

static void a_row_whose_sending_failed_comes_again_whether_it_is_on_disk_or_not(void **state) {
    (void)state;
    for (int syncs = 1; syncs <= 4; syncs++)
        sending_fails(syncs);
}

static void an_outcome_that_failed_is_written_again_whether_it_is_on_disk_or_not(void **state) {
    (void)state;
    for (int count = 1; count <= 3; count++) {
        struct rig r;
        rig_start(&r, &accepts);
        rig_expect(&r, rig_open_at(&r, SIDE_LEGACY, "ends", 1), 202, "accepted");
        fail_syncs(count);
        stub_says(&r.stubs[SIDE_LEGACY], REFUSAL("503 Service Unavailable", "busy"));
        RIG_UNTIL(&r, timer_is_set(&rig_delivery(&r)->row->again));
        heal(&r);
        RIG_UNTIL_OVER(&r);
        struct rig_row row = rig_row(&r, "ends");
        assert_int_equal(row.mark.state, ROW_QUEUED);
        assert_int_equal(row.mark.tries, 1);
        assert_true(rig_is_free(&r, "ends"));
        rig_stop(&r);
    }
}

static void an_event_whose_put_failed_is_refused_and_can_be_sent_again(void **state) {
    (void)state;
    struct rig r;
    rig_start(&r, &accepts);
    r.stubs[SIDE_LEGACY].answer = OK_ANSWER;
    fail_syncs(1);
    struct sender *s = rig_post(&r, "new", 1);
    rig_expect(&r, s, 503, "urn:pointsman:problem:journal");
    RIG_UNTIL_OVER(&r);
    assert_int_equal(r.stubs[SIDE_LEGACY].accepted, 0);
    heal(&r);
    sender_says(&r, s, rig_event("new", 1));
    rig_expect(&r, s, 202, "accepted");
    rig_until_row(&r, "new", ROW_DONE);
    assert_int_equal(r.stubs[SIDE_LEGACY].requests, 1);
    rig_stop(&r);
}

static void a_row_keeps_its_reason_while_it_is_sent(void **state) {
    (void)state;
    struct rig r;
    rig_start(&r, &in_order);
    struct sender *s = rig_open_at(&r, SIDE_LEGACY, "one", 1);
    assert_int_equal(rig_until_row(&r, "one", ROW_SENDING).mark.reason, REASON_ACCEPTED);
    stub_says(&r.stubs[SIDE_LEGACY], OK_ANSWER);
    rig_expect(&r, s, 200, "ok");
    rig_stop(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_whose_sending_failed_comes_again_whether_it_is_on_disk_or_not),
        cmocka_unit_test(an_outcome_that_failed_is_written_again_whether_it_is_on_disk_or_not),
        cmocka_unit_test(an_event_whose_put_failed_is_refused_and_can_be_sent_again),
        cmocka_unit_test(a_row_keeps_its_reason_while_it_is_sent),
    };
    return cmocka_run_group_tests(tests, vfs_on, rig_clock_off);
}

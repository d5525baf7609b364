/* Bytes: the quota, what is dropped for room, the file's size, a disk that is full. */
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <pointsman/store.h>

#include "../../store/room.h"
#include "journal_kit.h"
#include "store_finish_of.h"

static struct journal_put put_bytes(struct jkit *kit, const char *id, size_t len,
                                    enum row_state state) {
    struct journal_put c = jkit_event(id);
    c.event.head = c.event.target = slice("", 0);
    c.event.body = jkit_noise(len);
    c.mark.state = state;
    JKIT_CALL(kit, journal_put, &c);
    blob_unref(c.event.body);
    return c;
}

static void set(struct jkit *kit, uint64_t max_bytes, uint64_t keep_ms) {
    kit->max_bytes = max_bytes;
    kit->keep_ms = keep_ms;
    struct conf conf = jkit_conf(kit);
    journal_reload(kit->journal, &conf);
}

static void more_than_the_quota_is_refused(void **state) {
    struct jkit *kit = *state;
    set(kit, 10000, 1000000);
    assert_int_equal(put_bytes(kit, "a", 6000, ROW_QUEUED).call.result, JOURNAL_OK);
    assert_int_equal(put_bytes(kit, "b", 4001, ROW_QUEUED).call.result, JOURNAL_FULL);
    assert_int_equal(jkit_state_of(kit, "b"), ROW_STATES);
    assert_int_equal(put_bytes(kit, "b", 4000, ROW_QUEUED).call.result, JOURNAL_OK);
    assert_int_equal(jkit_state(kit).bytes, 10000);
    assert_int_equal(jkit_state(kit).max_bytes, 10000);
    jkit_reopen(kit);
    assert_int_equal(jkit_state(kit).bytes, 10000);
    assert_int_equal(put_bytes(kit, "c", 1, ROW_QUEUED).call.result, JOURNAL_FULL);
    set(kit, 20000, 1000000);
    assert_int_equal(put_bytes(kit, "c", 1, ROW_QUEUED).call.result, JOURNAL_OK);
}

static void a_move_fits_whatever_the_quota_says(void **state) {
    struct jkit *kit = *state;
    set(kit, 1000, 1000000);
    struct journal_put c = put_bytes(kit, "a", 1000, ROW_QUEUED);
    struct journal_move m = {.seq = c.ret_seq,
                             .ver = c.ret_ver,
                             .mark = {.state = ROW_DEAD, .answer = slice_of("an answer")}};
    JKIT_CALL(kit, journal_move, &m);
    assert_int_equal(m.call.result, JOURNAL_OK);
    assert_int_equal(jkit_state(kit).bytes, 1009);
}

static void done_rows_give_way_the_oldest_first(void **state) {
    struct jkit *kit = *state;
    set(kit, 10000, 1000000);
    put_bytes(kit, "d1", 3000, ROW_DONE);
    put_bytes(kit, "d2", 3000, ROW_DONE);
    put_bytes(kit, "p", 3000, ROW_PARKED);
    assert_int_equal(put_bytes(kit, "new", 3000, ROW_QUEUED).call.result, JOURNAL_OK);
    assert_int_equal(jkit_state_of(kit, "d1"), ROW_STATES);
    assert_int_equal(jkit_state_of(kit, "d2"), ROW_DONE);
    assert_int_equal(put_bytes(kit, "new2", 7000, ROW_QUEUED).call.result, JOURNAL_FULL);
    assert_int_equal(jkit_state_of(kit, "p"), ROW_PARKED);
    assert_int_equal(put_bytes(kit, "huge", 10001, ROW_QUEUED).call.result, JOURNAL_FULL);
}

static void done_rows_whose_time_is_over_go_by_themselves(void **state) {
    struct jkit *kit = *state;
    put_bytes(kit, "done", 100, ROW_DONE);
    put_bytes(kit, "dead", 100, ROW_DEAD);
    put_bytes(kit, "parked", 100, ROW_PARKED);
    set(kit, 10000, 1);
    JKIT_UNTIL(kit, jkit_state(kit).rows[ROW_DONE] == 0);
    assert_int_equal(jkit_state_of(kit, "done"), ROW_STATES);
    assert_int_equal(jkit_state(kit).rows[ROW_DEAD], 1);
    assert_int_equal(jkit_state(kit).rows[ROW_PARKED], 1);
    assert_int_equal(jkit_state(kit).bytes, 200);
}

static off_t size_of(const struct jkit *kit, const char *name) {
    char path[160];
    struct stat file;
    jkit_path(kit, name, path);
    return stat(path, &file) == 0 ? file.st_size : -1;
}

static void the_file_shrinks_once_it_is_worked_off(void **state) {
    struct jkit *kit = *state;
    enum { COUNT = 60 };
    struct journal_put puts[COUNT];
    char id[16];
    for (int i = 0; i < COUNT; i++) {
        snprintf(id, sizeof(id), "%d", i);
        puts[i] = put_bytes(kit, id, 1 << 20, ROW_QUEUED);
        assert_int_equal(puts[i].call.result, JOURNAL_OK);
    }
    assert_true(size_of(kit, "journal.db") > 40 << 20);
    for (int i = 0; i < COUNT; i++) {
        struct journal_move m = {.seq = puts[i].ret_seq, .ver = puts[i].ret_ver, .gone = true};
        JKIT_CALL(kit, journal_move, &m);
        assert_int_equal(m.call.result, JOURNAL_OK);
        if (i == COUNT / 2) /* the rest is more than is written anew in one go */
            JKIT_UNTIL(kit, size_of(kit, "journal.db") < 40 << 20);
    }
    JKIT_UNTIL(kit, size_of(kit, "journal.db") < 4 << 20);
    assert_true(size_of(kit, "journal.db-wal") <= 32 << 20);
}

/* ---- a disk of 16 MiB ---- */

static bool can_mount;

/* A mount namespace of the test's own, as root or as somebody who may be root in it. */
static void enter_namespace(void) {
    char map[32];
    int len = snprintf(map, sizeof(map), "0 %u 1", (unsigned)getuid());
    if (unshare(CLONE_NEWNS) != 0) {
        if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0)
            return;
        int fd = open("/proc/self/uid_map", O_WRONLY);
        if (fd < 0 || write(fd, map, (size_t)len) != len)
            return;
        close(fd);
    }
    can_mount = mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

static int with_a_small_disk(void **state) {
    struct jkit *kit = calloc(1, sizeof(*kit));
    assert_non_null(kit);
    *state = kit;
    kit->max_bytes = UINT64_C(1) << 30;
    kit->keep_ms = 1000000;
    snprintf(kit->directory, sizeof(kit->directory), "/tmp/pm-journal-XXXXXX");
    assert_non_null(mkdtemp(kit->directory));
    if (can_mount)
        assert_int_equal(mount("tmpfs", kit->directory, "tmpfs", 0, "size=16m"), 0);
    jkit_open(kit);
    return 0;
}

static int without_a_small_disk(void **state) {
    struct jkit *kit = *state;
    jkit_close(kit);
    if (can_mount)
        umount2(kit->directory, MNT_DETACH);
    jkit_remove(kit);
    free(kit);
    return 0;
}

static void fill_disk(const struct jkit *kit) {
    static const char bytes[4096];
    char path[160];
    jkit_path(kit, "filler", path);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    assert_true(fd >= 0);
    while (write(fd, bytes, sizeof(bytes)) > 0)
        ;
    close(fd);
}

static void empty_disk(const struct jkit *kit) {
    char path[160];
    jkit_path(kit, "filler", path);
    assert_int_equal(unlink(path), 0);
}

static void a_full_disk_takes_no_events_but_every_outcome(void **state) {
    struct jkit *kit = *state;
    if (!can_mount)
        skip();
    enum { COUNT = 100 };
    static struct journal_put rows[COUNT];
    char id[16];
    for (int i = 0; i < COUNT; i++) {
        snprintf(id, sizeof(id), "%d", i);
        rows[i] = put_bytes(kit, id, 10000, ROW_QUEUED);
        assert_int_equal(rows[i].call.result, JOURNAL_OK);
    }
    assert_int_equal(size_of(kit, "ballast"), 1 << 20);
    fill_disk(kit);
    struct journal_put refused = {.ret_seq = 0};
    for (int i = 0; i < 1000 && refused.call.result != JOURNAL_FULL; i++) {
        snprintf(id, sizeof(id), "x%d", i);
        refused = put_bytes(kit, id, 10000, ROW_QUEUED);
    }
    assert_int_equal(refused.call.result, JOURNAL_FULL);
    assert_int_equal(size_of(kit, "ballast"), -1);
    JKIT_UNTIL(kit, !jkit_state(kit).accepts);
    assert_non_null(strstr(jkit_state(kit).problem, "full"));
    for (int i = 0; i < COUNT; i++) {
        struct journal_move m = {.seq = rows[i].ret_seq,
                                 .ver = rows[i].ret_ver,
                                 .keep_hand = true,
                                 .mark = {.state = ROW_SENDING, .token = token_new()}};
        JKIT_CALL(kit, journal_move, &m);
        assert_int_equal(m.call.result, JOURNAL_OK);
        m.ver = m.ret_ver;
        m.gone = true;
        JKIT_CALL(kit, journal_move, &m);
        assert_int_equal(m.call.result, JOURNAL_OK);
        refused = put_bytes(kit, "refused", 1, ROW_QUEUED);
        assert_int_equal(refused.call.result, JOURNAL_FULL);
    }
    empty_disk(kit);
    JKIT_UNTIL(kit, jkit_state(kit).accepts);
    assert_string_equal(jkit_state(kit).problem, "");
    assert_int_equal(size_of(kit, "ballast"), 1 << 20);
    assert_int_equal(put_bytes(kit, "again", 10000, ROW_QUEUED).call.result, JOURNAL_OK);
}

static void a_journal_that_filled_the_disk_itself_comes_back_when_worked_off(void **state) {
    struct jkit *kit = *state;
    if (!can_mount)
        skip();
    static struct journal_put rows[2000];
    unsigned count = 0;
    char id[16];
    do {
        snprintf(id, sizeof(id), "%u", count);
        rows[count] = put_bytes(kit, id, 20000, ROW_QUEUED);
    } while (rows[count].call.result == JOURNAL_OK && ++count < ARRAY_LEN(rows));
    assert_int_equal(rows[count].call.result, JOURNAL_FULL);
    for (unsigned i = 0; i < count; i++) {
        struct journal_move m = {
            .seq = rows[i].ret_seq, .ver = rows[i].ret_ver, .mark = {.state = ROW_DONE}};
        JKIT_CALL(kit, journal_move, &m);
        assert_int_equal(m.call.result, JOURNAL_OK);
    }
    JKIT_UNTIL(kit, jkit_state(kit).accepts);
    assert_int_equal(put_bytes(kit, "again", 20000, ROW_QUEUED).call.result, JOURNAL_OK);
}

static void a_journal_opens_on_a_full_disk(void **state) {
    struct jkit *kit = *state;
    if (!can_mount)
        skip();
    struct journal_put c = put_bytes(kit, "a", 10000, ROW_QUEUED);
    jkit_close(kit);
    fill_disk(kit);
    jkit_open(kit);
    JKIT_UNTIL(kit, !jkit_state(kit).accepts);
    struct journal_move m = {.seq = c.ret_seq, .ver = c.ret_ver, .mark = {.state = ROW_PARKED}};
    JKIT_CALL(kit, journal_move, &m);
    assert_int_equal(m.call.result, JOURNAL_OK);
}

struct embedded_kit {
    struct conf conf;
    struct store *store;
    struct store_client *client;
};

static void begin_store(struct jkit *kit, struct embedded_kit *e) {
    struct err err;
    e->conf = jkit_conf(kit);
    e->conf.store_kind = STORE_EMBEDDED;
    e->conf.remember_ms = 1000000;
    e->store = store_open(&e->conf, &err);
    assert_non_null(e->store);
    e->client = store_client_new(e->store, kit->loop);
}

static void end_store(struct embedded_kit *e) {
    store_client_free(e->client);
    store_close(e->store);
}

static void answered(struct store_call *call) {
    struct jkit *kit = call->arg;
    loop_stop(kit->loop);
}

static struct store_claim claim(struct jkit *kit, struct embedded_kit *e, int number) {
    static char ids[64][16];
    assert_true(number < 64);
    snprintf(ids[number], sizeof(ids[number]), "%d", number);
    struct store_claim c = {.call = {.done = answered, .arg = kit, .timeout_ms = 10000},
                            .source = slice_of("github"),
                            .id = slice_of(ids[number]),
                            .entity = slice_of(ids[number]),
                            .token = token_new(),
                            .lease_ms = 10000};
    store_claim(e->client, &c);
    loop_run(kit->loop);
    assert_int_equal(c.call.result, STORE_GRANTED);
    return c;
}

static void claims_still_fit_on_a_full_disk(void **state) {
    struct jkit *kit = *state;
    if (!can_mount)
        skip();
    struct embedded_kit e;
    begin_store(kit, &e);
    fill_disk(kit);
    for (int i = 0; i < 40; i++)
        (void)claim(kit, &e, i);
    assert_int_equal(size_of(kit, "ballast"), -1);
    JKIT_UNTIL(kit, !jkit_state(kit).accepts); /* the journal sees that it was given away */
    end_store(&e);
}

static void record(struct jkit *kit, struct embedded_kit *e, const struct store_claim *c) {
    struct store_finish f = finish_of(c);
    f.call = (struct store_call){.done = answered, .arg = kit, .timeout_ms = 10000};
    store_finish(e->client, &f);
    loop_run(kit->loop);
    assert_int_equal(f.call.result, STORE_OK);
}

/* The ballast was given to the journal: all the room there is is what the store's WAL takes. */
static void outcomes_still_fit_where_the_ballast_is_gone(void **state) {
    enum { COUNT = 60, BEFORE = 10 };
    struct jkit *kit = *state;
    if (!can_mount)
        skip();
    struct embedded_kit e;
    struct store_claim claims[COUNT];
    begin_store(kit, &e);
    for (int i = 0; i < COUNT; i++)
        claims[i] = claim(kit, &e, i);
    end_store(&e); /* its pages have their place in the file */
    begin_store(kit, &e);
    for (int i = 0; i < BEFORE; i++)
        record(kit, &e, &claims[i]);
    (void)room_give(kit->directory);
    fill_disk(kit);
    for (int i = BEFORE; i < COUNT; i++)
        record(kit, &e, &claims[i]);
    end_store(&e);
}

static void the_ballast_is_given_once_and_made_again(void **state) {
    struct jkit *kit = *state;
    jkit_close(kit);
    assert_true(room_keep(kit->directory));
    assert_true(room_give(kit->directory));
    assert_false(room_give(kit->directory));
    assert_true(room_keep(kit->directory));
    assert_true(size_of(kit, "ballast") > 0);
}

#define SMALL_TEST(f) cmocka_unit_test_setup_teardown(f, with_a_small_disk, without_a_small_disk)

int main(void) {
    enter_namespace();
    const struct CMUnitTest tests[] = {
        JKIT_TEST(more_than_the_quota_is_refused),
        JKIT_TEST(a_move_fits_whatever_the_quota_says),
        JKIT_TEST(done_rows_give_way_the_oldest_first),
        JKIT_TEST(done_rows_whose_time_is_over_go_by_themselves),
        JKIT_TEST(the_file_shrinks_once_it_is_worked_off),
        JKIT_TEST(the_ballast_is_given_once_and_made_again),
        SMALL_TEST(a_full_disk_takes_no_events_but_every_outcome),
        SMALL_TEST(a_journal_that_filled_the_disk_itself_comes_back_when_worked_off),
        SMALL_TEST(claims_still_fit_on_a_full_disk),
        SMALL_TEST(outcomes_still_fit_where_the_ballast_is_gone),
        SMALL_TEST(a_journal_opens_on_a_full_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

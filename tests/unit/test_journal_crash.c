/* The journal killed after each n-th write, on disks that forget, tear, fail and fill: what was
 * acknowledged is there, what was not is there as a whole or not at all.
 *
 * POINTSMAN_SWEEP=1 tries every call; else every few, from a first one that changes and is printed.
 * POINTSMAN_SWEEP_SEED=n repeats a run. */
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "../vfs/vfs.h"
#include "journal_judge.h"

#define WORKERS 6  /* they mostly wait */
#define HANG_S  60 /* one child, one judgement; sanitizers are slow */

static struct test_vfs_control *ctl;
static struct plan plan;
static struct model model;
static char directory[64];
static uint32_t run_seed;

static void set(enum test_vfs_field field, int32_t value) {
    atomic_store(&ctl->fields[field], value);
}

static int32_t get(enum test_vfs_field field) {
    return atomic_load(&ctl->fields[field]);
}

static void heal(void) {
    for (int i = 0; i < TEST_VFS_FIELDS; i++)
        if (i != TEST_VFS_CHECKPOINT && i != TEST_VFS_HITS)
            set((enum test_vfs_field)i, 0);
}

static void must(bool so, const char *what) {
    if (so)
        return;
    perror(what);
    _exit(1);
}

/* ---- a directory of its own, in memory where there is such a place ---- */

static void make_directory(void) {
    const char *root = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    snprintf(directory, sizeof(directory), "%s/pm-sweep-XXXXXX", root);
    must(mkdtemp(directory) != NULL, directory);
}

/* The ballast may stay: to make it takes longer than all the rest. */
static void empty(bool ballast) {
    DIR *dir = opendir(directory);
    must(dir != NULL, directory);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
        if (entry->d_name[0] != '.' && (ballast || strcmp(entry->d_name, "ballast") != 0))
            must(unlinkat(dirfd(dir), entry->d_name, 0) == 0, entry->d_name);
    closedir(dir);
}

/* ---- one child ---- */

struct fault {
    const char *name;
    int torn, lost;
    enum test_vfs_field field; /* TEST_VFS_KILL_AT, or what is to fail */
    int32_t value;
    int32_t checkpoint;
};

static void be_child(const struct fault *fault, int notes) {
    static struct child child;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    alarm(HANG_S);
    child.plan = &plan;
    child.notes = notes;
    child.patient = fault->value > 0 && fault->field != TEST_VFS_FULL;
    child_open(&child, directory, heal);
    child_run(&child);
    if (fault->field != TEST_VFS_KILL_AT) {
        heal();
        set(TEST_VFS_FORGET, 1);
        child_after(&child);
        child_repeat_all(&child);
        raise(SIGKILL);
    }
    child_close(&child);
    _exit(CHILD_DONE);
}

/* What this fault does not excuse. */
static void check_answer(const struct fault *fault, const struct op *op, unsigned n,
                         enum journal_result result) {
    bool planned = fault->field == TEST_VFS_KILL_AT && n != NOTE_AFTER;
    bool must_fit = fault->field == TEST_VFS_FULL && fault->value == 2 && op->kind == OP_MOVE;
    if (((planned || must_fit) && result != op->result) ||
        !model_answered(&model, op, (int)n, result)) {
        fprintf(stderr, "%s: operation %u on row %u is answered %s; %s was planned\n", fault->name,
                n, op->id, journal_result_names[result], journal_result_names[op->result]);
        _exit(1);
    }
}

/* Until the pipe's end: the process is gone, all it said is in the model. Returns the number of
 * answers. */
static unsigned follow(const struct fault *fault, int fd, bool open_ops[PLAN_MAX + 1]) {
    struct note note;
    unsigned answers = 0;
    model_init(&model);
    while (read(fd, &note, sizeof(note)) == sizeof(note)) {
        const struct op *op = note.op == NOTE_AFTER ? &plan_after : &plan.ops[note.op];
        open_ops[note.op] = note.what == NOTE_SUBMIT;
        if (note.what == NOTE_SUBMIT) {
            model_begin(&model, op);
        } else {
            check_answer(fault, op, note.op, (enum journal_result)note.result);
            answers++;
        }
    }
    for (unsigned n = 0; n <= PLAN_MAX; n++)
        if (open_ops[n])
            model_open(&model, n == NOTE_AFTER ? &plan_after : &plan.ops[n], (int)n);
    return answers;
}

static void inject(const struct fault *fault, int32_t at) {
    heal();
    set(TEST_VFS_HITS, 0);
    set(TEST_VFS_CHECKPOINT, fault->checkpoint);
    set(TEST_VFS_FORGET, 1);
    set(TEST_VFS_TORN, fault->torn);
    set(TEST_VFS_LOST, fault->lost);
    set(TEST_VFS_SEED, (int32_t)(run_seed + (uint32_t)at));
    if (fault->field != TEST_VFS_KILL_AT)
        set(TEST_VFS_FROM, at);
    set(fault->field, fault->field == TEST_VFS_KILL_AT ? at : fault->value);
}

/* Returns the signal that ended it, or its exit code negated. */
static int run_child(const struct fault *fault, int32_t at, bool open_ops[PLAN_MAX + 1],
                     unsigned *ret_answers) {
    int notes[2], status;
    inject(fault, at);
    must(pipe2(notes, O_CLOEXEC) == 0, "pipe");
    pid_t pid = fork();
    must(pid >= 0, "fork");
    if (pid == 0)
        be_child(fault, notes[1]);
    close(notes[1]);
    unsigned answers = follow(fault, notes[0], open_ops);
    close(notes[0]);
    must(waitpid(pid, &status, 0) == pid, "waitpid");
    *ret_answers = answers;
    return WIFSIGNALED(status) ? WTERMSIG(status) : -WEXITSTATUS(status);
}

/* Opens the journal and is killed at some call of that, or not. */
static void die_in_recovery(uint32_t at) {
    int status;
    set(TEST_VFS_WRITES, 0);
    set(TEST_VFS_SYNCS, 0);
    set(TEST_VFS_KILL_AT, (int32_t)(1 + at % 16));
    pid_t pid = fork();
    must(pid >= 0, "fork");
    if (pid == 0) {
        static struct child child;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        alarm(HANG_S);
        child_open(&child, directory, heal);
        child_close(&child);
        _exit(CHILD_DONE);
    }
    must(waitpid(pid, &status, 0) == pid && (status == SIGKILL || status == 0), "recovery");
}

static void judge(const struct fault *fault, int32_t at, const bool open_ops[PLAN_MAX + 1]) {
    char what[96];
    struct judge j = {.plan = &plan, .directory = directory, .what = what};
    snprintf(what, sizeof(what), "%s at %d", fault->name, at);
    heal();
    alarm(HANG_S);
    judge_open(&j);
    judge_content(&j, &model);
    for (unsigned n = 0; n < plan.count; n++)
        judge_copies(&j, &model, n, open_ops[n]);
    judge_goes_on(&j, &model);
    judge_close(&j);
    judge_integrity(&j);
    alarm(0);
}

/* ---- sweeps ---- */

/* Calls the whole plan makes; all its operations are answered as planned. */
static void whole(const struct fault *fault, int32_t *ret_writes, int32_t *ret_syncs) {
    bool open_ops[PLAN_MAX + 1] = {false};
    struct fault none = {
        .name = "no fault", .checkpoint = fault->checkpoint, .field = TEST_VFS_KILL_AT};
    unsigned answers;
    must(run_child(&none, 0, open_ops, &answers) == CHILD_DONE && answers == plan.count, "plan");
    *ret_writes = get(TEST_VFS_WRITES);
    *ret_syncs = get(TEST_VFS_SYNCS);
    judge(&none, 0, open_ops);
    empty(false);
}

/* The last calls are not the same ones every time: batches differ. */
static void point(const struct fault *fault, int32_t at) {
    bool open_ops[PLAN_MAX + 1] = {false};
    unsigned answers;
    bool kills = fault->field == TEST_VFS_KILL_AT;
    int ended = run_child(fault, at, open_ops, &answers);
    if (ended != SIGKILL && !(kills && ended == CHILD_DONE)) {
        fprintf(stderr, "%s at %d: the child ended with %d\n", fault->name, at, ended);
        _exit(1);
    }
    if (kills && at % 2)
        die_in_recovery((uint32_t)at / 2 + run_seed);
    judge(fault, at, open_ops);
    empty(false);
}

/* Every `step`-th call, of them every WORKERS-th. */
static void work(const struct fault *fault, unsigned points, unsigned worker) {
    int32_t writes, syncs;
    ctl = mmap(NULL, TEST_VFS_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    must(ctl != MAP_FAILED && test_vfs_register(ctl), "test VFS");
    whole(fault, &writes, &syncs);
    int32_t last = fault->field == TEST_VFS_KILL_AT     ? writes + syncs
                   : fault->field == TEST_VFS_FAIL_SYNC ? syncs
                                                        : writes;
    int32_t step = getenv("POINTSMAN_SWEEP") ? 1 : last / (int32_t)points;
    step = step < 1 ? 1 : step;
    int32_t first = 1 + (int32_t)(run_seed % (uint32_t)step) + (int32_t)worker * step;
    for (int32_t at = first; at <= last; at += step * WORKERS)
        point(fault, at);
    _exit(0);
}

/* What a worker and its children said. */
static void repeat(int said) {
    char text[4096];
    ssize_t n;
    lseek(said, 0, SEEK_SET);
    while ((n = read(said, text, sizeof(text))) > 0)
        (void)!write(STDERR_FILENO, text, (size_t)n);
}

static void sweep(const struct fault *fault, unsigned points) {
    pid_t pids[WORKERS];
    char directories[WORKERS][sizeof(directory)];
    int said[WORKERS], status;
    bool ok = true;
    for (unsigned i = 0; i < WORKERS; i++) {
        make_directory();
        memcpy(directories[i], directory, sizeof(directory));
        said[i] = memfd_create("said", MFD_CLOEXEC);
        pids[i] = fork();
        assert_true(pids[i] >= 0 && said[i] >= 0);
        if (pids[i] == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            must(dup2(said[i], STDERR_FILENO) >= 0, "dup2");
            work(fault, points, i);
        }
    }
    for (unsigned i = 0; i < WORKERS; i++) {
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        if (status != 0)
            repeat(said[i]);
        ok = ok && status == 0;
        close(said[i]);
        memcpy(directory, directories[i], sizeof(directory));
        empty(true);
        must(rmdir(directory) == 0, directory);
    }
    if (!ok)
        fail_msg("%s: POINTSMAN_SWEEP_SEED=%u repeats it", fault->name, run_seed);
}

#define KILL(...)                                                                                  \
    { .field = TEST_VFS_KILL_AT, __VA_ARGS__ }
static const struct fault kills[] = {
    KILL(.name = "killed, what was not synced is gone"),
    KILL(.name = "killed, the first few of what was not synced are there, the last torn",
         .torn = 1),
    KILL(.name = "killed, some of what was not synced is there", .torn = 2),
    KILL(.name = "killed, checkpoints often", .checkpoint = 32),
    KILL(.name = "killed, checkpoints often, some is there", .checkpoint = 32, .torn = 2),
};
#define SYNC(...)                                                                                  \
    { .field = TEST_VFS_FAIL_SYNC, __VA_ARGS__ }
static const struct fault failures[] = {
    SYNC(.name = "one sync fails", .value = 1),
    SYNC(.name = "one sync fails and loses, checkpoints often", .value = 1, .lost = 1,
         .checkpoint = 32),
    SYNC(.name = "one sync fails and loses unseen", .value = 1, .lost = 2, .checkpoint = 32),
    SYNC(.name = "two syncs fail and lose", .value = 2, .lost = 1),
    SYNC(.name = "two syncs fail and lose unseen", .value = 2, .lost = 2),
    SYNC(.name = "syncs fail and lose unseen", .value = -1, .lost = 2),
    {.name = "one write fails", .field = TEST_VFS_FAIL_WRITE, .value = 1, .checkpoint = 32},
    {.name = "writes fail", .field = TEST_VFS_FAIL_WRITE, .value = -1},
};
static const struct fault full[] = {
    {.name = "the disk is full", .field = TEST_VFS_FULL, .value = 1},
    {.name = "the disk is full, there is ballast", .field = TEST_VFS_FULL, .value = 2},
    {.name = "the disk is full, there is ballast, checkpoints often",
     .field = TEST_VFS_FULL,
     .value = 2,
     .checkpoint = 32},
};

static void sweep_all(const struct fault *faults, size_t count, unsigned points) {
    for (size_t i = 0; i < count; i++)
        sweep(&faults[i], points);
}

static void killed_at_any_call_nothing_acknowledged_is_lost(void **state) {
    (void)state;
    sweep_all(kills, sizeof(kills) / sizeof(kills[0]), 50);
}

static void when_the_disk_fails_nothing_acknowledged_is_lost_and_it_goes_on(void **state) {
    (void)state;
    sweep_all(failures, sizeof(failures) / sizeof(failures[0]), 20);
}

static void on_a_full_disk_changes_still_fit_and_puts_come_back(void **state) {
    (void)state;
    sweep_all(full, sizeof(full) / sizeof(full[0]), 20);
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define TEST(t) cmocka_unit_test(t)
        TEST(killed_at_any_call_nothing_acknowledged_is_lost),
        TEST(when_the_disk_fails_nothing_acknowledged_is_lost_and_it_goes_on),
        TEST(on_a_full_disk_changes_still_fit_and_puts_come_back),
    };
    const char *seed = getenv("POINTSMAN_SWEEP_SEED");
    if (seed)
        run_seed = (uint32_t)strtoul(seed, NULL, 10);
    else
        random_bytes(&run_seed, sizeof(run_seed));
    run_seed %= 1000000;
    plan_make(&plan);
    print_message("POINTSMAN_SWEEP_SEED=%u\n", run_seed);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

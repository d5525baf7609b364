/* The attempt log: slots in a mapped file; the kernel keeps what was written also when the process
 * is killed. */
#include <pointsman/attempts.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "room.h"

#define MAGIC    "pmattmp2"
#define MAGIC_1  "pmattmp1" /* of the releases before: the same slots, but no boot in the header */
#define BOOT_ID  "/proc/sys/kernel/random/boot_id"
#define BOOT_LEN 40
#define PREFIX   "attempts-" /* of a worker that runs */
#define ASIDE    "left-"     /* of a run that ended; not settled yet */
#define NAME_LEN 4096

struct header {
    char magic[8];
    uint32_t slot_size;
    uint32_t slots;
    char boot[BOOT_LEN]; /* of the kernel that keeps what is written here; zeros: not known */
};
#define HEADER_1_LEN offsetof(struct header, boot)

struct attempts {
    char path[NAME_LEN];
    size_t size;
    struct header *map;
    struct attempt *slots;
    uint32_t *free; /* a stack of indexes */
    uint32_t free_count;
};

static size_t size_for(size_t header_len, uint32_t slots) {
    return header_len + (size_t)slots * sizeof(struct attempt);
}

static struct attempt *slots_of(void *map, size_t header_len) {
    return (struct attempt *)(void *)((char *)map + header_len);
}

static void read_boot(char ret[BOOT_LEN]) {
    memset(ret, 0, BOOT_LEN);
    int fd = open(BOOT_ID, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    ssize_t len = read(fd, ret, BOOT_LEN);
    if (len < 0)
        memset(ret, 0, BOOT_LEN);
    close(fd);
}

/* ---- writing ---- */

/* Allocated now: a full disk must show here, not as a signal at a write into the map. */
static int allocate(int fd, size_t size, const char *directory) {
    int error = posix_fallocate(fd, 0, (off_t)size);
    if (error == ENOSPC && room_give(directory))
        error = posix_fallocate(fd, 0, (off_t)size);
    return error;
}

static bool map_file(struct attempts *a, const char *directory, unsigned slots, struct err *err) {
    int fd = open(a->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    a->size = size_for(sizeof(struct header), slots);
    int error = fd < 0 ? errno : allocate(fd, a->size, directory);
    if (error == 0) {
        a->map = mmap(NULL, a->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        error = a->map == MAP_FAILED ? errno : 0;
    }
    if (fd >= 0)
        close(fd);
    if (error == 0)
        return true;
    a->map = NULL;
    err_set(err, "cannot make the attempt log %s: %s", a->path, strerror(error));
    return false;
}

struct attempts *attempts_open(const char *directory, unsigned worker, unsigned slots,
                               struct err *err) {
    struct attempts *a = calloc(1, sizeof *a);
    if (!a || !(a->free = calloc(slots, sizeof a->free[0]))) {
        err_set(err, "no memory for an attempt log of %u slots", slots);
        free(a);
        return NULL;
    }
    snprintf(a->path, sizeof a->path, "%s/" PREFIX "%u", directory, worker);
    if (!map_file(a, directory, slots, err)) {
        free(a->free);
        free(a);
        return NULL;
    }
    memcpy(a->map->magic, MAGIC, sizeof a->map->magic);
    a->map->slot_size = sizeof(struct attempt);
    a->map->slots = slots;
    read_boot(a->map->boot);
    a->slots = slots_of(a->map, sizeof(struct header));
    for (unsigned i = slots; i > 0; i--)
        a->free[a->free_count++] = i - 1;
    return a;
}

void attempts_close(struct attempts *a) {
    if (!a)
        return;
    if (a->free_count == a->map->slots)
        unlink(a->path);
    munmap(a->map, a->size);
    free(a->free);
    free(a);
}

static void enter(struct attempt *slot, enum attempt_state state) {
    atomic_store_explicit(&slot->state, state, memory_order_release);
}

static bool put(char *to, size_t room, struct slice text) {
    if (text.len >= room)
        return false;
    memcpy(to, text.ptr ? text.ptr : "", text.len);
    to[text.len] = '\0';
    return true;
}

struct attempt *attempts_claim(struct attempts *a, struct slice source, struct slice id,
                               struct slice entity, enum side side, enum role role,
                               const struct token *token) {
    if (a->free_count == 0)
        return NULL;
    struct attempt *slot = &a->slots[a->free[a->free_count - 1]];
    if (!put(slot->source, sizeof slot->source, source) || !put(slot->id, sizeof slot->id, id) ||
        !put(slot->entity, sizeof slot->entity, entity))
        return NULL;
    a->free_count--;
    slot->side = side;
    slot->role = role;
    slot->attempt = slot->outcome = slot->status = 0;
    slot->fence = slot->sticky_ms = 0;
    memcpy(slot->token, token->text, sizeof slot->token);
    enter(slot, ATTEMPT_CLAIMED);
    return slot;
}

void attempts_granted(struct attempt *slot, enum side side, uint32_t attempt, uint64_t fence,
                      uint64_t sticky_ms) {
    slot->side = side;
    slot->attempt = attempt;
    slot->fence = fence;
    slot->sticky_ms = sticky_ms;
}

void attempts_sent(struct attempt *slot) {
    enter(slot, ATTEMPT_SENT);
}

void attempts_answered(struct attempt *slot, enum outcome outcome, uint16_t status) {
    slot->outcome = outcome;
    slot->status = status;
    enter(slot, ATTEMPT_ANSWERED);
}

void attempts_free(struct attempts *a, struct attempt *slot) {
    if (!slot)
        return;
    enter(slot, ATTEMPT_FREE);
    a->free[a->free_count++] = (uint32_t)(slot - a->slots);
}

/* ---- reading what a run left ---- */

static bool ends(const char *text, size_t room) {
    return memchr(text, '\0', room) != NULL;
}

static bool is_sound(const struct attempt *s) {
    return s->state <= ATTEMPT_ANSWERED && s->side < SIDES && s->role < ROLES &&
           s->outcome < OUTCOMES && ends(s->source, sizeof s->source) &&
           ends(s->id, sizeof s->id) && ends(s->entity, sizeof s->entity) && s->source[0] &&
           s->id[0] && s->entity[0] && s->token[TOKEN_LEN] == '\0' && strlen(s->token) == TOKEN_LEN;
}

struct walk {
    void (*found)(const struct attempt *slot, void *arg);
    void *arg;
    unsigned damaged;
    unsigned long long stamp;
    char boot[BOOT_LEN]; /* of now */
};

/* After a power cut the disk has what the kernel happened to write back: that a slot says "claimed"
 * does not mean that nothing was sent. */
static void read_slots(struct header *map, size_t header_len, struct walk *w) {
    struct attempt *slots = slots_of(map, header_len);
    bool trusted = header_len == sizeof *map && map->boot[0] &&
                   memcmp(map->boot, w->boot, sizeof map->boot) == 0;
    for (uint32_t i = 0; i < map->slots; i++) {
        if (slots[i].state == ATTEMPT_FREE)
            continue;
        if (!is_sound(&slots[i])) {
            w->damaged++;
            continue;
        }
        if (slots[i].state == ATTEMPT_CLAIMED && !trusted)
            slots[i].state = ATTEMPT_SENT;
        w->found(&slots[i], w->arg);
    }
}

/* 0: not a log. */
static size_t header_len_of(const struct header *map, size_t file_len) {
    size_t len = 0;
    if (memcmp(map->magic, MAGIC, sizeof map->magic) == 0)
        len = sizeof *map;
    else if (memcmp(map->magic, MAGIC_1, sizeof map->magic) == 0)
        len = HEADER_1_LEN;
    bool sound = len && map->slot_size == sizeof(struct attempt);
    return sound && file_len == size_for(len, map->slots) ? len : 0;
}

static void read_file(const char *path, struct walk *w) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    struct header *map = MAP_FAILED;
    if (fd >= 0 && fstat(fd, &st) == 0 && (size_t)st.st_size >= HEADER_1_LEN)
        map = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    size_t header_len = map == MAP_FAILED ? 0 : header_len_of(map, (size_t)st.st_size);
    if (header_len)
        read_slots(map, header_len, w);
    else
        w->damaged++;
    if (map != MAP_FAILED)
        munmap(map, (size_t)st.st_size);
    if (fd >= 0)
        close(fd);
}

/* Every file in the directory whose name begins so. */
static bool each_file(const char *directory, const char *prefix, struct err *err,
                      void (*visit)(const char *directory, const char *name, struct walk *w),
                      struct walk *w) {
    DIR *dir = opendir(directory);
    if (!dir) {
        err_set(err, "cannot read %s: %s", directory, strerror(errno));
        return false;
    }
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
        if (strncmp(entry->d_name, prefix, strlen(prefix)) == 0)
            visit(directory, entry->d_name, w);
    closedir(dir);
    return true;
}

static void set_aside(const char *directory, const char *name, struct walk *w) {
    char from[NAME_LEN], to[NAME_LEN];
    const char *worker = name + strlen(PREFIX);
    if (strspn(worker, "0123456789") != strlen(worker))
        return;
    snprintf(from, sizeof from, "%s/%s", directory, name);
    snprintf(to, sizeof to, "%s/" ASIDE "%llx-%s", directory, w->stamp, worker);
    if (rename(from, to) != 0)
        w->damaged++;
}

static void read_aside(const char *directory, const char *name, struct walk *w) {
    char path[NAME_LEN];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    read_file(path, w);
}

static void discard(const char *directory, const char *name, struct walk *w) {
    char path[NAME_LEN];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    if (unlink(path) != 0)
        w->damaged++;
}

bool attempts_recover(const char *directory, void (*found)(const struct attempt *slot, void *arg),
                      void *arg, unsigned *ret_damaged, struct err *err) {
    struct walk w = {.found = found, .arg = arg};
    random_bytes(&w.stamp, sizeof w.stamp);
    read_boot(w.boot);
    if (!each_file(directory, PREFIX, err, set_aside, &w) ||
        !each_file(directory, ASIDE, err, read_aside, &w))
        return false;
    *ret_damaged = w.damaged;
    return true;
}

bool attempts_discard(const char *directory, struct err *err) {
    struct walk w = {0};
    if (!each_file(directory, ASIDE, err, discard, &w))
        return false;
    if (w.damaged)
        err_set(err, "cannot remove settled attempt logs (%s*) in %s", ASIDE, directory);
    return w.damaged == 0;
}

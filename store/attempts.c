/* The attempt log: slots in a mapped file; a slot's state is stored last, so that what a killed
 * process left is whole. */
#include <pointsman/attempts.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define ATTEMPTS_MAGIC   0x706d6174746c6f67ull
#define ATTEMPTS_VERSION 1
#define ATTEMPTS_PREFIX  "attempts-"

/* In front of the slots. */
struct header {
    uint64_t magic;
    uint32_t version;
    uint32_t slot_size;
    uint64_t slot_count;
    uint64_t unused[5];
};

struct attempts {
    char path[PATH_MAX];
    struct header *map;
    size_t size;
    struct attempt *slots;
    unsigned count;
    unsigned free_count;
    unsigned free_slots[]; /* a stack of indexes */
};

static size_t file_size(uint64_t slots) {
    return sizeof(struct header) + (size_t)slots * sizeof(struct attempt);
}

/* The whole file is written once, so that a full disk is found here and not in a store to the
 * mapping. */
static void *map_file(const char *path, size_t size, struct err *err) {
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) {
        err_set(err, "%s: %s", path, strerror(errno));
        return NULL;
    }
    int rc = posix_fallocate(fd, 0, (off_t)size);
    void *map = rc == 0 ? mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;
    if (map == MAP_FAILED) {
        err_set(err, "%s: %zu bytes can not be had: %s", path, size, strerror(rc ? rc : errno));
        unlink(path);
        map = NULL;
    }
    close(fd);
    return map;
}

struct attempts *attempts_open(const char *directory, unsigned worker, unsigned slots,
                               struct err *err) {
    struct attempts *a = calloc(1, sizeof(*a) + slots * sizeof(a->free_slots[0]));
    if (!a) {
        err_set(err, "no memory for the attempt log");
        return NULL;
    }
    a->count = slots;
    a->size = file_size(slots);
    if (snprintf(a->path, sizeof(a->path), "%s/" ATTEMPTS_PREFIX "%u", directory, worker) >=
        (int)sizeof(a->path)) {
        err_set(err, "store.directory is too long: %s", directory);
        free(a);
        return NULL;
    }
    a->map = map_file(a->path, a->size, err);
    if (!a->map) {
        free(a);
        return NULL;
    }
    *a->map = (struct header){.magic = ATTEMPTS_MAGIC,
                              .version = ATTEMPTS_VERSION,
                              .slot_size = sizeof(struct attempt),
                              .slot_count = slots};
    a->slots = (struct attempt *)(void *)(a->map + 1);
    for (unsigned i = 0; i < slots; i++)
        a->free_slots[a->free_count++] = slots - 1 - i;
    return a;
}

void attempts_close(struct attempts *a) {
    if (!a)
        return;
    if (a->free_count == a->count)
        unlink(a->path);
    munmap(a->map, a->size);
    free(a);
}

static void set_state(struct attempt *slot, enum attempt_state state) {
    atomic_store_explicit(&slot->state, (uint32_t)state, memory_order_release);
}

static void keep(char *to, struct slice text, size_t max) {
    size_t len = text.len < max ? text.len : max;
    if (len)
        memcpy(to, text.ptr, len);
    to[len] = '\0';
}

struct attempt *attempts_claim(struct attempts *a, struct slice source, struct slice id,
                               struct slice entity, enum side side, enum role role,
                               const struct token *token) {
    if (!a->free_count || source.len > SOURCE_NAME_MAX || id.len > EVENT_ID_MAX ||
        entity.len > ENTITY_MAX)
        return NULL;
    struct attempt *slot = &a->slots[a->free_slots[--a->free_count]];
    slot->side = side;
    slot->role = role;
    slot->attempt = 0;
    slot->outcome = 0;
    slot->status = 0;
    slot->fence = 0;
    slot->sticky_ms = 0;
    keep(slot->token, slice_of(token->text), TOKEN_LEN);
    keep(slot->source, source, SOURCE_NAME_MAX);
    keep(slot->id, id, EVENT_ID_MAX);
    keep(slot->entity, entity, ENTITY_MAX);
    set_state(slot, ATTEMPT_CLAIMED);
    return slot;
}

void attempts_granted(struct attempt *slot, enum side side, uint32_t attempt, uint64_t fence,
                      uint64_t sticky_ms) {
    slot->side = side;
    slot->attempt = attempt;
    slot->fence = fence;
    slot->sticky_ms = sticky_ms;
    set_state(slot, ATTEMPT_CLAIMED);
}

void attempts_sent(struct attempt *slot) {
    set_state(slot, ATTEMPT_SENT);
}

void attempts_answered(struct attempt *slot, enum outcome outcome, uint16_t status) {
    slot->outcome = outcome;
    slot->status = status;
    set_state(slot, ATTEMPT_ANSWERED);
}

void attempts_free(struct attempts *a, struct attempt *slot) {
    if (!slot)
        return;
    set_state(slot, ATTEMPT_FREE);
    a->free_slots[a->free_count++] = (unsigned)(slot - a->slots);
}

/* ---- the next boot ---- */

static bool ends(const char *text, size_t room) {
    return memchr(text, '\0', room) != NULL;
}

static bool whole(const struct attempt *slot, uint32_t state) {
    return state <= ATTEMPT_ANSWERED && slot->side < SIDES && slot->role < ROLES &&
           slot->outcome < OUTCOMES && slot->status <= UINT16_MAX &&
           ends(slot->token, sizeof(slot->token)) && strlen(slot->token) == TOKEN_LEN &&
           ends(slot->source, sizeof(slot->source)) && ends(slot->id, sizeof(slot->id)) &&
           ends(slot->entity, sizeof(slot->entity));
}

static bool is_ours(const struct header *h, size_t size) {
    return h->magic == ATTEMPTS_MAGIC && h->version == ATTEMPTS_VERSION &&
           h->slot_size == sizeof(struct attempt) &&
           h->slot_count <= size / sizeof(struct attempt) && file_size(h->slot_count) == size;
}

static bool recover_file(int directory, const char *name,
                         void (*found)(const struct attempt *slot, void *arg), void *arg,
                         unsigned *damaged) {
    struct stat st;
    int fd = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return false;
    bool ok =
        fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (size_t)st.st_size >= sizeof(struct header);
    size_t size = ok ? (size_t)st.st_size : 0;
    const struct header *map = ok ? mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
    close(fd);
    if (map == MAP_FAILED)
        return false;
    ok = is_ours(map, size);
    const struct attempt *slots = (const struct attempt *)(const void *)(map + 1);
    for (uint64_t i = 0; ok && i < map->slot_count; i++) {
        uint32_t state = atomic_load_explicit(&slots[i].state, memory_order_acquire);
        if (state == ATTEMPT_FREE)
            continue;
        if (whole(&slots[i], state))
            found(&slots[i], arg);
        else
            (*damaged)++;
    }
    munmap((void *)(uintptr_t)map, size);
    return ok;
}

static bool is_log(const char *name) {
    uint64_t worker;
    size_t len = strlen(ATTEMPTS_PREFIX);
    return strncmp(name, ATTEMPTS_PREFIX, len) == 0 && slice_to_u64(slice_of(name + len), &worker);
}

static DIR *open_directory(const char *directory, struct err *err) {
    DIR *dir = opendir(directory);
    if (!dir)
        err_set(err, "%s can not be read: %s", directory, strerror(errno));
    return dir;
}

bool attempts_recover(const char *directory, void (*found)(const struct attempt *slot, void *arg),
                      void *arg, unsigned *ret_damaged, struct err *err) {
    unsigned damaged = 0;
    DIR *dir = open_directory(directory, err);
    if (!dir)
        return false;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (is_log(entry->d_name) && !recover_file(dirfd(dir), entry->d_name, found, arg, &damaged))
            damaged++;
    }
    closedir(dir);
    *ret_damaged = damaged;
    return true;
}

bool attempts_discard(const char *directory, struct err *err) {
    bool ok = true;
    DIR *dir = open_directory(directory, err);
    if (!dir)
        return false;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (is_log(entry->d_name) && unlinkat(dirfd(dir), entry->d_name, 0) != 0 &&
            errno != ENOENT) {
            err_set(err, "%s/%s can not be removed: %s", directory, entry->d_name, strerror(errno));
            ok = false;
        }
    }
    closedir(dir);
    return ok;
}

/* Unsynced writes in memory: an ordered list to write out later, and the blocks it makes, to read.
 */
#include "overlay.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK  4096
#define SECTOR 512

struct change {
    int64_t at; /* of a truncation: the new size */
    size_t len;
    char *bytes; /* NULL: a truncation */
};

struct overlay {
    struct overlay *next;
    dev_t dev;
    ino_t ino;
    unsigned refs; /* under `all_lock` */
    /* An own descriptor: it keeps the inode from being used again. Closed only when nobody has the
     * file open, as closing it drops the process's POSIX locks on the file. */
    int fd;
    pthread_mutex_t lock; /* what follows */
    bool dirty;           /* blocks are not as the file */
    bool lost;            /* … and some never will be */
    int64_t size;         /* while dirty */
    int64_t real;         /* while dirty: bytes of the file behind this are not to be read */
    char **blocks;        /* NULL: as in the file */
    size_t block_count;
    struct change *changes;
    size_t count, room;
};

static pthread_mutex_t all_lock = PTHREAD_MUTEX_INITIALIZER;
static struct overlay *all;

static void *must(void *memory) {
    if (!memory)
        abort();
    return memory;
}

/* ---- blocks ---- */

static bool read_file(int fd, char *to, size_t len, int64_t at) {
    while (len) {
        ssize_t n = pread(fd, to, len, at);
        if (n < 0)
            return false;
        if (n == 0)
            break;
        to += n;
        len -= (size_t)n;
        at += n;
    }
    memset(to, 0, len);
    return true;
}

static bool write_file(int fd, const char *from, size_t len, int64_t at) {
    while (len) {
        ssize_t n = pwrite(fd, from, len, at);
        if (n < 0)
            return false;
        from += n;
        len -= (size_t)n;
        at += n;
    }
    return true;
}

static bool fill_block(const struct overlay *o, int64_t block, char *to) {
    int64_t at = block * BLOCK;
    int64_t there = o->real - at;
    size_t len = there <= 0 ? 0 : there < BLOCK ? (size_t)there : BLOCK;
    memset(to + len, 0, BLOCK - len);
    return read_file(o->fd, to, len, at);
}

static char *own_block(struct overlay *o, int64_t block) {
    size_t index = (size_t)block;
    if (index >= o->block_count) {
        size_t count = index + 64;
        o->blocks = must(realloc(o->blocks, count * sizeof(char *)));
        memset(o->blocks + o->block_count, 0, (count - o->block_count) * sizeof(char *));
        o->block_count = count;
    }
    if (!o->blocks[index]) {
        char *bytes = must(malloc(BLOCK));
        if (!fill_block(o, block, bytes)) {
            free(bytes);
            return NULL;
        }
        o->blocks[index] = bytes;
    }
    return o->blocks[index];
}

static void drop_blocks(struct overlay *o, size_t from) {
    for (size_t i = from; i < o->block_count; i++) {
        free(o->blocks[i]);
        o->blocks[i] = NULL;
    }
}

static bool begin(struct overlay *o) {
    struct stat st;
    if (o->dirty)
        return true;
    if (fstat(o->fd, &st) != 0)
        return false;
    o->dirty = true;
    o->size = o->real = st.st_size;
    return true;
}

static void note(struct overlay *o, struct change change) {
    if (o->count == o->room) {
        o->room = o->room ? 2 * o->room : 64;
        o->changes = must(realloc(o->changes, o->room * sizeof(*o->changes)));
    }
    o->changes[o->count++] = change;
}

static void forget_changes(struct overlay *o) {
    for (size_t i = 0; i < o->count; i++)
        free(o->changes[i].bytes);
    o->count = 0;
}

static void clean(struct overlay *o) {
    forget_changes(o);
    drop_blocks(o, 0);
    o->dirty = o->lost = false;
}

/* ---- the file's calls ---- */

int64_t overlay_size(struct overlay *o) {
    pthread_mutex_lock(&o->lock);
    int64_t size = o->dirty ? o->size : -1;
    pthread_mutex_unlock(&o->lock);
    return size;
}

static bool read_blocks(struct overlay *o, char *to, size_t len, int64_t at) {
    char block[BLOCK];
    while (len) {
        size_t index = (size_t)(at / BLOCK), from = (size_t)(at % BLOCK);
        size_t n = BLOCK - from < len ? BLOCK - from : len;
        const char *bytes = index < o->block_count ? o->blocks[index] : NULL;
        if (!bytes && !fill_block(o, at / BLOCK, block))
            return false;
        memcpy(to, (bytes ? bytes : block) + from, n);
        to += n;
        len -= n;
        at += (int64_t)n;
    }
    return true;
}

enum overlay_read overlay_read(struct overlay *o, void *to, size_t len, int64_t at) {
    enum overlay_read result = OVERLAY_CLEAN;
    pthread_mutex_lock(&o->lock);
    if (o->dirty) {
        int64_t left = o->size - at;
        size_t there = left <= 0 ? 0 : (uint64_t)left < len ? (size_t)left : len;
        memset((char *)to + there, 0, len - there);
        result = !read_blocks(o, to, there, at) ? OVERLAY_FAILED
                 : there < len                  ? OVERLAY_SHORT
                                                : OVERLAY_WHOLE;
    }
    pthread_mutex_unlock(&o->lock);
    return result;
}

static bool write_blocks(struct overlay *o, const char *from, size_t len, int64_t at) {
    while (len) {
        size_t into = (size_t)(at % BLOCK);
        size_t n = BLOCK - into < len ? BLOCK - into : len;
        char *block = own_block(o, at / BLOCK);
        if (!block)
            return false;
        memcpy(block + into, from, n);
        from += n;
        len -= n;
        at += (int64_t)n;
    }
    return true;
}

bool overlay_write(struct overlay *o, const void *from, size_t len, int64_t at) {
    pthread_mutex_lock(&o->lock);
    bool ok = begin(o) && write_blocks(o, from, len, at);
    if (ok) {
        char *bytes = must(malloc(len));
        memcpy(bytes, from, len);
        note(o, (struct change){.at = at, .len = len, .bytes = bytes});
        int64_t end = at + (int64_t)len;
        o->size = end > o->size ? end : o->size;
    }
    pthread_mutex_unlock(&o->lock);
    return ok;
}

bool overlay_truncate(struct overlay *o, int64_t size) {
    pthread_mutex_lock(&o->lock);
    bool ok = begin(o);
    if (ok) {
        size_t index = (size_t)(size / BLOCK), keep = (size_t)(size % BLOCK);
        if (keep && index < o->block_count && o->blocks[index])
            memset(o->blocks[index] + keep, 0, BLOCK - keep);
        drop_blocks(o, keep ? index + 1 : index);
        o->real = size < o->real ? size : o->real;
        o->size = size;
        note(o, (struct change){.at = size});
    }
    pthread_mutex_unlock(&o->lock);
    return ok;
}

/* ---- to the file ---- */

/* At most `len` bytes of it. */
static bool apply(const struct overlay *o, const struct change *change, size_t len) {
    if (!change->bytes)
        return ftruncate(o->fd, change->at) == 0;
    return write_file(o->fd, change->bytes, len < change->len ? len : change->len, change->at);
}

static bool apply_all(struct overlay *o) {
    bool ok = true;
    for (size_t i = 0; i < o->count; i++)
        ok = ok && apply(o, &o->changes[i], SIZE_MAX);
    return ok;
}

bool overlay_apply(struct overlay *o) {
    pthread_mutex_lock(&o->lock);
    bool ok = apply_all(o);
    if (ok && o->lost)
        forget_changes(o);
    else if (ok)
        clean(o);
    pthread_mutex_unlock(&o->lock);
    return ok;
}

void overlay_lose(struct overlay *o, bool read_back) {
    pthread_mutex_lock(&o->lock);
    o->lost = read_back && o->dirty;
    if (read_back)
        forget_changes(o);
    else
        clean(o);
    pthread_mutex_unlock(&o->lock);
}

/* xorshift32 */
static uint32_t random_below(uint32_t *state, size_t limit) {
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return limit ? *state % (uint32_t)limit : 0;
}

/* Bytes of a change that reach the disk, up to some sector's border. */
static size_t cut(const struct change *change, uint32_t *state) {
    size_t first = SECTOR - (size_t)(change->at % SECTOR);
    size_t sectors = change->len <= first ? 0 : (change->len - first + SECTOR - 1) / SECTOR;
    size_t whole = random_below(state, sectors + 2);
    return whole == 0 ? 0 : first + (whole - 1) * SECTOR;
}

static void tear(struct overlay *o, int torn, uint32_t *state) {
    size_t count = torn == 1 ? random_below(state, o->count + 1) : o->count;
    for (size_t i = 0; i < count; i++) {
        const struct change *change = &o->changes[i];
        bool whole = torn == 1 ? i + 1 < count : random_below(state, 3) == 0;
        bool none = torn != 1 && !whole && random_below(state, 2) == 0;
        if (!none)
            (void)!apply(o, change, whole ? SIZE_MAX : cut(change, state));
    }
}

void overlays_tear(int torn, uint32_t seed) {
    uint32_t state = seed * 2654435761u + 1;
    state = state ? state : 1;
    pthread_mutex_lock(&all_lock);
    for (struct overlay *o = all; o; o = o->next) {
        pthread_mutex_lock(&o->lock);
        tear(o, torn, &state);
        pthread_mutex_unlock(&o->lock);
    }
    pthread_mutex_unlock(&all_lock);
}

void overlays_flush(void) {
    pthread_mutex_lock(&all_lock);
    for (struct overlay *o = all; o; o = o->next)
        (void)!overlay_apply(o);
    pthread_mutex_unlock(&all_lock);
}

/* ---- all files; under `all_lock` ---- */

static struct overlay **find(const char *path) {
    struct stat st;
    if (stat(path, &st) != 0)
        return NULL;
    for (struct overlay **at = &all; *at; at = &(*at)->next)
        if ((*at)->dev == st.st_dev && (*at)->ino == st.st_ino)
            return at;
    return NULL;
}

static struct overlay *add(const char *path) {
    struct stat st;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    if (fstat(fd, &st) != 0) {
        close(fd);
        return NULL;
    }
    struct overlay *o = must(calloc(1, sizeof(*o)));
    o->dev = st.st_dev;
    o->ino = st.st_ino;
    o->fd = fd;
    pthread_mutex_init(&o->lock, NULL);
    o->next = all;
    all = o;
    return o;
}

static void release(struct overlay *o) {
    if (o->refs || o->dirty)
        return;
    struct overlay **at = &all;
    while (*at != o)
        at = &(*at)->next;
    *at = o->next;
    clean(o);
    close(o->fd);
    free(o->changes);
    free(o->blocks);
    pthread_mutex_destroy(&o->lock);
    free(o);
}

struct overlay *overlay_get(const char *path) {
    pthread_mutex_lock(&all_lock);
    struct overlay **found = find(path);
    struct overlay *o = found ? *found : add(path);
    if (o)
        o->refs++;
    pthread_mutex_unlock(&all_lock);
    return o;
}

void overlay_put(struct overlay *o) {
    if (!o)
        return;
    pthread_mutex_lock(&all_lock);
    o->refs--;
    release(o);
    pthread_mutex_unlock(&all_lock);
}

void overlay_drop(const char *path) {
    pthread_mutex_lock(&all_lock);
    struct overlay **found = find(path);
    if (found) {
        struct overlay *o = *found;
        pthread_mutex_lock(&o->lock);
        clean(o);
        pthread_mutex_unlock(&o->lock);
        release(o);
    }
    pthread_mutex_unlock(&all_lock);
}

int64_t overlay_size_of(const char *path) {
    pthread_mutex_lock(&all_lock);
    struct overlay **found = find(path);
    int64_t size = found ? overlay_size(*found) : -1;
    pthread_mutex_unlock(&all_lock);
    return size;
}

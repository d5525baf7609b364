/* The thread that copies, and what the writer's commits tell it. */
#include "checkpointer.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS    8  /* of the thread, each over what was appended during the last */
#define FEW_PART  16 /* of where it begins: so little is left to the writer */
#define MOST_PART 4  /* times where it begins: then the writer waits */

enum state {
    IDLE = 0,
    COPIES, /* the thread does */
    NEARLY, /* the rest is the writer's, at its next commit */
};

struct checkpointer {
    sqlite3 *writer;
    char *path;
    int chunk;
    int begin; /* pages in the WAL */
    pthread_t thread;
    pthread_mutex_t copying; /* held while one of the two copies */
    pthread_mutex_t lock;    /* what follows */
    pthread_cond_t work;
    enum state state;
    int appended; /* pages in the WAL at the last commit */
    bool stop;
};

static int few(const struct checkpointer *c) {
    return c->begin / FEW_PART;
}

/* A passive one: whoever reads or writes is not waited for, and pages they need stay for later. */
static int copy(struct checkpointer *c, sqlite3 *db, int *ret_done) {
    int all = 0;
    pthread_mutex_lock(&c->copying);
    int rc = sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_PASSIVE, &all, ret_done);
    pthread_mutex_unlock(&c->copying);
    return rc;
}

/* ---- the writer ---- */

/* After each commit, in its thread. What fails is tried again later: the pages stay in the WAL. */
static int committed(void *arg, sqlite3 *db, const char *name, int appended) {
    struct checkpointer *c = arg;
    int done;
    (void)name;
    pthread_mutex_lock(&c->lock);
    c->appended = appended;
    bool ends = c->state == NEARLY || appended >= c->begin * MOST_PART;
    if (c->state == NEARLY)
        c->state = IDLE;
    if (!ends && c->state == IDLE && appended >= c->begin) {
        c->state = COPIES;
        pthread_cond_signal(&c->work);
    }
    pthread_mutex_unlock(&c->lock);
    if (ends)
        (void)copy(c, db, &done);
    return SQLITE_OK;
}

int checkpointer_run(struct checkpointer *c, sqlite3 *writer, int mode) {
    if (c)
        pthread_mutex_lock(&c->copying);
    int rc = sqlite3_wal_checkpoint_v2(writer, NULL, mode, NULL, NULL);
    if (c)
        pthread_mutex_unlock(&c->copying);
    return rc;
}

/* ---- the thread ---- */

/* A connection knows of the WAL once it has read. */
static sqlite3 *connect(const struct checkpointer *c) {
    sqlite3 *db = NULL;
    int chunk = c->chunk, flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
    if (sqlite3_open_v2(c->path, &db, flags, NULL) == SQLITE_OK &&
        (!chunk ||
         sqlite3_file_control(db, "main", SQLITE_FCNTL_CHUNK_SIZE, &chunk) == SQLITE_OK) &&
        sqlite3_exec(db, "PRAGMA synchronous = FULL; PRAGMA user_version", NULL, NULL, NULL) ==
            SQLITE_OK)
        return db;
    sqlite3_close(db);
    return NULL;
}

static enum state run(struct checkpointer *c, sqlite3 *db) {
    for (int round = 0; round < ROUNDS; round++) {
        int done = 0;
        if (!db || copy(c, db, &done) != SQLITE_OK)
            return IDLE;
        pthread_mutex_lock(&c->lock);
        int left = c->appended - done;
        bool stop = c->stop;
        pthread_mutex_unlock(&c->lock);
        if (stop || left <= few(c))
            break;
    }
    return NEARLY;
}

static void *thread_main(void *arg) {
    struct checkpointer *c = arg;
    sqlite3 *db = NULL;
    pthread_mutex_lock(&c->lock);
    while (!c->stop) {
        if (c->state != COPIES) {
            pthread_cond_wait(&c->work, &c->lock);
            continue;
        }
        pthread_mutex_unlock(&c->lock);
        if (!db)
            db = connect(c);
        enum state now = run(c, db);
        pthread_mutex_lock(&c->lock);
        c->state = now;
    }
    pthread_mutex_unlock(&c->lock);
    sqlite3_close(db);
    return NULL;
}

/* ---- its life ---- */

static int begins_at(sqlite3 *writer) {
    sqlite3_stmt *s = NULL;
    int pages = 0;
    if (sqlite3_prepare_v2(writer, "PRAGMA wal_autocheckpoint", -1, &s, NULL) == SQLITE_OK &&
        sqlite3_step(s) == SQLITE_ROW)
        pages = sqlite3_column_int(s, 0);
    sqlite3_finalize(s);
    return pages;
}

static void destroy(struct checkpointer *c) {
    pthread_cond_destroy(&c->work);
    pthread_mutex_destroy(&c->lock);
    pthread_mutex_destroy(&c->copying);
    free(c->path);
    free(c);
}

struct checkpointer *checkpointer_new(sqlite3 *writer, const char *path, int chunk) {
    struct checkpointer *c = calloc(1, sizeof(*c));
    if (!c)
        return NULL;
    c->writer = writer;
    c->chunk = chunk;
    c->path = strdup(path);
    c->begin = begins_at(writer);
    pthread_mutex_init(&c->copying, NULL);
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->work, NULL);
    if (!c->path || c->begin <= 0 || pthread_create(&c->thread, NULL, thread_main, c) != 0) {
        destroy(c);
        return NULL;
    }
    checkpointer_watch(c);
    return c;
}

void checkpointer_watch(struct checkpointer *c) {
    if (c)
        (void)sqlite3_wal_hook(c->writer, committed, c);
}

void checkpointer_free(struct checkpointer *c) {
    if (!c)
        return;
    (void)sqlite3_wal_hook(c->writer, NULL, NULL);
    pthread_mutex_lock(&c->lock);
    c->stop = true;
    pthread_cond_signal(&c->work);
    pthread_mutex_unlock(&c->lock);
    pthread_join(c->thread, NULL);
    destroy(c);
}

/* The thread that copies, and what the writer's commits tell it. SQLite before 3.51.3 can damage a
 * file where a checkpoint begins with nothing left to copy while the WAL begins anew
 * (sqlite.org/wal.html, "the WAL-reset bug"): the thread only begins where its state says that
 * something is left, and whoever copies in its place takes that state away. */
#include "checkpointer.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS    8  /* of the thread, each over what was appended during the last */
#define FEW_PART  16 /* of where it begins: so little is left to the writer */
#define MOST_PART 4  /* times where it begins: then the writer waits */

enum state {
    IDLE = 0,
    COPIES, /* the thread does: the last commit's pages are not all copied */
    NEARLY, /* the rest is the writer's, at its next commit */
};

struct checkpointer {
    sqlite3 *writer;
    char *path;
    int chunk;
    int begin; /* pages in the WAL */
    int small; /* pages; 0: the thread copies. The writer's own. */
    pthread_t thread;
    atomic_bool failed;
    pthread_mutex_t copying; /* held while one of the two copies; taken first */
    pthread_mutex_t lock;    /* what follows */
    pthread_cond_t work;
    enum state state;
    int appended; /* pages in the WAL at the last commit */
    bool stop;
};

/* Under `copying`. A full disk is not a failure: nothing was taken for copied. */
static int copy(struct checkpointer *c, sqlite3 *db, int mode, int *ret_done) {
    int all = 0;
    if (c->failed)
        return SQLITE_IOERR;
    int rc = sqlite3_wal_checkpoint_v2(db, NULL, mode, &all, ret_done);
    if ((rc & 0xff) == SQLITE_IOERR)
        c->failed = true;
    return rc;
}

/* ---- the writer ---- */

static int writer_copies(struct checkpointer *c, sqlite3 *writer, int mode) {
    int done = 0;
    pthread_mutex_lock(&c->copying);
    int rc = copy(c, writer, mode, &done);
    pthread_mutex_lock(&c->lock);
    c->state = IDLE;
    pthread_mutex_unlock(&c->lock);
    pthread_mutex_unlock(&c->copying);
    return rc;
}

/* After each commit, in its thread. */
static int committed(void *arg, sqlite3 *db, const char *name, int appended) {
    struct checkpointer *c = arg;
    (void)name;
    pthread_mutex_lock(&c->lock);
    c->appended = appended;
    bool ends =
        c->small ? appended >= c->small : c->state == NEARLY || appended >= c->begin * MOST_PART;
    if (!ends && !c->small && c->state == IDLE && appended >= c->begin) {
        c->state = COPIES;
        pthread_cond_signal(&c->work);
    }
    pthread_mutex_unlock(&c->lock);
    if (ends) /* what could not be copied stays in the WAL */
        (void)writer_copies(c, db, SQLITE_CHECKPOINT_PASSIVE);
    return SQLITE_OK;
}

int checkpointer_run(struct checkpointer *c, sqlite3 *writer, int mode) {
    return c ? writer_copies(c, writer, mode)
             : sqlite3_wal_checkpoint_v2(writer, NULL, mode, NULL, NULL);
}

void checkpointer_keep_small(struct checkpointer *c, int pages) {
    c->small = pages;
}

bool checkpointer_failed(const struct checkpointer *c) {
    return c && c->failed;
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

/* SQLite syncs the file only where it copied all of the WAL: that would be the writer, for all that
 * the thread has copied before. */
static int sync_file(struct checkpointer *c, sqlite3 *db) {
    sqlite3_file *file = NULL;
    int rc = sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file);
    if (rc == SQLITE_OK)
        rc = file->pMethods->xSync(file, SQLITE_SYNC_NORMAL);
    if (rc != SQLITE_OK)
        c->failed = true;
    return rc;
}

static bool may_copy(struct checkpointer *c) {
    pthread_mutex_lock(&c->lock);
    bool may = c->state == COPIES && !c->stop;
    pthread_mutex_unlock(&c->lock);
    return may;
}

/* The writer may have ended it meanwhile. */
static void go_on(struct checkpointer *c, enum state state) {
    pthread_mutex_lock(&c->lock);
    if (c->state == COPIES)
        c->state = state;
    pthread_mutex_unlock(&c->lock);
}

static int left_of(struct checkpointer *c, int done) {
    pthread_mutex_lock(&c->lock);
    int left = c->appended - done;
    pthread_mutex_unlock(&c->lock);
    return left;
}

static void run(struct checkpointer *c, sqlite3 *db) {
    for (int round = 0; round < ROUNDS; round++) {
        int done = 0, rc = SQLITE_CANTOPEN;
        pthread_mutex_lock(&c->copying);
        bool may = may_copy(c);
        if (may && db)
            rc = copy(c, db, SQLITE_CHECKPOINT_PASSIVE, &done);
        if (rc == SQLITE_OK)
            rc = sync_file(c, db);
        pthread_mutex_unlock(&c->copying);
        if (!may)
            return;
        if (rc != SQLITE_OK) {
            go_on(c, IDLE);
            return;
        }
        if (left_of(c, done) <= c->begin / FEW_PART)
            break;
    }
    go_on(c, NEARLY);
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
        run(c, db);
        pthread_mutex_lock(&c->lock);
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
    (void)sqlite3_wal_hook(writer, committed, c);
    return c;
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
    if (c->failed)
        (void)sqlite3_db_config(c->writer, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    destroy(c);
}

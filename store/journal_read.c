/* The reader: lists and single rows, one call after the other. */
#include "journal_read.h"

#include <string.h>

#include "journal_int.h"
#include "journal_row.h"

#define BUSY_MS 2000
#define MATCHES                                                                                    \
    " FROM event WHERE state = ?1 AND seq > ?2 AND (?3 IS NULL OR source = ?3)"                    \
    " AND (?4 IS NULL OR type = ?4) AND (?5 IS NULL OR entity = ?5)"                               \
    " AND (?6 IS NULL OR side = ?6) AND (?7 IS NULL OR reason = ?7)"                               \
    " AND changed >= ?8 AND changed < ?9"
#define WHOLE                                                                                      \
    "SELECT " ROW_COLUMNS ", answer, " PAYLOAD_COLUMNS                                             \
    " FROM event LEFT JOIN payload USING (seq) WHERE id = ?1"

const char *const journal_read_texts[READ_STATEMENTS] = {
    [READ_LIST] = "SELECT " ROW_COLUMNS MATCHES " ORDER BY seq LIMIT ?10",
    [READ_COUNT] = "SELECT count(*)" MATCHES,
    [READ_LOOK] = WHOLE " AND source = ?2",
    [READ_LOOK_ANY] = WHOLE " ORDER BY source LIMIT 1",
};

void journal_reads_init(struct journal_reads *r, const char *path) {
    pthread_mutex_init(&r->lock, NULL);
    r->path = path;
}

static void disconnect(struct journal_reads *r) {
    for (int i = 0; i < READ_STATEMENTS; i++) {
        sqlite3_finalize(r->statements[i]);
        r->statements[i] = NULL;
    }
    sqlite3_close(r->db);
    r->db = NULL;
}

void journal_reads_free(struct journal_reads *r) {
    disconnect(r);
    pthread_mutex_destroy(&r->lock);
}

void journal_reads_allow(struct journal_reads *r, bool allowed) {
    pthread_mutex_lock(&r->lock);
    r->allowed = allowed;
    if (!allowed)
        disconnect(r);
    pthread_mutex_unlock(&r->lock);
}

static bool connect(struct journal_reads *r) {
    if (!r->allowed)
        return false;
    if (r->db)
        return true;
    bool ok = sqlite3_open_v2(r->path, &r->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL) ==
                  SQLITE_OK &&
              sqlite3_busy_timeout(r->db, BUSY_MS) == SQLITE_OK;
    for (int i = 0; ok && i < READ_STATEMENTS; i++)
        ok = sqlite3_prepare_v3(r->db, journal_read_texts[i], -1, SQLITE_PREPARE_PERSISTENT,
                                &r->statements[i], NULL) == SQLITE_OK;
    if (!ok)
        disconnect(r);
    return ok;
}

/* ---- list ---- */

static void bind_filter(sqlite3_stmt *s, const struct journal_filter *f, uint64_t after) {
    journal_bind(s, 1, f->state);
    journal_bind(s, 2, after);
    journal_bind_text(s, 3, f->source);
    journal_bind_text(s, 4, f->type);
    journal_bind_text(s, 5, f->entity);
    sqlite3_bind_null(s, 6);
    sqlite3_bind_null(s, 7);
    if (f->side < SIDES)
        journal_bind(s, 6, f->side);
    if (f->reason != REASON_NONE)
        journal_bind(s, 7, f->reason);
    journal_bind(s, 8, f->from_wall_us);
    journal_bind(s, 9, f->to_wall_us ? f->to_wall_us : INT64_MAX);
}

static bool list_rows(struct journal_reads *r, struct journal_list *c) {
    sqlite3_stmt *s = r->statements[READ_LIST];
    struct journal_row **end = &c->ret_rows;
    bool sound, ok = true;
    int rc = SQLITE_DONE;
    bind_filter(s, &c->filter, c->after);
    journal_bind(s, 10, c->limit < ROW_LIST_MAX ? c->limit : ROW_LIST_MAX);
    while (ok && (rc = sqlite3_step(s)) == SQLITE_ROW) {
        *end = journal_row_read(s, ROW_SLIM, &sound);
        ok = *end != NULL;
        if (ok)
            end = &(*end)->next;
    }
    return sqlite3_reset(s) == SQLITE_OK && ok && rc == SQLITE_DONE;
}

static bool count_rows(struct journal_reads *r, struct journal_list *c) {
    sqlite3_stmt *s = r->statements[READ_COUNT];
    bind_filter(s, &c->filter, 0);
    bool ok = sqlite3_step(s) == SQLITE_ROW;
    if (ok)
        c->ret_matching = journal_column(s, 0);
    return sqlite3_reset(s) == SQLITE_OK && ok;
}

static bool list(struct journal_reads *r, struct journal_list *c) {
    if (list_rows(r, c) && (!c->count || count_rows(r, c))) {
        c->call.result = JOURNAL_OK;
        return true;
    }
    journal_rows_free(c->ret_rows);
    c->ret_rows = NULL;
    return false;
}

/* ---- look ---- */

/* The writer makes it dead; who looks sees it so already. */
static void suspect(struct journal *j, struct journal_row *row) {
    if (row->mark.state == ROW_DONE)
        return;
    row->mark.state = ROW_DEAD;
    row->mark.reason = REASON_DAMAGED;
    pthread_mutex_lock(&j->lock);
    if (j->suspect_count < SUSPECTS_MAX)
        j->suspects[j->suspect_count++] = row->seq;
    j->woken = true;
    pthread_cond_signal(&j->work);
    pthread_mutex_unlock(&j->lock);
}

static bool look(struct journal *j, struct journal_look *c) {
    struct journal_reads *r = &j->reading;
    sqlite3_stmt *s = r->statements[c->source.ptr ? READ_LOOK : READ_LOOK_ANY];
    bool sound = true;
    journal_bind_text(s, 1, c->id);
    if (c->source.ptr)
        journal_bind_text(s, 2, c->source);
    int rc = sqlite3_step(s);
    if (rc == SQLITE_ROW)
        c->ret_row = journal_row_read(s, ROW_PAYLOAD | ROW_ANSWER, &sound);
    bool ok = sqlite3_reset(s) == SQLITE_OK && (rc == SQLITE_DONE || c->ret_row);
    if (!ok)
        return false;
    c->call.result = c->ret_row ? JOURNAL_OK : JOURNAL_ABSENT;
    if (!sound)
        suspect(j, c->ret_row);
    return true;
}

/* ---- the thread ---- */

static void execute(struct journal *j, struct journal_call *call) {
    struct journal_reads *r = &j->reading;
    bool ok = false, damaged = false;
    pthread_mutex_lock(&r->lock);
    if (connect(r)) {
        ok = call->kind == JOURNAL_LIST ? list(r, CONTAINER_OF(call, struct journal_list, call))
                                        : look(j, CONTAINER_OF(call, struct journal_look, call));
        damaged = !ok && journal_trouble_of(r->db) == TROUBLE_DAMAGED;
        if (!ok)
            disconnect(r);
    }
    pthread_mutex_unlock(&r->lock);
    if (!ok)
        call->result = JOURNAL_FAILED;
    if (!damaged)
        return;
    pthread_mutex_lock(&j->lock);
    j->read_damaged = true;
    j->woken = true;
    pthread_cond_signal(&j->work);
    pthread_mutex_unlock(&j->lock);
}

void *journal_reader_main(void *arg) {
    struct journal *j = arg;
    pthread_mutex_lock(&j->lock);
    for (;;) {
        while (!j->reads.first && !j->stop)
            pthread_cond_wait(&j->asked, &j->lock);
        struct journal_call *call = calls_take(&j->reads);
        if (!call)
            break;
        struct journal_client *client = call->own;
        client->executing++;
        pthread_mutex_unlock(&j->lock);
        execute(j, call);
        pthread_mutex_lock(&j->lock);
        client->executing--;
        journal_answer(j, call);
    }
    pthread_mutex_unlock(&j->lock);
    return NULL;
}

/* Opens and closes the journal; its clients: calls go to the threads, answers come back by an
 * eventfd. */
#include <pointsman/journal.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <pointsman/clock.h>

#include "journal_int.h"
#include "journal_row.h"

const char *const row_state_names[ROW_STATES] = {
    [ROW_QUEUED] = "queued", [ROW_SENDING] = "sending", [ROW_PARKED] = "parked",
    [ROW_DEAD] = "dead",     [ROW_DONE] = "done",
};

const char *const row_reason_names[ROW_REASONS] = {
    [REASON_NONE] = "none",         [REASON_ACCEPTED] = "accepted", [REASON_STORE] = "store",
    [REASON_BUSY] = "busy",         [REASON_BREAKER] = "breaker",   [REASON_UNSENT] = "unsent",
    [REASON_NOT_DONE] = "not_done", [REASON_REJECTED] = "rejected", [REASON_IN_DOUBT] = "in_doubt",
    [REASON_OPERATOR] = "operator", [REASON_SOURCE] = "source",     [REASON_DAMAGED] = "damaged",
};

const char *const journal_result_names[JOURNAL_RESULTS] = {
    [JOURNAL_OK] = "ok",         [JOURNAL_EXISTS] = "exists", [JOURNAL_STALE] = "stale",
    [JOURNAL_ABSENT] = "absent", [JOURNAL_FULL] = "full",     [JOURNAL_FAILED] = "failed",
};

/* ---- the journal ---- */

static void init(struct journal *j) {
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&j->lock, NULL);
    pthread_cond_init(&j->work, &monotonic);
    pthread_cond_init(&j->asked, NULL);
    pthread_cond_init(&j->executed, NULL);
    pthread_condattr_destroy(&monotonic);
    calls_init(&j->queue);
    calls_init(&j->takes);
    calls_init(&j->hastens);
    calls_init(&j->reads);
    j->clock_ahead_us = INT64_MAX; /* the first tick looks at all due times */
    journal_reads_init(&j->reading, j->path);
}

static bool start(struct journal *j, struct err *err) {
    int rc = pthread_create(&j->writer, NULL, journal_writer_main, j);
    j->writer_runs = rc == 0;
    if (j->writer_runs) {
        rc = pthread_create(&j->reader, NULL, journal_reader_main, j);
        j->reader_runs = rc == 0;
    }
    if (rc != 0)
        err_set(err, "no thread for the journal: %s", strerror(rc));
    return rc == 0;
}

struct journal *journal_open(const struct conf *conf, struct err *err) {
    struct journal *j = calloc(1, sizeof(*j));
    if (!j) {
        err_set(err, "no memory for the journal");
        return NULL;
    }
    init(j);
    journal_reload(j, conf);
    int dir = snprintf(j->directory, sizeof(j->directory), "%s", conf->directory);
    int file = snprintf(j->path, sizeof(j->path), "%s/journal.db", conf->directory);
    if (dir >= (int)sizeof(j->directory) || file >= (int)sizeof(j->path)) {
        err_set(err, "store.directory is too long: %s", conf->directory);
        goto failed;
    }
    if (!journal_file_open(j, err))
        goto failed;
    journal_tell_state(j);
    if (!start(j, err))
        goto failed;
    return j;
failed:
    journal_close(j);
    return NULL;
}

void journal_close(struct journal *j) {
    if (!j)
        return;
    pthread_mutex_lock(&j->lock);
    j->stop = true;
    pthread_cond_signal(&j->work);
    pthread_cond_signal(&j->asked);
    pthread_mutex_unlock(&j->lock);
    if (j->writer_runs)
        pthread_join(j->writer, NULL);
    if (j->reader_runs)
        pthread_join(j->reader, NULL);
    journal_file_close(j);
    journal_reads_free(&j->reading);
    hand_free(&j->w.hand);
    hand_free(&j->w.unsure);
    pack_free(&j->w.pack);
    pthread_cond_destroy(&j->executed);
    pthread_cond_destroy(&j->asked);
    pthread_cond_destroy(&j->work);
    pthread_mutex_destroy(&j->lock);
    free(j);
}

void journal_reload(struct journal *j, const struct conf *conf) {
    pthread_mutex_lock(&j->lock);
    j->max_bytes = conf->journal_max_bytes;
    j->keep_ms = conf->journal_keep_ms;
    j->state.max_bytes = conf->journal_max_bytes;
    pthread_mutex_unlock(&j->lock);
}

void journal_state(struct journal *j, struct journal_state *ret) {
    pthread_mutex_lock(&j->lock);
    *ret = j->state;
    pthread_mutex_unlock(&j->lock);
}

/* ---- clients ---- */

static void deliver(struct calls *calls) {
    struct journal_call *call;
    while ((call = calls_take(calls)) != NULL)
        call->done(call);
}

static void take_answers(struct journal_client *client, struct calls *ret) {
    pthread_mutex_lock(&client->journal->lock);
    *ret = client->answered;
    if (!ret->first)
        calls_init(ret);
    calls_init(&client->answered);
    pthread_mutex_unlock(&client->journal->lock);
}

static void ready(void *arg, int what) {
    struct journal_client *client = arg;
    struct calls answers;
    uint64_t count;
    (void)what;
    (void)!read(client->fd, &count, sizeof(count));
    take_answers(client, &answers);
    deliver(&answers);
}

/* The calls of a turn go to the writer together: one that had to be begun for the first would sync
 * that alone. */
static void hand_on(void *arg) {
    struct journal_client *client = arg;
    struct journal *j = client->journal;
    pthread_mutex_lock(&j->lock);
    if (!j->queue.first)
        pthread_cond_signal(&j->work);
    *j->queue.end = client->submitted.first;
    j->queue.end = client->submitted.end;
    pthread_mutex_unlock(&j->lock);
    calls_init(&client->submitted);
}

struct journal_client *journal_client_new(struct journal *j, struct loop *loop) {
    struct journal_client *client = calloc(1, sizeof(*client));
    if (!client)
        return NULL;
    client->journal = j;
    calls_init(&client->submitted);
    calls_init(&client->answered);
    task_init(&client->hand_on, hand_on, client);
    client->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (client->fd < 0) {
        free(client);
        return NULL;
    }
    watch_init(&client->watch, loop, client->fd, ready, client);
    if (!watch_set(&client->watch, WATCH_READ)) {
        watch_stop(&client->watch);
        close(client->fd);
        free(client);
        return NULL;
    }
    return client;
}

/* Moves this client's calls from one list to another. */
static void pick(const struct journal_client *client, struct calls *from, struct calls *ret) {
    struct calls kept;
    struct journal_call *call;
    calls_init(&kept);
    while ((call = calls_take(from)) != NULL)
        calls_add(call->own == client ? ret : &kept, call);
    calls_init(from);
    while ((call = calls_take(&kept)) != NULL)
        calls_add(from, call);
}

void journal_client_free(struct journal_client *client) {
    if (!client)
        return;
    struct journal *j = client->journal;
    struct calls dropped, answers;
    task_cancel(client->watch.loop, &client->hand_on);
    calls_init(&dropped);
    pthread_mutex_lock(&j->lock);
    pick(client, &j->queue, &dropped);
    pick(client, &j->reads, &dropped);
    while (client->executing)
        pthread_cond_wait(&j->executed, &j->lock);
    pick(client, &j->takes, &dropped);
    pick(client, &j->hastens, &dropped);
    pthread_mutex_unlock(&j->lock);
    pick(client, &client->submitted, &dropped);
    take_answers(client, &answers);
    watch_stop(&client->watch);
    close(client->fd);
    deliver(&answers);
    for (struct journal_call *call = dropped.first; call; call = call->next)
        call->result = JOURNAL_FAILED;
    deliver(&dropped);
    free(client);
}

/* ---- calls ---- */

static void submit(struct journal_client *client, struct journal_call *call,
                   enum journal_kind kind) {
    call->kind = kind;
    call->own = client;
    calls_add(&client->submitted, call);
    task_later(client->watch.loop, &client->hand_on);
}

static void ask(struct journal_client *client, struct journal_call *call, enum journal_kind kind) {
    struct journal *j = client->journal;
    call->kind = kind;
    call->own = client;
    pthread_mutex_lock(&j->lock);
    if (!j->reads.first)
        pthread_cond_signal(&j->asked);
    calls_add(&j->reads, call);
    pthread_mutex_unlock(&j->lock);
}

void journal_put(struct journal_client *client, struct journal_put *call) {
    submit(client, &call->call, JOURNAL_PUT);
}

void journal_move(struct journal_client *client, struct journal_move *call) {
    submit(client, &call->call, JOURNAL_MOVE);
}

void journal_take(struct journal_client *client, struct journal_take *call) {
    call->ret_rows = NULL;
    pthread_mutex_lock(&client->journal->lock);
    client->nudged = false;
    pthread_mutex_unlock(&client->journal->lock);
    submit(client, &call->call, JOURNAL_TAKE);
}

void journal_nudge(struct journal_client *client) {
    struct journal *j = client->journal;
    pthread_mutex_lock(&j->lock);
    client->nudged = true;
    j->woken = true;
    pthread_cond_signal(&j->work);
    pthread_mutex_unlock(&j->lock);
}

void journal_sending(struct journal_client *client, struct journal_sending *call) {
    call->ret_rows = NULL;
    submit(client, &call->call, JOURNAL_SENDING);
}

void journal_hasten(struct journal_client *client, struct journal_hasten *call) {
    submit(client, &call->call, JOURNAL_HASTEN);
}

void journal_settle(struct journal_client *client, struct journal_settle *call) {
    submit(client, &call->call, JOURNAL_SETTLE);
}

void journal_list(struct journal_client *client, struct journal_list *call) {
    call->ret_rows = NULL;
    call->ret_matching = 0;
    ask(client, &call->call, JOURNAL_LIST);
}

void journal_look(struct journal_client *client, struct journal_look *call) {
    call->ret_row = NULL;
    ask(client, &call->call, JOURNAL_LOOK);
}

void journal_turn(struct journal_client *client, struct journal_turn *call) {
    submit(client, &call->call, JOURNAL_TURN);
}

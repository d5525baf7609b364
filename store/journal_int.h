/* The journal's insides: its threads, queues, clients. Layer: store. */
#ifndef POINTSMAN_STORE_JOURNAL_INT_H
#define POINTSMAN_STORE_JOURNAL_INT_H

#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <pointsman/journal.h>

#include "journal_read.h"
#include "journal_take.h"
#include "journal_work.h"

struct calls {
    struct journal_call *first;
    struct journal_call **end;
};
void calls_init(struct calls *l);
void calls_add(struct calls *l, struct journal_call *call);
struct journal_call *calls_take(struct calls *l);

#define SUSPECTS_MAX 16

struct journal {
    char directory[PATH_MAX];
    char path[PATH_MAX]; /* of the file */
    pthread_t writer;
    pthread_t reader;
    bool writer_runs;
    bool reader_runs;

    pthread_mutex_t lock;
    /* under the lock: */
    pthread_cond_t work;     /* for the writer */
    pthread_cond_t asked;    /* for the reader */
    pthread_cond_t executed; /* for clients that end */
    struct calls queue;
    struct calls takes;   /* open */
    struct calls hastens; /* the first may be under way */
    struct calls reads;
    bool stop;
    bool woken;                      /* the writer has something to look at that is no call */
    bool read_damaged;               /* the reader found the file damaged */
    uint64_t suspects[SUSPECTS_MAX]; /* rows whose payload it found damaged */
    unsigned suspect_count;
    uint64_t max_bytes;
    uint64_t keep_ms;
    struct journal_state state;

    struct journal_reads reading;

    /* the writer's own: */
    bool live; /* from its start on: what is SENDING and in nobody's hand was forgotten, not left */
    struct journal_work w;
    struct journal_walk walk;
    bool walking;
    unsigned walk_rounds;               /* in which the piece failed */
    const struct journal_call *walk_of; /* NULL: the journal's own */
    uint64_t look_us;                   /* when open takes look again, monotonic, as all below */
    uint64_t tick_us;
    uint64_t called_us;     /* the last call */
    int64_t clock_ahead_us; /* of the wall clock; when it shrinks, that clock went back */
    bool shrinking;
    uint64_t shrink_us; /* not before then */
    char problem[160];
    bool failing;   /* until it has worked for a while */
    uint64_t up_us; /* when the file is, or was, tried again */
    uint64_t backoff_us;
    uint64_t salvaged_us; /* 0: never */
};

struct journal_client {
    struct journal *journal;
    struct watch watch;
    int fd;                 /* eventfd: there are answers */
    struct calls submitted; /* in this turn; the client's thread's own */
    struct task hand_on;
    /* under the journal's lock: */
    struct calls answered;
    unsigned executing;
    bool nudged;
};

/* Under the lock: hands the call back to its client. */
void journal_answer(struct journal *j, struct journal_call *call);

/* What journal_state answers from then on. The writer's thread, or before it runs. */
void journal_tell_state(struct journal *j);

void *journal_writer_main(void *arg);
void *journal_reader_main(void *arg);

/* ---- when the file or the disk fails (journal_remedy.c) ---- */

enum journal_remedy {
    REMEDY_NONE = 0, /* of one call: each by itself */
    REMEDY_AGAIN,    /* something was done about it */
    REMEDY_DOWN      /* the file is closed */
};
/* Rolls back, and does what w.sql->trouble asks for. */
enum journal_remedy journal_remedy(struct journal *j);
/* Opens the file: at the start, and after it was closed. */
MUST_CHECK bool journal_file_open(struct journal *j, struct err *err);
void journal_file_close(struct journal *j);
/* The file is closed: tries it when its time has come. */
void journal_file_retry(struct journal *j);
/* Says so once it has not failed for a while. */
void journal_works(struct journal *j);
/* What the reader found about the file. */
void journal_read_trouble(struct journal *j);
/* Looks whether the ballast is there. */
void journal_room_look(struct journal *j);

/* ---- what is done between calls (journal_tidy.c) ---- */

void journal_tidy(struct journal *j);

#endif

/* The journal: events pointsman has taken on itself, on this instance's disk. One SQLite file, one
 * writer thread, group commit; `done` of a change runs after its fsync. Layer: store.
 *
 * A row is one event, unique by (source, id). Rows are changed under a version: who took a row (or
 * put it) holds its `ver`; a change with an older one is STALE and writes nothing, so that of two
 * who believe to hold an event only the last writer goes on. Rows "in hand" (taken, or put with
 * in_hand) are known in memory only: after a crash nothing is in hand.
 *
 * A client belongs to one thread. A call struct is the journal's from submit until `done` runs, on
 * that thread, exactly once, never from inside submit. */
#ifndef POINTSMAN_JOURNAL_H
#define POINTSMAN_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pointsman/blob.h>
#include <pointsman/compiler.h>
#include <pointsman/conf.h>
#include <pointsman/digest.h>
#include <pointsman/domain.h>
#include <pointsman/err.h>
#include <pointsman/loop.h>
#include <pointsman/slice.h>

struct journal;
struct journal_client;

enum row_state {
    ROW_QUEUED = 0, /* to be delivered, not before `due` */
    ROW_SENDING,    /* an attempt runs, or ran when the process ended */
    ROW_PARKED,     /* in doubt: waits for a decision */
    ROW_DEAD,       /* given up: waits for a decision */
    ROW_DONE,       /* delivered or settled; kept journal.keep long, dropped first for room */
    ROW_STATES
};
extern const char *const row_state_names[ROW_STATES]; /* queued sending parked dead done */

enum row_reason {
    REASON_NONE = 0,
    REASON_ACCEPTED, /* reply: accepted, order: entity, or the deadline came */
    REASON_STORE,    /* the store was away */
    REASON_BUSY,     /* the entity is open at the other side */
    REASON_BREAKER,  /* the backend's breaker is open, or max_in_flight reached */
    REASON_UNSENT,
    REASON_NOT_DONE,
    REASON_REJECTED,
    REASON_IN_DOUBT,
    REASON_OPERATOR, /* replayed or resolved by hand */
    REASON_SOURCE,   /* the configuration no longer has its source */
    REASON_DAMAGED,  /* head or body differ from their digest: never delivered */
    ROW_REASONS
};
extern const char *const row_reason_names[ROW_REASONS];

#define ROW_ANSWER_MAX (16 * 1024) /* bytes kept of the backend's last answer's body */
#define ROW_LIST_MAX   1000

enum journal_result {
    JOURNAL_OK = 0,
    JOURNAL_EXISTS, /* put: the event is on disk already: ret_state; nothing but a parked row's
                       payload was written. turn: new_id is */
    JOURNAL_STALE,  /* move: another changed the row since; turn: another state, or in hand */
    JOURNAL_ABSENT, /* no such row */
    JOURNAL_FULL, /* put, TURN_COPY: max_bytes reached, or the disk is full; nothing was written */
    JOURNAL_FAILED, /* the disk failed; nothing can be said of the row until the next start */
    JOURNAL_RESULTS
};
extern const char *const journal_result_names[JOURNAL_RESULTS];

struct journal_call { /* first member of every call */
    void (*done)(struct journal_call *call);
    void *arg;
    enum journal_result result;
    /* the journal's own while the call is open */
    struct journal_call *next;
    unsigned kind;
    void *own;
};

/* Opens or makes <directory>/journal.db (the caller holds the directory's lock), resumes what is
 * on disk: a damaged file is set aside as journal-damaged-<n>.db and what can be read of it is
 * taken over. Rows that are SENDING stay so until journal_sending lists them. */
MUST_CHECK struct journal *journal_open(const struct conf *conf, struct err *err);
void journal_close(struct journal *journal); /* after every client is freed; NULL is allowed */
/* keep and max_bytes may change with a reload; any thread. */
void journal_reload(struct journal *journal, const struct conf *conf);
MUST_CHECK struct journal_client *journal_client_new(struct journal *journal, struct loop *loop);
/* Open calls are answered JOURNAL_FAILED first. */
void journal_client_free(struct journal_client *client); /* NULL is allowed */

/* For status, readiness, metrics; any thread. Counted before journal_open returns. */
struct journal_state {
    bool accepts;              /* puts are taken */
    uint64_t rows[ROW_STATES]; /* SENDING counts what runs now */
    uint64_t bytes, max_bytes; /* of payloads; done rows included */
    uint64_t oldest_wall_us;   /* of the rows queued or sending; 0: none */
    uint64_t damaged;          /* rows or files that could not be read, since the file was made */
    uint64_t commits;          /* and … */
    uint64_t committed;        /* … what they carried: calls */
    char problem[160];         /* for people; empty: none */
};
void journal_state(struct journal *journal, struct journal_state *ret);

/* What is kept of an event. Slices are the caller's and live until done. */
struct journal_event {
    struct slice source, id, type, action, entity, repository, owner, digest;
    uint64_t number;
    bool has_number;
    bool closes;
    struct slice head;   /* header lines as every leg sends them */
    struct slice target; /* path and query */
    struct blob *body;   /* the call holds no reference: the caller does */
};

/* What changes of a row. */
struct journal_mark {
    enum row_state state;
    enum row_reason reason;
    enum side side;     /* where it goes or was; SIDE_NONE: not decided */
    struct token token; /* of SENDING */
    uint32_t attempt;   /* the store's number of the last attempt */
    uint64_t fence;
    uint32_t tries;       /* attempts that count on the ladder */
    bool retry;           /* the next attempt needs the retry budget */
    uint64_t due_wall_us; /* of QUEUED; 0: now */
    uint16_t status;      /* of the last answer; 0: none */
    struct slice answer;  /* its body, cut at ROW_ANSWER_MAX; absent: what is kept stays */
    uint64_t sticky_ms;   /* of SENDING, for the settlement after a crash */
};

/* Puts an event on disk. `mine`: the caller holds, or just held, the event's claim: whatever row
 * is there is replaced. Otherwise a row QUEUED or SENDING stays as it is (EXISTS), a PARKED one
 * gets this payload (EXISTS), DEAD and DONE are replaced. A replaced row that was not over keeps
 * its number, its place in line, and its `tries` where the mark's are lower; for one that was DEAD
 * or DONE all begins anew. */
struct journal_put {
    struct journal_call call;
    struct journal_event event;
    struct journal_mark mark;
    bool mine;
    bool in_hand; /* stays with the caller: take does not give it out */
    bool ordered; /* is in line behind earlier ordered rows of its source and entity */

    uint64_t ret_seq, ret_ver; /* OK */
    enum row_state ret_state;  /* EXISTS: of the row that is there */
    bool ret_first;            /* OK: nothing ordered is QUEUED or SENDING before it; if not, a
                                  QUEUED row is not in hand: it is taken in its turn */
};
void journal_put(struct journal_client *client, struct journal_put *call);

/* Changes a row the caller holds. `keep_hand`: it stays in hand (QUEUED and SENDING only), else it
 * leaves it. Also fits on a full disk. `gone`: the row is removed whatever the mark says. After one
 * that FAILED the holder may repeat it, or ask for another change under the same version, whether
 * it is on disk or not. */
struct journal_move {
    struct journal_call call;
    uint64_t seq, ver;
    struct journal_mark mark;
    bool keep_hand;
    bool gone;
    uint64_t ret_ver; /* OK, and the row is there still */
};
void journal_move(struct journal_client *client, struct journal_move *call);

/* A row with its payload; the taker's to free. Text is NUL-terminated. */
struct journal_row {
    struct journal_row *next;
    uint64_t seq, ver;
    struct journal_event event; /* slices point into the row; body is the row's reference */
    struct journal_mark mark;   /* answer is absent in takes */
    uint64_t at_wall_us;        /* first put */
    uint64_t changed_wall_us;
    bool ordered;
};
void journal_row_free(struct journal_row *row); /* one, not the list */

/* Takes due rows, those never tried first, then by due time; ordered ones only when first. Given
 * are at most 256 rows and about 8 MiB of bodies, and no more than a fair share where other clients
 * have open takes too. A row whose payload is damaged becomes DEAD instead. Stays open until there
 * is at least one, the client is nudged (then there may be none), or freed. One at a time per
 * client. */
struct journal_take {
    struct journal_call call;
    bool sides[SIDES]; /* rows of this side are wanted; those of SIDE_NONE always */
    uint32_t limit;    /* rows, 1.. */
    uint32_t retries;  /* of them at most so many with `retry` */
    struct journal_row *ret_rows;
};
void journal_take(struct journal_client *client, struct journal_take *call);
/* Ends an open take. */
void journal_nudge(struct journal_client *client);

/* At boot, before any take: all rows SENDING, without body, oldest first, at most `limit`, seq
 * above `after`. They are in the caller's hand. */
struct journal_sending {
    struct journal_call call;
    uint64_t after;
    uint32_t limit;
    struct journal_row *ret_rows;
};
void journal_sending(struct journal_client *client, struct journal_sending *call);

/* Every row QUEUED for `side` becomes due now and loses `retry`: the side's events go elsewhere.
 * Done in pieces between other calls. */
struct journal_hasten {
    struct journal_call call;
    enum side side;
};
void journal_hasten(struct journal_client *client, struct journal_hasten *call);

/* A sync delivery of an event that may have a row (a later attempt) was done: the row, if any and
 * not in hand, becomes DONE. OK or ABSENT. */
struct journal_settle {
    struct journal_call call;
    struct slice source, id;
};
void journal_settle(struct journal_client *client, struct journal_settle *call);

/* ---- for operators; read on a connection of their own, never behind the writer's commits ---- */

struct journal_filter { /* absent slices and zeros: anything */
    enum row_state state;
    struct slice source, type, entity;
    enum side side;                    /* SIDE_NONE: any */
    enum row_reason reason;            /* REASON_NONE: any */
    uint64_t from_wall_us, to_wall_us; /* of the last change; to: exclusive, 0: no end */
};
/* The oldest first, seq above `after`; without head, body and answer. */
struct journal_list {
    struct journal_call call;
    struct journal_filter filter;
    uint64_t after;
    uint32_t limit; /* ≤ ROW_LIST_MAX */
    struct journal_row *ret_rows;
    uint64_t ret_matching; /* rows that match, from the start of the list; counted only if asked */
    bool count;
};
void journal_list(struct journal_client *client, struct journal_list *call);

/* One row with everything. Source absent: the first with that id in any source. */
struct journal_look {
    struct journal_call call;
    struct slice source, id;
    struct journal_row *ret_row; /* NULL: ABSENT */
};
void journal_look(struct journal_client *client, struct journal_look *call);

/* The operator's word on a row that is PARKED or DEAD (`from`), or DONE for a copy. QUEUED: due
 * now, tries 0, reason OPERATOR, at `side` (SIDE_NONE: as mode and pin say). DONE: settled. */
enum turn { TURN_QUEUE = 0, TURN_DONE, TURN_DROP, TURN_COPY };
struct journal_turn {
    struct journal_call call;
    struct slice source, id; /* source is needed */
    enum row_state from;
    enum turn turn; /* TURN_COPY: QUEUED under new_id, the old row becomes DONE */
    struct slice new_id;
    enum side side;
};
void journal_turn(struct journal_client *client, struct journal_turn *call);

#endif

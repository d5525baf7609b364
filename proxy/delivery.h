/* One event on its way, from its head to the record of its outcome; it may outlive its sender's
 * connection. Layer: proxy. Belongs to one worker. Freed when the last of conn, legs and open store
 * calls lets go. */
#ifndef POINTSMAN_DELIVERY_H
#define POINTSMAN_DELIVERY_H

#include <stdbool.h>
#include <stdint.h>

#include <pointsman/blob.h>
#include <pointsman/buf.h>
#include <pointsman/http.h>
#include <pointsman/journal.h>
#include <pointsman/router.h>
#include <pointsman/steps.h>
#include <pointsman/store.h>

#include "exchange.h"
#include "row.h"
#include "table.h"

struct attempt;
struct conn;
struct delivery;
struct rules;
struct worker;

enum leg_phase {
    PHASE_NONE = 0,  /* this side has no leg */
    PHASE_RUNNING,   /* the exchange is under way, no outcome yet */
    PHASE_RECORDING, /* the outcome is with the store; the answer's body may still come in */
    PHASE_RECORDED,  /* the store has it, or keeps being asked behind the answer */
};

/* Why an attempt was not let to its backend. */
enum leg_refused { REFUSED_NOT = 0, REFUSED_LIMIT, REFUSED_BREAKER };

struct leg {
    struct delivery *delivery;
    enum leg_phase phase;
    enum side side;
    enum role role;
    struct exchange x;
    struct attempt *slot; /* attempt log; NULL where claims are off */
    struct token token;
    uint32_t attempt;
    uint64_t fence;
    uint64_t until_us; /* of the lease */
    struct timer timeout;
    struct timer lease; /* renew at a third; close before it is over */
    struct timer again; /* finish is repeated until the store has it */
    struct store_finish finish;
    struct store_renew renew;
    bool renewing;
    uint64_t started_us;
    enum outcome outcome;
    uint16_t status;
    enum leg_refused refused; /* of UNSENT */
    enum breaker_pass pass;
    bool lapsed;             /* ended from our side: it says nothing of the backend */
    uint64_t retry_after_ms; /* of NOT_DONE: the backend's wish; 0: none */
    bool given_back;         /* nothing was sent; only the store is still told */
    enum exchange_end ended; /* of IN_DOUBT without a head */
    bool body_over;          /* complete, cut off, or none */
    bool body_whole;
    bool holds;          /* a reference of the delivery */
    uint64_t length;     /* of the answer's body; UINT64_MAX: not known */
    struct buf lines;    /* end-to-end header lines of the answer */
    struct buf answer;   /* its body, as far as it is kept */
    struct buf overflow; /* one piece that no longer fitted while the stream had not begun */
    size_t discarded;
};

/* Memory of buffers that are not in use. */
struct spare_bufs {
    struct buf head;
    struct buf target;
    struct buf request; /* of a leg, as what follows */
    struct buf lines;
    struct buf answer;
};

enum delivery_state {
    DELIVERY_READING = 0, /* the body is coming in */
    DELIVERY_CLAIMING,    /* a claim is with the store */
    DELIVERY_WRITING,     /* the journal must have it before it goes on */
    DELIVERY_WAITING, /* in flight elsewhere, busy or held: it asks again when the timer fires */
    DELIVERY_RUNNING, /* legs are under way */
    DELIVERY_OVER     /* decided and told; references may be left */
};

struct delivery {
    enum delivery_state state;
    int refs;
    struct task reap;
    LIST_ENTRY(delivery) entry;
    STAILQ_ENTRY(delivery) unverified; /* of its worker, from the last byte to the turn's end */
    struct worker *worker;
    struct rules *rules;
    const struct conf_source *source;
    unsigned source_index;
    struct conn *conn; /* NULL: answered, or the sender has gone */
    struct row *row;   /* in the journal; NULL: never was */
    bool answered;
    bool resumed; /* from the journal; its sender was answered before */
    bool near;    /* the sender's deadline is near: what can be put on disk is */
    bool settled; /* what becomes of the event after its owner's attempt is decided */
    bool streaming;
    bool logged;
    enum answer answer;
    enum answer otherwise; /* if the journal does not take it */
    unsigned answer_status;

    /* parse */
    struct buf
        head; /* what every leg sends: header lines; method, target and our own are added per leg */
    struct buf target;
    struct blob *body;
    uint64_t charged;             /* of limits.in_flight */
    struct slice signature;       /* into head */
    struct event_headers headers; /* into head */
    bool two_signatures;
    enum verify verdict;
    bool ambiguous; /* one of the other headers stood twice */

    /* identify, decide */
    struct identity id;
    struct control control;
    struct decision decision;
    char why[160];
    char digest[32]; /* of the body; empty until flow_digest was asked for it */

    /* claim */
    struct store_claim claim;
    struct token token;
    struct attempt *slots[ROLES];
    uint64_t waiting_since_us;
    unsigned waits;
    struct timer wait;
    struct timer deadline;
    enum store_result claimed;
    enum side owner; /* SIDE_NONE until the claim is granted */
    struct leg legs[SIDES];

    uint64_t at_us[STEP_COUNT]; /* when each step ended; 0: it did not */
    uint64_t began_us;

    struct spare_bufs spare; /* stays from one event to the next */
};

/* From the connection, once the head is there: finds the source, checks what the head shows. NULL:
 * the connection was answered. The caller reads the body into ->body (capacity is there for a known
 * length). */
struct delivery *delivery_new(struct conn *c, const struct http_head *head);
/* Counts `bytes` of the body against limits.in_flight, in place of what was counted. False: over
 * the limit. */
MUST_CHECK bool delivery_charge(struct delivery *d, uint64_t bytes);
/* How long before the sender's deadline it counts as near. */
uint64_t delivery_near_us(const struct delivery *d);
/* `since_us`, of the loop's clock: when the sender began to wait. */
void delivery_set_deadline(struct delivery *d, uint64_t since_us);
/* The body is complete: verified at the end of the turn, then delivery_run. */
void delivery_complete(struct delivery *d);
void delivery_run(struct delivery *d);
/* The connection is gone or was answered for; before the body was complete this ends the event. */
void delivery_detach(struct delivery *d);
void delivery_drained(struct delivery *d);
/* The worker ends: what is under way is dropped; connections, store client and loop are done with
 * it. */
void delivery_discard_all(struct worker *w);

/* ---- among the files of the flow ---- */

struct delivery *delivery_hold(struct delivery *d);
void delivery_drop(struct delivery *d);
void delivery_step(struct delivery *d, enum step step);
/* An event of the journal goes on its way again; takes over nothing of the row. NULL: no memory. */
struct delivery *delivery_resume(struct worker *w, const struct conf_source *source,
                                 const struct journal_row *row);

/* flow_claim.c */
void claim_start(struct delivery *d);
void claim_again(void *delivery);    /* the wait is over */
void claim_near(struct delivery *d); /* the sender's deadline is near while claiming or waiting */
void claim_deadline(struct delivery *d); /* it came */
/* What was granted and is not used. */
void claim_give_back(struct delivery *d);

/* flow_row.c: the event and the journal */
/* order: entity. Goes on with the claim in its turn. */
void row_get_in_line(struct delivery *d);
/* Granted. True: the row "sending" is being written, flow_granted follows. */
MUST_CHECK bool row_before_sending(struct delivery *d);
/* Whether the event may go to disk where a claim ended with `why`. */
bool row_may_queue(const struct delivery *d, enum store_result why);
/* It does, and the sender is told; or `otherwise` where the journal does not take it. */
void row_queue(struct delivery *d, enum row_reason reason, enum answer otherwise);
/* A row of ours goes back into the queue for about so long. */
void row_wait(struct delivery *d, uint64_t ms, enum row_reason reason);
void row_doubt(struct delivery *d);       /* the claim was answered "in doubt" */
void row_at_deadline(struct delivery *d); /* it is near, and the attempt runs or is about to */
void row_done(struct delivery *d, const struct leg *leg);
/* Whether the owner's outcome is the journal's matter; then row_end, which answers the sender
 * unless that was done. */
bool row_takes(const struct delivery *d, const struct leg *leg);
void row_end(struct delivery *d, struct leg *leg);

/* leg.c: one attempt at one side. What the claim granted stands in d->claim. */
void leg_start(struct delivery *d, enum side side, enum role role, struct attempt *slot);
/* Gives back a claim that was, or may have been, granted: nothing is sent. */
void leg_give_back(struct delivery *d, enum side side, enum role role, struct attempt *slot);
/* Ends the attempt from our side: what was not sent is unsent, all else is in doubt. */
void leg_cut(struct leg *leg);
/* The store is told that the event is on disk here. */
void leg_on_disk(struct leg *leg);
void leg_free(struct leg *leg);

/* flow.c: what follows from what legs and claims report */
void flow_granted(struct delivery *d);
void flow_deadline(struct delivery *d); /* the sender is about to hang up */
/* Tells two bodies under one id apart when a person asks: a part of the signature that was checked,
 * else a hash. */
struct slice flow_digest(struct delivery *d);
void flow_decide(struct delivery *d); /* by mode and percentage of now, and the row's side */
void flow_reply(struct delivery *d);  /* with what the owner answered */
uint64_t flow_sticky_ms(const struct delivery *d);
void flow_leg_recorded(struct leg *leg);
void flow_leg_body(struct leg *leg, struct slice piece); /* a piece of the answer's body */
void flow_leg_body_over(struct leg *leg);

/* The connection, taken from the event for its one answer; NULL: nobody listens. */
struct conn *delivery_take_conn(struct delivery *d);

/* answer.c: what the sender is told; once */
/* The id as far as it is known and fit for a header, also of what is refused; "-" otherwise. */
struct slice answer_event(const struct delivery *d);
void answer_problem(struct delivery *d, enum answer answer, const char *detail);
void answer_status(struct delivery *d,
                   enum answer answer); /* ignored, duplicate, in_progress, in_doubt */
/* 202: it is on disk: accepted, queued, in_progress, in_doubt */
void answer_accepted(struct delivery *d, enum answer answer);
void answer_backend(struct delivery *d, struct leg *leg); /* as far as it is there */
void answer_stream(struct delivery *d, struct leg *leg);  /* what is there, the rest follows */
void answer_summary(struct delivery *d);
/* Before there is a delivery. status 0: the table's. `close`: the request was not read to its end.
 */
void answer_early(struct conn *c, enum answer answer, unsigned status, const char *detail,
                  bool close);

/* 503 to a request that is not read: too much is in flight. `event`: as the head names it. */
void answer_unread(struct conn *c, struct slice event, const char *detail, bool close);

/* forward.c: the request a backend gets */
MUST_CHECK bool forward_keep(struct delivery *d, const struct http_head *head, const char *peer);
MUST_CHECK bool forward_head(struct leg *leg);

/* decision_log.c */
void log_decision(struct delivery *d);
void log_leg(struct leg *leg);

#endif

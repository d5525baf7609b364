/* The gate of a worker: how many requests it begins in a turn, who waits, who is refused because it
 * has more than it can do. Layer: proxy. The worker's own thread. */
#ifndef POINTSMAN_GATE_H
#define POINTSMAN_GATE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include <pointsman/loop.h>

#include "admission.h"

struct conn;
struct http_head;
struct worker;

struct gate {
    struct worker *worker;
    struct admission admission;
    uint64_t turn_us; /* whose turn the counts are of */
    unsigned taken, refused;
    unsigned waiting;
    unsigned asked;                     /* claims the store has not answered */
    TAILQ_HEAD(gate_queue, conn) queue; /* the oldest first; they read nothing */
    struct task let_in;
    struct timer patience;      /* while the store is full: the first has waited for long enough */
    struct timer calm;          /* while it sheds: looks whether it still does */
    uint64_t shed, shed_before; /* refused in all, and up to the last look */
    uint64_t shed_from;         /* up to when it began */
};

void gate_init(struct gate *g, struct worker *w);
/* Its connections are closed, its loop has ended. */
void gate_clear(struct gate *g);
/* A connection between two requests has something to read. False: it waits in the queue and reads
 * nothing until conn_let_in. True may also mean that the request is to be refused (c->refuse). */
bool gate_lets_in(struct gate *g, struct conn *c);
/* Answers the request that was let in for it. The rest of it may be left to be thrown away. */
void gate_refuse(struct conn *c, const struct http_head *head);
/* The store is asked for a claim; it has answered one, which may let somebody in. */
void gate_claim_asked(struct gate *g);
void gate_claim_answered(struct gate *g);
/* A waiting connection is closed. */
void gate_leave(struct gate *g, struct conn *c);
/* Senders' requests wait here: what can wait elsewhere should. */
bool gate_is_busy(const struct gate *g);

#endif

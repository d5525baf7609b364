/* How a sender's connection is written to, and what the two halves of it share. Layer: proxy. */
#ifndef POINTSMAN_CONN_WRITE_H
#define POINTSMAN_CONN_WRITE_H

#include "conn.h"

/* One head of at most limits.headers, the kept part of an answer, and some pieces. */
#define CONN_OUT_MAX (2 * 1024 * 1024)

/* The one place where the state changes; sets the state's time-out. */
void conn_enter(struct conn *c, enum conn_state state);
/* False: no memory, the connection is closed. */
bool conn_watch(struct conn *c);
/* The reply is out: the rest of a request that was not read, or the next one. */
void conn_next(struct conn *c);
/* "100 Continue". */
void conn_continue(struct conn *c);
/* Writes what is held; goes on to what follows when all is out. */
void conn_flush(struct conn *c);

#endif

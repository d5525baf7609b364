/* Copies a WAL into its file on a thread of its own: the writer goes on meanwhile, and does itself
 * no more than what is left when the thread has nearly caught up with it (a WAL begins anew only
 * where all of it was copied). SQLite by itself stops the writer for all of it.
 * Lives as long as the writer's connection is open. Layer: store. */
#ifndef POINTSMAN_STORE_CHECKPOINTER_H
#define POINTSMAN_STORE_CHECKPOINTER_H

#include <sqlite3.h>

#include <pointsman/compiler.h>

struct checkpointer;

/* Of the file at `path`, which `writer` has open in WAL mode; both are borrowed. It begins at the
 * writer's wal_autocheckpoint, in pages. `chunk`: the file grows by so many bytes, as the writer
 * asked for by SQLITE_FCNTL_CHUNK_SIZE; 0: by what is needed. NULL: no memory or thread; the writer
 * then copies by itself, as SQLite does. The functions belong to the writer's thread. */
struct checkpointer *checkpointer_new(sqlite3 *writer, const char *path, int chunk);
/* Waits for what is being copied. Before the writer's connection is closed. NULL is allowed. */
void checkpointer_free(struct checkpointer *c);

/* Takes over again after a PRAGMA wal_autocheckpoint, which makes the writer copy by itself. NULL
 * is allowed. */
void checkpointer_watch(struct checkpointer *c);

/* sqlite3_wal_checkpoint_v2 in the caller's thread, outside a transaction, once nothing is being
 * copied: SQLite answers "busy" where two try. `c` may be NULL. Returns SQLite's code. */
MUST_CHECK int checkpointer_run(struct checkpointer *c, sqlite3 *writer, int mode);

#endif

/* Copies a WAL into its file on a thread of its own: the writer goes on meanwhile, and does itself
 * no more than what is left when the thread has nearly caught up with it (a WAL begins anew only
 * where all of it was copied). SQLite by itself stops the writer for all of it.
 *
 * For the only connection that writes the file, as long as it is open. Its owner must be able to
 * close and open it again: once a copy could not be written or synced, nothing is copied any more,
 * as SQLite takes pages for copied that the kernel may have dropped. All of it is in the WAL still,
 * and goes into the file anew when the file is opened by nobody else. Layer: store. */
#ifndef POINTSMAN_STORE_CHECKPOINTER_H
#define POINTSMAN_STORE_CHECKPOINTER_H

#include <stdbool.h>

#include <sqlite3.h>

#include <pointsman/compiler.h>

struct checkpointer;

/* Of the file at `path`, which `writer` has open in WAL mode and borrows. It begins at the writer's
 * wal_autocheckpoint, in pages. `chunk`: the file grows by so many bytes, as the writer asked for
 * by SQLITE_FCNTL_CHUNK_SIZE; 0: by what is needed. NULL: no memory or thread; the writer then
 * copies by itself, as SQLite does. The functions belong to the writer's thread. */
struct checkpointer *checkpointer_new(sqlite3 *writer, const char *path, int chunk);
/* Waits for what is being copied. Right before the writer's connection is closed, which after a
 * failure leaves the WAL as it is. NULL is allowed. */
void checkpointer_free(struct checkpointer *c);

/* Copies or syncs failed: the file is to be closed and opened again. NULL: false. */
bool checkpointer_failed(const struct checkpointer *c);

/* From then on the writer copies by itself, whatever is over `pages`; 0: no longer. */
void checkpointer_keep_small(struct checkpointer *c, int pages);

/* sqlite3_wal_checkpoint_v2 in the caller's thread, outside a transaction, once nothing is being
 * copied: SQLite answers "busy" where two try. `c` may be NULL. Returns SQLite's code. */
MUST_CHECK int checkpointer_run(struct checkpointer *c, sqlite3 *writer, int mode);

#endif

/* Opens the SQLite files this process writes. Layer: store. */
#ifndef POINTSMAN_STORE_SQLITE_OPEN_H
#define POINTSMAN_STORE_SQLITE_OPEN_H

#include <sqlite3.h>

#include <pointsman/compiler.h>

/* For reading and writing, made if absent; for one thread at a time. An SQLite result code, and as
 * sqlite3_open_v2 a handle also when it failed. The connection must keep to synchronous=FULL
 * (wal_vfs.h). Any thread. */
MUST_CHECK int sqlite_open(const char *path, sqlite3 **ret_db);

#endif

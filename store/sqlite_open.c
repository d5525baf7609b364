/* What holds for all of them: no lock for connections of one thread, none for each allocation. */
#include "sqlite_open.h"

#include <pthread.h>

#include "wal_vfs.h"

/* Statistics of memory, which nobody reads, cost a lock all threads share. Refused where SQLite is
 * in use already: then they are kept. */
static void set_up(void) {
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

int sqlite_open(const char *path, sqlite3 **ret_db) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, set_up);
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    return sqlite3_open_v2(path, ret_db, flags, wal_vfs_name());
}

/* A SQLite VFS whose WALs are written in large pieces: SQLite writes each page and its header by
 * itself. For connections with synchronous=FULL, where nobody looks at what was appended before it
 * is synced, and the only ones that write their file: what a transaction that was rolled back had
 * appended may be written later. Layer: store. */
#ifndef POINTSMAN_STORE_WAL_VFS_H
#define POINTSMAN_STORE_WAL_VFS_H

/* For sqlite3_open_v2, over what is the default VFS at the first call. NULL, which means the
 * default there: SQLite refused it. Any thread. */
const char *wal_vfs_name(void);

#endif

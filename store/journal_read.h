/* The journal's second connection, for operators: it only reads, on a thread of its own. Layer:
 * store. */
#ifndef POINTSMAN_STORE_JOURNAL_READ_H
#define POINTSMAN_STORE_JOURNAL_READ_H

#include <pthread.h>
#include <stdbool.h>

#include <sqlite3.h>

enum read_statement { READ_LIST = 0, READ_COUNT, READ_LOOK, READ_LOOK_ANY, READ_STATEMENTS };
extern const char *const journal_read_texts[READ_STATEMENTS];

struct journal_reads {
    pthread_mutex_t lock; /* held while the connection is in use */
    const char *path;
    bool allowed; /* the file is open */
    sqlite3 *db;  /* opened on demand */
    sqlite3_stmt *statements[READ_STATEMENTS];
};

void journal_reads_init(struct journal_reads *r, const char *path);
void journal_reads_free(struct journal_reads *r);
/* Waits for what is being read. While it is not allowed the file can be exchanged. */
void journal_reads_allow(struct journal_reads *r, bool allowed);

#endif

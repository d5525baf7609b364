/* Reads rows of the journal out of SQLite, and what their payload's digest is. Layer: store. */
#ifndef POINTSMAN_STORE_JOURNAL_ROW_H
#define POINTSMAN_STORE_JOURNAL_ROW_H

#include <stdbool.h>
#include <stdint.h>

#include <sqlite3.h>

#include <pointsman/compiler.h>
#include <pointsman/journal.h>

/* Columns behind ROW_COLUMNS: answer, PAYLOAD_COLUMNS. */
enum { ROW_SLIM = 0, ROW_PAYLOAD = 1, ROW_ANSWER = 2 };

/* NULL: no memory. *ret_sound: the payload, where asked for, is the one that was put. */
MUST_CHECK struct journal_row *journal_row_read(sqlite3_stmt *s, int what, bool *ret_sound);
void journal_rows_free(struct journal_row *rows); /* the list */

/* The body, from PAYLOAD_COLUMNS that begin with column `at`; NULL: no memory. *ret_sound as above:
 * a body that is not may be empty. */
MUST_CHECK struct blob *journal_payload_read(sqlite3_stmt *s, int at, bool *ret_sound);

/* XXH3-64 of the head, its result the seed for the target's, that one's for the body's. */
uint64_t journal_payload_sum(struct slice head, struct slice target, struct slice body);

#endif

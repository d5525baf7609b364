/* The SQLite file of the embedded store: keys with an expiry, and the audit. One thread at a time.
 * Layer: store. */
#ifndef POINTSMAN_STORE_EMBEDDED_SQL_H
#define POINTSMAN_STORE_EMBEDDED_SQL_H

#include <stdbool.h>
#include <stdint.h>

#include <pointsman/buf.h>
#include <pointsman/compiler.h>
#include <pointsman/err.h>
#include <pointsman/slice.h>
#include <pointsman/store.h>

#define SQL_FOREVER INT64_MAX

struct sql;

MUST_CHECK struct sql *sql_open(const char *path, struct err *err);
void sql_close(struct sql *sql); /* NULL is allowed */
const char *sql_problem(struct sql *sql);
bool sql_is_full(struct sql *sql); /* the last failure: the disk has no room */

MUST_CHECK bool sql_begin(struct sql *sql);
MUST_CHECK bool sql_commit(struct sql *sql);
void sql_rollback(struct sql *sql);
/* Outside a transaction. False: not all of it went into the file. */
MUST_CHECK bool sql_empty_wal(struct sql *sql);

/* Absent and expired: *ret_found false. The value replaces what is in out. */
MUST_CHECK bool sql_get(struct sql *sql, struct slice key, uint64_t now_us, struct buf *out,
                        bool *ret_found);
MUST_CHECK bool sql_put(struct sql *sql, struct slice key, struct slice value, int64_t expires_us);
MUST_CHECK bool sql_delete(struct sql *sql, struct slice key);
/* Deletes a bounded number of expired rows. */
MUST_CHECK bool sql_sweep(struct sql *sql, uint64_t now_us);
/* The first key after `after` that begins with prefix, and its value. */
MUST_CHECK bool sql_next(struct sql *sql, struct slice prefix, struct slice after,
                         struct buf *ret_key, struct buf *ret_value, bool *ret_found);
MUST_CHECK bool sql_clear(struct sql *sql);

MUST_CHECK bool sql_audit_last(struct sql *sql, uint64_t *ret_epoch); /* 0: none */
MUST_CHECK bool sql_audit_put(struct sql *sql, uint64_t epoch, uint64_t at_us,
                              const struct store_control_set *call);
MUST_CHECK bool sql_audit_note(struct sql *sql, uint64_t epoch, uint64_t at_us,
                               const struct store_note *call);
MUST_CHECK bool sql_audit_list(struct sql *sql, struct store_audit *call);

#endif

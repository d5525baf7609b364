/* Executes one call on the embedded store's file, inside the batch's transaction. Layer: store. */
#ifndef POINTSMAN_STORE_EMBEDDED_OPS_H
#define POINTSMAN_STORE_EMBEDDED_OPS_H

#include <stdbool.h>
#include <stdint.h>

#include <pointsman/buf.h>
#include <pointsman/compiler.h>
#include <pointsman/store.h>

#include "embedded_sql.h"

struct embedded_ops {
    struct sql *sql;
    uint64_t remember_ms;
    uint64_t now_us; /* of the batch */
    struct buf key;
    struct buf event;
    struct buf entity;
    struct buf out;
};

void embedded_ops_init(struct embedded_ops *ops, struct sql *sql, uint64_t remember_ms);
void embedded_ops_free(struct embedded_ops *ops);

/* False: the file failed, or a record in it is damaged; the transaction must be rolled back. */
MUST_CHECK bool embedded_execute(struct embedded_ops *ops, struct store_call *call);

#endif

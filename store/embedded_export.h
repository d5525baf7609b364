/* The legs in an embedded store's file, page by page, for putting them into Redis. Layer: store. */
#ifndef POINTSMAN_STORE_EMBEDDED_EXPORT_H
#define POINTSMAN_STORE_EMBEDDED_EXPORT_H

#include <stdbool.h>
#include <stddef.h>

#include <pointsman/buf.h>
#include <pointsman/compiler.h>
#include <pointsman/store.h>

#include "embedded_ops.h"
#include "known.h"
#include "record.h"

#define EXPORT_PAGE 1000 /* events */

struct store_export {
    struct store_call call;     /* CALL_EXPORT, CALL_CLEAR */
    char after[RECORD_KEY_MAX]; /* the last event's key of the page before; empty: from the first */
    size_t after_len;
    struct known_copy *ret_list;
    bool ret_more;
};

/* False: the file failed, or there is no memory. */
MUST_CHECK bool embedded_export(struct embedded_ops *ops, struct store_export *call);

#endif

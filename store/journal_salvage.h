/* A damaged file: what can be read of it goes into a new one, the old one is set aside. Layer:
 * store. */
#ifndef POINTSMAN_STORE_JOURNAL_SALVAGE_H
#define POINTSMAN_STORE_JOURNAL_SALVAGE_H

#include <stdbool.h>
#include <stdint.h>

#include <pointsman/compiler.h>
#include <pointsman/err.h>

struct journal_salvaged {
    char aside[32]; /* journal-damaged-<n>.db */
    uint64_t kept;  /* rows taken over */
    uint64_t lost;  /* rows not, or not as they were; at least 1 where that is not known */
};

/* Nobody has the file open. `known`: rows it is known to have held, 0: none is known of. At a crash
 * in between, journal_salvage_finish ends it or undoes it. */
MUST_CHECK bool journal_salvage(const char *directory, uint64_t known, struct journal_salvaged *ret,
                                struct err *err);
/* Before the file is opened for the first time. */
MUST_CHECK bool journal_salvage_finish(const char *directory, struct err *err);

#endif

/* What the backends did: every event's id, per run and side. Layer: bench. */
#ifndef BENCH_LEDGER_H
#define BENCH_LEDGER_H

#include <stddef.h>
#include <stdint.h>

#include <pointsman/buf.h>
#include <pointsman/compiler.h>
#include <pointsman/slice.h>

#define LEDGER_RUN_LEN 8 /* ids begin with the run of the load generator that made them */

enum { LEDGER_LEGACY = 0, LEDGER_NEW, LEDGER_SIDES };

struct ledger_run {
    char name[LEDGER_RUN_LEN + 1];
    uint64_t requests[LEDGER_SIDES]; /* those answered with an error included */
    uint64_t distinct[LEDGER_SIDES]; /* ids done there */
    uint64_t errors;                 /* requests answered with an error: not done */
    uint64_t twice;                  /* ids done more than once at one side */
    uint64_t both;                   /* ids done at both sides */
    uint64_t wrong_side;             /* done where the entity's bucket does not belong */
    uint64_t first_us, last_us;      /* monotonic */
};

struct ledger {
    uint64_t *slots; /* hashes of ids with LEDGER_MARKS bits of what happened; 0: free */
    size_t cap, used;
    struct ledger_run *runs;
    size_t run_count, run_cap;
    int64_t percentage_e4; /* of new, in ten-thousandths; -1: no side is wrong */
};

struct ledger_request {
    int side;
    struct slice id;     /* of the event */
    struct slice entity; /* absent: its side is not judged */
    bool error;          /* answered with one: nothing was done */
};

/* percentage < 0: no side is wrong. Aborts when memory is out, as all of this does. */
void ledger_init(struct ledger *l, double percentage);
void ledger_free(struct ledger *l);
void ledger_note(struct ledger *l, const struct ledger_request *request, uint64_t now_us);
/* NULL: no request of that run came. */
const struct ledger_run *ledger_find(const struct ledger *l, struct slice name);
/* One JSON object: a member for each run. False: the buffer is too small. */
MUST_CHECK bool ledger_write(const struct ledger *l, struct buf *out);

#endif

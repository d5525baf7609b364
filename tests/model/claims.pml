/* The claim protocol for spin: two instances, two events of one entity, one store (README.md).
 *
 * What stands here is store/rules*.c and store/redis_functions.lua (the inlines named after the
 * store's operations) and what proxy/ does with their answers (proctype delivery). Each atomic block
 * is one step: one operation of the store, one commit of the journal, one word to a backend. */

#ifndef TRIES_X
#define TRIES_X 2 /* claims of one delivery that may be granted; then the ladder is at its end */
#endif
#ifndef TRIES_Y
#define TRIES_Y 1
#endif
#ifndef CRASHES
#define CRASHES 1 /* kill -9, over both instances */
#endif
#ifndef WORDS
#define WORDS 1 /* the operator's settle */
#endif

#if defined(STORE_FORGETS) || defined(ALL_UP_FORGETS) || defined(ALL_UP_RESTORED)
#define FORGETS 1
#else
#define FORGETS 0
#endif

/* Where these are dropped the two owners themselves are to be found, not only their fences. */
#if FORGETS || defined(PAUSE_LONGER_THAN_LEASE) || defined(NO_GEN_CHECK)
#define GEN_DROPPED true
#else
#define GEN_DROPPED false
#endif

#define LEGACY  0
#define NEW     1
#define NOWHERE 2

mtype = { absent, in_flight, done, not_done, unsent, in_doubt }    /* enum leg_state, outcome */
mtype = { idle, busy, claiming, granted, sent, finishing, filing } /* of a delivery */
mtype = { none, queued, sending, parked, dead }                    /* enum row_state */

/* ---- the store's records: store/record.h ---- */

typedef leg_record {
    mtype state = absent;
    byte token;
    byte fence;
    bool lapsed; /* until_us has passed */
    bool holding;
    bool settled;
    byte attempt; /* counted where the store may forget: assert compares it */
}
typedef event_record {
    leg_record legs[2];
    byte pin = NOWHERE;
}
event_record ev[2];

/* Of the one entity. lease_us: it cannot have passed while a leg under this gen runs; else it may
 * (take_entity). stick_us: until it passes, or operation release: ends it, a claim goes to the owner,
 * where it may go by the bucket too: a claim that may want either side covers both. */
byte own_side, own_gen, own_open;
byte now; /* the store's clock, as far as gens show it: above all it has given */

/* ---- who delivers: proxy/delivery.h ----
 *
 * 0: event X at instance A, answered by its backend (reply: backend, on_failure: answer); what failed
 * comes again from its sender. 1: event X at instance B, journaled first (reply: accepted). 2: event
 * Y of the same entity at instance A. So X is delivered by both at once, and X and Y meet. */

#define DELIVERIES   3
#define E(d)         ((d) / 2)
#define AT(d)        ((d) % 2)
#define JOURNALED(d) ((d) == 1)
#define TRIES(d)     (E(d) == 0 -> TRIES_X : TRIES_Y)

typedef delivery_state {
    mtype phase = idle;
    mtype outcome = absent; /* of the attempt, from finishing on */
    byte tries;             /* claims that may have been granted; makes the token */
    bit side;
    byte fence, attempt;
    bool over; /* the lease has passed by the holder's clock; known from the record where it stays */
}
delivery_state D[DELIVERIES];
mtype row = none; /* of X in the journal of B */
bool down[2];
bool held[2]; /* greeting a store that forgot: no calls before what is known is put back */
byte forgets;

/* ---- what is judged: nothing below reads these but the promises ---- */

mtype touched[2] = none; /* the event at backends: none, sent (open), in_doubt, done */
bool served;             /* a backend did X */
bool accepted;           /* X's sender was told 202 */
bool word[2];            /* the operator took it on himself */

byte crashes, words;

/* For the length of a step. A breadth-first search, which finds the shortest trail, has no hidden ones. */
#ifdef SHORTEST
#define SCRATCH
#else
#define SCRATCH hidden
#endif
SCRATCH byte s, side, decision;
SCRATCH mtype result;

/* operation control_set: may have put any mode at any time. operation control_get: an instance may be
 * behind it. So a claim may want either side, by an absolute mode or by a bucket (and legacy,
 * absolute, when it falls back); each time it asks it takes one of the four, and every history of
 * modes is among these. decide() */
#define WANT     (decision % 2)
#define ABSOLUTE (decision / 2)
/* The sides are alike in every rule: the first claim of all goes to legacy, without loss. */
#define FIRST    (ev[0].pin == NOWHERE && ev[1].pin == NOWHERE && words == 0)
inline control_get() {
    if
    :: decision = 0
    :: !FIRST -> decision = 1
    :: decision = 2
    :: !FIRST -> decision = 3
    fi
}

/* A trail reads as these lines. */
#define WHO(d)       printf("%c, event %c: ", 65 + AT(d), 88 + E(d))
#define SAY(d, what) WHO(d); printf(what)

#define LEG(e, s)  ev[e].legs[s]
#define RUNS(e, s) (LEG(e, s).state == in_flight && !LEG(e, s).lapsed)
#define TOKEN(d)   ((d) + 1 + 4 * D[d].tries)

#include "rules.pml"

/* ---- the ways of a delivery: proxy/flow_claim.c, leg.c, flow_row.c, queue.c ---- */

inline rest(d) {
    D[d].phase = idle;
    D[d].outcome = absent;
    D[d].side = 0;
    D[d].fence = 0;
    D[d].attempt = 0;
    D[d].over = false
}

/* claim_start(): a new token */
inline claim_start(d) {
    D[d].tries++;
    rest(d);
    D[d].phase = claiming
}

/* Nothing was granted to the token: it may serve once more. */
inline give_up(d) {
    D[d].tries--;
    rest(d)
}

#define OPEN(d, s) (D[d].phase == sent && D[d].side == s)
#define OPEN_AT(s) (OPEN(0, s) || OPEN(1, s) || OPEN(2, s))
inline backend_gets(d) {
    WHO(d); printf("SENDS to %d (0 legacy, 1 new) under fence %d\n", D[d].side, D[d].fence);
    /* Promise 2: nothing twice, and attempts of one event never overlap. */
    assert(touched[E(d)] == none || MAY_REPEAT(E(d)));
    /* Promise 3: one owner. Its fence is the highest there is, so that whoever came later at the other
     * side has a higher one. */
    assert(!OPEN_AT(1 - D[d].side));
    assert(GEN_DROPPED || (D[d].fence == own_gen && D[d].side == own_side));
    touched[E(d)] = sent;
    D[d].fence = (FORGETS -> D[d].fence : 0);
    D[d].phase = sent
}

/* have_outcome(). In doubt counts as an effect: the worst that may be true. */
inline have_outcome(d, what) {
    D[d].outcome = what;
    D[d].phase = finishing;
    WHO(d); printf("the attempt ended: %e\n", what);
    if
    :: what == done || what == in_doubt ->
        touched[E(d)] = what;
        served = served || (what == done && E(d) == 0)
    :: else -> touched[E(d)] = none
    fi
}

#ifdef NO_REQUEUE
#define AGAIN none
#else
#define AGAIN queued
#endif
/* The store has the outcome: what becomes of the event here. */
inline file_it(d) {
    if
    :: JOURNALED(d) ->
        if
        :: D[d].outcome == done -> row = none
        :: D[d].outcome == not_done -> row = dead /* rejected */
        :: D[d].outcome == in_doubt -> row = parked
        :: D[d].outcome == in_doubt -> row = queued /* after a crash: its claim will tell */
        :: D[d].outcome == not_done || D[d].outcome == unsent -> row = AGAIN
        fi;
        rest(d)
    :: !JOURNALED(d) -> rest(d)
    :: !JOURNALED(d) && (D[d].outcome == not_done || D[d].outcome == unsent) && D[d].tries < TRIES(d) ->
        SAY(d, "falls back\n");
        claim_start(d)
    fi
}

#ifdef PAUSE_LONGER_THAN_LEASE
#define LEASED(d) true /* it looked before it stood still */
#elif FORGETS
#define LEASED(d) !D[d].over
#else
#define LEASED(d) (LEG(E(d), D[d].side).token == TOKEN(d) && RUNS(E(d), D[d].side))
#endif

/* HOLD: for two seconds, in which every instance that runs puts back what it knows. */
#define GRANTS ((!held[0] || down[0]) && (!held[1] || down[1]))

/* A redelivery is told so, and nothing changes. */
#define KNOWN(e) (DONE(e) || LEG(e, 0).state == in_doubt || LEG(e, 1).state == in_doubt)

proctype delivery(byte d) {
end:
    do
    /* accept … decide, claim */
    :: atomic { !down[AT(d)] && !JOURNALED(d) && D[d].phase == idle && D[d].tries < TRIES(d) && !KNOWN(E(d)) ->
        SAY(d, "arrives\n");
        claim_start(d) }
    /* reply: accepted, order: entity, when_down: hold: 202 after the fsync (journal_put) */
    :: atomic { !down[AT(d)] && JOURNALED(d) && row == none && !accepted ->
        SAY(d, "arrives, is queued on disk, 202\n");
        accepted = true;
        row = queued }
    /* journal_take, claim */
    :: atomic { !down[AT(d)] && JOURNALED(d) && D[d].phase == idle && row == queued ->
        if
        :: D[d].tries < TRIES(d) ->
            SAY(d, "is taken from the journal\n");
            claim_start(d)
        :: D[d].tries == TRIES(d) -> row = dead
        fi }

    /* claimed() */
    :: atomic { GRANTS && !down[AT(d)] && D[d].phase == claiming ->
        control_get();
        claim(d);
        WHO(d); printf("claim wants %d absolute %d -> %e, side %d\n", WANT, ABSOLUTE, result, side);
        if
        :: result == granted ->
            D[d].side = side;
            D[d].fence = LEG(E(d), side).fence;
            D[d].attempt = LEG(E(d), side).attempt;
            D[d].phase = granted;
            knows(d, in_flight)
        :: result == granted -> SAY(d, "the answer is lost\n") /* asked again under the same token */
        :: result == done || result == in_doubt ->
            if
            :: JOURNALED(d) -> row = (result == done -> none : parked)
            :: else /* duplicate; 504 */
            fi;
            give_up(d)
        :: result == in_flight || result == busy /* waits and asks again */
        :: (result == in_flight || result == busy) && !JOURNALED(d) -> give_up(d) /* 503 */
        fi }
    /* give_back(): no answer in time, granted or not. The side is a guess: the token tells. */
    :: atomic { !down[AT(d)] && D[d].phase == claiming ->
        SAY(d, "gives its claim back\n");
        D[d].outcome = unsent;
        D[d].phase = finishing }

    /* sending(): not without a lease. The row is committed as sending before the first byte
     * (journal_move); killed between the two, the slot still says claimed: as if before both. */
    :: atomic { !down[AT(d)] && D[d].phase == granted && LEASED(d) ->
        row = (JOURNALED(d) -> sending : row);
        backend_gets(d) }
    :: atomic { !down[AT(d)] && D[d].phase == granted -> /* not reached, breaker, lease over */
        SAY(d, "sends nothing\n");
        D[d].outcome = unsent;
        D[d].phase = finishing }

    :: atomic { !down[AT(d)] && D[d].phase == sent ->
        if
        :: have_outcome(d, done)
        :: have_outcome(d, not_done)
        :: have_outcome(d, in_doubt) /* leg_cut(), broken answer, 502 */
        fi }
    /* operation renew: renewed(), somebody else holds it now */
    :: atomic { !down[AT(d)] && !held[AT(d)] && D[d].phase == sent && !RENEWED(d) ->
        SAY(d, "renew: stale\n");
        have_outcome(d, in_doubt) }

    /* record(): repeated until the store has it; then the slot of the attempt log is free, and after
     * that the row moves. */
    :: atomic { !down[AT(d)] && !held[AT(d)] && D[d].phase == finishing ->
        finish(d);
        WHO(d); printf("finish %e -> leg %d is %e, entity open %d\n", D[d].outcome, side,
                       LEG(E(d), side).state, own_open);
        if
        :: true -> SAY(d, "the answer is lost\n")
        :: JOURNALED(d) -> D[d].phase = filing
        :: !JOURNALED(d) -> file_it(d)
        fi }
    :: atomic { !down[AT(d)] && D[d].phase == filing -> file_it(d) }
    od
}

/* The clock passes a lease. Who holds it has closed its connection before, by the same clock; and who
 * waits for the claim's answer gave up before (CLAIM_TIMEOUT_MS < LEASE_MARGIN_MS). */
#define HOLDER(e, s)    ((LEG(e, s).token - 1) % 4)
#define IS(e, s, what)  (D[HOLDER(e, s)].phase == what && LEG(e, s).token == TOKEN(HOLDER(e, s)))
#ifdef PAUSE_LONGER_THAN_LEASE
#define CLOSED(e, s) !IS(e, s, claiming)
#else
#define CLOSED(e, s) (!IS(e, s, claiming) && !IS(e, s, sent))
#endif
inline lapse(e, s) {
    printf("event %c: its lease at %d passes\n", 88 + e, s);
    LEG(e, s).lapsed = true;
    side = HOLDER(e, s);
    D[side].over = FORGETS && (D[side].over || LEG(e, s).token == TOKEN(side))
}
active proctype clock() {
end:
    do
    :: atomic { RUNS(0, 0) && CLOSED(0, 0) -> lapse(0, 0) }
    :: atomic { RUNS(0, 1) && CLOSED(0, 1) -> lapse(0, 1) }
    :: atomic { RUNS(1, 0) && CLOSED(1, 0) -> lapse(1, 0) }
    :: atomic { RUNS(1, 1) && CLOSED(1, 1) -> lapse(1, 1) }
    od
}

/* ---- kill -9 and the next boot: proxy/recover.c, store/attempts.c ---- */

/* The attempt log says what the phase says: claimed, sent, answered. A row that is sending and has no
 * slot was recorded: in doubt, and the store knows better. */
inline killed(d) {
    forget_known(d);
    if
    :: D[d].phase == claiming || D[d].phase == granted -> D[d].outcome = unsent; D[d].phase = finishing
    :: D[d].phase == sent -> have_outcome(d, in_doubt)
    :: D[d].phase == filing && row == sending -> D[d].outcome = in_doubt; D[d].phase = finishing
    :: D[d].phase == filing && row != sending -> rest(d)
    :: else
    fi
}
inline kill_9(i) {
    printf("%c: kill -9\n", 65 + i);
    crashes++;
    down[i] = true;
    held[i] = false
}
active proctype instances() {
end:
    do
    :: atomic { crashes < CRASHES && !down[0] -> kill_9(0); killed(0); killed(2) }
    :: atomic { crashes < CRASHES && !down[1] -> kill_9(1); killed(1) }
    :: atomic { down[0] -> printf("A: boots\n"); down[0] = false }
    :: atomic { down[1] -> printf("B: boots\n"); down[1] = false }
    od
}

inline forget_leg(e, s) {
    rules_lower_open(e, s);
    LEG(e, s).state = absent;
    LEG(e, s).token = 0;
    LEG(e, s).fence = 0;
    LEG(e, s).lapsed = false;
    LEG(e, s).settled = false;
    LEG(e, s).attempt = 0
}

#if FORGETS
#include "forget.pml"
#endif

/* ---- the operator: settle ---- */

inline settle_leg(e, s, what) {
    if
    :: LEG(e, s).state == in_flight || LEG(e, s).state == in_doubt || (LEG(e, s).settled && what == done) ->
        rules_lower_open(e, s);
        LEG(e, s).state = what;
        LEG(e, s).settled = true
    :: else
    fi
}
inline turn_row(e, what) {
    if
    :: e == 0 && row == parked -> row = what
    :: else
    fi
}
/* operation settle: FORGET, RETRY, DONE */
inline settle(e) {
    words++;
    word[e] = true;
    if
    :: touched[e] != sent -> touched[e] = none
    :: else
    fi;
    if
    :: true -> /* FORGET */
        printf("operator: event %c: forget\n", 88 + e);
        forget_leg(e, 0);
        forget_leg(e, 1);
        ev[e].pin = NOWHERE
    :: true -> /* RETRY */
        printf("operator: event %c: retry\n", 88 + e);
        settle_leg(e, 0, not_done);
        settle_leg(e, 1, not_done);
        turn_row(e, queued)
    :: true -> /* DONE */
        printf("operator: event %c: done\n", 88 + e);
        settle_leg(e, 0, done);
        settle_leg(e, 1, done);
        turn_row(e, none)
    fi
}
#define TO_SETTLE(e) (words < WORDS && !IN_FLIGHT(e) && !DONE(e) && (IN_DOUBT(e, 0) || IN_DOUBT(e, 1)))

active proctype operator() {
end:
    do
    :: atomic { TO_SETTLE(0) -> settle(0) }
    :: atomic { TO_SETTLE(1) -> settle(1) }
    od
}

/* ---- nothing is stuck, nothing lost: when nothing can happen any more ---- */

active proctype judge() {
    timeout;
    assert(!down[0] && !down[1]);
    assert(D[0].phase == idle && D[1].phase == idle && D[2].phase == idle);
    assert(row == none || row == parked || row == dead);
    assert(!accepted || word[0] || served || row == parked || row == dead)
}

init {
    atomic {
        run delivery(0);
        run delivery(1);
        run delivery(2)
    }
}

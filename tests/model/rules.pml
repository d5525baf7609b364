/* The rules of claims: store/rules.c, store/rules_claim.c and store/redis_functions.lua. */

/* ---- store/rules.c ---- */

#ifdef NO_GEN_CHECK
#define SAME_GEN(fence) true
#else
#define SAME_GEN(fence) (own_gen == fence)
#endif
#ifdef NO_TOKEN_CHECK
#define SAME_TOKEN(d) true
#else
#define SAME_TOKEN(d) (LEG(E(d), side).token == TOKEN(d))
#endif

inline rules_lower_open(e, s) {
    if
    :: LEG(e, s).holding && own_open > 0 && SAME_GEN(LEG(e, s).fence) -> own_open--
    :: else
    fi;
    LEG(e, s).holding = false;
    own_side = (own_open == 0 -> 0 : own_side) /* says nothing then */
}

/* What no rule looks at any more must not tell states apart: the token of a leg that has ended, and
 * how, where claims treat them alike (not_done stands for unsent and rejected too). */
#define FENCES (LEG(0, 0).fence || LEG(0, 1).fence || LEG(1, 0).fence || LEG(1, 1).fence)
inline close_leg(e, s) {
    LEG(e, s).lapsed = false;
    LEG(e, s).token = (LEG(e, s).state == in_doubt || FORGETS -> LEG(e, s).token : 0);
    LEG(e, s).fence = (FORGETS -> LEG(e, s).fence : 0);
    if
    :: own_open == 0 && !FENCES && !FORGETS -> own_gen = 0; now = 0 /* nobody has a number to compare */
    :: else
    fi
}

/* operation renew: rules_renew(). Where it says OK it changes nothing here, since the clock passes no
 * lease of an open connection; else the holder cuts it. */
#define RENEWED(d) (LEG(E(d), D[d].side).state == in_flight && LEG(E(d), D[d].side).token == TOKEN(d) && \
                    own_gen == LEG(E(d), D[d].side).fence)

/* store/known.c: what this process has been told of its last attempt at the event. */
typedef known_leg {
    mtype state = absent;
    bit side;
    byte token, fence, attempt;
}
#if FORGETS
known_leg known[DELIVERIES];
inline knows(d, what) {
    if
    :: what != unsent || known[d].token == TOKEN(d) ->
        known[d].state = what;
        known[d].side = D[d].side;
        known[d].token = TOKEN(d);
        known[d].fence = D[d].fence;
        known[d].attempt = D[d].attempt
    :: else /* given back: nothing was known of it */
    fi
}
inline forget_known(d) {
    known[d].state = absent;
    known[d].side = 0;
    known[d].token = 0;
    known[d].fence = 0;
    known[d].attempt = 0
}
inline stale(d) { /* known_dropped() */
    if
    :: known[d].token == TOKEN(d) -> forget_known(d)
    :: else
    fi
}
#else
inline stale(d) {
    skip
}
inline knows(d, what) {
    skip
}
inline forget_known(d) {
    skip
}
#endif

inline finish_leg(d) {
    side = D[d].side;
    if
    :: LEG(E(d), 1 - side).state != absent && LEG(E(d), 1 - side).token == TOKEN(d) -> side = 1 - side
    :: else
    fi
}

inline finish_anew(d) {
    if
    :: ev[E(d)].pin == NOWHERE -> ev[E(d)].pin = side
    :: else
    fi;
    LEG(E(d), side).state = D[d].outcome;
    LEG(E(d), side).token = TOKEN(d);
    LEG(E(d), side).fence = D[d].fence;
    LEG(E(d), side).attempt = D[d].attempt;
    if
    :: own_gen < D[d].fence -> own_side = side; own_gen = D[d].fence; own_open = 0
    :: else
    fi
}

#define FINAL(e, s) (LEG(e, s).state != in_flight && LEG(e, s).state != in_doubt)
/* operation finish: rules_finish() */
inline finish(d) {
    knows(d, D[d].outcome);
    finish_leg(d);
    if
    :: LEG(E(d), side).state == absent ->
        if
        :: D[d].outcome != unsent -> finish_anew(d)
        :: else
        fi
    :: LEG(E(d), side).state != absent && !SAME_TOKEN(d) -> stale(d)
    :: else ->
        if
        :: !FINAL(E(d), side) ||
           (LEG(E(d), side).settled && LEG(E(d), side).state == not_done && D[d].outcome == done) ->
            LEG(E(d), side).settled = false;
            LEG(E(d), side).state = (D[d].outcome == unsent -> not_done : D[d].outcome);
            rules_lower_open(E(d), side);
            close_leg(E(d), side)
        :: else /* final: the first outcome stays */
        fi
    fi
}

/* ---- store/rules_claim.c ---- */

#ifdef NO_PIN
#define PINNED(e) false
#else
#define PINNED(e) (ev[e].pin != NOWHERE)
#endif

/* choose() */
#define CHOSEN(d) (ABSOLUTE -> WANT : (PINNED(E(d)) -> ev[E(d)].pin : (own_open > 0 -> own_side : WANT)))

/* legs_answer() */
#define MINE(d, s) (LEG(E(d), s).state == in_flight && LEG(E(d), s).token == TOKEN(d))
#ifdef NO_DEDUPE
#define DONE(e) false
#else
#define DONE(e) (LEG(e, 0).state == done || LEG(e, 1).state == done)
#endif
#define IN_FLIGHT(e) (RUNS(e, 0) || RUNS(e, 1))
#ifdef LEASE_IS_TTL
#define IN_DOUBT(e, s) (LEG(e, s).state == in_doubt)
#else
#define IN_DOUBT(e, s) (LEG(e, s).state == in_doubt || LEG(e, s).state == in_flight)
#endif
#ifdef IDEMPOTENT
#define MAY_REPEAT(e) (touched[e] != sent)
#define DOUBT(d, s) (IN_DOUBT(E(d), s) && s != CHOSEN(d))
#else
#define MAY_REPEAT(e) false
#define DOUBT(d, s) IN_DOUBT(E(d), s)
#endif

/* The entity's lease cannot have passed: it is never earlier than that of a leg under its gen. */
#define HOLDS(e, s) (RUNS(e, s) && LEG(e, s).holding && LEG(e, s).fence == own_gen)
#define HELD        (HOLDS(0, 0) || HOLDS(0, 1) || HOLDS(1, 0) || HOLDS(1, 1))

inline take_entity() {
    if
    :: own_open > 0 && own_side == side /* live */
    :: own_open == 0 || !HELD ->        /* or take-over: nothing is open, or the lease has passed */
        now++;
        own_side = side;
        own_gen = now;
        own_open = 0
    fi;
    own_open++
}

inline grant(d) {
    assert(!ABSOLUTE || side == WANT);
    /* A retry stays where the event was, unless the mode is absolute. */
    assert(ABSOLUTE || ev[E(d)].pin == NOWHERE || side == ev[E(d)].pin);
    ev[E(d)].pin = side;
    LEG(E(d), side).state = in_flight;
    LEG(E(d), side).token = TOKEN(d);
    LEG(E(d), side).fence = own_gen;
    LEG(E(d), side).lapsed = false;
    LEG(E(d), side).holding = true;
    LEG(E(d), side).settled = false;
    LEG(E(d), side).attempt = (FORGETS -> LEG(E(d), side).attempt + 1 : 0)
}

/* operation claim: rules_claim(). First what the legs of its event say by themselves. */
inline claim(d) {
    side = CHOSEN(d);
    if
    :: MINE(d, 0) -> side = 0; result = granted
    :: MINE(d, 1) -> side = 1; result = granted
    :: else ->
        if
        :: DONE(E(d)) -> result = done
        :: !DONE(E(d)) && IN_FLIGHT(E(d)) -> result = in_flight
        :: else ->
            if
            :: DOUBT(d, 0) -> LEG(E(d), 0).state = in_doubt; result = in_doubt
            :: !DOUBT(d, 0) && DOUBT(d, 1) -> LEG(E(d), 1).state = in_doubt; result = in_doubt
            :: !DOUBT(d, 0) && !DOUBT(d, 1) && own_open > 0 && own_side != side && HELD -> result = busy
            :: !DOUBT(d, 0) && !DOUBT(d, 1) && !(own_open > 0 && own_side != side && HELD) ->
                rules_lower_open(E(d), side);
                take_entity();
                grant(d);
                result = granted
            fi
        fi
    fi
}

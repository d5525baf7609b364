/* What happens when the store forgets: store/redis_put_back.c, rules_assert() of store/rules.c. */

#define KNOWN_LEG(d)  LEG(E(d), side)
#define KNOWN_SAME(d) (KNOWN_LEG(d).token == known[d].token)
#define LOWER(d)      (KNOWN_LEG(d).fence < known[d].fence || \
                       (KNOWN_LEG(d).fence == known[d].fence && KNOWN_LEG(d).attempt < known[d].attempt))
/* newer(), case by case */
#define NEWER(d) (KNOWN_LEG(d).state == absent -> true : (KNOWN_SAME(d) -> NEWER_SAME(d) :    \
    (KNOWN_LEG(d).state == in_doubt -> known[d].state == done :                               \
    (KNOWN_LEG(d).state == in_flight || KNOWN_LEG(d).state == done -> false : LOWER(d)))))
#define NEWER_SAME(d) (known[d].state != in_flight && (KNOWN_LEG(d).state == in_flight || \
                       (KNOWN_LEG(d).state == in_doubt && known[d].state != in_doubt)))

inline assert_entity(d) {
    if
    :: own_gen > known[d].fence
    :: else ->
        if
        :: own_gen < known[d].fence -> own_side = known[d].side; own_gen = known[d].fence; own_open = 0
        :: else
        fi;
        if
        :: known[d].state == in_flight -> own_open++; KNOWN_LEG(d).holding = true
        :: else
        fi
    fi
}

/* operation assert: rules_assert() */
inline assert_known(d) {
    side = known[d].side;
    if
    :: known[d].state != absent && NEWER(d) ->
        printf("assert: event %c: leg %d is %e\n", 88 + E(d), known[d].side, known[d].state);
        if
        :: ev[E(d)].pin == NOWHERE -> ev[E(d)].pin = known[d].side
        :: else
        fi;
        rules_lower_open(E(d), side);
        KNOWN_LEG(d).state = known[d].state;
        KNOWN_LEG(d).token = known[d].token;
        KNOWN_LEG(d).fence = known[d].fence;
        KNOWN_LEG(d).attempt = known[d].attempt;
        KNOWN_LEG(d).lapsed = D[d].over;
        KNOWN_LEG(d).settled = false;
        assert_entity(d)
    :: known[d].state != absent && !NEWER(d) ->
        printf("assert: event %c: leg %d is %e: refused, it is %e\n", 88 + E(d), known[d].side,
               known[d].state, KNOWN_LEG(d).state)
    :: else
    fi
}

inline forget() {
    printf("the store forgets\n");
    forgets++;
    forget_leg(0, 0);
    forget_leg(0, 1);
    forget_leg(1, 0);
    forget_leg(1, 1);
    ev[0].pin = NOWHERE;
    ev[1].pin = NOWHERE;
    own_side = 0;
    own_gen = 0;
    own_open = 0;
    held[0] = !down[0];
    held[1] = !down[1]
}

#ifdef ALL_UP_RESTORED
/* Redis comes back with an older state: an old dump, a replica that was behind. */
event_record old[2];
byte old_side, old_gen, old_open;
bool saved;

#define COPY_LEG(to, from, e, s) to[e].legs[s].state = from[e].legs[s].state;     \
                                 to[e].legs[s].token = from[e].legs[s].token;     \
                                 to[e].legs[s].fence = from[e].legs[s].fence;     \
                                 to[e].legs[s].lapsed = from[e].legs[s].lapsed;   \
                                 to[e].legs[s].holding = from[e].legs[s].holding; \
                                 to[e].legs[s].settled = from[e].legs[s].settled; \
                                 to[e].legs[s].attempt = from[e].legs[s].attempt
#define COPY(to, from) COPY_LEG(to, from, 0, 0); COPY_LEG(to, from, 0, 1); COPY_LEG(to, from, 1, 0); \
                       COPY_LEG(to, from, 1, 1); to[0].pin = from[0].pin; to[1].pin = from[1].pin
#define SAVE :: atomic { !saved -> printf("the store is saved\n"); saved = true; COPY(old, ev); \
                         old_side = own_side; old_gen = own_gen; old_open = own_open }
inline restore() {
    if
    :: saved -> COPY(ev, old); own_side = old_side; own_gen = old_gen; own_open = old_open
    :: else
    fi;
    saved = true
}
#else
#define SAVE
inline restore() {
    skip
}
#endif

active proctype store() {
end:
    do
    SAVE
    :: atomic { forgets == 0 -> forget(); restore() }
    :: atomic { held[0] -> printf("A puts back\n"); held[0] = false; assert_known(0); assert_known(2) }
    :: atomic { held[1] -> printf("B puts back\n"); held[1] = false; assert_known(1) }
    od
}

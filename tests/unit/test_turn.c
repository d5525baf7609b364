/* Events that became complete in one turn of the loop: verified together, each with its own end. */
#include "rig.h"

#include <pointsman/digest.h>

#define SECRET "s3cret"
#define EVENTS RIG_SENDERS

static const struct rig_conf signed_only = {.mode = MODE_LEGACY_ONLY,
                                            .secrets = "[{value: " SECRET "}]"};

/* A body of a few KiB, so that sets of them are hashed at once; a forged one is signed for another.
 */
static struct slice event(unsigned number, bool forged) {
    static char text[16 * 1024];
    char body[8 * 1024], hex[2 * SHA256_LEN];
    uint8_t mac[SHA256_LEN];
    int len = snprintf(body, sizeof body,
                       "{\"action\":\"opened\",\"repository\":{\"full_name\":\"o/r\"},"
                       "\"issue\":{\"number\":%u},\"pad\":\"%0*u\"}",
                       number, 4000 + (int)number * 7, 0);
    struct hmac_key *key = hmac_key_new(SECRET, strlen(SECRET));
    hmac_sha256(key, body, (size_t)len - forged, mac);
    hmac_key_free(key);
    hex_encode(mac, sizeof mac, hex);
    len = snprintf(text, sizeof text,
                   "POST /w HTTP/1.1\r\nHost: hooks\r\nContent-Type: application/json\r\n"
                   "X-GitHub-Event: issues\r\nX-GitHub-Delivery: event-%u\r\n"
                   "X-Hub-Signature-256: sha256=%.*s\r\nContent-Length: %d\r\n\r\n%s",
                   number, (int)sizeof hex, hex, len, body);
    return slice(text, (size_t)len);
}

static void say(struct sender *s, struct slice bytes) {
    assert_int_equal(send(s->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL), bytes.len);
}

/* The sender's event is read to its last byte, and the turn has not ended. */
static struct conn *read_in_mid_turn(struct rig *r) {
    struct conn *c = LIST_FIRST(&r->worker->conns);
    while (STAILQ_EMPTY(&r->worker->unverified))
        c->watch.ready(c->watch.arg, WATCH_READ);
    return c;
}

static void each_of_those_verified_together_gets_its_own_answer(void **state) {
    (void)state;
    struct rig r;
    rig_start(&r, &signed_only);
    r.stubs[SIDE_LEGACY].answer = OK_ANSWER;
    struct sender *senders[EVENTS];
    for (unsigned i = 0; i < EVENTS; i++) {
        senders[i] = rig_sender(&r);
        say(senders[i], event(i, i % 3 == 1));
    }
    for (unsigned i = 0; i < EVENTS; i++)
        if (i % 3 == 1)
            rig_expect(&r, senders[i], 401, "wrong");
        else
            rig_expect(&r, senders[i], 200, "ok");
    rig_stop(&r);
}

/* The event is whole, so it goes on its way like one whose sender hangs up a moment later. */
static void a_sender_gone_before_the_turn_ends_has_its_event_delivered(void **state) {
    (void)state;
    struct rig r;
    rig_start(&r, &signed_only);
    r.stubs[SIDE_LEGACY].answer = OK_ANSWER;
    say(rig_sender(&r), event(1, false));
    conn_close(read_in_mid_turn(&r), CONN_END_SENDER);
    RIG_UNTIL(&r, rig_leg(&r, "event-1", SIDE_LEGACY) == LEG_DONE);
    rig_stop(&r);
}

/* What waits for the end of a turn that never comes is neither judged nor leaked. */
static void a_worker_that_ends_in_mid_turn_forgets_what_was_not_verified(void **state) {
    (void)state;
    struct rig r;
    rig_start(&r, &signed_only);
    say(rig_sender(&r), event(1, false));
    (void)read_in_mid_turn(&r);
    rig_hang_up(&r);
    rig_end(&r);
    assert_int_equal(r.stubs[SIDE_LEGACY].requests, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_of_those_verified_together_gets_its_own_answer),
        cmocka_unit_test(a_sender_gone_before_the_turn_ends_has_its_event_delivered),
        cmocka_unit_test(a_worker_that_ends_in_mid_turn_forgets_what_was_not_verified),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

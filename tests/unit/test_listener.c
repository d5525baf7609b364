/* Listening sockets: whose address it is, which port, and who is let in. */
#include <errno.h>

#include "../../proxy/listener.h"
#include "../../proxy/sockets.h"
#include "rig.h"

static struct conf_address address(const char *host) {
    return (struct conf_address){.text = (char *)"the address", .host = (char *)host};
}

static int bind_one(const char *host, uint16_t *port, bool shared, bool more) {
    struct conf_address at = address(host);
    struct err err = {""};
    int fd = listener_bind(&at, port, shared, more, &err);
    assert_int_equal(fd < 0, err.text[0] != '\0');
    return fd;
}

static int connect_to(uint16_t port) {
    struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    if (connect(fd, (struct sockaddr *)&at, sizeof at) == 0)
        return fd;
    close(fd);
    return -1;
}

static void port_0_is_any_free_port_and_is_told(void **state) {
    (void)state;
    uint16_t port = 0, other = 0;
    int fd = bind_one("127.0.0.1", &port, false, false);
    int second = bind_one("127.0.0.1", &other, false, false);
    assert_true(fd >= 0 && second >= 0 && port != 0 && other != 0 && port != other);
    int client = connect_to(port);
    assert_true(client >= 0);
    close(client);
    close(second);
    close(fd);
}

static void workers_share_one_address(void **state) {
    (void)state;
    uint16_t port = 0;
    int first = bind_one("127.0.0.1", &port, true, false);
    uint16_t same = port;
    int second = bind_one("127.0.0.1", &same, true, true);
    assert_true(first >= 0 && second >= 0);
    assert_int_equal(same, port);
    close(first);
    close(second);
}

static void an_address_in_use_is_refused_also_where_sockets_are_shared(void **state) {
    (void)state;
    for (int shared = 0; shared < 2; shared++) {
        uint16_t port = 0, again;
        struct err err = {""};
        struct conf_address at = address("127.0.0.1");
        int fd = bind_one("127.0.0.1", &port, shared, false);
        assert_true(fd >= 0);
        again = port;
        assert_int_equal(listener_bind(&at, &again, true, false, &err), -1);
        assert_non_null(strstr(err.text, "the address"));
        assert_non_null(strstr(err.text, strerror(EADDRINUSE)));
        close(fd);
        fd = bind_one("127.0.0.1", &port, shared, false); /* free again at once */
        assert_true(fd >= 0);
        close(fd);
    }
}

static void only_numeric_addresses_are_listened_on(void **state) {
    (void)state;
    uint16_t port = 0;
    struct err err = {""};
    struct conf_address at = address("localhost");
    assert_int_equal(listener_bind(&at, &port, false, false, &err), -1);
    assert_non_null(strstr(err.text, "not a numeric address"));
}

static void an_address_of_ip_6_has_its_port_too(void **state) {
    (void)state;
    uint16_t port = 0;
    struct err err = {""};
    struct conf_address at = address("::1");
    int probe = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
    bool has = probe >= 0 && bind(probe, (struct sockaddr *)&any, sizeof any) == 0;
    if (probe >= 0)
        close(probe);
    if (!has)
        skip();
    int fd = listener_bind(&at, &port, true, false, &err);
    assert_true(fd >= 0 && port != 0);
    uint16_t again = port;
    assert_int_equal(listener_bind(&at, &again, true, false, &err), -1);
    close(fd);
}

/* ---- accepting ---- */

static struct sockets *sockets;

static uint16_t listening(struct rig *r, const struct rig_conf *conf) {
    uint16_t port = 0;
    rig_start(r, conf);
    sockets = sockets_new();
    assert_non_null(sockets);
    struct listening *socket = sockets_add(sockets, bind_one("127.0.0.1", &port, false, false), 0);
    assert_non_null(socket);
    assert_true(listener_add(r->worker, socket));
    return port;
}

static void stop(struct rig *r) {
    rig_stop(r);
    sockets_free(sockets);
}

static void nobody_is_served_before_the_worker_opens(void **state) {
    (void)state;
    struct rig r;
    struct rig_conf conf = {.mode = MODE_LEGACY_ONLY};
    uint16_t port = listening(&r, &conf);
    r.stubs[SIDE_LEGACY].answer = OK_ANSWER;
    r.senders[0].fd = connect_to(port); /* waits in the backlog */
    assert_true(r.senders[0].fd >= 0);
    for (int i = 0; i < 10; i++)
        rig_turn(&r);
    assert_int_equal(r.proxy->connections, 0);
    listener_open_all(r.worker);
    sender_says(&r, &r.senders[0], rig_event("one", 1));
    rig_expect(&r, &r.senders[0], 200, "ok");
    assert_non_null(strstr(r.stubs[SIDE_LEGACY].seen.data, "X-Forwarded-For: 127.0.0.1\r\n"));
    stop(&r);
}

static void closed_listeners_refuse_and_keep_what_is_open(void **state) {
    (void)state;
    struct rig r;
    struct rig_conf conf = {.mode = MODE_LEGACY_ONLY};
    uint16_t port = listening(&r, &conf);
    r.stubs[SIDE_LEGACY].answer = OK_ANSWER;
    listener_open_all(r.worker);
    r.senders[0].fd = connect_to(port);
    RIG_UNTIL(&r, r.proxy->connections == 1);
    listener_close_all(r.worker);
    assert_int_equal(connect_to(port), -1);
    sender_says(&r, &r.senders[0], rig_event("one", 1));
    rig_expect(&r, &r.senders[0], 200, "ok");
    stop(&r);
}

static void connections_over_the_limit_are_told_so_and_closed(void **state) {
    (void)state;
    struct rig r;
    struct rig_conf conf = {.mode = MODE_LEGACY_ONLY, .rest = "limits: {connections: 2}\n"};
    uint16_t port = listening(&r, &conf);
    listener_open_all(r.worker);
    for (int i = 0; i < 3; i++)
        r.senders[i].fd = connect_to(port);
    sender_says(&r, &r.senders[2], rig_event("over", 1));
    struct http_head head = rig_expect(&r, &r.senders[2], 503, "limits.connections is reached");
    assert_false(head.keep_alive);
    RIG_UNTIL(&r, r.senders[2].eof);
    sender_leaves(&r, &r.senders[2]);
    assert_int_equal(r.proxy->connections, 2);
    sender_leaves(&r, &r.senders[0]);
    r.stubs[SIDE_LEGACY].answer = OK_ANSWER;
    r.senders[3].fd = connect_to(port);
    sender_says(&r, &r.senders[3], rig_event("room", 1));
    rig_expect(&r, &r.senders[3], 200, "ok");
    stop(&r);
}

static void connections_far_over_the_limit_are_closed_at_once(void **state) {
    (void)state;
    struct rig r;
    struct rig_conf conf = {.mode = MODE_LEGACY_ONLY, .rest = "limits: {connections: 2}\n"};
    uint16_t port = listening(&r, &conf);
    listener_open_all(r.worker);
    for (int i = 0; i < 4; i++)
        r.senders[i].fd = connect_to(port);
    RIG_UNTIL(&r, r.senders[3].eof);
    assert_int_equal(r.proxy->connections, 3);
    stop(&r);
}

static void who_is_over_the_limit_has_a_second_to_ask(void **state) {
    (void)state;
    struct rig r;
    struct rig_conf conf = {.mode = MODE_LEGACY_ONLY, .rest = "limits: {connections: 2}\n"};
    uint16_t port = listening(&r, &conf);
    listener_open_all(r.worker);
    for (int i = 0; i < 3; i++)
        r.senders[i].fd = connect_to(port);
    RIG_UNTIL(&r, r.proxy->connections == 3);
    rig_advance(&r, CONN_GRACE_US + 20000);
    RIG_UNTIL(&r, r.senders[2].eof);
    assert_false(r.senders[0].eof);
    stop(&r);
}

static void draining_serves_who_waits_in_the_queue(void **state) {
    (void)state;
    struct rig r;
    struct rig_conf conf = {.mode = MODE_LEGACY_ONLY};
    uint16_t port = listening(&r, &conf);
    r.stubs[SIDE_LEGACY].answer = OK_ANSWER;
    r.worker->listening = true; /* opened, but not looked at yet */
    for (int i = 0; i < 3; i++)
        r.senders[i].fd = connect_to(port);
    worker_tell_drain(r.worker);
    RIG_UNTIL(&r, r.proxy->listening == 0);
    assert_int_equal(r.proxy->connections, 3);
    assert_int_equal(connect_to(port), -1);
    for (int i = 0; i < 3; i++) {
        sender_says(&r, &r.senders[i], rig_event(i == 0 ? "a" : i == 1 ? "b" : "c", 1));
        rig_expect(&r, &r.senders[i], 200, "ok");
    }
    stop(&r);
}

static void draining_accepts_a_second_longer_while_connections_are_open(void **state) {
    (void)state;
    struct rig r;
    struct rig_conf conf = {.mode = MODE_LEGACY_ONLY};
    uint16_t port = listening(&r, &conf);
    r.stubs[SIDE_LEGACY].answer = OK_ANSWER;
    listener_open_all(r.worker);
    r.senders[0].fd = connect_to(port);
    RIG_UNTIL(&r, r.proxy->connections == 1);
    worker_tell_drain(r.worker);
    rig_advance(&r, CONN_GRACE_US - 200000);
    r.senders[1].fd = connect_to(port);
    sender_says(&r, &r.senders[1], rig_event("late", 1));
    struct http_head head = rig_expect(&r, &r.senders[1], 200, "ok");
    assert_header(&head, "connection", "close");
    assert_int_equal(r.proxy->listening, 1);
    rig_advance(&r, 400000);
    RIG_UNTIL(&r, r.proxy->listening == 0);
    assert_int_equal(connect_to(port), -1);
    stop(&r);
}

static void who_waits_for_a_process_that_never_opened_is_not_served(void **state) {
    (void)state;
    struct rig r;
    struct rig_conf conf = {.mode = MODE_LEGACY_ONLY};
    uint16_t port = listening(&r, &conf);
    r.senders[0].fd = connect_to(port);
    worker_tell_drain(r.worker);
    RIG_UNTIL(&r, r.proxy->listening == 0);
    assert_int_equal(r.proxy->connections, 0);
    stop(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(port_0_is_any_free_port_and_is_told),
        cmocka_unit_test(workers_share_one_address),
        cmocka_unit_test(an_address_in_use_is_refused_also_where_sockets_are_shared),
        cmocka_unit_test(only_numeric_addresses_are_listened_on),
        cmocka_unit_test(an_address_of_ip_6_has_its_port_too),
        cmocka_unit_test(nobody_is_served_before_the_worker_opens),
        cmocka_unit_test(closed_listeners_refuse_and_keep_what_is_open),
        cmocka_unit_test(connections_over_the_limit_are_told_so_and_closed),
        cmocka_unit_test(connections_far_over_the_limit_are_closed_at_once),
        cmocka_unit_test(who_is_over_the_limit_has_a_second_to_ask),
        cmocka_unit_test(draining_serves_who_waits_in_the_queue),
        cmocka_unit_test(draining_accepts_a_second_longer_while_connections_are_open),
        cmocka_unit_test(who_waits_for_a_process_that_never_opened_is_not_served),
    };
    return cmocka_run_group_tests(tests, rig_clock_on, rig_clock_off);
}

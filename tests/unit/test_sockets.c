/* Sockets from outside: whose they are, what fits none, what systemd's variables say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../proxy/listener.h"
#include "../../proxy/sockets.h"

static struct conf_address at(const char *host, uint16_t port) {
    static char texts[8][32];
    static unsigned next;
    char *text = texts[next++ % 8];
    snprintf(text, sizeof texts[0], "%s:%u", host, port);
    return (struct conf_address){.text = text, .host = (char *)host, .port = port};
}

static struct conf conf_of(struct conf_address *listeners, size_t count, unsigned workers) {
    return (struct conf){.listeners = listeners,
                         .listener_count = count,
                         .admin = at("127.0.0.1", 0),
                         .workers = workers};
}

/* A listening socket; *port 0: a free one. */
static int bound(const char *host, uint16_t *port, bool shared, bool more) {
    struct conf_address address = at(host, *port);
    struct err err = {""};
    int fd = listener_bind(&address, port, shared, more, &err);
    if (fd < 0)
        fail_msg("%s", err.text);
    return fd;
}

static struct sockets *set(void) {
    struct sockets *s = sockets_new();
    assert_non_null(s);
    return s;
}

static void inherit(struct sockets *s, int fd, bool admin) {
    struct err err = {""};
    if (!sockets_inherit(s, fd, admin, &err))
        fail_msg("%s", err.text);
}

static void open_all(struct sockets *s, const struct conf *conf) {
    struct err err = {""};
    if (!sockets_open(s, conf, &err))
        fail_msg("%s", err.text);
}

static unsigned count_of(const struct sockets *s, size_t of) {
    unsigned n = 0;
    for (size_t i = 0; i < s->count; i++)
        n += s->all[i]->of == of;
    return n;
}

static const struct listening *holder(const struct sockets *s, int fd) {
    for (size_t i = 0; i < s->count; i++)
        if (s->all[i]->fd == fd)
            return s->all[i];
    return NULL;
}

/* ---- matching ---- */

static void an_inherited_socket_serves_the_listener_with_its_address(void **state) {
    (void)state;
    uint16_t ports[2] = {0, 0};
    int one = bound("127.0.0.1", &ports[0], false, false);
    int two = bound("127.0.0.1", &ports[1], false, false);
    struct conf_address listeners[] = {at("127.0.0.1", ports[1]), at("127.0.0.1", ports[0]),
                                       at("127.0.0.2", ports[0])};
    struct conf conf = conf_of(listeners, 3, 2);
    struct sockets *s = set();
    inherit(s, one, false);
    inherit(s, two, false);
    open_all(s, &conf);
    assert_int_equal(holder(s, one)->of, 1);
    assert_int_equal(holder(s, two)->of, 0);
    assert_int_equal(count_of(s, 0), 1); /* nothing is bound beside it */
    assert_int_equal(count_of(s, 2), 2); /* bound as ever: one per worker */
    assert_int_equal(count_of(s, SOCKET_OF_ADMIN), 1);
    sockets_free(s);
}

static void all_sockets_of_one_address_are_kept(void **state) {
    (void)state;
    uint16_t port = 0;
    struct conf_address listeners[] = {at("127.0.0.1", 0)};
    struct conf conf = conf_of(listeners, 1, 1);
    struct sockets *s = set();
    for (int i = 0; i < 3; i++)
        inherit(s, bound("127.0.0.1", &port, true, i > 0), false);
    open_all(s, &conf);
    assert_int_equal(count_of(s, 0), 3);
    sockets_free(s);
}

static void listeners_on_any_port_get_one_port_each(void **state) {
    (void)state;
    uint16_t ports[2] = {0, 0};
    struct conf_address listeners[] = {at("127.0.0.1", 0), at("127.0.0.1", 0)};
    struct conf conf = conf_of(listeners, 2, 2);
    struct sockets *s = set();
    int fds[4];
    for (int i = 0; i < 4; i++) {
        fds[i] = bound("127.0.0.1", &ports[i % 2], true, i > 1);
        inherit(s, fds[i], false);
    }
    open_all(s, &conf);
    for (int i = 0; i < 4; i++)
        assert_int_equal(holder(s, fds[i])->of, (size_t)i % 2);
    sockets_free(s);
}

static void the_admin_socket_is_not_taken_for_a_listener(void **state) {
    (void)state;
    uint16_t port = 0, admin_port = 0, told = 0;
    int admin = bound("127.0.0.1", &admin_port, false, false);
    struct conf_address listeners[] = {at("127.0.0.1", 0)};
    struct conf conf = conf_of(listeners, 1, 1);
    struct sockets *s = set();
    inherit(s, admin, true);
    inherit(s, bound("127.0.0.1", &port, false, false), false);
    open_all(s, &conf);
    assert_int_equal(sockets_admin(s, &told), admin);
    assert_int_equal(told, admin_port);
    assert_int_equal(count_of(s, 0), 1);
    sockets_free(s);
}

static void an_address_the_next_configuration_lacks_is_given_up(void **state) {
    (void)state;
    uint16_t port = 0;
    struct conf_address listeners[] = {at("127.0.0.2", 0)};
    struct conf conf = conf_of(listeners, 1, 1);
    struct sockets *s = set();
    inherit(s, bound("127.0.0.1", &port, false, false), false);
    open_all(s, &conf);
    assert_int_equal(count_of(s, 0), 1);
    close(bound("127.0.0.1", &port, false, false)); /* free again */
    sockets_free(s);
}

static void a_socket_that_comes_twice_is_one(void **state) {
    (void)state;
    uint16_t port = 0;
    struct conf_address listeners[] = {at("127.0.0.1", 0)};
    struct conf conf = conf_of(listeners, 1, 1);
    struct sockets *s = set();
    int fd = bound("127.0.0.1", &port, false, false);
    inherit(s, fd, false);
    inherit(s, fcntl(fd, F_DUPFD_CLOEXEC, 3), false);
    open_all(s, &conf);
    assert_int_equal(count_of(s, 0), 1);
    sockets_free(s);
}

static int bound_to_all(int only_v6, uint16_t *port) {
    struct sockaddr_in6 any = {.sin6_family = AF_INET6};
    socklen_t len = sizeof any;
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        skip();
    assert_int_equal(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only_v6, sizeof only_v6), 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&any, sizeof any), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&any, &len), 0);
    *port = ntohs(any.sin6_port);
    return fd;
}

static void a_socket_on_all_addresses_serves_0_0_0_0_only_if_it_takes_ip_4(void **state) {
    (void)state;
    for (int only_v6 = 0; only_v6 < 2; only_v6++) {
        uint16_t port;
        int fd = bound_to_all(only_v6, &port);
        struct conf_address listeners[] = {at("0.0.0.0", port)};
        struct conf conf = conf_of(listeners, 1, 1);
        struct sockets *s = set();
        inherit(s, fd, false);
        open_all(s, &conf);
        assert_int_equal(s->count, 2);
        for (size_t i = 0; i < s->count; i++)
            if (s->all[i]->of == 0)
                assert_int_equal(strncmp(s->all[i]->text, "[::]:", 5) != 0, only_v6);
        sockets_free(s);
    }
}

static void what_does_not_listen_is_refused(void **state) {
    (void)state;
    struct err err = {""};
    struct sockets *s = set();
    assert_false(sockets_inherit(s, socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), false, &err));
    assert_non_null(strstr(err.text, "no listening TCP socket"));
    sockets_free(s);
}

/* ---- copies ---- */

static void copies_name_the_same_sockets_until_they_are_closed(void **state) {
    (void)state;
    struct err err = {""};
    struct conf_address listeners[] = {at("127.0.0.1", 0)};
    struct conf conf = conf_of(listeners, 1, 2);
    struct sockets *s = set(), *next = set();
    struct socket_copy *copies;
    size_t count;
    open_all(s, &conf);
    assert_true(sockets_copy(s, &copies, &count, &err));
    assert_int_equal(count, 3);
    for (size_t i = 0; i < count; i++)
        inherit(next, copies[i].fd, copies[i].admin);
    free(copies);
    open_all(next, &conf);
    assert_int_equal(next->count, 3);
    assert_string_equal(next->all[0]->text, s->all[0]->text);
    listening_use(s->all[0]);
    listening_leave(s->all[0]);
    assert_int_equal(s->all[0]->fd, -1);
    assert_false(sockets_copy(s, &copies, &count, &err));
    assert_non_null(strstr(err.text, "closed"));
    sockets_free(next);
    sockets_free(s);
}

static void a_shared_socket_is_closed_by_its_last_user(void **state) {
    (void)state;
    uint16_t port = 0;
    struct sockets *s = set();
    struct listening *l = sockets_add(s, bound("127.0.0.1", &port, false, false), 0);
    assert_non_null(l);
    listening_use(l);
    listening_use(l);
    listening_leave(l);
    assert_true(l->fd >= 0);
    listening_leave(l);
    assert_int_equal(l->fd, -1);
    sockets_free(s);
}

/* ---- LISTEN_FDS ---- */

/* Puts them where systemd does: from 3 on. */
static void pass(const int *fds, int count, long pid, const char *names) {
    char text[24];
    for (int i = 0; i < count; i++) {
        assert_true(fds[i] > 3 + count);
        assert_int_equal(dup2(fds[i], 3 + i), 3 + i); /* as in a new process: not close-on-exec */
        close(fds[i]);
    }
    snprintf(text, sizeof text, "%d", count);
    setenv("LISTEN_FDS", text, 1);
    snprintf(text, sizeof text, "%ld", pid);
    setenv("LISTEN_PID", text, 1);
    if (names)
        setenv("LISTEN_FDNAMES", names, 1);
}

/* Beyond those that are passed, blocking as systemd's are. */
static int high(int fd) {
    int up = fcntl(fd, F_DUPFD_CLOEXEC, 20);
    assert_true(up >= 20);
    close(fd);
    assert_int_equal(fcntl(up, F_SETFL, fcntl(up, F_GETFL) & ~O_NONBLOCK), 0);
    return up;
}

static void passed_sockets_are_taken_and_the_variables_removed(void **state) {
    (void)state;
    uint16_t port = 0, admin_port = 0, told = 0;
    struct err err = {""};
    struct conf_address listeners[] = {at("127.0.0.1", 0)};
    struct conf conf = conf_of(listeners, 1, 2);
    struct sockets *s = set();
    int fds[] = {high(bound("127.0.0.1", &admin_port, false, false)),
                 high(bound("127.0.0.1", &port, false, false))};
    pass(fds, 2, getpid(), "admin:hooks");
    assert_true(sockets_from_environment(s, &err));
    assert_null(getenv("LISTEN_FDS"));
    assert_null(getenv("LISTEN_PID"));
    assert_null(getenv("LISTEN_FDNAMES"));
    open_all(s, &conf);
    assert_int_equal(sockets_admin(s, &told), 3);
    assert_int_equal(holder(s, 4)->of, 0);
    assert_int_equal(holder(s, 4)->port, port);
    assert_int_equal(s->count, 2);
    for (int fd = 3; fd < 5; fd++) {
        assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
        assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    }
    sockets_free(s);
}

static void what_is_passed_to_another_process_is_left_alone(void **state) {
    (void)state;
    struct err err = {""};
    struct sockets *s = set();
    uint16_t port = 0;
    int fds[] = {high(bound("127.0.0.1", &port, false, false))};
    pass(fds, 1, (long)getpid() + 1, NULL);
    assert_true(sockets_from_environment(s, &err));
    assert_int_equal(s->count, 0);
    assert_null(getenv("LISTEN_FDS"));
    assert_int_equal(close(3), 0);
    sockets_free(s);
}

static void a_passed_socket_without_listener_is_an_error_that_names_it(void **state) {
    (void)state;
    char wanted[64];
    struct err err = {""};
    struct conf_address listeners[] = {at("127.0.0.2", 0)};
    struct conf conf = conf_of(listeners, 1, 1);
    struct sockets *s = set();
    uint16_t port = 0;
    int fds[] = {high(bound("127.0.0.1", &port, false, false))};
    pass(fds, 1, getpid(), NULL);
    assert_true(sockets_from_environment(s, &err));
    assert_false(sockets_open(s, &conf, &err));
    snprintf(wanted, sizeof wanted, "descriptor 3, which listens on 127.0.0.1:%u", port);
    assert_non_null(strstr(err.text, wanted));
    assert_non_null(strstr(err.text, "127.0.0.2:0"));
    sockets_free(s);
}

static void variables_that_can_not_be_are_errors(void **state) {
    (void)state;
    static const char *const counts[] = {"", "two", "-1", "1025", "99999999999999999999", "1"};
    char pid[24];
    snprintf(pid, sizeof pid, "%ld", (long)getpid());
    for (size_t i = 0; i < ARRAY_LEN(counts); i++) { /* the last: descriptor 3 is not open */
        struct err err = {""};
        struct sockets *s = set();
        setenv("LISTEN_PID", pid, 1);
        setenv("LISTEN_FDS", counts[i], 1);
        assert_false(sockets_from_environment(s, &err));
        assert_non_null(strstr(err.text, "LISTEN_FDS"));
        sockets_free(s);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_inherited_socket_serves_the_listener_with_its_address),
        cmocka_unit_test(all_sockets_of_one_address_are_kept),
        cmocka_unit_test(listeners_on_any_port_get_one_port_each),
        cmocka_unit_test(the_admin_socket_is_not_taken_for_a_listener),
        cmocka_unit_test(an_address_the_next_configuration_lacks_is_given_up),
        cmocka_unit_test(a_socket_that_comes_twice_is_one),
        cmocka_unit_test(a_socket_on_all_addresses_serves_0_0_0_0_only_if_it_takes_ip_4),
        cmocka_unit_test(what_does_not_listen_is_refused),
        cmocka_unit_test(copies_name_the_same_sockets_until_they_are_closed),
        cmocka_unit_test(a_shared_socket_is_closed_by_its_last_user),
        cmocka_unit_test(passed_sockets_are_taken_and_the_variables_removed),
        cmocka_unit_test(what_is_passed_to_another_process_is_left_alone),
        cmocka_unit_test(a_passed_socket_without_listener_is_an_error_that_names_it),
        cmocka_unit_test(variables_that_can_not_be_are_errors),
    };
    for (int fd = 3; fd < 20; fd++) /* what make leaves open */
        close(fd);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

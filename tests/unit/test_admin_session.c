/* The admin server on a real socket: framing, limits, keep-alive, refusals. Its proxy is never
 * asked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <pointsman/admin.h>

struct server {
    struct loop *loop;
    struct sockets *sockets;
    struct admin *admin;
    pthread_t thread;
};

static void *serve(void *arg) {
    loop_run(arg);
    return NULL;
}

static int start(void **state) {
    static struct server s;
    static char host[] = "127.0.0.1";
    static char token[] = "tok";
    struct conf conf = {.admin = {.text = host, .host = host}, .admin_token = token};
    struct err err = {""};
    s.loop = loop_new();
    assert_non_null(s.loop);
    s.sockets = sockets_new();
    if (!s.sockets || !sockets_open(s.sockets, &conf, &err))
        fail_msg("%s", err.text);
    s.admin = admin_start(NULL, s.loop, &conf, s.sockets, &err);
    if (!s.admin)
        fail_msg("%s", err.text);
    assert_int_equal(pthread_create(&s.thread, NULL, serve, s.loop), 0);
    *state = &s;
    return 0;
}

static int stop(void **state) {
    struct server *s = *state;
    loop_stop_soon(s->loop);
    pthread_join(s->thread, NULL);
    admin_stop(s->admin);
    sockets_free(s->sockets);
    loop_free(s->loop);
    return 0;
}

static int dial(const struct server *s) {
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                            .sin_port = htons(admin_port(s->admin))};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    return fd;
}

static void put(int fd, const char *text, size_t len) {
    while (len) {
        ssize_t n = send(fd, text, len, MSG_NOSIGNAL);
        if (n <= 0)
            return; /* the server may have refused already */
        text += n;
        len -= (size_t)n;
    }
}

/* Everything the server sends until it closes. */
static void read_all(int fd, char *out, size_t cap) {
    size_t used = 0;
    ssize_t n;
    while (used + 1 < cap && (n = recv(fd, out + used, cap - 1 - used, 0)) > 0)
        used += (size_t)n;
    out[used] = 0;
    close(fd);
}

/* The last request says Connection: close, or is refused. */
static void talk(const struct server *s, const char *request, char *out, size_t cap) {
    int fd = dial(s);
    put(fd, request, strlen(request));
    read_all(fd, out, cap);
}

static unsigned count(const char *text, const char *part) {
    unsigned n = 0;
    while ((text = strstr(text, part))) {
        n++;
        text += strlen(part);
    }
    return n;
}

#define HOST  "Host: localhost:%u\r\n"
#define CLOSE "Connection: close\r\n"

static void each_request_gets_its_status(void **state) {
    const struct server *s = *state;
    static const struct {
        const char *request; /* %u: the port */
        const char *begins;
        const char *has;
    } cases[] = {
        {"GET /healthz HTTP/1.1\r\n" HOST CLOSE "\r\n", "HTTP/1.1 200 ", "{\"status\":\"alive\"}"},
        {"HEAD /healthz HTTP/1.1\r\n" HOST CLOSE "\r\n", "HTTP/1.1 200 ", "Content-Length: 18\r\n"},
        {"GET /healthz HTTP/1.0\r\n\r\n", "HTTP/1.1 200 ", "Connection: close"},
        {"GET /healthz HTTP/1.1\r\n" HOST CLOSE "Content-Length: 3\r\n\r\nabc", "HTTP/1.1 200 ",
         ""},
        {"GET /healthz HTTP/1.1\r\n" HOST CLOSE
         "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
         "HTTP/1.1 200 ", ""},
        {"GET /healthz HTTP/1.1\r\nHost: evil.example\r\n\r\n", "HTTP/1.1 403 ", "problem+json"},
        {"GET /healthz HTTP/1.1\r\n" HOST "Origin: http://evil.example\r\n\r\n", "HTTP/1.1 403 ",
         ""},
        {"GET /nothing HTTP/1.1\r\n" HOST "\r\n", "HTTP/1.1 404 ", "problem+json"},
        {"DELETE /healthz HTTP/1.1\r\n" HOST "\r\n", "HTTP/1.1 405 ", "Allow: GET, HEAD\r\n"},
        {"GET /v1/status HTTP/1.1\r\n" HOST "\r\n", "HTTP/1.1 401 ", "WWW-Authenticate: Bearer"},
        {"GET /v1/events/%%zz HTTP/1.1\r\n" HOST "Authorization: Bearer tok\r\n\r\n",
         "HTTP/1.1 400 ", "escape"},
        {"PUT /v1/mode HTTP/1.1\r\n" HOST
         "Authorization: Bearer tok\r\nContent-Length: 524289\r\n\r\n",
         "HTTP/1.1 413 ", "512 KiB"},
        {"GET /healthz HTTP/1.1\r\n" HOST "Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
         "HTTP/1.1 400 ", "Connection: close"},
        {"GET /healthz HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nzz\r\n",
         "HTTP/1.1 400 ", "Connection: close"},
        {"nonsense\r\n\r\n", "HTTP/1.1 400 ", "Connection: close"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char request[512];
        char got[4096];
        struct buf text;
        buf_init(&text, sizeof request);
        const char *percent = strstr(cases[i].request, "%u");
        assert_true(
            buf_append(&text, cases[i].request,
                       percent ? (size_t)(percent - cases[i].request) : strlen(cases[i].request)));
        if (percent)
            assert_true(buf_printf(&text, "%u%s", admin_port(s->admin), percent + 2));
        assert_true(buf_append(&text, "", 1));
        talk(s, buf_at(&text), got, sizeof got);
        if (strncmp(got, cases[i].begins, strlen(cases[i].begins)) != 0 ||
            !strstr(got, cases[i].has))
            fail_msg("%s\nwas answered\n%s", buf_at(&text), got);
        if (strncmp(cases[i].request, "HEAD", 4) == 0)
            assert_null(strstr(got, "alive"));
        buf_free(&text);
    }
}

static void requests_of_one_connection_are_answered_in_order_also_byte_by_byte(void **state) {
    const struct server *s = *state;
    char requests[512];
    char got[8192];
    int n = snprintf(requests, sizeof requests,
                     "GET /healthz HTTP/1.1\r\nHost: localhost:%1$u\r\n\r\n"
                     "GET /healthz HTTP/1.1\r\nHost: localhost:%1$u\r\nContent-Length: 2\r\n\r\nab"
                     "HEAD /healthz HTTP/1.1\r\nHost: localhost:%1$u\r\n\r\n"
                     "POST /healthz HTTP/1.1\r\nHost: localhost:%1$u\r\n\r\n",
                     admin_port(s->admin));
    for (unsigned bytewise = 0; bytewise < 2; bytewise++) {
        int fd = dial(s);
        for (int i = 0; bytewise && i < n; i++)
            put(fd, &requests[i], 1);
        if (!bytewise)
            put(fd, requests, (size_t)n);
        read_all(fd, got, sizeof got);
        assert_int_equal(count(got, "HTTP/1.1 200 "), 3);
        assert_int_equal(count(got, "alive\"}"), 2);
        assert_int_equal(count(got, "HTTP/1.1 405 "), 1);
        assert_true(strstr(got, " 405 ") > strstr(got, " 200 "));
    }
}

static void a_head_without_end_is_refused(void **state) {
    const struct server *s = *state;
    char got[4096];
    size_t len = 64 * 1024;
    char *text = malloc(len);
    assert_non_null(text);
    memset(text, 'a', len);
    memcpy(text, "GET /healthz HTTP/1.1\r\nX: ", 26);
    int fd = dial(s);
    put(fd, text, len);
    read_all(fd, got, sizeof got);
    free(text);
    assert_int_equal(strncmp(got, "HTTP/1.1 431 ", 13), 0);
}

static void a_chunked_body_over_the_limit_is_refused(void **state) {
    const struct server *s = *state;
    char got[4096];
    char head[256];
    static char block[16 * 1024];
    memset(block, ' ', sizeof block);
    int fd = dial(s);
    int n = snprintf(head, sizeof head,
                     "PUT /v1/mode HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nAuthorization: Bearer tok\r\n"
                     "Transfer-Encoding: chunked\r\n\r\n",
                     admin_port(s->admin));
    put(fd, head, (size_t)n);
    for (unsigned i = 0; i < 33; i++) {
        put(fd, "4000\r\n", 6);
        put(fd, block, sizeof block);
        put(fd, "\r\n", 2);
    }
    read_all(fd, got, sizeof got);
    assert_int_equal(strncmp(got, "HTTP/1.1 413 ", 13), 0);
}

static void who_expects_100_is_told_to_go_on(void **state) {
    const struct server *s = *state;
    char got[4096];
    char head[256];
    int fd = dial(s);
    int n = snprintf(head, sizeof head,
                     "GET /healthz HTTP/1.1\r\nHost: [::1]:%u\r\nExpect: 100-continue\r\n"
                     "Connection: close\r\nContent-Length: 3\r\n\r\n",
                     admin_port(s->admin));
    put(fd, head, (size_t)n);
    assert_int_equal(recv(fd, got, 25, MSG_WAITALL), 25);
    assert_memory_equal(got, "HTTP/1.1 100 Continue\r\n\r\n", 25);
    put(fd, "abc", 3);
    read_all(fd, got, sizeof got);
    assert_int_equal(strncmp(got, "HTTP/1.1 200 ", 13), 0);
}

static void connections_beyond_the_most_are_closed_and_the_others_live(void **state) {
    const struct server *s = *state;
    enum { MANY = 300 };
    static int fds[MANY];
    char got[4096];
    char request[128];
    int n = snprintf(request, sizeof request, "GET /healthz HTTP/1.1\r\nHost: localhost:%u\r\n\r\n",
                     admin_port(s->admin));
    for (unsigned i = 0; i < MANY; i++)
        fds[i] = dial(s);
    assert_int_equal(recv(fds[MANY - 1], got, 1, 0), 0);
    put(fds[0], request, (size_t)n);
    assert_int_equal(recv(fds[0], got, 12, MSG_WAITALL), 12);
    assert_memory_equal(got, "HTTP/1.1 200", 12);
    for (unsigned i = 0; i < MANY; i++)
        close(fds[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_request_gets_its_status, start, stop),
        cmocka_unit_test_setup_teardown(
            requests_of_one_connection_are_answered_in_order_also_byte_by_byte, start, stop),
        cmocka_unit_test_setup_teardown(a_head_without_end_is_refused, start, stop),
        cmocka_unit_test_setup_teardown(a_chunked_body_over_the_limit_is_refused, start, stop),
        cmocka_unit_test_setup_teardown(who_expects_100_is_told_to_go_on, start, stop),
        cmocka_unit_test_setup_teardown(connections_beyond_the_most_are_closed_and_the_others_live,
                                        start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

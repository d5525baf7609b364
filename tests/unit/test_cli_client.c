/* Which URLs the command line accepts, and answers it reads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../cli/client.h"

static void urls_are_taken_apart(void **state) {
    (void)state;
    static const struct {
        const char *text, *authority, *host, *port, *path; /* authority NULL: refused */
    } cases[] = {
        {"http://127.0.0.1:9180", "127.0.0.1:9180", "127.0.0.1", "9180", ""},
        {"127.0.0.1:9180", "127.0.0.1:9180", "127.0.0.1", "9180", ""},
        {"http://localhost/", "localhost", "localhost", "80", "/"},
        {"http://[::1]:9180/a/b", "[::1]:9180", "::1", "9180", "/a/b"},
        {"http://[::1]", "[::1]", "::1", "80", ""},
        {"https://127.0.0.1", NULL, NULL, NULL, NULL},
        {"http://", NULL, NULL, NULL, NULL},
        {"", NULL, NULL, NULL, NULL},
        {"http://:80", NULL, NULL, NULL, NULL},
        {"http://[::1", NULL, NULL, NULL, NULL},
        {"http://[::1]x", NULL, NULL, NULL, NULL},
        {"http://a:", NULL, NULL, NULL, NULL},
        {"http://a:0", NULL, NULL, NULL, NULL},
        {"http://a:65536", NULL, NULL, NULL, NULL},
        {"http://a:8x", NULL, NULL, NULL, NULL},
        {"http://user@a/", NULL, NULL, NULL, NULL},
        {"http://a/?x=1", NULL, NULL, NULL, NULL},
        {"http://a?x", NULL, NULL, NULL, NULL},
        {"http://a b/", NULL, NULL, NULL, NULL},
        {"http://a/b\r\nX: y", NULL, NULL, NULL, NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct client_url url;
        struct err err = {""};
        bool ok = client_url_parse(cases[i].text, &url, &err);
        if (ok != (cases[i].authority != NULL))
            fail_msg("%s: %s", cases[i].text, ok ? "accepted" : err.text);
        if (!ok)
            continue;
        assert_string_equal(url.authority, cases[i].authority);
        assert_string_equal(url.host, cases[i].host);
        assert_string_equal(url.port, cases[i].port);
        assert_string_equal(url.path, cases[i].path);
    }
}

/* Answers one connection with what it is told, then closes. */
struct script {
    int fd;
    const char *answer;
};

static void *answer_once(void *arg) {
    const struct script *s = arg;
    char ignored[4096];
    int fd = accept(s->fd, NULL, NULL);
    ssize_t n = recv(fd, ignored, sizeof ignored, 0);
    for (const char *c = s->answer; n > 0 && *c; c++)
        n = send(fd, c, 1, MSG_NOSIGNAL);
    close(fd);
    return NULL;
}

static bool ask(const char *text, struct client_answer *ret, struct err *err) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    struct script s = {socket(AF_INET, SOCK_STREAM, 0), text};
    struct client_url url;
    char address[64];
    pthread_t thread;
    assert_int_equal(bind(s.fd, (struct sockaddr *)&a, len), 0);
    assert_int_equal(listen(s.fd, 1), 0);
    assert_int_equal(getsockname(s.fd, (struct sockaddr *)&a, &len), 0);
    snprintf(address, sizeof address, "127.0.0.1:%u", ntohs(a.sin_port));
    assert_true(client_url_parse(address, &url, err));
    assert_int_equal(pthread_create(&thread, NULL, answer_once, &s), 0);
    struct client_request request = {.method = "GET",
                                     .path = "/x",
                                     .header_lines = "",
                                     .body = slice_of(""),
                                     .timeout_ms = 10000};
    bool ok = client_send(&url, &request, ret, err);
    pthread_join(thread, NULL);
    close(s.fd);
    return ok;
}

static void whole_answers_are_read_in_every_framing(void **state) {
    (void)state;
    static const struct {
        const char *answer, *body; /* NULL: an error */
    } cases[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", "abc"},
        {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na", "a"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
         "abc"},
        {"HTTP/1.1 200 OK\r\n\r\nuntil the end", "until the end"},
        {"HTTP/1.1 204 No Content\r\n\r\n", ""},
        {"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc", NULL},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n", NULL},
        {"HTTP/1.1 200", NULL},
        {"SSH-2.0\r\n\r\n", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct client_answer answer;
        struct err err = {""};
        bool ok = ask(cases[i].answer, &answer, &err);
        if (ok != (cases[i].body != NULL))
            fail_msg("%s: %s", cases[i].answer, ok ? "accepted" : err.text);
        if (!ok) {
            assert_true(err.text[0]);
            continue;
        }
        struct slice body = buf_slice(&answer.body);
        assert_true(slice_is(body, cases[i].body));
        client_answer_free(&answer);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls_are_taken_apart),
        cmocka_unit_test(whole_answers_are_read_in_every_framing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

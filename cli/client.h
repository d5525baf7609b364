/* A small blocking HTTP client: one request, one connection, one deadline. Layer: cli, private. */
#ifndef CLI_CLIENT_H
#define CLI_CLIENT_H

#include <stdbool.h>

#include <pointsman/buf.h>
#include <pointsman/compiler.h>
#include <pointsman/err.h>
#include <pointsman/http.h>

struct client_url {
    char authority[300]; /* as in the Host header */
    char host[256];      /* without brackets */
    char port[6];
    char path[2048]; /* "" or begins with "/" */
};
/* http://host[:port][/path]; "http://" may be left out. */
MUST_CHECK bool client_url_parse(const char *text, struct client_url *ret, struct err *err);

struct client_request {
    const char *method;
    const char *path;         /* behind the URL's own, query included */
    const char *header_lines; /* "Name: value\r\n…", "" if none */
    struct slice body;
    unsigned timeout_ms; /* all together */
};

struct client_answer {
    struct http_head head; /* slices into raw */
    struct buf raw;
    struct buf body;
};

/* True: a complete answer, whatever its status; free it. */
MUST_CHECK bool client_send(const struct client_url *url, const struct client_request *request,
                            struct client_answer *ret, struct err *err);
void client_answer_free(struct client_answer *answer);

#endif

/* Turns JSON and problems (RFC 9457) into answers. */
#include <stdio.h>
#include <stdlib.h>

#include <pointsman/http.h>

#include "request.h"

/* 10 digits show 12.5 and 33.3333 as people wrote them. */
#define DUMP_FLAGS (JSON_COMPACT | JSON_REAL_PRECISION(10))

static void answer_json(struct request *x, unsigned status, const char *type,
                        const char *header_lines, json_t *json) {
    char *text = json ? json_dumps(json, DUMP_FLAGS) : NULL;
    json_decref(json);
    if (text)
        request_answer(x, status, type, header_lines, slice_of(text));
    else
        request_answer(x, 503, "text/plain", "Retry-After: 1\r\n", slice_of("no memory\n"));
    free(text);
}

void reply_json(struct request *x, unsigned status, json_t *json) {
    reply_json_with(x, status, NULL, json);
}

void reply_json_with(struct request *x, unsigned status, const char *header_lines, json_t *json) {
    answer_json(x, status, "application/json", header_lines, json);
}

void reply_problem_with(struct request *x, unsigned status, const char *header_lines,
                        json_t *members, const char *detail) {
    json_t *json =
        json_pack("{s:s, s:s, s:i, s:s%}", "type", "about:blank", "title", http_reason(status),
                  "status", (int)status, "detail", detail, strlen(detail));
    if (json && members && json_object_update(json, members) != 0) {
        json_decref(json);
        json = NULL;
    }
    json_decref(members);
    answer_json(x, status, "application/problem+json", header_lines, json);
}

void reply_problem(struct request *x, unsigned status, json_t *members, const char *format, ...) {
    char detail[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(detail, sizeof detail, format, args);
    va_end(args);
    reply_problem_with(x, status, status == 503 ? "Retry-After: 1\r\n" : NULL, members, detail);
}

/* Any bytes as a chunked body: the same content however they are cut, and never more than there
 * was. */
#include <stdio.h>

#include "../http_replay.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct replay_body r;

    if (size > 1024)
        return 0;
    const char *difference = replay_body((const char *)data, size, &r);
    if (difference) {
        fprintf(stderr, "cut differently, %s differs\n", difference);
        abort();
    }
    if (r.used > size || r.content_len > r.used || (r.parse == HTTP_MORE && r.used != size))
        abort();
    if (r.parse == HTTP_BAD && (r.problem.status < 400 || !*r.problem.detail))
        abort();
    /* What a body ends with: the empty line behind the last chunk or a trailer. */
    if (r.parse == HTTP_OK && memcmp(data + r.used - 2, "\r\n", 2) != 0)
        abort();
    free(r.content);
    return 0;
}

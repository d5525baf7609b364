/* Any bytes as a response head, to HEAD or not: the same answer however they are cut. */
#include "http_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    check_head(REPLAY_RESPONSE, (const char *)data, size);
    check_head(REPLAY_RESPONSE_TO_HEAD, (const char *)data, size);
    return 0;
}

/* Any bytes as a request head: the same answer however they are cut, and nothing behind the end. */
#include "http_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    check_head(REPLAY_REQUEST, (const char *)data, size);
    return 0;
}

/* Any bytes as a chunked body: the same content however they are cut, and never more than there
 * was. */
#include "http_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    check_body((const char *)data, size);
    return 0;
}

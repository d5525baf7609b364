/* The header names this program knows: what each is asked for and whether it is passed on. */
#include "http_parse.h"

struct known {
    struct slice name;
    enum http_name id;
    unsigned traits;
};

#define KNOWN(text, id, traits)                                                                    \
    { {text, sizeof(text) - 1}, id, traits }

/* By length, which rules out nearly all of them. */
static const struct known names[][3] = {
    [2] = {KNOWN("TE", HTTP_NAME_OTHER, HTTP_HOP)},
    [3] = {KNOWN("Via", HTTP_NAME_VIA, HTTP_REPLACED)},
    [4] = {KNOWN("Host", HTTP_NAME_HOST, HTTP_FIXED | HTTP_REPLACED)},
    [6] = {KNOWN("Expect", HTTP_NAME_EXPECT, HTTP_REPLACED)},
    [7] = {KNOWN("Trailer", HTTP_NAME_OTHER, HTTP_HOP),
           KNOWN("Upgrade", HTTP_NAME_OTHER, HTTP_HOP)},
    [10] = {KNOWN("Connection", HTTP_NAME_CONNECTION, HTTP_HOP),
            KNOWN("Keep-Alive", HTTP_NAME_KEEP_ALIVE, HTTP_HOP)},
    [11] = {KNOWN("Retry-After", HTTP_NAME_RETRY_AFTER, 0),
            KNOWN("traceparent", HTTP_NAME_TRACEPARENT, 0)},
    [12] = {KNOWN("Content-Type", HTTP_NAME_CONTENT_TYPE, HTTP_FIXED)},
    [14] = {KNOWN("X-GitHub-Event", HTTP_NAME_EVENT, HTTP_FIXED),
            KNOWN("Content-Length", HTTP_NAME_CONTENT_LENGTH, HTTP_FIXED | HTTP_REPLACED)},
    [15] = {KNOWN("Idempotency-Key", HTTP_NAME_OTHER, HTTP_FIXED | HTTP_REPLACED),
            KNOWN("X-Forwarded-For", HTTP_NAME_FORWARDED_FOR, HTTP_REPLACED)},
    [16] = {KNOWN("X-GitHub-Hook-ID", HTTP_NAME_HOOK, HTTP_FIXED),
            KNOWN("X-Forwarded-Host", HTTP_NAME_OTHER, HTTP_REPLACED),
            KNOWN("Proxy-Connection", HTTP_NAME_OTHER, HTTP_HOP)},
    [17] = {KNOWN("X-GitHub-Delivery", HTTP_NAME_DELIVERY, HTTP_FIXED),
            KNOWN("X-Forwarded-Proto", HTTP_NAME_OTHER, HTTP_REPLACED),
            KNOWN("Transfer-Encoding", HTTP_NAME_TRANSFER_ENCODING, HTTP_HOP)},
    [18] = {KNOWN("Proxy-Authenticate", HTTP_NAME_OTHER, HTTP_HOP)},
    [19] = {KNOWN("X-Hub-Signature-256", HTTP_NAME_SIGNATURE, HTTP_FIXED),
            KNOWN("Proxy-Authorization", HTTP_NAME_OTHER, HTTP_HOP)},
};

/* Of other names; the first that fits counts. */
static const struct known beginnings[] = {
    KNOWN("X-GitHub-", HTTP_NAME_OTHER, HTTP_FIXED),
    KNOWN("X-Hub-Signature", HTTP_NAME_OTHER, HTTP_FIXED),
    KNOWN("X-Pointsman-", HTTP_NAME_OTHER, HTTP_FIXED | HTTP_OURS),
    KNOWN("X-Pointsman", HTTP_NAME_OTHER, HTTP_FIXED),
};

bool http_name_find(struct slice name, struct http_header *ret) {
    if (name.len < ARRAY_LEN(names))
        for (size_t i = 0; i < ARRAY_LEN(names[0]) && names[name.len][i].name.ptr; i++)
            if (slice_ieq(name, names[name.len][i].name)) {
                ret->id = names[name.len][i].id;
                ret->traits = names[name.len][i].traits;
                return true;
            }
    ret->id = HTTP_NAME_OTHER;
    ret->traits = 0;
    for (size_t i = 0; i < ARRAY_LEN(beginnings) && !ret->traits; i++) {
        const struct known *known = &beginnings[i];
        if (name.len >= known->name.len && slice_ieq(slice(name.ptr, known->name.len), known->name))
            ret->traits = known->traits;
    }
    return false;
}

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
    [2] = {KNOWN("TE", NAME_OTHER, HTTP_HOP)},
    [3] = {KNOWN("Via", NAME_VIA, HTTP_REPLACED)},
    [4] = {KNOWN("Host", NAME_HOST, HTTP_FIXED | HTTP_REPLACED)},
    [6] = {KNOWN("Expect", NAME_EXPECT, HTTP_REPLACED)},
    [7] = {KNOWN("Trailer", NAME_OTHER, HTTP_HOP), KNOWN("Upgrade", NAME_OTHER, HTTP_HOP)},
    [10] = {KNOWN("Connection", NAME_CONNECTION, HTTP_HOP),
            KNOWN("Keep-Alive", NAME_KEEP_ALIVE, HTTP_HOP)},
    [11] = {KNOWN("Retry-After", NAME_RETRY_AFTER, 0), KNOWN("traceparent", NAME_TRACEPARENT, 0)},
    [12] = {KNOWN("Content-Type", NAME_CONTENT_TYPE, HTTP_FIXED)},
    [14] = {KNOWN("X-GitHub-Event", NAME_EVENT, HTTP_FIXED),
            KNOWN("Content-Length", NAME_CONTENT_LENGTH, HTTP_FIXED | HTTP_REPLACED)},
    [15] = {KNOWN("Idempotency-Key", NAME_OTHER, HTTP_FIXED | HTTP_REPLACED),
            KNOWN("X-Forwarded-For", NAME_FORWARDED_FOR, HTTP_REPLACED)},
    [16] = {KNOWN("X-GitHub-Hook-ID", NAME_HOOK, HTTP_FIXED),
            KNOWN("X-Forwarded-Host", NAME_OTHER, HTTP_REPLACED),
            KNOWN("Proxy-Connection", NAME_OTHER, HTTP_HOP)},
    [17] = {KNOWN("X-GitHub-Delivery", NAME_DELIVERY, HTTP_FIXED),
            KNOWN("X-Forwarded-Proto", NAME_OTHER, HTTP_REPLACED),
            KNOWN("Transfer-Encoding", NAME_TRANSFER_ENCODING, HTTP_HOP)},
    [18] = {KNOWN("Proxy-Authenticate", NAME_OTHER, HTTP_HOP)},
    [19] = {KNOWN("X-Hub-Signature-256", NAME_SIGNATURE, HTTP_FIXED),
            KNOWN("Proxy-Authorization", NAME_OTHER, HTTP_HOP)},
};

/* Of other names; the first that fits counts. */
static const struct known beginnings[] = {
    KNOWN("X-GitHub-", NAME_OTHER, HTTP_FIXED),
    KNOWN("X-Hub-Signature", NAME_OTHER, HTTP_FIXED),
    KNOWN("X-Pointsman-", NAME_OTHER, HTTP_FIXED | HTTP_OURS),
    KNOWN("X-Pointsman", NAME_OTHER, HTTP_FIXED),
};

bool http_name_find(struct slice name, struct http_header *ret) {
    if (name.len < ARRAY_LEN(names))
        for (size_t i = 0; i < ARRAY_LEN(names[0]) && names[name.len][i].name.ptr; i++)
            if (slice_ieq(name, names[name.len][i].name)) {
                ret->id = names[name.len][i].id;
                ret->traits = names[name.len][i].traits;
                return true;
            }
    ret->id = NAME_OTHER;
    ret->traits = 0;
    for (size_t i = 0; i < ARRAY_LEN(beginnings) && !ret->traits; i++) {
        const struct known *known = &beginnings[i];
        if (name.len >= known->name.len && slice_ieq(slice(name.ptr, known->name.len), known->name))
            ret->traits = known->traits;
    }
    return false;
}

/* Refuses what a foreign web page could make a browser send, and compares the token. */
#include "guard.h"

#include <arpa/inet.h>

#include <pointsman/digest.h>

const char *const guard_texts[GUARD_VERDICTS] = {
    [GUARD_OK] = "",
    [GUARD_HOST] = "the Host of this request is not this admin address; use the address from the "
                   "configuration, 127.0.0.1, [::1] or localhost, with the admin port",
    [GUARD_ORIGIN] = "the Origin of this request is another site; only pages of this admin address "
                     "may use it",
    [GUARD_SITE] = "the browser says this request comes from another site (Sec-Fetch-Site: "
                   "cross-site)",
};

struct authority {
    struct slice host; /* without brackets */
    uint64_t port;
};

/* host, host:port, [v6] or [v6]:port; without a port it is 80 (RFC 9110 §4.2.1). */
static bool authority_parse(struct slice text, struct authority *ret) {
    size_t end = 0;
    bool bracket = text.len && text.ptr[0] == '[';
    const char stop = bracket ? ']' : ':';
    while (end < text.len && text.ptr[end] != stop)
        end++;
    if (bracket && end == text.len)
        return false;

    struct authority a = {slice(text.ptr + bracket, end - bracket), 80};
    size_t after = end + bracket;
    if (a.host.len == 0)
        return false;
    if (after < text.len) {
        if (text.ptr[after] != ':' ||
            !slice_to_u64(slice(text.ptr + after + 1, text.len - after - 1), &a.port))
            return false;
    }
    *ret = a;
    return true;
}

struct ip {
    int family; /* 0: no IP literal */
    uint8_t bytes[16];
};

static struct ip ip_parse(struct slice text) {
    char copy[INET6_ADDRSTRLEN];
    struct ip ip = {0};
    if (text.len >= sizeof copy)
        return ip;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = 0;
    if (inet_pton(AF_INET, copy, ip.bytes) == 1)
        ip.family = AF_INET;
    else if (inet_pton(AF_INET6, copy, ip.bytes) == 1)
        ip.family = AF_INET6;
    return ip;
}

static bool ip_is_loopback(const struct ip *ip) {
    static const uint8_t v6[16] = {[15] = 1};
    return ip->family == AF_INET ? ip->bytes[0] == 127
                                 : ip->family == AF_INET6 && memcmp(ip->bytes, v6, 16) == 0;
}

static bool ip_eq(const struct ip *a, const struct ip *b) {
    return a->family && a->family == b->family &&
           memcmp(a->bytes, b->bytes, a->family == AF_INET ? 4 : 16) == 0;
}

/* Names and addresses that can only mean this server. */
static bool is_ours(const struct guard *g, const struct authority *a) {
    struct ip there = ip_parse(a->host);
    struct ip bound = ip_parse(slice_of(g->host));
    if (a->port != g->port)
        return false;
    return slice_iis(a->host, "localhost") || slice_is(a->host, "127.0.0.1") ||
           slice_is(a->host, "::1") || ip_eq(&there, &bound);
}

/* Bound to the network with a token: clients come by whatever address reaches us, but never by a
 * foreign name, and a page served from an IP literal can not be rebound. */
static bool is_reachable(const struct guard *g, const struct authority *a) {
    struct ip there = ip_parse(a->host);
    struct ip bound = ip_parse(slice_of(g->host));
    return g->token && !ip_is_loopback(&bound) && there.family;
}

static bool origin_ok(const struct guard *g, struct slice origin, struct slice host) {
    static const char scheme[] = "http://";
    size_t n = sizeof scheme - 1;
    struct authority a;
    struct authority h;
    if (origin.len <= n || !slice_iis(slice(origin.ptr, n), scheme))
        return false;
    if (!authority_parse(slice(origin.ptr + n, origin.len - n), &a))
        return false;
    if (is_ours(g, &a))
        return true;
    return host.ptr && authority_parse(host, &h) && slice_ieq(a.host, h.host) && a.port == h.port;
}

enum guard_verdict guard_check(const struct guard *g, struct slice host, struct slice origin,
                               struct slice fetch_site) {
    struct authority a;
    if (host.ptr && (!authority_parse(host, &a) || !(is_ours(g, &a) || is_reachable(g, &a))))
        return GUARD_HOST;
    if (origin.ptr && !origin_ok(g, origin, host))
        return GUARD_ORIGIN;
    if (slice_iis(fetch_site, "cross-site"))
        return GUARD_SITE;
    return GUARD_OK;
}

bool guard_token_ok(const struct guard *g, struct slice authorization) {
    static const char scheme[] = "Bearer ";
    size_t n = sizeof scheme - 1;
    if (!g->token)
        return true;
    if (authorization.len <= n || !slice_iis(slice(authorization.ptr, n), scheme))
        return false;
    struct slice given = slice_trim_ows(slice(authorization.ptr + n, authorization.len - n));

    /* digests have one length, so neither length nor place of a difference shows in time */
    uint8_t a[SHA256_LEN];
    uint8_t b[SHA256_LEN];
    digest_sha256(given.ptr, given.len, a);
    digest_sha256(g->token, strlen(g->token), b);
    return digest_equal(a, b, SHA256_LEN);
}

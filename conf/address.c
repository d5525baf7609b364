/* Addresses and URLs, strictly. */
#include "address.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>

/* What a URL is made of, before anything is copied. */
struct parts {
    struct slice login; /* absent: no "@" */
    struct slice host;  /* without brackets */
    struct slice port;  /* absent: no ":" */
    struct slice path;  /* "" or from "/" */
};

void address_clear(struct conf_address *a) {
    free(a->text);
    free(a->host);
    *a = (struct conf_address){0};
}

void url_clear(struct conf_url *u) {
    free(u->text);
    free(u->host);
    free(u->path);
    *u = (struct conf_url){0};
}

static struct slice from(struct slice s, size_t skip) {
    return slice(s.ptr + skip, s.len - skip);
}

/* Offset of the first byte that is one of `set`, or the length. */
static size_t find(struct slice s, const char *set) {
    size_t i = 0;
    while (i < s.len && !strchr(set, s.ptr[i]))
        i++;
    return i;
}

static bool port_parse(struct slice text, uint16_t *ret) {
    uint64_t port;
    if (text.len > 5 || !slice_to_u64(text, &port) || port > UINT16_MAX)
        return false;
    *ret = (uint16_t)port;
    return true;
}

/* "host:port" or "[v6]:port", either without ":port". */
static bool split_authority(struct slice text, struct parts *ret) {
    bool bracket = text.len > 0 && text.ptr[0] == '[';
    if (bracket)
        text = from(text, 1);
    size_t host_len = find(text, bracket ? "]" : ":");
    if (bracket && host_len == text.len)
        return false;
    ret->host = slice(text.ptr, host_len);
    text = from(text, host_len + (bracket ? 1 : 0));
    ret->port = slice(NULL, 0);
    if (text.len > 0) {
        if (text.ptr[0] != ':')
            return false;
        ret->port = from(text, 1);
    }
    return true;
}

/* The address as the C library writes it, so that equal ones are equal texts; NULL: it is none. */
static const char *numeric(struct slice host, bool v6, char out[INET6_ADDRSTRLEN]) {
    char text[INET6_ADDRSTRLEN];
    unsigned char bytes[16];
    if (host.len == 0 || host.len >= sizeof(text))
        return NULL;
    memcpy(text, host.ptr, host.len);
    text[host.len] = 0;
    int family = v6 ? AF_INET6 : AF_INET;
    if (inet_pton(family, text, bytes) != 1)
        return NULL;
    return inet_ntop(family, bytes, out, INET6_ADDRSTRLEN);
}

bool address_parse(struct slice text, struct conf_address *ret, const char **ret_why) {
    char host[INET6_ADDRSTRLEN];
    struct parts parts = {0};
    uint16_t port;
    *ret_why = "is no address";
    if (!split_authority(text, &parts) || !parts.port.ptr || !port_parse(parts.port, &port) ||
        !numeric(parts.host, text.ptr[0] == '[', host))
        return false;
    struct conf_address a = {
        .text = strndup(text.ptr, text.len), .host = strdup(host), .port = port};
    if (!a.text || !a.host) {
        *ret_why = NULL;
        address_clear(&a);
        return false;
    }
    *ret = a;
    return true;
}

bool address_is_loopback(const struct conf_address *a) {
    return strncmp(a->host, "127.", 4) == 0 || strcmp(a->host, "::1") == 0;
}

bool path_is_valid(struct slice path) {
    if (path.len == 0 || path.ptr[0] != '/')
        return false;
    for (size_t i = 0; i < path.len; i++) {
        unsigned char c = (unsigned char)path.ptr[i];
        if (c == '%') {
            if (i + 2 >= path.len || !isxdigit((unsigned char)path.ptr[i + 1]) ||
                !isxdigit((unsigned char)path.ptr[i + 2]))
                return false;
        } else if (c == 0 || (!isalnum(c) && !strchr("/-._~!$&'()*+,;=:@", c))) {
            return false;
        }
    }
    return true;
}

static bool host_is_valid(struct slice host, bool bracket) {
    char out[INET6_ADDRSTRLEN];
    bool name = false;
    if (bracket)
        return numeric(host, true, out) != NULL;
    if (host.len == 0 || host.len > 253)
        return false;
    for (size_t i = 0; i < host.len; i++) {
        unsigned char c = (unsigned char)host.ptr[i];
        if (c >= 0x80 || c == 0 || (!isalnum(c) && !strchr("-._", c)))
            return false;
        name |= !isdigit(c) && c != '.';
    }
    /* 1.2.3.999 is a typing error and no name */
    return name || numeric(host, false, out) != NULL;
}

static bool starts_with(struct slice text, const char *scheme, struct slice *ret_rest) {
    size_t len = strlen(scheme);
    if (text.len < len || !slice_iis(slice(text.ptr, len), scheme))
        return false;
    *ret_rest = from(text, len);
    return true;
}

/* Everything behind "scheme://". */
static bool split(struct slice rest, struct parts *ret, const char **ret_why) {
    *ret_why = "has a query or fragment";
    if (find(rest, "?#") < rest.len)
        return false;
    /* "@" may stand in a path, but not behind one in the authority */
    size_t authority_len = find(rest, "/");
    struct slice authority = slice(rest.ptr, authority_len);
    ret->path = from(rest, authority_len);
    ret->login = slice(NULL, 0);
    for (size_t i = authority.len; i-- > 0;) {
        if (authority.ptr[i] != '@')
            continue;
        ret->login = slice(authority.ptr, i);
        authority = from(authority, i + 1);
        break;
    }
    *ret_why = "names no host that could be one";
    bool bracket = authority.len > 0 && authority.ptr[0] == '[';
    return split_authority(authority, ret) && host_is_valid(ret->host, bracket);
}

static bool take_port(const struct parts *parts, uint16_t def, uint16_t *ret,
                      const char **ret_why) {
    *ret_why = "has a port that is none";
    *ret = def;
    return !parts->port.ptr || (port_parse(parts->port, ret) && *ret > 0);
}

bool url_parse(struct slice text, struct conf_url *ret, const char **ret_why) {
    struct parts parts = {0};
    struct slice rest;
    uint16_t port;
    if (starts_with(text, "https://", &rest)) {
        *ret_why = "needs TLS to backends, which is not available in this version";
        return false;
    }
    *ret_why = "is no URL of a backend";
    if (!starts_with(text, "http://", &rest) || !split(rest, &parts, ret_why) ||
        !take_port(&parts, 80, &port, ret_why))
        return false;
    if (parts.login.ptr) {
        *ret_why = "has a user or password, which would not be sent; use headers";
        return false;
    }
    if (parts.path.len > 0 && !path_is_valid(parts.path)) {
        *ret_why = "has a path with characters that must be written as %XX";
        return false;
    }
    while (parts.path.len > 0 && parts.path.ptr[parts.path.len - 1] == '/')
        parts.path.len--;
    struct conf_url u = {.text = strndup(text.ptr, text.len),
                         .host = strndup(parts.host.ptr, parts.host.len),
                         .port = port,
                         .path = strndup(parts.path.ptr, parts.path.len)};
    if (!u.text || !u.host || !u.path) {
        *ret_why = NULL;
        url_clear(&u);
        return false;
    }
    *ret = u;
    return true;
}

void url_add_shown(struct text *t, struct slice url) {
    const char *sign = url.len > 0 ? memmem(url.ptr, url.len, "://", 3) : NULL;
    struct slice scheme = slice(url.ptr, sign ? (size_t)(sign - url.ptr) + 3 : 0);
    struct slice rest = from(url, scheme.len);
    size_t behind_at = rest.len;
    while (behind_at > 0 && rest.ptr[behind_at - 1] != '@')
        behind_at--;
    /* a password may stand before the last "@", or behind ":" where "@host" was forgotten */
    size_t colon = find(rest, ":");
    struct slice port = colon < rest.len ? from(rest, colon + 1) : slice("", 0);
    size_t digits = 0;
    while (digits < port.len && port.ptr[digits] >= '0' && port.ptr[digits] <= '9')
        digits++;
    bool no_port = digits < find(port, "/?#");
    if (scheme.len > 16)
        scheme.len = 0;
    if (behind_at > 0) {
        struct text host = text_quoted(from(rest, behind_at));
        text_add(t, "\"%.*s***@%s", SLICE_ARG(scheme), host.bytes + 1);
    } else if (no_port) {
        struct text host = text_quoted(slice(rest.ptr, colon));
        text_add(t, "\"%.*s%.*s***\"", SLICE_ARG(scheme), (int)host.len - 2, host.bytes + 1);
    } else {
        text_add_quoted(t, url);
    }
}

/* NULL: a malformed %XX or a NUL, or no memory. */
static char *percent_decode(struct slice in, bool *ret_malformed) {
    *ret_malformed = false;
    char *out = malloc(in.len + 1);
    size_t n = 0;
    for (size_t i = 0; out && i < in.len; i++) {
        int c = (unsigned char)in.ptr[i];
        if (c == '%') {
            int high = i + 2 < in.len ? hex_value(in.ptr[i + 1]) : -1;
            int low = high >= 0 ? hex_value(in.ptr[i + 2]) : -1;
            c = low >= 0 ? high * 16 + low : 0;
            i += 2;
        }
        if (c == 0) {
            *ret_malformed = true;
            free(out);
            return NULL;
        }
        out[n++] = (char)c;
    }
    if (out)
        out[n] = 0;
    return out;
}

static bool login_parse(struct slice text, struct redis_login *ret, const char **ret_why) {
    size_t user_len = find(text, ":");
    *ret_why = "has a user without a password; write [user]:password@";
    if (user_len + 1 >= text.len)
        return false;
    bool malformed = false;
    bool no_memory = false;
    if (user_len > 0) {
        ret->user = percent_decode(slice(text.ptr, user_len), &malformed);
        no_memory = !ret->user && !malformed;
    }
    if (!malformed && !no_memory) {
        ret->password = percent_decode(from(text, user_len + 1), &malformed);
        no_memory = !ret->password && !malformed;
    }
    *ret_why = no_memory ? NULL : "has a user or password with a malformed %XX";
    return !malformed && !no_memory;
}

static bool db_parse(struct slice path, uint32_t *ret) {
    uint64_t db = 0;
    if (path.len > 1 && (path.len > 6 || !slice_to_u64(from(path, 1), &db)))
        return false;
    *ret = (uint32_t)db;
    return true;
}

/* What may be shown of it: everything but the login. */
static char *without_login(struct slice host, bool bracket, uint16_t port, uint32_t db) {
    char *text = NULL;
    if (asprintf(&text, "redis://%s%.*s%s:%u/%u", bracket ? "[" : "", SLICE_ARG(host),
                 bracket ? "]" : "", (unsigned)port, (unsigned)db) < 0)
        return NULL;
    return text;
}

bool redis_url_parse(struct slice text, struct conf_url *ret, struct redis_login *ret_login,
                     const char **ret_why) {
    struct parts parts = {0};
    struct redis_login login = {0};
    struct conf_url u = {0};
    struct slice rest;
    if (starts_with(text, "rediss://", &rest)) {
        *ret_why = "needs TLS to Redis, which is not available in this version";
        return false;
    }
    *ret_why = "is no URL of a Redis";
    if (!starts_with(text, "redis://", &rest) || !split(rest, &parts, ret_why) ||
        !take_port(&parts, 6379, &u.port, ret_why))
        return false;
    *ret_why = "names a database that is no number";
    if (!db_parse(parts.path, &login.db))
        return false;
    if (parts.login.ptr && !login_parse(parts.login, &login, ret_why))
        goto fail;
    bool bracket = memchr(parts.host.ptr, ':', parts.host.len) != NULL;
    u.text = without_login(parts.host, bracket, u.port, login.db);
    u.host = strndup(parts.host.ptr, parts.host.len);
    u.path = strdup("");
    *ret_why = NULL;
    if (!u.text || !u.host || !u.path)
        goto fail;
    *ret = u;
    *ret_login = login;
    return true;
fail:
    url_clear(&u);
    free(login.user);
    free(login.password);
    return false;
}

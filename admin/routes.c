/* The table of the API and how a path finds its row. */
#include "routes.h"

#include <stdio.h>

#include "handlers.h"

const struct route routes[] = {
    {"GET", "/healthz", handle_healthz, true},
    {"GET", "/readyz", handle_readyz, true},
    {"GET", "/metrics", handle_metrics, true},
    {"GET", "/v1/status", handle_status, false},
    {"GET", "/v1/audit", handle_audit, false},
    {"GET", "/v1/events/{id}", handle_event, false},
    {"POST", "/v1/events/{id}/forget", handle_forget, false},
    {"GET", "/v1/entities/{entity}", handle_entity, false},
    {"GET", "/v1/dead", handle_dead_list, false},
    {"POST", "/v1/dead/replay", handle_dead_replay, false},
    {"POST", "/v1/dead/drop", handle_dead_drop, false},
    {"GET", "/v1/dead/{id}", handle_dead_show, false},
    {"GET", "/v1/doubt", handle_doubt_list, false},
    {"POST", "/v1/doubt/resolve", handle_doubt_resolve, false},
    {"GET", "/v1/doubt/{id}", handle_doubt_show, false},
    {"PUT", "/v1/mode", handle_mode, false},
    {"PUT", "/v1/rollout", handle_rollout, false},
    {"POST", "/v1/rollback", handle_rollback, false},
    {"GET", "/migration/status", handle_migration_status, false},
    {"POST", "/migration/mode/{mode}", handle_migration_mode, false},
    {"POST", "/migration/rollback", handle_migration_rollback, false},
};
const unsigned route_count = ARRAY_LEN(routes);

/* Takes the next "/segment" off the front. */
static bool next_segment(struct slice *rest, struct slice *ret) {
    if (rest->len == 0 || rest->ptr[0] != '/')
        return false;
    size_t n = 1;
    while (n < rest->len && rest->ptr[n] != '/')
        n++;
    *ret = slice(rest->ptr + 1, n - 1);
    *rest = slice(rest->ptr + n, rest->len - n);
    return true;
}

static bool path_matches(const char *pattern, struct slice path, struct slice *ret_arg) {
    struct slice wanted = slice_of(pattern);
    struct slice want;
    struct slice have;
    struct slice arg = {0};
    while (next_segment(&wanted, &want)) {
        if (!next_segment(&path, &have))
            return false;
        if (want.len && want.ptr[0] == '{') {
            if (have.len == 0)
                return false;
            arg = have;
        } else if (!slice_eq(want, have)) {
            return false;
        }
    }
    if (path.len)
        return false;
    *ret_arg = arg;
    return true;
}

enum route_match route_find(struct slice method, struct slice path, const struct route **ret_route,
                            struct slice *ret_arg, char allow[ROUTE_ALLOW_MAX]) {
    size_t used = 0;
    struct slice arg;
    if (slice_is(method, "HEAD"))
        method = slice_of("GET");
    allow[0] = 0;
    for (unsigned i = 0; i < route_count; i++) {
        if (!path_matches(routes[i].pattern, path, &arg))
            continue;
        if (slice_is(method, routes[i].method)) {
            *ret_route = &routes[i];
            *ret_arg = arg;
            return ROUTE_FOUND;
        }
        const char *and_head = slice_is(slice_of(routes[i].method), "GET") ? ", HEAD" : "";
        int n = snprintf(allow + used, ROUTE_ALLOW_MAX - used, "%s%s%s", used ? ", " : "",
                         routes[i].method, and_head);
        if (n > 0 && used + (size_t)n < ROUTE_ALLOW_MAX)
            used += (size_t)n;
    }
    return used ? ROUTE_NO_METHOD : ROUTE_NO_PATH;
}

bool percent_decode(struct slice in, bool plus, char *out, size_t cap) {
    size_t n = 0;
    for (size_t i = 0; i < in.len; i++) {
        char c = in.ptr[i];
        if (c == '%') {
            int high = in.len - i > 2 ? hex_value(in.ptr[i + 1]) : -1;
            int low = high >= 0 ? hex_value(in.ptr[i + 2]) : -1;
            if (low < 0)
                return false;
            c = (char)(high * 16 + low);
            i += 2;
        } else if (plus && c == '+') {
            c = ' ';
        }
        if (c == 0 || n + 1 >= cap)
            return false;
        out[n++] = c;
    }
    out[n] = 0;
    return true;
}

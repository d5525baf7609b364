/* Alive and ready, for orchestrators. */
#include "handlers.h"
#include "request.h"

void handle_healthz(struct request *x) {
    reply_json(x, 200, json_pack("{s:s}", "status", "alive"));
}

void handle_readyz(struct request *x) {
    struct err err = {""};
    if (proxy_is_ready(x->proxy, &err))
        reply_json(x, 200, json_pack("{s:s}", "status", "ready"));
    else
        reply_problem(x, 503, NULL, "%s", err.text);
}

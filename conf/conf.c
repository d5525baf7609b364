/* The life of a snapshot. */
#include <stdatomic.h>
#include <stdlib.h>

#include "address.h"
#include "options.h"

struct conf *conf_ref(struct conf *conf) {
    atomic_fetch_add_explicit(&conf->refs, 1, memory_order_relaxed);
    return conf;
}

static void backend_clear(struct conf_backend *b) {
    free(b->name);
    url_clear(&b->url);
    free(b->health_path);
    for (size_t i = 0; i < b->header_count; i++) {
        free(b->headers[i].name);
        free(b->headers[i].value);
    }
    free(b->headers);
    free(b->not_done);
}

static void filter_clear(struct conf_filter *f) {
    free(f->type);
    for (size_t i = 0; i < f->action_count; i++)
        free(f->actions[i]);
    free(f->actions);
}

static void source_clear(struct conf_source *s) {
    free(s->name);
    free(s->path);
    for (size_t i = 0; i < s->secret_count; i++) {
        explicit_bzero(s->secrets[i].bytes, s->secrets[i].len);
        free(s->secrets[i].bytes);
        free(s->secrets[i].origin);
    }
    free(s->secrets);
    for (size_t i = 0; i < s->only_count; i++)
        filter_clear(&s->only[i]);
    free(s->only);
}

static void conf_free(struct conf *conf) {
    free(conf->file);
    for (size_t i = 0; i < conf->listener_count; i++)
        address_clear(&conf->listeners[i]);
    free(conf->listeners);
    address_clear(&conf->admin);
    free(conf->admin_token);
    free(conf->directory);
    url_clear(&conf->redis);
    free(conf->redis_user);
    free(conf->redis_password);
    free(conf->redis_prefix);
    for (int side = 0; side < SIDES; side++)
        backend_clear(&conf->backends[side]);
    free(conf->salt);
    for (size_t i = 0; i < conf->source_count; i++)
        source_clear(&conf->sources[i]);
    free(conf->sources);
    free(conf->ladder_ms);
    free(conf);
}

void conf_unref(struct conf *conf) {
    /* the last one must see what the others wrote */
    if (conf && atomic_fetch_sub_explicit(&conf->refs, 1, memory_order_acq_rel) == 1)
        conf_free(conf);
}

/* Walks the events of a file in the order of their keys. */
#include "embedded_export.h"

#include <string.h>

#include "store_ops.h"

#define EVENTS "ev:"

/* "ev:<source>:<id>", the source escaped as record_event_key does. */
static bool split_key(struct slice key, char *source, size_t *ret_source_len,
                      struct slice *ret_id) {
    size_t len = 0, at = strlen(EVENTS);
    while (at < key.len && key.ptr[at] != ':') {
        if (len == SOURCE_NAME_MAX)
            return false;
        bool escaped = key.ptr[at] == '%' && key.len - at > 2;
        source[len++] = !escaped ? key.ptr[at] : key.ptr[at + 1] == '3' ? ':' : '%';
        at += escaped ? 3 : 1;
    }
    if (at >= key.len)
        return false;
    *ret_source_len = len;
    *ret_id = slice(key.ptr + at + 1, key.len - at - 1);
    return true;
}

static uint64_t ms_left(uint64_t until_us, uint64_t now_us) {
    return until_us > now_us ? (until_us - now_us + 999) / 1000 : 0;
}

static bool add_leg(struct embedded_ops *ops, const struct event_record *e, enum side side,
                    struct slice source, struct slice id, struct known_copy ***end) {
    struct entity_record entity;
    bool found = false;
    const struct leg_record *leg = &e->legs[side];
    if (leg->state == LEG_ABSENT)
        return true;
    struct known_copy *copy = known_copy_new(source, id, e->entity);
    if (!copy)
        return false;
    copy->call.side = side;
    copy->call.pin = e->pin;
    copy->call.at_wall_us = e->at_us;
    copy->call.leg = *leg;
    copy->call.lease_left_ms = ms_left(leg->until_us, ops->now_us);
    **end = copy;
    *end = &copy->next;
    buf_reset(&ops->key);
    if (!record_entity_key(slice_of(""), source, e->entity, &ops->key) ||
        !sql_get(ops->sql, buf_slice(&ops->key), ops->now_us, &ops->entity, &found))
        return false;
    if (found && record_parse_entity(buf_slice(&ops->entity), &entity) &&
        entity.gen == leg->fence && leg->role == ROLE_OWNER)
        copy->call.stick_left_ms = ms_left(entity.stick_us, ops->now_us);
    return true;
}

static bool add_event(struct embedded_ops *ops, struct slice key, struct known_copy ***end) {
    char source[SOURCE_NAME_MAX];
    size_t source_len;
    struct slice id;
    struct event_record e;
    if (!split_key(key, source, &source_len, &id) ||
        !record_parse_event(buf_slice(&ops->event), &e))
        return true; /* not one of ours: nothing that could be published */
    return add_leg(ops, &e, SIDE_LEGACY, slice(source, source_len), id, end) &&
           add_leg(ops, &e, SIDE_NEW, slice(source, source_len), id, end);
}

bool embedded_export(struct embedded_ops *ops, struct store_export *call) {
    struct known_copy *list = NULL, **end = &list;
    struct buf key;
    bool found = true, ok = true;
    buf_init(&key, RECORD_KEY_MAX);
    for (unsigned count = 0; ok && found && count < EXPORT_PAGE; count++) {
        ok = sql_next(ops->sql, slice_of(EVENTS), slice(call->after, call->after_len), &key,
                      &ops->event, &found);
        if (!ok || !found)
            break;
        ok = add_event(ops, buf_slice(&key), &end);
        call->after_len = buf_len(&key);
        memcpy(call->after, buf_at(&key), call->after_len);
    }
    buf_free(&key);
    if (!ok) {
        known_copy_free(list);
        return false;
    }
    call->ret_list = list;
    call->ret_more = found;
    call->call.result = STORE_OK;
    return true;
}

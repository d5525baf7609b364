/* Loads records, applies the rules, keeps what changed. */
#include "embedded_ops.h"

#include <string.h>

#include "control_text.h"
#include "embedded_export.h"
#include "record.h"
#include "rules.h"
#include "store_ops.h"

#define TEXT_MAX (4 * 1024 * 1024) /* values that people put there by hand */

void embedded_ops_init(struct embedded_ops *ops, struct sql *sql, uint64_t remember_ms) {
    *ops = (struct embedded_ops){.sql = sql, .remember_ms = remember_ms};
    buf_init(&ops->key, RECORD_KEY_MAX);
    buf_init(&ops->event, TEXT_MAX);
    buf_init(&ops->entity, TEXT_MAX);
    buf_init(&ops->out, RECORD_EVENT_MAX);
}

void embedded_ops_free(struct embedded_ops *ops) {
    buf_free(&ops->key);
    buf_free(&ops->event);
    buf_free(&ops->entity);
    buf_free(&ops->out);
}

static bool event_key(struct embedded_ops *ops, struct slice source, struct slice id) {
    buf_reset(&ops->key);
    return record_event_key(slice_of(""), source, id, &ops->key);
}

static bool entity_key(struct embedded_ops *ops, struct slice source, struct slice entity) {
    buf_reset(&ops->key);
    return record_entity_key(slice_of(""), source, entity, &ops->key);
}

static bool load_event(struct embedded_ops *ops, struct slice source, struct slice id,
                       struct records *r) {
    return event_key(ops, source, id) &&
           sql_get(ops->sql, buf_slice(&ops->key), ops->now_us, &ops->event, &r->has_event) &&
           (!r->has_event || record_parse_event(buf_slice(&ops->event), &r->event));
}

static bool load_entity(struct embedded_ops *ops, struct slice source, struct slice entity,
                        struct records *r) {
    return entity_key(ops, source, entity) &&
           sql_get(ops->sql, buf_slice(&ops->key), ops->now_us, &ops->entity, &r->has_entity) &&
           (!r->has_entity || record_parse_entity(buf_slice(&ops->entity), &r->entity));
}

static bool put(struct embedded_ops *ops, uint64_t expires_us) {
    return sql_put(ops->sql, buf_slice(&ops->key), buf_slice(&ops->out), (int64_t)expires_us);
}

static bool save_event(struct embedded_ops *ops, struct slice source, struct slice id,
                       const struct records *r) {
    if (r->event_gone)
        return event_key(ops, source, id) && sql_delete(ops->sql, buf_slice(&ops->key));
    if (!r->event_changed)
        return true;
    buf_reset(&ops->out);
    return event_key(ops, source, id) && record_print_event(&r->event, &ops->out) &&
           put(ops, record_event_keep(&r->event, ops->now_us, ops->remember_ms));
}

static bool save_entity(struct embedded_ops *ops, struct slice source, struct slice entity,
                        const struct records *r) {
    if (!r->entity_changed)
        return true;
    buf_reset(&ops->out);
    return entity_key(ops, source, entity) && record_print_entity(&r->entity, &ops->out) &&
           put(ops, record_entity_keep(&r->entity, ops->now_us));
}

static bool load(struct embedded_ops *ops, struct slice source, struct slice id,
                 struct slice entity, struct records *r) {
    return load_event(ops, source, id, r) && load_entity(ops, source, entity, r);
}

static bool save(struct embedded_ops *ops, struct slice source, struct slice id,
                 struct slice entity, const struct records *r) {
    return save_event(ops, source, id, r) && save_entity(ops, source, entity, r);
}

static bool claim(struct embedded_ops *ops, struct store_claim *c) {
    struct records r = {.has_event = false};
    if (!load(ops, c->source, c->id, c->entity, &r))
        return false;
    rules_claim(&r, ops->now_us, c);
    return save(ops, c->source, c->id, c->entity, &r);
}

static bool renew(struct embedded_ops *ops, struct store_renew *c) {
    struct records r = {.has_event = false};
    if (!load(ops, c->source, c->id, c->entity, &r))
        return false;
    rules_renew(&r, ops->now_us, c);
    return save(ops, c->source, c->id, c->entity, &r);
}

static bool finish(struct embedded_ops *ops, struct store_finish *c) {
    struct records r = {.has_event = false};
    if (!load(ops, c->source, c->id, c->entity, &r))
        return false;
    rules_finish(&r, ops->now_us, c);
    return save(ops, c->source, c->id, c->entity, &r);
}

static bool put_back(struct embedded_ops *ops, struct store_assert *c) {
    struct records r = {.has_event = false};
    if (!load(ops, c->source, c->id, c->entity, &r))
        return false;
    rules_assert(&r, ops->now_us, c);
    return save(ops, c->source, c->id, c->entity, &r);
}

static bool release(struct embedded_ops *ops, struct store_release *c) {
    struct records r = {.has_event = false};
    if (!load_entity(ops, c->source, c->entity, &r))
        return false;
    rules_release(&r, c);
    return save_entity(ops, c->source, c->entity, &r);
}

static bool settle(struct embedded_ops *ops, struct store_settle *c) {
    struct records r = {.has_event = false};
    if (!load_event(ops, c->source, c->id, &r) ||
        (r.has_event && !load_entity(ops, c->source, r.event.entity, &r)))
        return false;
    rules_settle(&r, ops->now_us, c);
    return save(ops, c->source, c->id, r.event.entity, &r);
}

static bool look(struct embedded_ops *ops, struct store_look *c) {
    struct records r = {.has_event = false};
    struct slice entity = c->entity;
    if (c->id.ptr) {
        if (!load_event(ops, c->source, c->id, &r))
            return false;
        entity = r.event.entity;
    }
    if ((r.has_event || !c->id.ptr) && !load_entity(ops, c->source, entity, &r))
        return false;
    if (r.has_event)
        record_show_event(c, &r.event, ops->now_us);
    if (r.has_entity)
        record_show_entity(c, &r.entity);
    c->call.result = r.has_event || r.has_entity ? STORE_OK : STORE_ABSENT;
    return true;
}

static bool get_text(struct embedded_ops *ops, const char *key, bool *ret_found) {
    return sql_get(ops->sql, slice_of(key), ops->now_us, &ops->event, ret_found);
}

static bool control_get(struct embedded_ops *ops, struct store_control_get *c) {
    bool found;
    if (!get_text(ops, CONTROL_MODE_KEY, &c->ret_has_mode))
        return false;
    if (c->ret_has_mode)
        control_copy(buf_slice(&ops->event), c->ret_mode, sizeof(c->ret_mode));
    if (!get_text(ops, CONTROL_PERCENTAGE_KEY, &c->ret_has_percentage))
        return false;
    if (c->ret_has_percentage)
        control_copy(buf_slice(&ops->event), c->ret_percentage, sizeof(c->ret_percentage));
    if (!get_text(ops, CONTROL_GOOD_KEY, &found))
        return false;
    c->ret_has_good = found && control_read_good(buf_slice(&ops->event), &c->ret_epoch,
                                                 &c->ret_good_mode, &c->ret_good_ppm);
    c->call.result = STORE_OK;
    return true;
}

static bool put_text(struct embedded_ops *ops, const char *key, const char *value) {
    return sql_put(ops->sql, slice_of(key), slice_of(value), SQL_FOREVER);
}

static bool control_set(struct embedded_ops *ops, struct store_control_set *c) {
    struct store_control_get now = {.ret_epoch = 0};
    uint64_t last;
    char good[CONTROL_GOOD_MAX], percentage[16];
    if (!control_get(ops, &now) || !sql_audit_last(ops->sql, &last))
        return false;
    if (now.ret_epoch != c->expected_epoch) {
        c->call.result = STORE_STALE;
        return true;
    }
    control_cut(c);
    uint64_t epoch = (last > c->expected_epoch ? last : c->expected_epoch) + 1;
    control_print_good(epoch, c->mode, c->ppm, good);
    record_percentage(c->ppm, percentage);
    if (!c->keep_raw && (!put_text(ops, CONTROL_MODE_KEY, mode_names[c->mode]) ||
                         !put_text(ops, CONTROL_PERCENTAGE_KEY, percentage)))
        return false;
    if (!put_text(ops, CONTROL_GOOD_KEY, good) || !sql_audit_put(ops->sql, epoch, ops->now_us, c))
        return false;
    c->ret_epoch = epoch;
    c->call.result = STORE_OK;
    return true;
}

static bool note(struct embedded_ops *ops, struct store_note *c) {
    struct store_control_get now = {.ret_epoch = 0};
    uint64_t last;
    if (!control_get(ops, &now) || !sql_audit_last(ops->sql, &last))
        return false;
    control_cut_note(c);
    c->call.result = STORE_OK;
    return sql_audit_note(ops->sql, last > now.ret_epoch ? last : now.ret_epoch, ops->now_us, c);
}

static bool audit(struct embedded_ops *ops, struct store_audit *c) {
    c->call.result = STORE_OK;
    return sql_audit_list(ops->sql, c);
}

bool embedded_execute(struct embedded_ops *ops, struct store_call *call) {
    switch ((enum call_kind)call->kind) {
    case CALL_CLAIM:
        return claim(ops, (struct store_claim *)(void *)call);
    case CALL_RENEW:
        return renew(ops, (struct store_renew *)(void *)call);
    case CALL_FINISH:
        return finish(ops, (struct store_finish *)(void *)call);
    case CALL_RELEASE:
        return release(ops, (struct store_release *)(void *)call);
    case CALL_SETTLE:
        return settle(ops, (struct store_settle *)(void *)call);
    case CALL_LOOK:
        return look(ops, (struct store_look *)(void *)call);
    case CALL_CONTROL_GET:
        return control_get(ops, (struct store_control_get *)(void *)call);
    case CALL_CONTROL_SET:
        return control_set(ops, (struct store_control_set *)(void *)call);
    case CALL_AUDIT:
        return audit(ops, (struct store_audit *)(void *)call);
    case CALL_NOTE:
        return note(ops, (struct store_note *)(void *)call);
    case CALL_ASSERT:
        return put_back(ops, (struct store_assert *)(void *)call);
    case CALL_EXPORT:
        return embedded_export(ops, (struct store_export *)(void *)call);
    case CALL_CLEAR:
        call->result = STORE_OK;
        return sql_clear(ops->sql);
    case CALL_KINDS:
        break;
    }
    return false;
}

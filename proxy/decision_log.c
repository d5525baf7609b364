/* One line per event: what was decided, why, and how it ended. Never bodies, never secrets. */
#include <assert.h>

#include <pointsman/log.h>

#include "delivery.h"
#include "shared.h"
#include "worker.h"

static const char *const leg_refused_names[] = {NULL, "overloaded", "breaker"};

/* So that no length is counted in every line. */
static const struct slice step_keys[STEP_COUNT] = {
#define STEP(id, name, what) {name, sizeof name - 1},
    STEPS(STEP)
#undef STEP
};

/* w NULL: this level is not logged; the metric is kept all the same. */
static void put_steps(struct jsonw *w, const struct delivery *d, struct metrics_slab *metrics) {
    uint64_t last = d->began_us;
    if (w)
        jsonw_object(w, "ms");
    for (int step = 0; step < STEP_COUNT; step++) {
        if (!d->at_us[step])
            continue;
        uint64_t us = d->at_us[step] > last ? d->at_us[step] - last : 0;
        last = d->at_us[step] > last ? d->at_us[step] : last;
        metrics_observe_us(metrics, METRIC_STEP_SECONDS, (unsigned)step, 0, 0, us);
        if (w)
            jsonw_milli(w, step_keys[step], us);
    }
    if (w)
        jsonw_close(w);
}

/* Changes seldom: a thread keeps the members it wrote last. */
static _Thread_local struct {
    struct control control;
    size_t len;     /* 0: none yet */
    char text[160]; /* the longest is half of it */
} last_control;

static void write_control(const struct control *control) {
    const size_t room = sizeof last_control.text;
    struct buf out = {.data = last_control.text, .cap = room, .max = room};
    struct jsonw w;
    char percentage[16];
    percentage_print(control->ppm, percentage);
    jsonw_begin(&w, &out);
    jsonw_strz(&w, "mode", mode_names[control->mode]);
    jsonw_raw(&w, "percentage", slice_of(percentage));
    jsonw_u64(&w, "epoch", control->epoch);
    jsonw_end(&w);
    assert(!w.failed);
    last_control.control = *control;
    last_control.len = buf_len(&out);
}

static void put_control(struct jsonw *w, const struct control *control) {
    const struct control *last = &last_control.control;
    if (last_control.len == 0 || control->mode != last->mode || control->ppm != last->ppm ||
        control->epoch != last->epoch)
        write_control(control);
    jsonw_put_raw(w, slice(last_control.text + 1, last_control.len - 2)); /* without { and } */
}

static void put_decision(struct jsonw *w, const struct delivery *d) {
    put_control(w, &d->control);
    if (d->decision.bucket != BUCKET_NONE)
        jsonw_u64(w, "bucket", d->decision.bucket);
    jsonw_strz(w, "side", side_name(d->decision.side));
    jsonw_strz(w, "why", why_names[d->decision.why]);
    if (d->at_us[STEP_CLAIM])
        jsonw_strz(w, "claim", store_result_names[d->claimed]);
}

static void put_leg(struct jsonw *w, const struct leg *leg) {
    jsonw_u64(w, "attempt", leg->attempt);
    jsonw_u64(w, "fence", leg->fence);
    jsonw_strz(w, "outcome", outcome_names[leg->outcome]);
    jsonw_u64(w, "backend_status", leg->status);
    if (leg->outcome == OUTCOME_IN_DOUBT || leg->outcome == OUTCOME_UNSENT)
        jsonw_strz(w, "exchange",
                   leg_refused_names[leg->refused] ? leg_refused_names[leg->refused]
                                                   : exchange_end_names[leg->ended]);
}

/* The event's place in the journal, as last asked for. */
static void put_row(struct jsonw *w, const struct row *row) {
    bool moved = row->move.seq != 0;
    const struct journal_mark *mark = moved ? &row->move.mark : &row->put.mark;
    jsonw_u64(w, "row", row->seq);
    jsonw_strz(w, "journal", row_state_names[mark->state]);
    jsonw_strz(w, "reason", row_reason_names[mark->reason]);
    jsonw_u64(w, "tries", mark->tries);
}

void log_decision(struct delivery *d) {
    d->logged = true;
    struct jsonw *w = log_begin(LOG_INFO, "decision");
    if (!w) {
        put_steps(NULL, d, d->worker->metrics);
        return;
    }
    jsonw_strz(w, "source", d->source->name);
    jsonw_str(w, "event", answer_event(d));
    jsonw_strz(w, "type", d->id.type);
    jsonw_strz(w, "action", d->id.action);
    jsonw_strz(w, "entity", d->id.entity);
    if (d->at_us[STEP_DECIDE])
        put_decision(w, d);
    if (d->owner != SIDE_NONE && d->legs[d->owner].delivery)
        put_leg(w, &d->legs[d->owner]);
    if (d->row && d->row->seq)
        put_row(w, d->row);
    jsonw_strz(w, "answer", d->answer == ANSWER_COUNT ? "none" : answers[d->answer].name);
    jsonw_u64(w, "status", d->answer_status);
    put_steps(w, d, d->worker->metrics);
    log_end(w);
}

void log_leg(struct leg *leg) {
    struct delivery *d = leg->delivery;
    struct jsonw *w = log_begin(LOG_INFO, "shadow");
    if (!w)
        return;
    jsonw_strz(w, "source", d->source->name);
    jsonw_strz(w, "event", d->id.id);
    jsonw_strz(w, "entity", d->id.entity);
    jsonw_strz(w, "side", side_names[leg->side]);
    put_leg(w, leg);
    log_end(w);
}

/* What a sender is told: the one place that makes answers (DESIGN §5). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jansson.h>

#include <pointsman/clock.h>
#include <pointsman/jsonw.h>
#include <pointsman/text.h>

#include "conn.h"
#include "delivery.h"
#include "shared.h"
#include "worker.h"

#define LINES_MAX (256 * 1024)
#define BODY_MAX  (512 * 1024)

static bool is_plain(struct slice id) {
    if (id.len == 0 || id.len > EVENT_ID_MAX)
        return false;
    for (size_t i = 0; i < id.len; i++)
        if (id.ptr[i] < 0x21 || id.ptr[i] > 0x7e)
            return false;
    return true;
}

struct slice answer_event(const struct delivery *d) {
    if (d && d->id.id[0])
        return slice_of(d->id.id);
    if (d && is_plain(d->headers.delivery))
        return d->headers.delivery;
    return slice_of("-");
}

static bool put_ours(struct buf *lines, const struct delivery *d) {
    bool ok = buf_puts(lines, "X-Pointsman-Event: ") && buf_append_slice(lines, answer_event(d)) &&
              buf_puts(lines, "\r\n");
    if (d && d->owner != SIDE_NONE)
        ok = ok && buf_puts(lines, "X-Pointsman-Backend: ") &&
             buf_puts(lines, side_names[d->owner]) && buf_puts(lines, "\r\n");
    if (d && d->at_us[STEP_DECIDE])
        ok = ok && buf_puts(lines, "X-Pointsman-Mode: ") &&
             buf_puts(lines, mode_names[d->control.mode]) && buf_puts(lines, "\r\n");
    return ok;
}

/* RFC 9110 §6.6.1. This thread's own, until it asks again. */
static struct slice date_line(void) {
    static _Thread_local struct {
        time_t second;
        size_t len;
        char text[48];
    } last;
    time_t now = (time_t)(clock_wall_us() / 1000000);
    if (last.second != now) {
        struct tm tm;
        gmtime_r(&now, &tm);
        last.len =
            strftime(last.text, sizeof last.text, "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &tm);
        last.second = now;
    }
    return slice(last.text, last.len);
}

static void told(struct worker *w, struct delivery *d, enum answer answer, unsigned status) {
    metrics_add(w->metrics, METRIC_ANSWERS, answer, 0, 0, 1);
    if (!d)
        return;
    d->answer = answer;
    d->answer_status = status;
    if (!d->at_us[STEP_REPLY])
        delivery_step(d, STEP_REPLY);
}

/* Sends an answer of ours; d may be NULL. Drops the connection's hold of the event. */
static void send_ours(struct conn *c, struct delivery *d, enum answer answer, unsigned status,
                      struct buf *body, bool close) {
    struct buf lines;
    buf_init(&lines, LINES_MAX);
    const struct answer_row *row = &answers[answer];
    bool ok = buf_append_slice(&lines, date_line()) && put_ours(&lines, d) &&
              buf_puts(&lines, row->title ? "Content-Type: application/problem+json\r\n"
                                          : "Content-Type: application/json\r\n");
    if (row->retry_after_s && status / 100 != 2)
        ok = ok && buf_printf(&lines, "Retry-After: %u\r\n", row->retry_after_s);
    if (answer == ANSWER_METHOD)
        ok = ok && buf_puts(&lines, "Allow: POST\r\n");
    if (answer == ANSWER_SIGNATURE) /* RFC 9110 §11.6.1 wants a challenge with 401 */
        ok = ok && buf_puts(&lines, "WWW-Authenticate: X-Hub-Signature-256\r\n");
    if (ok)
        conn_reply(c, status, buf_slice(&lines), buf_slice(body), close);
    else
        conn_close(c, CONN_END_MEMORY);
    buf_free(&lines);
}

static void problem_body(struct buf *body, const struct answer_row *row, unsigned status,
                         struct slice event, const char *detail) {
    struct jsonw w;
    char type[64];
    snprintf(type, sizeof type, "urn:pointsman:problem:%s", row->name);
    jsonw_begin(&w, body);
    jsonw_strz(&w, "type", type);
    jsonw_strz(&w, "title", row->title);
    jsonw_u64(&w, "status", status);
    if (detail && detail[0])
        jsonw_strz(&w, "detail", detail);
    if (event.len > 1)
        jsonw_str(&w, "event", event);
    jsonw_end(&w);
}

void answer_early(struct conn *c, enum answer answer, unsigned status, const char *detail,
                  bool close) {
    struct delivery *d = c->delivery;
    struct buf body;
    buf_init(&body, BODY_MAX);
    if (!status)
        status = answers[answer].status;
    told(c->worker, d, answer, status);
    problem_body(&body, &answers[answer], status, answer_event(d), detail);
    if (d)
        (void)delivery_take_conn(d);
    send_ours(c, d, answer, status, &body, close);
    buf_free(&body);
    if (d)
        delivery_drop(d);
}

/* Of these there may be more than of all others together: no memory is asked for, and nothing in it
 * needs to be escaped. */
void answer_unread(struct conn *c, struct slice event, const char *detail, bool close) {
    const struct answer_row *row = &answers[ANSWER_OVERLOAD];
    char line_bytes[EVENT_ID_MAX + 192], body_bytes[256];
    struct text lines, body;
    text_begin(&lines, line_bytes, sizeof line_bytes);
    text_put_slice(&lines, date_line());
    text_put(&lines, "X-Pointsman-Event: ");
    text_put_slice(&lines, is_plain(event) ? event : slice_of("-"));
    text_put(&lines, "\r\nContent-Type: application/problem+json\r\nRetry-After: ");
    text_put_u64(&lines, row->retry_after_s);
    text_put(&lines, "\r\n");
    text_begin(&body, body_bytes, sizeof body_bytes);
    text_put(&body, "{\"type\":\"urn:pointsman:problem:");
    text_put(&body, row->name);
    text_put(&body, "\",\"title\":\"");
    text_put(&body, row->title);
    text_put(&body, "\",\"status\":");
    text_put_u64(&body, row->status);
    text_put(&body, ",\"detail\":\"");
    text_put(&body, detail);
    text_put(&body, "\"}");
    told(c->worker, NULL, ANSWER_OVERLOAD, row->status);
    conn_reply(c, row->status, slice_of(line_bytes), slice_of(body_bytes), close);
}

/* Takes the connection and answers with the body; the event may be gone afterwards unless held. */
static void finish(struct delivery *d, enum answer answer, unsigned status, struct buf *body) {
    if (d->answered)
        return;
    told(d->worker, d, answer, status);
    struct conn *c = delivery_take_conn(d);
    if (c) {
        send_ours(c, d, answer, status, body, false);
        delivery_drop(d);
    }
}

void answer_problem(struct delivery *d, enum answer answer, const char *detail) {
    struct buf body;
    buf_init(&body, BODY_MAX);
    problem_body(&body, &answers[answer], answers[answer].status, answer_event(d), detail);
    finish(d, answer, answers[answer].status, &body);
    buf_free(&body);
}

static void say_status(struct delivery *d, enum answer answer, unsigned status) {
    struct buf body;
    struct jsonw w;
    buf_init(&body, BODY_MAX);
    jsonw_begin(&w, &body);
    jsonw_strz(&w, "status", answers[answer].name);
    jsonw_str(&w, "event", answer_event(d));
    if (answer == ANSWER_IGNORED)
        jsonw_strz(&w, "action", d->id.action);
    if ((answer == ANSWER_DUPLICATE || answer == ANSWER_IN_DOUBT) && d->owner != SIDE_NONE)
        jsonw_strz(&w, "backend", side_name(d->owner));
    if (answer == ANSWER_DUPLICATE)
        jsonw_u64(&w, "backend_status", d->claim.ret_status);
    jsonw_end(&w);
    finish(d, answer, status, &body);
    buf_free(&body);
}

void answer_status(struct delivery *d, enum answer answer) {
    say_status(d, answer, answers[answer].status);
}

void answer_accepted(struct delivery *d, enum answer answer) {
    say_status(d, answer, 202);
}

/* ---- the backend's own answer ---- */

static void pass_through(struct delivery *d, struct leg *leg) {
    told(d->worker, d, ANSWER_BACKEND, leg->status);
    struct conn *c = delivery_take_conn(d);
    if (!c)
        return;
    if (put_ours(&leg->lines, d))
        conn_reply(c, leg->status, buf_slice(&leg->lines), buf_slice(&leg->answer), false);
    else
        conn_close(c, CONN_END_MEMORY);
    delivery_drop(d);
}

void answer_backend(struct delivery *d, struct leg *leg) {
    switch (leg->outcome) {
    case OUTCOME_IN_DOUBT:
        answer_status(d, ANSWER_IN_DOUBT);
        return;
    case OUTCOME_UNSENT:
        if (leg->refused == REFUSED_LIMIT)
            answer_problem(d, ANSWER_OVERLOAD, "max_in_flight of the backend is reached");
        else if (leg->refused == REFUSED_BREAKER)
            answer_problem(d, ANSWER_BREAKER, "nothing was sent");
        else
            answer_problem(d, ANSWER_UNREACHED, "nothing was sent");
        return;
    case OUTCOME_REJECTED:
        if (leg->status / 100 == 3) {
            answer_problem(d, ANSWER_REDIRECT,
                           "redirects are not followed: a POST would become a GET");
            return;
        }
        break;
    default:
        break;
    }
    pass_through(d, leg);
}

void answer_stream(struct delivery *d, struct leg *leg) {
    told(d->worker, d, ANSWER_BACKEND, leg->status);
    timer_stop(&d->deadline);
    d->answered = true;
    struct conn *c = d->conn;
    if (put_ours(&leg->lines, d)) {
        conn_stream_begin(c, leg->status, buf_slice(&leg->lines), leg->length);
        bool drained = d->conn && conn_stream(c, buf_slice(&leg->answer));
        drained = d->conn && conn_stream(c, buf_slice(&leg->overflow)) && drained;
        if (!row_is_ours(d)) /* else the journal keeps the beginning */
            buf_free(&leg->answer);
        buf_free(&leg->overflow);
        if (d->conn && drained)
            exchange_resume(&leg->x);
        else if (d->conn)
            exchange_pause(&leg->x);
    } else {
        conn_close(c, CONN_END_MEMORY);
    }
}

/* ---- Story 8.3's summary ---- */

/* The backend's JSON object with "system" added, or what can be said without one. */
static json_t *system_of(struct delivery *d, struct leg *leg) {
    const char *name = d->rules->conf->backends[leg->side].name;
    bool over = leg->phase == PHASE_RECORDED && leg->body_over;
    if (!over)
        return json_pack("{s:s,s:s}", "system", name, "status", "pending");
    struct slice body = buf_slice(&leg->answer);
    json_t *object = leg->status && leg->body_whole && !leg->discarded
                         ? json_loadb(body.ptr, body.len, 0, NULL)
                         : NULL;
    if (json_is_object(object)) {
        json_object_set_new(object, "system", json_string(name));
        return object;
    }
    json_decref(object);
    if (leg->status)
        return json_pack("{s:s,s:i}", "system", name, "http_status", leg->status);
    return json_pack("{s:s,s:s}", "system", name, "status", outcome_names[leg->outcome]);
}

void answer_summary(struct delivery *d) {
    struct buf body;
    buf_init(&body, BODY_MAX);
    json_t *systems = json_array();
    json_array_append_new(systems, system_of(d, &d->legs[d->owner]));
    struct leg *other = &d->legs[side_other(d->owner)];
    if (other->phase != PHASE_NONE && other->role == ROLE_SHADOW)
        json_array_append_new(systems, system_of(d, other));
    json_t *root = json_pack("{s:s,s:o,s:s}", "status", "routed", "systems", systems, "mode",
                             mode_names[d->control.mode]);
    char *text = root ? json_dumps(root, JSON_COMPACT) : NULL;
    if (text && buf_puts(&body, text))
        finish(d, ANSWER_SUMMARY, answers[ANSWER_SUMMARY].status, &body);
    else
        answer_backend(d, &d->legs[d->owner]);
    free(text);
    json_decref(root);
    buf_free(&body);
}

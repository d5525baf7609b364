/* The rows of the tables of metrics, answers and steps. */
#include "table.h"

#include <pointsman/domain.h>
#include <pointsman/journal.h>
#include <pointsman/router.h>
#include <pointsman/steps.h>
#include <pointsman/store.h>

#include "conn.h"

const char *const step_names[STEP_COUNT] = {
#define STEP(id, name, what) name,
    STEPS(STEP)
#undef STEP
};
const char *const step_texts[STEP_COUNT] = {
#define STEP(id, name, what) what,
    STEPS(STEP)
#undef STEP
};

const char *const conn_end_names[CONN_ENDS] = {"sender", "replied", "idle",
                                               "broken", "memory",  "stop"};

const struct answer_row answers[ANSWER_COUNT] = {
#define ANSWER(id, name, status, title, retry) {name, status, title, retry},
    ANSWERS(ANSWER)
#undef ANSWER
};

static const char *const answer_names[ANSWER_COUNT] = {
#define ANSWER(id, name, status, title, retry) name,
    ANSWERS(ANSWER)
#undef ANSWER
};

#define BACKEND                                                                                    \
    { "backend", side_names, SIDES }
#define ROLE                                                                                       \
    { "role", role_names, ROLES }
#define OUTCOME                                                                                    \
    { "outcome", outcome_names, OUTCOMES }

const struct metric_def metric_defs[METRICS_COUNT] = {
    [METRIC_ANSWERS] = {"pointsman_answers_total",
                        "What senders were answered, by kind.",
                        METRIC_COUNTER,
                        {{"answer", answer_names, ANSWER_COUNT}}},
    [METRIC_EVENTS] = {"pointsman_events_total",
                       "Events that were granted to a backend, by mode and backend.",
                       METRIC_COUNTER,
                       {{"mode", mode_names, MODES}, BACKEND}},
    [METRIC_ATTEMPTS] = {"pointsman_attempts_total",
                         "Attempts at backends by outcome.",
                         METRIC_COUNTER,
                         {BACKEND, ROLE, OUTCOME}},
    [METRIC_ATTEMPT_SECONDS] = {"pointsman_attempt_seconds",
                                "From the start of an attempt to its outcome.",
                                METRIC_HISTOGRAM,
                                {BACKEND, ROLE}},
    [METRIC_STEP_SECONDS] = {"pointsman_step_seconds",
                             "Time an event spent in each step.",
                             METRIC_HISTOGRAM,
                             {{"step", step_names, STEP_COUNT}}},
    [METRIC_CLAIMS] = {"pointsman_claims_total",
                       "Answers of the store to claims.",
                       METRIC_COUNTER,
                       {{"result", store_result_names, STORE_RESULTS}}},
    [METRIC_SIGNATURES] = {"pointsman_signatures_refused_total",
                           "Requests refused at verify, by why.",
                           METRIC_COUNTER,
                           {{"why", verify_names, VERIFIES}}},
    [METRIC_FALLBACKS] = {"pointsman_fallbacks_total",
                          "Events given to legacy because new did not do them.",
                          METRIC_COUNTER,
                          {{0}}},
    [METRIC_JOURNALED] = {"pointsman_journaled_total",
                          "Events put into the journal, by why.",
                          METRIC_COUNTER,
                          {{"reason", row_reason_names, ROW_REASONS}}},
    [METRIC_RETRIES] = {"pointsman_retries_total",
                        "Attempts that ended in the queue, to be tried again, by backend.",
                        METRIC_COUNTER,
                        {BACKEND}},
    [METRIC_PAUSED] = {"pointsman_paused_total",
                       "Attempts that outlived their lease because the process stood still.",
                       METRIC_COUNTER,
                       {{0}}},
    [METRIC_IN_DOUBT] = {"pointsman_in_doubt_total",
                         "Events whose effect at the backend is unknown.",
                         METRIC_COUNTER,
                         {BACKEND}},
    [METRIC_SETTLED] = {"pointsman_settled_total",
                        "Attempts of a run that ended without stopping, settled at start.",
                        METRIC_COUNTER,
                        {OUTCOME}},
    [METRIC_BREAKER_OPENED] = {"pointsman_breaker_opened_total",
                               "Times the circuit breaker of a backend opened.",
                               METRIC_COUNTER,
                               {BACKEND}},
    [METRIC_AUTO_ROLLBACKS] = {"pointsman_auto_rollbacks_total",
                               "Rollbacks that this instance made by itself.",
                               METRIC_COUNTER,
                               {{0}}},
    [METRIC_CLOSED] = {"pointsman_connections_closed_total",
                       "Connections of senders that ended, by why.",
                       METRIC_COUNTER,
                       {{"why", conn_end_names, CONN_ENDS}}},
    [METRIC_SHED] = {"pointsman_shed_total",
                     "Requests refused with 503 because workers had more than they could do.",
                     METRIC_COUNTER,
                     {{0}}},
    [METRIC_SHEDDING] = {"pointsman_shedding",
                         "Workers that refused a request within the last second.",
                         METRIC_GAUGE,
                         {{0}}},
    [METRIC_WAITING] = {"pointsman_requests_waiting",
                        "Requests that wait until a worker begins them.",
                        METRIC_GAUGE,
                        {{0}}},
    [METRIC_CONNECTIONS] = {"pointsman_connections",
                            "Open connections of senders.",
                            METRIC_GAUGE,
                            {{0}}},
    [METRIC_IN_FLIGHT] = {"pointsman_events_in_flight",
                          "Events being worked on.",
                          METRIC_GAUGE,
                          {{0}}},
    [METRIC_ATTEMPTS_OPEN] = {"pointsman_attempts_open",
                              "Attempts under way.",
                              METRIC_GAUGE,
                              {BACKEND, ROLE}},
};

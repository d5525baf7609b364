/* The metrics of the program and their labels, one row each; answers to senders, one row each.
 * Layer: proxy. */
#ifndef POINTSMAN_TABLE_H
#define POINTSMAN_TABLE_H

#include <pointsman/metrics.h>

/* clang-format off */
/*        enum         name           status title of problem+json (NULL: not a problem)      Retry-After s */
#define ANSWERS(ANSWER)                                                                                    \
    ANSWER(BACKEND,     "backend",     0,   NULL,                                             0)            \
    ANSWER(SUMMARY,     "summary",     200, NULL,                                             0)            \
    ANSWER(IGNORED,     "ignored",     200, NULL,                                             0)            \
    ANSWER(DUPLICATE,   "duplicate",   200, NULL,                                             0)            \
    ANSWER(IN_PROGRESS, "in_progress", 503, NULL,                                             1)            \
    ANSWER(IN_DOUBT,    "in_doubt",    504, NULL,                                             0)            \
    ANSWER(ACCEPTED,    "accepted",    202, NULL,                                             0)            \
    ANSWER(QUEUED,      "queued",      202, NULL,                                             0)            \
    ANSWER(SIGNATURE,   "signature",   401, "The signature is missing or wrong",              0)            \
    ANSWER(EVENT,       "event",       400, "The event cannot be identified",                 0)            \
    ANSWER(HTTP,        "http",        400, "The HTTP message is malformed",                  0)            \
    ANSWER(PATH,        "path",        404, "No source has this path",                        0)            \
    ANSWER(METHOD,      "method",      405, "Only POST is accepted here",                     0)            \
    ANSWER(MEDIA_TYPE,  "media_type",  415, "The media type is not accepted",                 0)            \
    ANSWER(SLOW,        "slow",        408, "The request took too long to arrive",            0)            \
    ANSWER(BODY,        "body",        413, "The body is larger than the limit",              0)            \
    ANSWER(OVERLOAD,    "overload",    503, "Too much is in flight",                          1)            \
    ANSWER(BUSY,        "busy",        503, "The entity is open at the other backend",        1)            \
    ANSWER(STORE,       "store",       503, "The store is away",                              1)            \
    ANSWER(JOURNAL,     "journal",     503, "The journal does not take the event",            5)            \
    ANSWER(BREAKER,     "breaker",     503, "The backend's circuit breaker is open",          5)            \
    ANSWER(UNREACHED,   "unreached",   502, "The backend was not reached",                    0)            \
    ANSWER(REDIRECT,    "redirect",    502, "The backend answered with a redirect",           0)            \
    ANSWER(DEADLINE,    "deadline",    504, "The backend did not answer in time",             0)

enum answer {
#define ANSWER(id, name, status, title, retry) ANSWER_##id,
    ANSWERS(ANSWER)
#undef ANSWER
    ANSWER_COUNT
};
/* clang-format on */
struct answer_row {
    const char *name;
    unsigned status;
    const char *title;
    unsigned retry_after_s;
};
extern const struct answer_row answers[ANSWER_COUNT];

enum metric {
    METRIC_ANSWERS = 0,     /* answer */
    METRIC_EVENTS,          /* mode, backend: decided */
    METRIC_ATTEMPTS,        /* backend, role, outcome */
    METRIC_ATTEMPT_SECONDS, /* backend, role */
    METRIC_STEP_SECONDS,    /* step */
    METRIC_CLAIMS,          /* result */
    METRIC_SIGNATURES,      /* why refused */
    METRIC_FALLBACKS,
    METRIC_JOURNALED, /* reason */
    METRIC_RETRIES,   /* backend */
    METRIC_PAUSED,
    METRIC_IN_DOUBT,       /* backend */
    METRIC_SETTLED,        /* outcome: by the boot after a crash */
    METRIC_BREAKER_OPENED, /* backend */
    METRIC_AUTO_ROLLBACKS,
    METRIC_CLOSED, /* why */
    METRIC_SHED,
    METRIC_SHEDDING,      /* gauge */
    METRIC_WAITING,       /* gauge */
    METRIC_CONNECTIONS,   /* gauge */
    METRIC_IN_FLIGHT,     /* gauge */
    METRIC_ATTEMPTS_OPEN, /* gauge: backend, role */
    METRICS_COUNT
};
extern const struct metric_def metric_defs[METRICS_COUNT];

#endif

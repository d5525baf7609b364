/* The way of an event: one table makes the step names in logs, the per-step latency metric and
 * `explain`. Layer: proxy. */
#ifndef POINTSMAN_STEPS_H
#define POINTSMAN_STEPS_H

/* clang-format off */
/*   enum      name        what happens there */
#define STEPS(STEP)                                                                            \
    STEP(ACCEPT,   "accept",   "a request line arrived on a listener's connection")            \
    STEP(PARSE,    "parse",    "head and body are complete and within the limits")             \
    STEP(VERIFY,   "verify",   "the signature over the raw body is right")                     \
    STEP(IDENTIFY, "identify", "event id, type, action and entity are known")                  \
    STEP(FILTER,   "filter",   "a backend wants this type and action")                         \
    STEP(DECIDE,   "decide",   "mode and bucket name a side")                                  \
    STEP(CLAIM,    "claim",    "the store grants the right to run it, once")                   \
    STEP(FORWARD,  "forward",  "the backend has it and the attempt has an outcome")            \
    STEP(RECORD,   "record",   "the store knows the outcome")                                  \
    STEP(REPLY,    "reply",    "the sender has its answer")

enum step {
#define STEP(id, name, what) STEP_##id,
    STEPS(STEP)
#undef STEP
    STEP_COUNT
};
/* clang-format on */
extern const char *const step_names[STEP_COUNT];
extern const char *const step_texts[STEP_COUNT];

#endif

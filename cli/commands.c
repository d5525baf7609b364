/* The table of subcommands; usage and argument parsing come from it. */
#include "command.h"

#define CONFIG                                                                                     \
    { "config", "FILE", "the configuration", 'c' }
#define ADMIN                                                                                      \
    { "admin", "URL", "admin API; else POINTSMAN_ADMIN, else http://127.0.0.1:9180", 0 }
#define JSON                                                                                       \
    { "json", NULL, "print the answer of the API as it is", 0 }
#define REASON                                                                                     \
    { "reason", "TEXT", "kept in the audit; asked for on a terminal, else \"manual\"", 0 }
#define FORCE                                                                                      \
    { "force", NULL, "make a move that is refused otherwise", 0 }

#define SOURCE                                                                                     \
    { "source", "NAME", "only this source", 0 }
/* --reason is what the list shows as reason; the audit's is --note here. */
#define FILTERS                                                                                    \
    SOURCE, {"type", "TYPE", "only this event type: issues, push …", 0},                           \
        {"entity", "ENTITY", "only about this: octocat/Hello-World#7", 0},                         \
        {"backend", "SIDE", "only at legacy or new", 0},                                           \
        {"reason", "REASON", "only with this reason: not_done, rejected …", 0},                    \
        {"since", "TIME", "only from then on: 2h (ago), 2026-11-21T03:40:00Z", 0}, {               \
        "until", "TIME", "only before then", 0                                                     \
    }
#define PAGE                                                                                       \
    {"limit", "N", "at most so many, 1 to 1000 (default 100)", 'n'}, {                             \
        "after", "SEQ", "what comes behind this one; the end of a list says it", 0                 \
    }
#define BULK                                                                                       \
    {"all", NULL, "all of them, or all that match the filters", 0},                                \
        {"note", "TEXT", "kept in the audit; asked for on a terminal, else \"manual\"", 0},        \
        {"rate", "N", "at most so many per second", 0},                                            \
        {"dry-run", NULL, "tell what would be done, change nothing", 0}, {                         \
        "yes", NULL, "do not ask", 'y'                                                             \
    }

const struct command commands[] = {
    {"serve",
     "",
     0,
     "run the proxy",
     cmd_serve,
     {CONFIG,
      {"log", "LEVEL", "least level logged: debug, info (default), warn, error", 0},
      {"takeover", NULL, "take the sockets of the process that runs, which then ends", 0}}},
    {"check",
     "",
     0,
     "check a configuration, print everything that is wrong with it",
     cmd_check,
     {CONFIG,
      {"print-docs", NULL, "print the reference of all options (docs/CONFIG.md)", 0},
      {"print-sample", NULL, "print a commented sample", 0}}},
    {"status",
     "",
     0,
     "show mode, percentage, backends, store and the last changes",
     cmd_status,
     {ADMIN, JSON}},
    {"mode",
     "MODE",
     1,
     "legacy_only, new_only, parallel, gradual or emergency_rollback",
     cmd_mode,
     {{"percentage", "P", "share of new; gradual needs it where it is 0", 'p'},
      REASON,
      FORCE,
      ADMIN,
      JSON}},
    {"rollout",
     "PERCENTAGE",
     1,
     "change the share of new",
     cmd_rollout,
     {REASON, FORCE, ADMIN, JSON}},
    {"rollback",
     "",
     0,
     "everything to legacy, now (emergency_rollback)",
     cmd_rollback,
     {REASON, ADMIN, JSON}},
    {"explain",
     "ID|ENTITY",
     1,
     "tell why an event went where it went, or what an entity would do",
     cmd_explain,
     {SOURCE, ADMIN, JSON}},
    {"audit",
     "",
     0,
     "list the changes of mode and percentage and what else was done, newest first",
     cmd_audit,
     {{"limit", "N", "at most so many, 1 to 100 (default 20)", 'n'},
      {"before", "EPOCH", "only what was before this change", 0},
      ADMIN,
      JSON}},
    {"forget",
     "ID",
     1,
     "forget an event, so that a redelivery is let through",
     cmd_forget,
     {SOURCE, ADMIN, JSON}},
    {"dead list",
     "",
     0,
     "list the events that were given up",
     cmd_dead_list,
     {FILTERS, PAGE, ADMIN, JSON}},
    {"dead show",
     "ID",
     1,
     "show one with headers and the last answer",
     cmd_dead_show,
     {SOURCE, {"body", NULL, "with its body", 0}, ADMIN, JSON}},
    {"dead replay",
     "[ID...]",
     0,
     "send them again, as mode and percentage of now say",
     cmd_dead_replay,
     {FILTERS,
      BULK,
      {"to", "SIDE", "to legacy or new, whatever the mode says", 0},
      {"again", NULL, "what is done already too: as a new event", 0},
      ADMIN,
      JSON}},
    {"dead drop",
     "[ID...]",
     0,
     "remove them: they will never be delivered",
     cmd_dead_drop,
     {FILTERS, BULK, ADMIN, JSON}},
    {"doubt list",
     "",
     0,
     "list the events that were sent and never answered",
     cmd_doubt_list,
     {FILTERS, PAGE, ADMIN, JSON}},
    {"doubt show",
     "ID",
     1,
     "show one with headers and what was answered",
     cmd_doubt_show,
     {SOURCE, {"body", NULL, "with its body", 0}, ADMIN, JSON}},
    {"doubt resolve",
     "[ID...]",
     0,
     "say what became of them: --done or --retry",
     cmd_doubt_resolve,
     {FILTERS,
      BULK,
      {"done", NULL, "the backend did it: never send it again", 0},
      {"retry", NULL, "the backend did not: send it again", 0},
      ADMIN,
      JSON}},
    {"send",
     "FILE",
     1,
     "sign a file (- is stdin) as a GitHub delivery and post it",
     cmd_send,
     {{"event", "TYPE", "X-GitHub-Event, for example issues", 'e'},
      {"secret", "TEXT", "signs the body; else GITHUB_WEBHOOK_SECRET; neither: not signed", 0},
      {"url", "URL", "default http://127.0.0.1:8080/webhooks/github", 0},
      {"delivery", "ID", "X-GitHub-Delivery; default: a new one", 0}}},
};
const unsigned command_count = ARRAY_LEN(commands);

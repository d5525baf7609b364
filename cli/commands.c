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

const struct command commands[] = {
    {"serve",
     "",
     0,
     "run the proxy",
     cmd_serve,
     {CONFIG, {"log", "LEVEL", "least level logged: debug, info (default), warn, error", 0}}},
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
     {{"source", "NAME", "only this source", 0}, ADMIN, JSON}},
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
     {{"source", "NAME", "only this source", 0}, ADMIN, JSON}},
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

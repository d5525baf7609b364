/* The subcommands and what their command lines mean. Layer: cli, private. */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include <stdbool.h>
#include <stdio.h>

#include <pointsman/compiler.h>
#include <pointsman/err.h>

enum { DONE = 0, FAILED = 1, WRONG_USAGE = 2 }; /* exit codes */

#define OPTIONS_MAX 16

struct option_row {
    const char *name;    /* without "--" */
    const char *metavar; /* NULL: a flag */
    const char *help;
    char letter; /* 0: none */
};

struct args;

struct command {
    const char *name; /* may be two words: "dead list" */
    const char
        *words; /* for the usage: "MODE"; "" if none; with "...": any number from word_count */
    unsigned word_count;
    const char *summary;
    int (*run)(const struct args *args);
    struct option_row options[OPTIONS_MAX]; /* ends with an empty row, or is full */
};
extern const struct command commands[];
extern const unsigned command_count;

struct args {
    const struct command *command;
    const char *values[OPTIONS_MAX]; /* beside command->options; "" for a flag that is set */
    char **words;                    /* in argv */
    unsigned word_count;
    bool help;
};

/* argv behind the subcommand's name; words are moved to its front. Values are argv's own. False:
 * *err names what is wrong. */
MUST_CHECK bool args_parse(const struct command *command, int argc, char **argv, struct args *ret,
                           struct err *err);
/* NULL: not given. The command has to have such a row. */
const char *args_get(const struct args *args, const char *name);

void usage_print(FILE *out);
/* Of the commands whose names begin with that word, as in "dead list"; false: there are none. */
bool usage_print_group(const char *word, FILE *out);
void usage_print_command(const struct command *command, FILE *out);
/* Says what is wrong with the command line, shows the usage, returns WRONG_USAGE. */
int usage_error(const struct command *command, const char *format, ...) PRINTF_LIKE(2, 3);

int cmd_serve(const struct args *args);
int cmd_check(const struct args *args);
int cmd_status(const struct args *args);
int cmd_mode(const struct args *args);
int cmd_rollout(const struct args *args);
int cmd_rollback(const struct args *args);
int cmd_explain(const struct args *args);
int cmd_audit(const struct args *args);
int cmd_forget(const struct args *args);
int cmd_send(const struct args *args);
int cmd_dead_list(const struct args *args);
int cmd_dead_show(const struct args *args);
int cmd_dead_replay(const struct args *args);
int cmd_dead_drop(const struct args *args);
int cmd_doubt_list(const struct args *args);
int cmd_doubt_show(const struct args *args);
int cmd_doubt_resolve(const struct args *args);

#endif

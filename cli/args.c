/* Reads a command line by the subcommand's table row; prints the usages. */
#include <stdarg.h>
#include <string.h>

#include "command.h"

#define COLUMN 28

static unsigned option_count(const struct command *command) {
    unsigned n = 0;
    while (n < OPTIONS_MAX && command->options[n].name)
        n++;
    return n;
}

/* `text` without its dashes, `len` up to "=". NULL: no such option. */
static const struct option_row *option_find(const struct command *command, const char *text,
                                            size_t len, bool letter) {
    for (unsigned i = 0; i < option_count(command); i++) {
        const struct option_row *row = &command->options[i];
        if (letter ? len == 1 && row->letter == text[0]
                   : strlen(row->name) == len && memcmp(row->name, text, len) == 0)
            return row;
    }
    return NULL;
}

/* Takes the option at argv[*at]; leaves *at at the last word it used. */
static bool take_option(const struct command *command, int argc, char **argv, int *at,
                        struct args *args, struct err *err) {
    const char *word = argv[*at];
    bool letter = word[1] != '-';
    const char *name = word + (letter ? 1 : 2);
    const char *eq = letter ? NULL : strchr(name, '=');
    size_t len = eq ? (size_t)(eq - name) : strlen(name);
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
        args->help = true;
        return true;
    }
    const struct option_row *row = option_find(command, name, len, letter);
    if (!row) {
        err_set(err, "unknown option %s", word);
        return false;
    }
    const char **value = &args->values[row - command->options];
    if (*value) {
        err_set(err, "option --%s is given twice", row->name);
        return false;
    }
    if (!row->metavar && eq) {
        err_set(err, "option --%s takes no value", row->name);
        return false;
    }
    if (!row->metavar) {
        *value = "";
    } else if (eq) {
        *value = eq + 1;
    } else if (*at + 1 < argc) {
        *value = argv[++*at];
    } else {
        err_set(err, "option --%s needs %s", row->name, row->metavar);
        return false;
    }
    return true;
}

bool args_parse(const struct command *command, int argc, char **argv, struct args *ret,
                struct err *err) {
    struct args args = {.command = command, .words = argv};
    bool more = strstr(command->words, "...") != NULL;
    bool only_words = false;
    for (int i = 0; i < argc; i++) {
        if (!only_words && strcmp(argv[i], "--") == 0) {
            only_words = true;
        } else if (!only_words && argv[i][0] == '-' && argv[i][1]) {
            if (!take_option(command, argc, argv, &i, &args, err))
                return false;
        } else if (args.word_count < command->word_count || more) {
            argv[args.word_count++] = argv[i];
        } else {
            err_set(err, "\"%s\" is one word too many", argv[i]);
            return false;
        }
    }
    if (args.word_count < command->word_count && !args.help) {
        err_set(err, "%s is missing", command->words);
        return false;
    }
    *ret = args;
    return true;
}

const char *args_get(const struct args *args, const char *name) {
    const struct option_row *row = option_find(args->command, name, strlen(name), false);
    return row ? args->values[row - args->command->options] : NULL;
}

static void print_row(const struct command *c, FILE *out) {
    int used = fprintf(out, "  %s%s%s", c->name, *c->words ? " " : "", c->words);
    fprintf(out, "%*s%s\n", used < COLUMN - 4 ? COLUMN - 4 - used : 1, "", c->summary);
}

void usage_print(FILE *out) {
    fprintf(out,
            "pointsman splits webhook events between a legacy and a new backend, each event once.\n"
            "\n"
            "usage: pointsman COMMAND [OPTION…]\n"
            "\n");
    for (unsigned i = 0; i < command_count; i++)
        print_row(&commands[i], out);
    fprintf(out, "\n"
                 "  COMMAND --help            tells the options of a command\n"
                 "  --version                 prints the version\n"
                 "\n"
                 "Exit codes: 0 done, 1 refused or failed, 2 wrong usage. POINTSMAN_TOKEN is the\n"
                 "token of the admin API.\n");
}

bool usage_print_group(const char *word, FILE *out) {
    size_t n = strlen(word);
    bool any = false;
    for (unsigned i = 0; i < command_count; i++) {
        if (strncmp(commands[i].name, word, n) != 0 || commands[i].name[n] != ' ')
            continue;
        if (!any)
            fprintf(out, "usage: pointsman %s … [OPTION…]\n\n", word);
        any = true;
        print_row(&commands[i], out);
    }
    return any;
}

void usage_print_command(const struct command *command, FILE *out) {
    fprintf(out, "usage: pointsman %s%s%s%s\n", command->name, *command->words ? " " : "",
            command->words, option_count(command) ? " [OPTION…]" : "");
    fprintf(out, "%s\n\n", command->summary);
    for (unsigned i = 0; i < option_count(command); i++) {
        const struct option_row *row = &command->options[i];
        int used = row->letter ? fprintf(out, "  -%c, ", row->letter) : fprintf(out, "      ");
        used += fprintf(out, "--%s%s%s", row->name, row->metavar ? " " : "",
                        row->metavar ? row->metavar : "");
        fprintf(out, "%*s%s\n", used < COLUMN ? COLUMN - used : 1, "", row->help);
    }
}

int usage_error(const struct command *command, const char *format, ...) {
    va_list args;
    fprintf(stderr, "pointsman%s%s: ", command ? " " : "", command ? command->name : "");
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\n\n");
    if (command)
        usage_print_command(command, stderr);
    else
        usage_print(stderr);
    return WRONG_USAGE;
}

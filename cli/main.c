/* Picks the subcommand. */
#include <string.h>

#include <pointsman/version.h>

#include "command.h"

/* *ret_used: words of argv that name it. */
static const struct command *command_find(int argc, char **argv, int *ret_used) {
    for (unsigned i = 0; i < command_count; i++) {
        const char *name = commands[i].name;
        size_t n = strcspn(name, " ");
        if (strlen(argv[1]) != n || memcmp(argv[1], name, n) != 0)
            continue;
        bool two = name[n] != 0;
        if (two && (argc < 3 || strcmp(argv[2], name + n + 1) != 0))
            continue;
        *ret_used = two ? 3 : 2;
        return &commands[i];
    }
    return NULL;
}

static int no_command(int argc, char **argv) {
    bool help = argc > 2 && (strcmp(argv[2], "--help") == 0 || strcmp(argv[2], "-h") == 0);
    if (usage_print_group(argv[1], help ? stdout : stderr))
        return help ? DONE : WRONG_USAGE;
    return usage_error(NULL, "unknown %s \"%s\"", argv[1][0] == '-' ? "option" : "command",
                       argv[1]);
}

int main(int argc, char **argv) {
    struct args args;
    struct err err = {""};
    if (argc < 2)
        return usage_error(NULL, "a command is missing");
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        usage_print(stdout);
        return DONE;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("pointsman %s\n", POINTSMAN_VERSION);
        return DONE;
    }
    int used = 0;
    const struct command *command = command_find(argc, argv, &used);
    if (!command)
        return no_command(argc, argv);
    if (!args_parse(command, argc - used, argv + used, &args, &err))
        return usage_error(command, "%s", err.text);
    if (args.help) {
        usage_print_command(command, stdout);
        return DONE;
    }
    return command->run(&args);
}

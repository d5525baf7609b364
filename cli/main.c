/* Picks the subcommand. */
#include <string.h>

#include <pointsman/version.h>

#include "command.h"

static const struct command *command_find(const char *name) {
    for (unsigned i = 0; i < command_count; i++) {
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    }
    return NULL;
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
    const struct command *command = command_find(argv[1]);
    if (!command)
        return usage_error(NULL, "unknown %s \"%s\"", argv[1][0] == '-' ? "option" : "command",
                           argv[1]);
    if (!args_parse(command, argc - 2, argv + 2, &args, &err))
        return usage_error(command, "%s", err.text);
    if (args.help) {
        usage_print_command(command, stdout);
        return DONE;
    }
    return command->run(&args);
}

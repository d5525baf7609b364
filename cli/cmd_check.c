/* check: is this configuration right? Prints everything that is not. */
#include <pointsman/conf.h>

#include "command.h"

static int print_buffer(bool (*print)(struct buf *out)) {
    struct buf text;
    buf_init(&text, 1024 * 1024);
    bool ok = print(&text);
    if (ok)
        printf("%.*s", SLICE_ARG(buf_slice(&text)));
    else
        fprintf(stderr, "pointsman: no memory\n");
    buf_free(&text);
    return ok ? DONE : FAILED;
}

int cmd_check(const struct args *args) {
    const char *file = args_get(args, "config");
    if (args_get(args, "print-docs"))
        return print_buffer(conf_print_docs);
    if (args_get(args, "print-sample"))
        return print_buffer(conf_print_sample);
    if (!file)
        return usage_error(args->command, "-c FILE is missing");

    struct conf *conf = NULL;
    struct conf_problem *problems = NULL;
    bool ok = conf_load(file, &conf, &problems);
    conf_problems_print(problems, file, stderr);
    conf_problems_free(problems);
    if (!ok)
        return FAILED;
    conf_unref(conf);
    printf("ok\n");
    return DONE;
}

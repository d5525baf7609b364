/* The ledger backend's arguments. */
#include "backend_options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pointsman/slice.h>

static const char usage[] =
    "usage: backend --legacy PORT --new PORT [--latency-us N[-M]] [--errors PERCENT[=STATUS]]\n"
    "               [--answer BYTES] [--percentage P]\n"
    "POST is an event; its id is X-Pointsman-Event, else X-GitHub-Delivery; one answered with an\n"
    "error is not done. With --percentage X-Bench-Entity tells at which side it belongs. GET /\n"
    "answers what was done, by run (the first 8 characters of the ids); any other GET 200.\n";

static _Noreturn void refuse(const char *what, const char *value) {
    fprintf(stderr, "backend: %s: \"%s\"\n%s", what, value, usage);
    exit(2);
}

/* "N" or "N<by>M"; *ret_second is left alone without the second. */
static void numbers(const char *what, const char *text, char by, uint64_t *ret_first,
                    uint64_t *ret_second) {
    struct slice all = slice_of(text);
    const char *cut = by ? memchr(text, by, all.len) : NULL;
    struct slice first = cut ? slice(text, (size_t)(cut - text)) : all;
    if (!slice_to_u64(first, ret_first) || (cut && !slice_to_u64(slice_of(cut + 1), ret_second)))
        refuse(what, text);
}

static double percent(const char *text) {
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end || !(value >= 0 && value <= 100))
        refuse("not a percentage", text);
    return value;
}

void backend_options_read(struct backend_options *ret, int argc, char **argv) {
    static const struct option names[] = {{"legacy", required_argument, NULL, 'l'},
                                          {"new", required_argument, NULL, 'n'},
                                          {"latency-us", required_argument, NULL, 't'},
                                          {"errors", required_argument, NULL, 'e'},
                                          {"answer", required_argument, NULL, 'a'},
                                          {"percentage", required_argument, NULL, 'p'},
                                          {NULL, 0, NULL, 0}};
    struct backend_options o = {.error_status = 500, .percentage = -1};
    for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        if (c == 'l')
            numbers("--legacy", optarg, 0, &o.ports[LEDGER_LEGACY], NULL);
        else if (c == 'n')
            numbers("--new", optarg, 0, &o.ports[LEDGER_NEW], NULL);
        else if (c == 't')
            numbers("--latency-us", optarg, '-', &o.latency_least_us, &o.latency_most_us);
        else if (c == 'e')
            numbers("--errors", optarg, '=', &o.errors, &o.error_status);
        else if (c == 'a')
            numbers("--answer", optarg, 0, &o.answer_len, NULL);
        else if (c == 'p')
            o.percentage = percent(optarg);
        else
            refuse("unknown option", argv[optind - 1]);
    }
    if (o.latency_most_us < o.latency_least_us)
        o.latency_most_us = o.latency_least_us;
    if (optind != argc)
        refuse("not an option", argv[optind]);
    for (int side = 0; side < LEDGER_SIDES; side++)
        if (!o.ports[side] || o.ports[side] > UINT16_MAX)
            refuse("needed, from 1 to 65535", side == LEDGER_NEW ? "--new" : "--legacy");
    if (o.errors > 100 || o.error_status < 400 || o.error_status > 599)
        refuse("a percentage, and a status from 400 to 599", "--errors");
    if (o.answer_len > BACKEND_ANSWER_MAX)
        refuse("at most 64 MiB", "--answer");
    *ret = o;
}

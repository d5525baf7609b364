/* The load generator's arguments. */
#include <arpa/inet.h>
#include <getopt.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <pointsman/compiler.h>
#include <pointsman/slice.h>

#include "run.h"

#define PORTS_MAX 16

static const char usage[] =
    "usage: load --port P --secret S [--path /webhooks/github] [--unsigned]\n"
    "            [--payload FILE | --payloads FOLDER] [--body BYTES]\n"
    "            [--entities 2000] [--distribution uniform|zipf|hot] [--duplicates PERCENT]\n"
    "            [--scattered-ids]\n"
    "            [--connections 64] [--new-connections] [--idle N]\n"
    "            [--rate N] [--count N] [--warm-up MS] [--seconds N]\n"
    "            [--cpu NAME=PID]... [--allow-503]\n"
    "       load --free-ports N\n"
    "With --rate deliveries are due at that rate, whatever the answers do, and a latency counts\n"
    "from when its delivery was due; without, each connection sends again as soon as it is\n"
    "answered. Prints one JSON object about the measured seconds. SIGUSR1 ends the warm-up,\n"
    "SIGTERM the measured seconds; with --count there is no warm-up.\n"
    "Exits 1 if any answer was not a 2xx (or, with --allow-503, a 503).\n";

/* All are held at the same time, so they differ; whoever asked binds them soon after. */
static bool print_free_ports(unsigned count) {
    int fds[PORTS_MAX];
    unsigned opened = 0;
    bool good = true;
    for (; good && opened < count; opened++) {
        struct sockaddr_in at = {.sin_family = AF_INET};
        socklen_t len = sizeof at;
        at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        fds[opened] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        good = fds[opened] >= 0 && bind(fds[opened], (struct sockaddr *)&at, len) == 0 &&
               getsockname(fds[opened], (struct sockaddr *)&at, &len) == 0;
        if (good)
            printf("%u\n", ntohs(at.sin_port));
    }
    while (opened-- > 0)
        if (fds[opened] >= 0)
            close(fds[opened]);
    return good;
}

/* ---- arguments ---- */

static _Noreturn void refuse(void) {
    fputs(usage, stderr);
    exit(2);
}

static unsigned number(const char *name, const char *text, unsigned most) {
    uint64_t value;
    if (!slice_to_u64(slice_of(text), &value) || value > most) {
        fprintf(stderr, "load: --%s \"%s\" is not a number up to %u\n", name, text, most);
        refuse();
    }
    return (unsigned)value;
}

static void watch_process(struct run_options *options, char *text) {
    char *equals = strchr(text, '=');
    if (!equals || options->watched_count == RUN_WATCHED_MAX) {
        fprintf(stderr, "load: --cpu takes NAME=PID, at most %d times\n", RUN_WATCHED_MAX);
        refuse();
    }
    *equals = '\0';
    options->watched[options->watched_count++] =
        (struct watched){.name = text, .pid = number("cpu", equals + 1, INT32_MAX)};
}

static void set_distribution(struct run_options *options, const char *name) {
    for (int i = 0; i < DISTRIBUTIONS; i++)
        if (strcmp(name, distribution_names[i]) == 0) {
            options->distribution = (enum distribution_kind)i;
            return;
        }
    fprintf(stderr, "load: --distribution \"%s\" is not uniform, zipf or hot\n", name);
    refuse();
}

/* An option is a number, up to `most` (0: it takes no argument and sets 1), or a text. */
struct known {
    const char *name;
    unsigned *number;
    unsigned most;
    const char **text;
};

static void set_option(struct run_options *o, const struct known *known, char *value) {
    if (known->number)
        *known->number = known->most ? number(known->name, value, known->most) : 1;
    else if (known->text)
        *known->text = value;
    else if (strcmp(known->name, "cpu") == 0)
        watch_process(o, value);
    else
        set_distribution(o, value);
}

static void read_options(int argc, char **argv, struct run_options *o, unsigned *ret_free_ports) {
    const struct known known[] = {
        {"port", &o->sender.port, 65535, NULL},
        {"payload", NULL, 0, &o->payload.file},
        {"payloads", NULL, 0, &o->payload.folder},
        {"body", &o->payload.body, 48 << 20, NULL},
        {"secret", NULL, 0, &o->payload.secret},
        {"unsigned", &o->payload.no_signature, 0, NULL},
        {"path", NULL, 0, &o->payload.path},
        {"entities", &o->payload.entities, 1000000, NULL},
        {"distribution", NULL, 0, NULL},
        {"duplicates", &o->duplicates, 90, NULL},
        {"scattered-ids", &o->scattered_ids, 0, NULL},
        {"connections", &o->sender.connections, 20000, NULL},
        {"new-connections", &o->sender.new_connections, 0, NULL},
        {"idle", &o->idle, 20000, NULL},
        {"rate", &o->rate, 1000000, NULL},
        {"count", &o->sender.count, 1000000000, NULL},
        {"warm-up", &o->warm_up_ms, 3600000, NULL},
        {"seconds", &o->seconds, 86400, NULL},
        {"cpu", NULL, 0, NULL},
        {"allow-503", &o->allow_503, 0, NULL},
        {"free-ports", ret_free_ports, PORTS_MAX, NULL},
    };
    struct option names[ARRAY_LEN(known) + 1] = {{0}};
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        bool flag = known[i].number && !known[i].most;
        names[i] =
            (struct option){known[i].name, flag ? no_argument : required_argument, NULL, 'o'};
    }
    for (int c, at; (c = getopt_long(argc, argv, "", names, &at)) != -1;) {
        if (c == '?')
            refuse();
        set_option(o, &known[at], optarg);
    }
    bool complete = o->sender.port && (o->payload.secret || o->payload.no_signature) &&
                    o->payload.entities && o->sender.connections && o->seconds;
    if (optind != argc || (!*ret_free_ports && !complete))
        refuse();
}

static void allow_descriptors(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

int main(int argc, char **argv) {
    static struct run_options options = {
        .payload = {.file = "bench/payloads/issues.opened.json",
                    .path = "/webhooks/github",
                    .entities = 2000},
        .sender = {.connections = 64},
        .warm_up_ms = 1000,
        .seconds = 5,
    };
    unsigned free_ports = 0;
    read_options(argc, argv, &options, &free_ports);
    if (free_ports)
        return print_free_ports(free_ports) ? 0 : 1;
    allow_descriptors();
    options.payload.port = options.sender.port;
    options.watched[options.watched_count++] =
        (struct watched){.name = "load", .pid = (unsigned)getpid()};
    return run_load(&options) ? 0 : 1;
}

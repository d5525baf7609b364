/* The load generator: posts signed deliveries over keep-alive connections for a while and prints
 * what came of it. */
#include <arpa/inet.h>
#include <getopt.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <pointsman/clock.h>
#include <pointsman/compiler.h>
#include <pointsman/slice.h>

#include "sender.h"

#define WATCHED_MAX 4
#define PORTS_MAX   16
#define SECOND_US   UINT64_C(1000000)

static const char usage[] =
    "usage: load --port P --template FILE --secret S [--path /webhooks/github] [--entities 2000]\n"
    "            [--connections 64] [--warm-up MS] [--seconds N] [--cpu NAME=PID]...\n"
    "       load --free-ports N\n"
    "Prints one line of name=value; NAME_us is the CPU time of that process in the measured "
    "seconds.\n"
    "Exits 1 if any answer was not a 2xx.\n";

struct watched { /* a process whose CPU time is reported */
    const char *name;
    unsigned pid;
    uint64_t from_us;
    uint64_t used_us;
};

struct options {
    struct payload_options payload;
    unsigned connections;
    unsigned warm_up_ms;
    unsigned seconds;
    unsigned free_ports;
    struct watched watched[WATCHED_MAX + 1]; /* those asked for, and this one */
    unsigned watched_count;
};

struct run {
    struct options *options;
    struct loop *loop;
    struct senders *senders;
    struct counts counts;
    struct counts before; /* those of the warm-up */
    struct timer timer;
    uint64_t from_us;
    uint64_t took_us;    /* 0: not yet over */
    uint64_t machine_us; /* at the start of the measured time; then used in it */
};

/* User and system time of the whole process, proc(5); 0: it is gone. */
static uint64_t cpu_us(unsigned pid) {
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%u/stat", pid);
    FILE *in = fopen(path, "r");
    if (!in)
        return 0;
    size_t n = fread(text, 1, sizeof text - 1, in);
    fclose(in);
    text[n] = '\0';
    unsigned long user = 0, system = 0;
    const char *rest = strrchr(text, ')'); /* the name before it may hold anything */
    if (!rest ||
        sscanf(rest, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2)
        return 0;
    return (user + system) * SECOND_US / (uint64_t)sysconf(_SC_CLK_TCK);
}

/* What all processes used on all cores, proc(5): all but idle and waiting for a disk. */
static uint64_t machine_us(void) {
    unsigned long long user, nice, system, irq, softirq;
    FILE *in = fopen("/proc/stat", "r");
    if (!in)
        return 0;
    int n =
        fscanf(in, "cpu %llu %llu %llu %*u %*u %llu %llu", &user, &nice, &system, &irq, &softirq);
    fclose(in);
    return n == 5
               ? (user + nice + system + irq + softirq) * SECOND_US / (uint64_t)sysconf(_SC_CLK_TCK)
               : 0;
}

/* ---- the phases: warm-up, measured, last answers ---- */

static void on_overdue(void *arg) {
    struct run *run = arg;
    fprintf(stderr, "load: some deliveries got no answer within 10 s\n");
    run->counts.broken++;
    loop_stop(run->loop);
}

static void on_measured(void *arg) {
    struct run *run = arg;
    run->took_us = clock_mono_us() - run->from_us;
    run->machine_us = machine_us() - run->machine_us;
    for (unsigned i = 0; i < run->options->watched_count; i++) {
        struct watched *w = &run->options->watched[i];
        w->used_us = cpu_us(w->pid) - w->from_us;
    }
    timer_init(&run->timer, on_overdue, run);
    timer_set(run->loop, &run->timer, 10 * SECOND_US);
    senders_finish(run->senders);
}

static void on_warm(void *arg) {
    struct run *run = arg;
    run->before = run->counts;
    run->counts = (struct counts){0};
    for (unsigned i = 0; i < run->options->watched_count; i++)
        run->options->watched[i].from_us = cpu_us(run->options->watched[i].pid);
    run->machine_us = machine_us();
    run->from_us = clock_mono_us();
    timer_init(&run->timer, on_measured, run);
    timer_set(run->loop, &run->timer, run->options->seconds * SECOND_US);
}

/* Answers that came after the measured time are in the counts too: at most one for each connection.
 */
static bool report(const struct run *run, size_t body_len) {
    const struct counts *c = &run->counts;
    uint64_t answers = c->good + c->other;
    uint64_t bad = c->other + c->broken + run->before.other + run->before.broken;
    unsigned status = c->last_other ? c->last_other : run->before.last_other;
    printf("requests=%llu all_requests=%llu seconds=%.3f bad=%llu bad_status=%u body=%zu "
           "p50_us=%llu p99_us=%llu",
           (unsigned long long)answers,
           (unsigned long long)(answers + run->before.good + run->before.other),
           (double)run->took_us / (double)SECOND_US, (unsigned long long)bad, status, body_len,
           (unsigned long long)histogram_quantile(&c->latency, 0.5),
           (unsigned long long)histogram_quantile(&c->latency, 0.99));
    for (unsigned i = 0; i < run->options->watched_count; i++)
        printf(" %s_us=%llu", run->options->watched[i].name,
               (unsigned long long)run->options->watched[i].used_us);
    printf(" machine_us=%llu\n", (unsigned long long)run->machine_us);
    return bad == 0 && answers > 0 && run->took_us > 0;
}

static int run_load(struct options *options) {
    static struct run run;
    struct payload payload;
    if (!payload_make(&payload, &options->payload))
        return 1;
    run.options = options;
    run.loop = loop_new();
    run.senders = run.loop ? senders_new(run.loop, &payload, options->payload.port,
                                         options->connections, &run.counts)
                           : NULL;
    bool good = false;
    if (run.senders) {
        timer_init(&run.timer, on_warm, &run);
        timer_set(run.loop, &run.timer, options->warm_up_ms * UINT64_C(1000));
        senders_start(run.senders);
        loop_run(run.loop);
        timer_stop(&run.timer);
        good = report(&run, payload.body_len);
    }
    senders_free(run.senders);
    loop_free(run.loop);
    payload_free(&payload);
    return good ? 0 : 1;
}

/* ---- ports ---- */

/* All are held at the same time, so they differ; whoever asked binds them soon after. */
static int print_free_ports(unsigned count) {
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
    return good ? 0 : 1;
}

/* ---- arguments ---- */

static unsigned number(const char *text, unsigned most) {
    uint64_t value;
    if (!slice_to_u64(slice_of(text), &value) || value > most) {
        fprintf(stderr, "load: \"%s\" is not a number up to %u\n%s", text, most, usage);
        exit(2);
    }
    return (unsigned)value;
}

static void watch_process(struct options *options, char *text) {
    char *equals = strchr(text, '=');
    if (!equals || options->watched_count == WATCHED_MAX) {
        fprintf(stderr, "load: --cpu takes NAME=PID, at most %d times\n", WATCHED_MAX);
        exit(2);
    }
    *equals = '\0';
    options->watched[options->watched_count++] =
        (struct watched){.name = text, .pid = number(equals + 1, INT32_MAX)};
}

static void read_options(int argc, char **argv, struct options *ret) {
    static const struct option known[] = {
        {"port", required_argument, NULL, 'p'},
        {"template", required_argument, NULL, 't'},
        {"secret", required_argument, NULL, 's'},
        {"path", required_argument, NULL, 'P'},
        {"entities", required_argument, NULL, 'e'},
        {"connections", required_argument, NULL, 'c'},
        {"warm-up", required_argument, NULL, 'w'},
        {"seconds", required_argument, NULL, 'n'},
        {"cpu", required_argument, NULL, 'C'},
        {"free-ports", required_argument, NULL, 'f'},
        {NULL, 0, NULL, 0},
    };
    struct options o = {.payload = {.path = "/webhooks/github", .entities = 2000},
                        .connections = 64,
                        .warm_up_ms = 1000,
                        .seconds = 5};
    for (int c; (c = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        switch (c) {
        case 'p':
            o.payload.port = number(optarg, 65535);
            break;
        case 't':
            o.payload.template = optarg;
            break;
        case 's':
            o.payload.secret = optarg;
            break;
        case 'P':
            o.payload.path = optarg;
            break;
        case 'e':
            o.payload.entities = number(optarg, 1000000);
            break;
        case 'c':
            o.connections = number(optarg, 20000);
            break;
        case 'w':
            o.warm_up_ms = number(optarg, 600000);
            break;
        case 'n':
            o.seconds = number(optarg, 86400);
            break;
        case 'C':
            watch_process(&o, optarg);
            break;
        case 'f':
            o.free_ports = number(optarg, PORTS_MAX);
            break;
        default:
            fputs(usage, stderr);
            exit(2);
        }
    }
    bool complete = o.free_ports || (o.payload.port && o.payload.template && o.payload.secret &&
                                     o.payload.entities && o.connections && o.seconds);
    if (!complete || optind != argc) {
        fputs(usage, stderr);
        exit(2);
    }
    *ret = o;
}

int main(int argc, char **argv) {
    struct options options;
    read_options(argc, argv, &options);
    options.watched[options.watched_count++] =
        (struct watched){.name = "load", .pid = (unsigned)getpid()};
    return options.free_ports ? print_free_ports(options.free_ports) : run_load(&options);
}

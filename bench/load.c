/* The load generator: posts signed deliveries over keep-alive connections for a while and prints
 * what came of it. */
#include <arpa/inet.h>
#include <getopt.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
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
    "            [--rate DELIVERIES-A-SECOND] [--count DELIVERIES]\n"
    "       load --free-ports N\n"
    "Prints one line of name=value; NAME_us is the CPU time of that process in the measured "
    "seconds.\n"
    "SIGUSR1 ends the warm-up, SIGTERM the measured seconds. With --count there is no warm-up.\n"
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
    struct pace pace;
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
    struct watch signals;
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

static void measure(struct run *run) {
    run->took_us = clock_mono_us() - run->from_us;
    run->machine_us = machine_us() - run->machine_us;
    for (unsigned i = 0; i < run->options->watched_count; i++) {
        struct watched *w = &run->options->watched[i];
        w->used_us = cpu_us(w->pid) - w->from_us;
    }
}

static void on_measured(void *arg) {
    struct run *run = arg;
    measure(run);
    timer_stop(&run->timer);
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
    timer_stop(&run->timer);
    timer_init(&run->timer, on_measured, run);
    timer_set(run->loop, &run->timer, run->options->seconds * SECOND_US);
}

static void on_signal(void *arg, int what) {
    struct run *run = arg;
    struct signalfd_siginfo info;
    (void)what;
    if (read(run->signals.fd, &info, sizeof info) != sizeof info || run->took_us)
        return;
    if (info.ssi_signo == SIGUSR1 && !run->from_us)
        on_warm(run);
    else if (info.ssi_signo == SIGTERM && run->from_us)
        on_measured(run);
    else if (info.ssi_signo == SIGTERM)
        loop_stop(run->loop);
}

static bool listen_to_signals(struct run *run) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGTERM);
    int fd = sigprocmask(SIG_BLOCK, &set, NULL) == 0 ? signalfd(-1, &set, SFD_CLOEXEC) : -1;
    watch_init(&run->signals, run->loop, fd, on_signal, run);
    return fd >= 0 && watch_set(&run->signals, WATCH_READ);
}

/* Answers that came after the measured time are in the counts too: at most one for each connection.
 */
static bool report(const struct run *run, size_t body_len) {
    const struct counts *c = &run->counts;
    uint64_t answers = c->good + c->other;
    uint64_t bad = c->other + c->broken + run->before.other + run->before.broken;
    unsigned status = c->last_other ? c->last_other : run->before.last_other;
    printf("run=%08x queued=%llu requests=%llu all_requests=%llu seconds=%.3f bad=%llu "
           "bad_status=%u body=%zu "
           "p50_us=%llu p99_us=%llu",
           senders_run(run->senders), (unsigned long long)c->queued, (unsigned long long)answers,
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
                                         options->connections, options->pace, &run.counts)
                           : NULL;
    bool good = false;
    if (run.senders && listen_to_signals(&run)) {
        timer_init(&run.timer, on_warm, &run);
        if (options->pace.count)
            on_warm(&run);
        else
            timer_set(run.loop, &run.timer, options->warm_up_ms * UINT64_C(1000));
        senders_start(run.senders);
        loop_run(run.loop);
        timer_stop(&run.timer);
        watch_stop(&run.signals);
        if (!run.took_us) /* all were sent before */
            measure(&run);
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

/* An option is a number for `number`, up to `most`, or a text for `text`, or --cpu. */
struct known {
    const char *name;
    unsigned *number;
    unsigned most;
    const char **text;
};

static void set_option(struct options *o, const struct known *known, char *value) {
    if (known->number)
        *known->number = number(value, known->most);
    else if (known->text)
        *known->text = value;
    else
        watch_process(o, value);
}

static void read_options(int argc, char **argv, struct options *ret) {
    struct options *o = ret;
    const struct known known[] = {
        {"port", &o->payload.port, 65535, NULL},
        {"template", NULL, 0, &o->payload.template},
        {"secret", NULL, 0, &o->payload.secret},
        {"path", NULL, 0, &o->payload.path},
        {"entities", &o->payload.entities, 1000000, NULL},
        {"connections", &o->connections, 20000, NULL},
        {"rate", &o->pace.rate, 1000000, NULL},
        {"count", &o->pace.count, 100000000, NULL},
        {"warm-up", &o->warm_up_ms, 600000, NULL},
        {"seconds", &o->seconds, 86400, NULL},
        {"cpu", NULL, 0, NULL},
        {"free-ports", &o->free_ports, PORTS_MAX, NULL},
    };
    struct option names[ARRAY_LEN(known) + 1] = {{0}};
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        names[i] = (struct option){known[i].name, required_argument, NULL, 'o'};
    *o = (struct options){.payload = {.path = "/webhooks/github", .entities = 2000},
                          .connections = 64,
                          .warm_up_ms = 1000,
                          .seconds = 5};
    for (int c, at; (c = getopt_long(argc, argv, "", names, &at)) != -1;) {
        if (c == '?') {
            fputs(usage, stderr);
            exit(2);
        }
        set_option(o, &known[at], optarg);
    }
    bool complete = o->free_ports || (o->payload.port && o->payload.template && o->payload.secret &&
                                      o->payload.entities && o->connections && o->seconds);
    if (!complete || optind != argc) {
        fputs(usage, stderr);
        exit(2);
    }
}

int main(int argc, char **argv) {
    struct options options;
    read_options(argc, argv, &options);
    options.watched[options.watched_count++] =
        (struct watched){.name = "load", .pid = (unsigned)getpid()};
    return options.free_ports ? print_free_ports(options.free_ports) : run_load(&options);
}

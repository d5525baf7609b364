/* Claims and finishes of fresh events as a worker sends them, without a worker: what an event costs
 * in Redis and in store/. Run by parts/redis.mjs and store.mjs. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <pointsman/clock.h>
#include <pointsman/conf.h>
#include <pointsman/err.h>
#include <pointsman/loop.h>
#include <pointsman/store.h>

#include "cpu.h"

#define DEPTH_MAX  1024
#define ASK_AGAIN  50000
#define TIMEOUT_MS 10000

static const char usage[] =
    "usage: store --port P --directory D [--pid PID-OF-REDIS] [--events 100000] [--depth 64]\n"
    "             [--entities 2000]\n"
    "Prints one line of name=value: CPU time of Redis and of this process in us for each event,\n"
    "others: the share of a core that other programs took.\n";

struct run;
struct event { /* one after the other: claimed, finished, the next */
    struct run *run;
    struct store_claim claim;
    struct store_finish finish;
    char id[40];
    char entity[64];
    char why[96];
};

struct run {
    unsigned port, pid, depth, entities;
    unsigned long events;
    const char *directory;
    struct loop *loop;
    struct store_client *client;
    struct timer again;
    struct event event[DEPTH_MAX];
    unsigned long begun, ended;
};

static void begin(struct run *run, struct event *e);

static void die(const char *why) {
    fprintf(stderr, "store: %s\n", why);
    exit(1);
}

static void finished(struct store_call *call) {
    struct event *e = call->arg;
    if (call->result != STORE_OK)
        die(store_result_names[call->result]);
    if (++e->run->ended == e->run->events)
        loop_stop(e->run->loop);
    else
        begin(e->run, e);
}

static void claimed(struct store_call *call) {
    struct event *e = call->arg;
    const struct store_claim *c = &e->claim;
    if (call->result != STORE_GRANTED)
        die(store_result_names[call->result]);
    e->finish = (struct store_finish){
        .call = {.done = finished, .arg = e, .timeout_ms = TIMEOUT_MS},
        .source = c->source,
        .id = c->id,
        .entity = c->entity,
        .side = c->ret_side,
        .role = ROLE_OWNER,
        .token = c->token,
        .fence = c->ret_fence,
        .attempt = c->ret_attempt,
        .outcome = OUTCOME_DONE,
        .status = 200,
        .sticky_ms = 30 * 60 * 1000,
    };
    store_finish(e->run->client, &e->finish);
}

/* The texts are as long as those of GitHub's deliveries. */
static void begin(struct run *run, struct event *e) {
    if (run->begun == run->events)
        return;
    unsigned long n = ++run->begun;
    unsigned number = (unsigned)(n * 2654435761u % run->entities);
    struct token token = token_new();
    e->run = run;
    snprintf(e->id, sizeof e->id, "%.8s-%.4s-%.4s-%.4s-%08lx%.4s", token.text + 24, token.text + 20,
             token.text + 16, token.text + 12, n, token.text);
    snprintf(e->entity, sizeof e->entity, "northwind-lines/timetable#%u", 1000 + number);
    snprintf(e->why, sizeof e->why, "mode=gradual percentage=25 epoch=1 why=bucket bucket=%u",
             number);
    e->claim = (struct store_claim){
        .call = {.done = claimed, .arg = e, .timeout_ms = TIMEOUT_MS},
        .source = slice_of("github"),
        .id = slice_of(e->id),
        .entity = slice_of(e->entity),
        .side = number % 4 ? SIDE_LEGACY : SIDE_NEW,
        .token = token_new(),
        .lease_ms = 65000,
        .why = slice_of(e->why),
        .digest = slice_of("hmac:0123456789abcdef"),
    };
    store_claim(run->client, &e->claim);
}

/* A Redis that is new holds claims for a while. */
static void ask(void *arg);

static void asked(struct store_call *call) {
    struct run *run = call->arg;
    if (call->result == STORE_HOLD || call->result == STORE_AWAY)
        timer_set(run->loop, &run->again, ASK_AGAIN);
    else
        loop_stop(run->loop);
}

static void ask(void *arg) {
    struct run *run = arg;
    struct store_claim *c = &run->event[0].claim;
    *c = (struct store_claim){.call = {.done = asked, .arg = run, .timeout_ms = TIMEOUT_MS},
                              .source = slice_of("github"),
                              .id = slice_of("first"),
                              .entity = slice_of("first"),
                              .token = token_new(),
                              .lease_ms = 1};
    store_claim(run->client, c);
}

struct used {
    uint64_t redis_us, own_us, machine_us;
};

static struct used used_by_now(const struct run *run) {
    return (struct used){.redis_us = run->pid ? cpu_process_us(run->pid) : 0,
                         .own_us = cpu_process_us((unsigned)getpid()),
                         .machine_us = cpu_machine_us()};
}

static void measure(struct run *run) {
    timer_init(&run->again, ask, run);
    ask(run);
    loop_run(run->loop);
    struct used first = used_by_now(run);
    uint64_t from_us = clock_mono_us();
    for (unsigned i = 0; i < run->depth; i++)
        begin(run, &run->event[i]);
    if (run->events)
        loop_run(run->loop);
    double us = (double)(clock_mono_us() - from_us + 1);
    struct used last = used_by_now(run);
    double redis_us = (double)(last.redis_us - first.redis_us);
    double own_us = (double)(last.own_us - first.own_us);
    double others_us = (double)(last.machine_us - first.machine_us) - redis_us - own_us;
    double n = run->events ? (double)run->events : 1;
    printf("events=%lu depth=%u events_s=%.0f redis_us=%.2f own_us=%.2f others=%.3f\n", run->events,
           run->depth, n * 1e6 / us, redis_us / n, own_us / n, others_us > 0 ? others_us / us : 0);
}

static bool read_options(int argc, char **argv, struct run *run) {
    enum { PORT, DIRECTORY, PID, EVENTS, DEPTH, ENTITIES };
    static const struct option options[] = {
        {"port", 1, NULL, PORT},   {"directory", 1, NULL, DIRECTORY},
        {"pid", 1, NULL, PID},     {"events", 1, NULL, EVENTS},
        {"depth", 1, NULL, DEPTH}, {"entities", 1, NULL, ENTITIES},
        {NULL, 0, NULL, 0},
    };
    for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        unsigned long n = optarg ? strtoul(optarg, NULL, 10) : 0;
        if (o == PORT)
            run->port = (unsigned)n;
        else if (o == DIRECTORY)
            run->directory = optarg;
        else if (o == PID)
            run->pid = (unsigned)n;
        else if (o == EVENTS)
            run->events = n;
        else if (o == DEPTH)
            run->depth = (unsigned)n;
        else if (o == ENTITIES)
            run->entities = (unsigned)n;
        else
            return false;
    }
    return optind == argc && run->port && run->directory && run->depth > 0 &&
           run->depth <= DEPTH_MAX && run->entities > 0;
}

int main(int argc, char **argv) {
    static struct run run = {.events = 100000, .depth = 64, .entities = 2000};
    struct err err;
    if (!read_options(argc, argv, &run)) {
        fputs(usage, stderr);
        return 2;
    }
    struct conf conf = {.store_kind = STORE_REDIS,
                        .directory = (char *)run.directory,
                        .when_down = WHEN_DOWN_REFUSE,
                        .remember_ms = 72ull * 3600 * 1000,
                        .claims = true,
                        .sticky_ms = 30 * 60 * 1000};
    conf.redis.host = (char *)"127.0.0.1";
    conf.redis.port = (uint16_t)run.port;
    run.loop = loop_new();
    struct store *store = run.loop ? store_open(&conf, &err) : NULL;
    run.client = store ? store_client_new(store, run.loop) : NULL;
    if (!run.client)
        die(store ? "no memory" : err.text);
    measure(&run);
    store_client_free(run.client);
    store_close(store);
    loop_free(run.loop);
    return 0;
}

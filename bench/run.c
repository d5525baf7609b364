/* Warm-up, measured seconds, last answers, report. */
#include "run.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <pointsman/clock.h>
#include <pointsman/digest.h>
#include <pointsman/jsonw.h>

#include "cpu.h"
#include "idle.h"

#define SECOND_US  UINT64_C(1000000)
#define REPORT_MAX 8192

enum phase {
    PHASE_WARM_UP = 0,
    PHASE_MEASURED,
    PHASE_LAST, /* nothing is sent any more, the last answers are awaited */
};

struct run {
    struct run_options *options;
    struct loop *loop;
    struct payload payload;
    struct schedule schedule;
    struct distribution distribution;
    struct idles *idles;
    struct senders *senders;
    enum phase phase;
    struct counts warm_up, measured;
    struct timer timer;
    struct watch signals;
    uint64_t from_us, took_us;
    uint64_t machine_us; /* at the start of the measured time; then used in it */
};

/* ---- phases ---- */

static void on_overdue(void *arg) {
    struct run *run = arg;
    fprintf(stderr, "load: some deliveries got no answer within 10 s\n");
    run->measured.broken++;
    loop_stop(run->loop);
}

static void on_measured(void *arg) {
    struct run *run = arg;
    run->phase = PHASE_LAST;
    run->took_us = clock_mono_us() - run->from_us;
    run->machine_us = cpu_machine_us() - run->machine_us;
    for (unsigned i = 0; i < run->options->watched_count; i++) {
        struct watched *w = &run->options->watched[i];
        w->used_us = cpu_process_us(w->pid) - w->from_us;
    }
    timer_stop(&run->timer);
    timer_init(&run->timer, on_overdue, run);
    timer_set(run->loop, &run->timer, 10 * SECOND_US);
    senders_finish(run->senders);
}

static void on_warm(void *arg) {
    struct run *run = arg;
    run->phase = PHASE_MEASURED;
    senders_count(run->senders, &run->measured);
    for (unsigned i = 0; i < run->options->watched_count; i++)
        run->options->watched[i].from_us = cpu_process_us(run->options->watched[i].pid);
    run->machine_us = cpu_machine_us();
    run->from_us = clock_mono_us();
    timer_stop(&run->timer);
    timer_init(&run->timer, on_measured, run);
    timer_set(run->loop, &run->timer, run->options->seconds * SECOND_US);
}

static void on_signal(void *arg, int what) {
    struct run *run = arg;
    struct signalfd_siginfo info;
    (void)what;
    if (read(run->signals.fd, &info, sizeof info) != sizeof info)
        return;
    if (info.ssi_signo == SIGUSR1 && run->phase == PHASE_WARM_UP)
        on_warm(run);
    else if (info.ssi_signo == SIGTERM && run->phase == PHASE_MEASURED)
        on_measured(run);
    else if (info.ssi_signo == SIGTERM && run->phase == PHASE_WARM_UP)
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

/* ---- report ---- */

static void write_latency(struct jsonw *w, const char *name, const struct histogram *h) {
    jsonw_object(w, name);
    jsonw_u64(w, "p50", histogram_quantile(h, 0.5));
    jsonw_u64(w, "p90", histogram_quantile(h, 0.9));
    jsonw_u64(w, "p99", histogram_quantile(h, 0.99));
    jsonw_u64(w, "p999", histogram_quantile(h, 0.999));
    jsonw_u64(w, "max", h->max);
    jsonw_close(w);
}

static void write_answers(struct jsonw *w, const struct counts *c) {
    jsonw_object(w, "answers");
    jsonw_u64(w, "ok", c->ok);
    jsonw_u64(w, "accepted_202", c->accepted);
    jsonw_u64(w, "duplicate", c->duplicate);
    jsonw_u64(w, "refused_503", c->refused);
    jsonw_u64(w, "other", c->other);
    jsonw_close(w);
    jsonw_u64(w, "retry_after", c->retry_after);
    jsonw_u64(w, "broken", c->broken);
    jsonw_u64(w, "last_other_status", c->last_other);
}

/* Everything that was sent, before the measured time too: what the backends must have. */
static void write_total(struct jsonw *w, const struct run *run) {
    const struct counts *a = &run->warm_up, *b = &run->measured;
    jsonw_object(w, "total");
    jsonw_u64(w, "sent", a->sent + b->sent);
    jsonw_u64(w, "events", a->sent + b->sent - a->repeated - b->repeated);
    jsonw_u64(w, "refused_503", a->refused + b->refused);
    jsonw_u64(w, "other", a->other + b->other);
    jsonw_u64(w, "broken", a->broken + b->broken);
    jsonw_close(w);
}

static void write_cpu(struct jsonw *w, const struct run *run) {
    jsonw_object(w, "cpu_us");
    for (unsigned i = 0; i < run->options->watched_count; i++)
        jsonw_u64(w, run->options->watched[i].name, run->options->watched[i].used_us);
    jsonw_close(w);
    jsonw_u64(w, "machine_us", run->machine_us);
}

static bool print_report(const struct run *run) {
    const struct counts *c = &run->measured;
    char name[16];
    snprintf(name, sizeof name, "%08x", run->schedule.run);
    struct buf out;
    struct jsonw w;
    buf_init(&out, REPORT_MAX);
    jsonw_begin(&w, &out);
    jsonw_strz(&w, "run", name);
    jsonw_u64(&w, "planned", c->sent + c->unsent);
    jsonw_u64(&w, "sent", c->sent);
    jsonw_u64(&w, "unsent", c->unsent);
    jsonw_u64(&w, "repeated", c->repeated);
    write_answers(&w, c);
    jsonw_milli(&w, slice_of("seconds"), run->took_us / 1000);
    jsonw_u64(&w, "body_bytes", run->payload.body_len);
    jsonw_u64(&w, "entities", run->payload.count);
    write_latency(&w, "latency_us", &c->latency);
    write_latency(&w, "refused_latency_us", &c->refused_latency);
    write_cpu(&w, run);
    write_total(&w, run);
    jsonw_u64(&w, "idle_closed", idles_closed(run->idles));
    jsonw_end(&w);
    if (!w.failed)
        printf("%.*s\n", SLICE_ARG(buf_slice(&out)));
    buf_free(&out);
    return !w.failed;
}

static bool is_good(const struct run *run) {
    const struct counts *a = &run->warm_up, *b = &run->measured;
    uint64_t refused = run->options->allow_503 ? 0 : a->refused + b->refused;
    return a->other + b->other + a->broken + b->broken + refused == 0 && b->sent > 0 &&
           run->took_us > 0;
}

/* ---- the run ---- */

static bool carry_out(struct run *run) {
    run->idles = idles_open(run->loop, run->options->sender.port, run->options->idle);
    if (!run->idles) {
        perror("load: silent connections");
        return false;
    }
    run->senders = senders_new(run->loop, &run->payload, &run->schedule, &run->distribution,
                               &run->options->sender);
    if (!run->senders || !listen_to_signals(run))
        return false;
    timer_init(&run->timer, on_warm, run);
    senders_count(run->senders, &run->warm_up);
    if (run->options->sender.count)
        on_warm(run);
    else
        timer_set(run->loop, &run->timer, run->options->warm_up_ms * UINT64_C(1000));
    senders_start(run->senders);
    loop_run(run->loop);
    timer_stop(&run->timer);
    if (run->phase == PHASE_MEASURED) /* all were sent before its time was up */
        on_measured(run);
    timer_stop(&run->timer);
    watch_stop(&run->signals);
    return print_report(run) && is_good(run);
}

bool run_load(struct run_options *options) {
    static struct run run;
    run.options = options;
    run.schedule = (struct schedule){.rate = options->rate,
                                     .duplicates = options->duplicates,
                                     .scattered = options->scattered_ids,
                                     .lag = 256 + 4 * options->sender.connections};
    random_bytes(&run.schedule.run, sizeof run.schedule.run);
    if (!payload_make(&run.payload, &options->payload))
        return false;
    run.loop = loop_new();
    bool good =
        run.loop &&
        distribution_init(&run.distribution, options->distribution, (unsigned)run.payload.count) &&
        carry_out(&run);
    senders_free(run.senders);
    idles_free(run.idles);
    loop_free(run.loop);
    distribution_free(&run.distribution);
    payload_free(&run.payload);
    return good;
}

/* serve: starts everything in order, waits for signals, stops everything in order. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <pointsman/admin.h>
#include <pointsman/clock.h>
#include <pointsman/conf.h>
#include <pointsman/journal.h>
#include <pointsman/log.h>
#include <pointsman/loop.h>
#include <pointsman/proxy.h>
#include <pointsman/sockets.h>
#include <pointsman/store.h>
#include <pointsman/version.h>

#include "command.h"
#include "handover.h"
#include "notify.h"
#include "takeover.h"

#define LOG_CAPACITY (4 * 1024 * 1024)
#define IDLE_LOOK_NS 20000000

struct serving {
    const char *file;
    struct conf *conf; /* of the start: what a reload can not change is compared with it */
    bool takeover;     /* asked for on the command line */
    sigset_t signals;
    struct sockets *sockets;
    struct store *store;
    struct journal *journal;
    struct loop *loop; /* the admin thread's */
    struct proxy *proxy;
    struct admin *admin;
    pthread_t admin_thread;
    bool admin_runs;
    struct handover *handover; /* NULL: it could not be made */
    _Atomic pid_t taken_by;    /* 0: nobody */
};

struct reload {
    struct message message;
    struct proxy *proxy;
    struct conf *conf;
};

static bool parse_level(const char *text, enum log_level *ret) {
    static const char *const names[] = {"debug", "info", "warn", "error"};
    for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
        if (strcmp(text, names[i]) == 0) {
            *ret = i;
            return true;
        }
    }
    return false;
}

/* Every thread inherits the mask, so only the main thread sees signals. */
static bool take_signals(sigset_t *ret, struct err *err) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGUSR1); /* see taken */
    if (pthread_sigmask(SIG_BLOCK, &set, NULL) != 0 || signal(SIGPIPE, SIG_IGN) == SIG_ERR) {
        err_set(err, "can not take signals");
        return false;
    }
    *ret = set;
    return true;
}

/* Connections need descriptors; the hard limit is what the administrator allows. */
static void raise_descriptors(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max)
        return;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        log_say(LOG_WARN, "descriptors", "the limit stays: %s", strerror(errno));
}

static void *admin_main(void *arg) {
    loop_run(arg);
    return NULL;
}

/* On the admin thread: the main thread has to learn that another process goes on. */
static void taken(pid_t by, void *arg) {
    struct serving *s = arg;
    atomic_store(&s->taken_by, by);
    notify("MAINPID=%d", (int)by); /* only believed from the process that still is it */
    kill(getpid(), SIGUSR1);
}

static bool open_sockets_and_store(struct serving *s, struct err *err) {
    uint32_t wait_ms = 0;
    s->sockets = sockets_new();
    if (!s->sockets) {
        err_set(err, "no memory for listeners");
        return false;
    }
    if (!sockets_from_environment(s->sockets, err) ||
        (s->takeover && !take_over(s->conf, s->sockets, &wait_ms, err)))
        return false;
    s->store = store_open_within(s->conf, wait_ms, err);
    return s->store && (wait_ms > 0 || sockets_open(s->sockets, s->conf, err));
}

static void offer_handover(struct serving *s) {
    struct err err;
    s->handover = handover_new(s->loop, s->sockets, s->conf, taken, s, &err);
    if (!s->handover)
        log_say(LOG_WARN, "handover", "no other process can take over from this one: %s", err.text);
}

static bool start(struct serving *s, struct err *err) {
    raise_descriptors();
    if (!open_sockets_and_store(s, err))
        return false;
    s->journal = journal_open(s->conf, err);
    if (!s->journal)
        return false;
    s->loop = loop_new();
    if (!s->loop) {
        err_set(err, "no event loop: %s", strerror(errno));
        return false;
    }
    s->proxy = proxy_start(s->conf, s->store, s->journal, s->sockets, s->loop, err);
    if (!s->proxy)
        return false;
    s->admin = admin_start(s->proxy, s->loop, s->conf, s->sockets, err);
    if (!s->admin)
        return false;
    offer_handover(s);
    if (pthread_create(&s->admin_thread, NULL, admin_main, s->loop) != 0) {
        err_set(err, "can not start the admin thread");
        return false;
    }
    s->admin_runs = true;
    return true;
}

static void stop(struct serving *s) {
    if (s->admin_runs) {
        loop_stop_soon(s->loop);
        pthread_join(s->admin_thread, NULL);
    }
    handover_free(s->handover);
    admin_stop(s->admin);
    if (s->proxy)
        proxy_stop(s->proxy);
    sockets_free(s->sockets);
    if (s->loop)
        loop_free(s->loop);
    journal_close(s->journal);
    if (s->store)
        store_close(s->store);
    conf_unref(s->conf);
}

static void reload_run(struct message *message) {
    struct reload *r = CONTAINER_OF(message, struct reload, message);
    proxy_reload(r->proxy, r->conf);
    conf_unref(r->conf);
    free(r);
}

/* A file with an error changes nothing. */
static void reload(struct serving *s) {
    struct conf *next = NULL;
    struct conf_problem *problems = NULL;
    bool ok = conf_load(s->file, &next, &problems);
    for (const struct conf_problem *p = problems; p; p = p->next)
        log_say(p->fatal ? LOG_ERROR : LOG_WARN, "configuration", "%s", p->text);
    conf_problems_free(problems);
    if (!ok) {
        log_say(LOG_ERROR, "reload refused", "%s has errors; nothing was changed", s->file);
        return;
    }
    const char *option = conf_needs_restart(s->conf, next);
    if (option)
        log_say(LOG_WARN, "reload", "%s changed, which takes effect at the next start only",
                option);
    struct reload *r = calloc(1, sizeof *r);
    if (!r) {
        conf_unref(next);
        log_say(LOG_ERROR, "reload refused", "no memory");
        return;
    }
    *r = (struct reload){.message = {.run = reload_run}, .proxy = s->proxy, .conf = next};
    loop_post(s->loop, &r->message);
}

/* True: all that was in flight ended. False: the time was over. A second signal ends the process at
 * once; the next start settles what was open. */
static bool drain(struct serving *s) {
    uint64_t end_us = clock_mono_us() + s->conf->drain_ms * UINT64_C(1000);
    struct timespec look = {0, IDLE_LOOK_NS};
    proxy_drain(s->proxy);
    while (!proxy_is_idle(s->proxy)) {
        if (clock_mono_us() >= end_us)
            return false;
        int signal = sigtimedwait(&s->signals, NULL, &look);
        if (signal == SIGTERM || signal == SIGINT) {
            log_say(LOG_WARN, "stopped", "a second signal: at once");
            log_stop();
            _exit(FAILED);
        }
    }
    return true;
}

static void reload_and_tell(struct serving *s) {
    notify("RELOADING=1");
    reload(s);
    notify("READY=1");
}

/* True: the signal ends the process. */
static bool is_end(struct serving *s, int signal) {
    pid_t by = atomic_load(&s->taken_by);
    if (signal == SIGHUP)
        reload_and_tell(s);
    if (signal == SIGUSR1 && by)
        log_say(LOG_INFO, "stopping",
                "process %d takes over: finishing what is in flight, at most %u ms", (int)by,
                s->conf->drain_ms);
    if (signal != SIGTERM && signal != SIGINT)
        return signal == SIGUSR1 && by;
    notify("STOPPING=1");
    log_say(LOG_INFO, "stopping", "%s: finishing what is in flight, at most %u ms",
            signal == SIGTERM ? "SIGTERM" : "SIGINT", s->conf->drain_ms);
    return true;
}

static void wait_for_end(struct serving *s) {
    while (!is_end(s, sigwaitinfo(&s->signals, NULL)))
        ;
    if (!drain(s))
        log_say(LOG_WARN, "drain", "not all ended within %u ms; the next start settles the rest",
                s->conf->drain_ms);
}

static bool load(struct serving *s) {
    struct conf_problem *problems = NULL;
    bool ok = conf_load(s->file, &s->conf, &problems);
    conf_problems_print(problems, s->file, stderr);
    conf_problems_free(problems);
    return ok;
}

int cmd_serve(const struct args *args) {
    const char *level_text = args_get(args, "log");
    enum log_level level = LOG_INFO;
    struct err err = {""};
    struct serving s = {.file = args_get(args, "config"), .takeover = args_get(args, "takeover")};
    if (!s.file)
        return usage_error(args->command, "-c FILE is missing");
    if (level_text && !parse_level(level_text, &level))
        return usage_error(args->command, "--log is \"%s\"; allowed: debug, info, warn, error",
                           level_text);
    if (!load(&s))
        return FAILED;
    if (!take_signals(&s.signals, &err) || !log_start(STDERR_FILENO, level, LOG_CAPACITY)) {
        fprintf(stderr, "pointsman: %s\n", err.text[0] ? err.text : "can not start the log");
        conf_unref(s.conf);
        return FAILED;
    }
    bool started = start(&s, &err);
    if (started) {
        log_say(LOG_INFO, "started", "pointsman %s, process %d", POINTSMAN_VERSION, (int)getpid());
        notify("READY=1");
        wait_for_end(&s);
    } else {
        log_say(LOG_ERROR, "can not start", "%s", err.text);
    }
    stop(&s);
    if (started)
        log_say(LOG_INFO, "stopped", "all ended in order");
    log_stop();
    return started ? DONE : FAILED;
}

/* The metrics page: the proxy's counters, the process, and the state of steering, store, journal
 * and backends. */
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <pointsman/clock.h>
#include <pointsman/log.h>
#include <pointsman/version.h>

#include "handlers.h"
#include "request.h"

#define PAGE_MAX (8 * 1024 * 1024)

static bool put_head(struct buf *out, const char *name, const char *type, const char *help) {
    return buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static bool put_value(struct buf *out, const char *name, const char *type, const char *help,
                      double value) {
    return put_head(out, name, type, help) && buf_printf(out, "%s %.15g\n", name, value);
}

/* One row per value of the label, 1 where it holds. */
static bool put_one_of(struct buf *out, const char *name, const char *help, const char *label,
                       const char *const *values, unsigned count, unsigned now) {
    bool ok = put_head(out, name, "gauge", help);
    for (unsigned i = 0; ok && i < count; i++)
        ok = buf_printf(out, "%s{%s=\"%s\"} %d\n", name, label, values[i], i == now);
    return ok;
}

static bool put_backends(struct buf *out, struct proxy *proxy) {
    static const char health[] = "pointsman_backend_health";
    static const char breaker[] = "pointsman_breaker_state";
    struct backend_state state[SIDES];
    bool ok = put_head(out, health, "gauge", "Health of each backend, 1 for the one that holds.");
    for (unsigned side = 0; side < SIDES; side++) {
        proxy_backend_state(proxy, side, &state[side]);
        for (unsigned h = 0; ok && h < HEALTHS; h++)
            ok = buf_printf(out, "%s{backend=\"%s\",health=\"%s\"} %d\n", health, side_names[side],
                            health_names[h], state[side].health == h);
    }
    ok = ok && put_head(out, breaker, "gauge",
                        "State of each backend's circuit breaker, 1 for the one that holds.");
    for (unsigned side = 0; side < SIDES; side++)
        for (unsigned b = 0; ok && b < BREAKER_STATES; b++)
            ok = buf_printf(out, "%s{backend=\"%s\",state=\"%s\"} %d\n", breaker, side_names[side],
                            breaker_state_names[b], state[side].breaker == b);
    return ok;
}

static bool put_state(struct buf *out, struct proxy *proxy) {
    struct steering_state steering;
    struct store_state store;
    struct err why;
    proxy_steering_state(proxy, &steering);
    store_state(proxy_store(proxy), &store);
    return put_one_of(out, "pointsman_mode", "The mode in force, 1 for the one that holds.", "mode",
                      mode_names, MODES, steering.now.mode) &&
           put_value(out, "pointsman_rollout_percentage", "gauge",
                     "Share of entities that gradual gives to new, 0 to 100.",
                     (double)steering.now.ppm / (PPM_ALL / 100)) &&
           put_value(out, "pointsman_control_invalid", "gauge",
                     "1 while what is set as mode or percentage names nothing.",
                     steering.invalid) &&
           put_value(out, "pointsman_control_pending", "gauge",
                     "1 while a move towards legacy waits for the store.", steering.pending) &&
           put_value(out, "pointsman_control_epoch", "gauge", "Number of the last change.",
                     (double)steering.now.epoch) &&
           put_value(out, "pointsman_ready", "gauge", "1 while this instance is ready.",
                     proxy_is_ready(proxy, &why)) &&
           put_value(out, "pointsman_store_up", "gauge", "1 while the store answers.", store.up) &&
           put_value(out, "pointsman_store_local", "gauge",
                     "1 while claims are by this instance alone.", store.local) &&
           put_value(out, "pointsman_store_forgot_total", "counter",
                     "Times the store was found to have forgotten.", (double)store.forgot) &&
           put_value(out, "pointsman_store_lost_total", "counter",
                     "Records that could not be known after the store forgot.",
                     (double)store.lost) &&
           put_value(out, "pointsman_log_dropped_total", "counter",
                     "Log lines dropped because the reader was slow.", (double)log_dropped()) &&
           put_backends(out, proxy) &&
           put_head(out, "pointsman_build_info", "gauge", "The version that runs.") &&
           buf_puts(out, "pointsman_build_info{version=\"" POINTSMAN_VERSION "\"} 1\n");
}

static bool put_journal(struct buf *out, struct proxy *proxy) {
    static const char rows[] = "pointsman_queue_events";
    struct journal_state s;
    uint64_t now_us = clock_wall_us();
    journal_state(proxy_journal(proxy), &s);
    bool waits = s.oldest_wall_us && s.oldest_wall_us < now_us;
    bool ok = put_head(out, rows, "gauge", "Events on this instance's disk by state.");
    for (unsigned i = 0; ok && i < ROW_STATES; i++)
        ok = buf_printf(out, "%s{state=\"%s\"} %llu\n", rows, row_state_names[i],
                        (unsigned long long)s.rows[i]);
    return ok &&
           put_value(out, "pointsman_queue_oldest_seconds", "gauge",
                     "Age of the oldest event that is queued or being sent.",
                     waits ? (double)(now_us - s.oldest_wall_us) / 1e6 : 0) &&
           put_value(out, "pointsman_journal_bytes", "gauge",
                     "Payload bytes in the journal, as they came.", (double)s.bytes) &&
           put_value(out, "pointsman_journal_max_bytes", "gauge", "What it may hold of them.",
                     (double)s.max_bytes) &&
           put_value(out, "pointsman_journal_accepting", "gauge",
                     "1 while the journal takes new events.", s.accepts) &&
           put_value(out, "pointsman_journal_damaged_total", "counter",
                     "Rows and files of the journal that could not be read.", (double)s.damaged) &&
           put_value(out, "pointsman_journal_commits_total", "counter",
                     "Transactions written to the journal, each with its fsync.",
                     (double)s.commits) &&
           put_value(out, "pointsman_journal_changes_total", "counter",
                     "Changes those transactions carried.", (double)s.committed);
}

static double open_fds(void) {
    DIR *dir = opendir("/proc/self/fd");
    int count = -3; /* ".", ".." and the directory's own */
    if (!dir)
        return 0;
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

static double resident_bytes(void) {
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file)
        return 0;
    if (fscanf(file, "%*u %lu", &pages) != 1)
        pages = 0;
    fclose(file);
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static double cpu_seconds(void) {
    struct rusage u;
    if (getrusage(RUSAGE_SELF, &u) != 0)
        return 0;
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static bool put_process(struct buf *out, struct proxy *proxy) {
    struct rlimit files = {0};
    if (getrlimit(RLIMIT_NOFILE, &files) != 0)
        files.rlim_cur = 0;
    return put_value(out, "process_cpu_seconds_total", "counter", "User and system CPU time spent.",
                     cpu_seconds()) &&
           put_value(out, "process_resident_memory_bytes", "gauge", "Resident memory.",
                     resident_bytes()) &&
           put_value(out, "process_open_fds", "gauge", "Open descriptors.", open_fds()) &&
           put_value(out, "process_max_fds", "gauge", "Most descriptors allowed.",
                     (double)files.rlim_cur) &&
           put_value(out, "process_start_time_seconds", "gauge", "When the process started.",
                     (double)proxy_started_wall_us(proxy) / 1e6);
}

void handle_metrics(struct request *x) {
    struct buf page;
    buf_init(&page, PAGE_MAX);
    if (metrics_print(proxy_metrics(x->proxy), &page) && put_state(&page, x->proxy) &&
        put_journal(&page, x->proxy) && put_process(&page, x->proxy))
        request_answer(x, 200, "text/plain; version=0.0.4; charset=utf-8", NULL, buf_slice(&page));
    else
        reply_problem(x, 503, NULL, "no memory for the metrics page");
    buf_free(&page);
}

/* Reads /proc/PID/stat and /proc/stat. */
#include "cpu.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SECOND_US UINT64_C(1000000)

static uint64_t ticks_us(uint64_t ticks) {
    return ticks * SECOND_US / (uint64_t)sysconf(_SC_CLK_TCK);
}

uint64_t cpu_process_us(unsigned pid) {
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
    return ticks_us(user + system);
}

uint64_t cpu_machine_us(void) {
    unsigned long long user, nice, system, irq, softirq;
    FILE *in = fopen("/proc/stat", "r");
    if (!in)
        return 0;
    int n =
        fscanf(in, "cpu %llu %llu %llu %*u %*u %llu %llu", &user, &nice, &system, &irq, &softirq);
    fclose(in);
    return n == 5 ? ticks_us(user + nice + system + irq + softirq) : 0;
}

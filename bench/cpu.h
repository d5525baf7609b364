/* CPU time of processes, and of the machine, from proc(5). Layer: bench. */
#ifndef BENCH_CPU_H
#define BENCH_CPU_H

#include <stdint.h>

/* User and system time of all its threads, in µs; 0: it is gone. */
uint64_t cpu_process_us(unsigned pid);
/* What all processes used on all cores: all but idle and waiting for a disk. */
uint64_t cpu_machine_us(void);

#endif

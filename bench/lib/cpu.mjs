// What a process uses, from proc(5).

import { readFileSync } from 'node:fs';

const TICK_US = 10_000; // USER_HZ is 100 on every Linux this runs on

/** User and system time of all its threads. */
export function cpuUs(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const [user, system] = stat.slice(stat.lastIndexOf(')') + 2).split(' ').slice(11, 13);
  return (Number(user) + Number(system)) * TICK_US;
}

const statusKb = (pid, name) =>
  Number(readFileSync(`/proc/${pid}/status`, 'utf8').match(new RegExp(`^${name}:\\s*(\\d+)`, 'm'))?.[1] ?? 0);

export const residentKb = (pid) => statusKb(pid, 'VmRSS');
export const residentPeakKb = (pid) => statusKb(pid, 'VmHWM');

/** Bytes that were given to a disk. */
export const writtenBytes = (pid) =>
  Number(readFileSync(`/proc/${pid}/io`, 'utf8').match(/^write_bytes: (\d+)/m)[1]);

export const loadAverage = () => Number(readFileSync('/proc/loadavg', 'utf8').split(' ')[0]);

// Reads what strace -f wrote: system calls by thread and name. A call begins on one line, however many it takes.

const CALL = /^(\d+) +([a-z_0-9]+)\(/;

/** Map of thread id to Map of name to count. */
export function readStrace(text) {
  const threads = new Map();
  for (const line of text.split('\n')) {
    const call = CALL.exec(line);
    if (!call) continue;
    const [, thread, name] = call;
    const calls = threads.get(thread) ?? new Map();
    calls.set(name, (calls.get(name) ?? 0) + 1);
    threads.set(thread, calls);
  }
  return threads;
}

// What must be undone however the driver ends: mounts, namespaces, directories.

const undo = new Set();

process.on('exit', () => {
  for (const work of [...undo].reverse()) work();
});
for (const [signal, code] of [['SIGINT', 130], ['SIGTERM', 143], ['SIGHUP', 129]]) {
  process.on(signal, () => process.exit(code));
}

/** Registers work (not asynchronous); answers the function that does it now, once. */
export function atExit(work) {
  const now = () => {
    if (!undo.delete(now)) return;
    try {
      work();
    } catch (error) {
      console.error(`chaos: could not tidy up: ${error.message}`);
    }
  };
  undo.add(now);
  return now;
}

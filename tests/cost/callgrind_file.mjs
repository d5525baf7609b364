// Reads what callgrind wrote about one thread (with --compress-strings=no): instructions by object and function.

/** What the compiler adds to a name when it splits a function says nothing about the source. */
function plain(name) {
  return name.replace(/\.(constprop|isra|part|cold)(\.\d+)?/g, '').replace(/'\d+$/, '');
}

/** [{object, file, name, count}], each function once, the most expensive first. Costs are a function's own. */
export function readCallgrind(text) {
  const found = new Map();
  let object = '???';
  let file = '???';
  let name = '???';
  let inclusive = false;
  for (const line of text.split('\n')) {
    if (line.startsWith('ob=')) object = line.slice(3).split('/').pop();
    else if (line.startsWith('fl=')) file = line.slice(3);
    else if (line.startsWith('fn=')) name = plain(line.slice(3));
    else if (line.startsWith('calls=')) inclusive = true;
    else if (/^[\d+*-]\S* \d+$/.test(line)) {
      // The line after calls= is what the called function cost: it is counted there.
      if (inclusive) {
        inclusive = false;
        continue;
      }
      const key = `${object}:${name}`;
      const one = found.get(key) ?? { object, file, name, count: 0 };
      one.count += Number(line.split(' ')[1]);
      found.set(key, one);
    }
  }
  return [...found.values()].filter((one) => one.count > 0).sort((x, y) => y.count - x.count);
}

/** The sum callgrind itself wrote, to check the reading by. */
export function sumOf(text) {
  return Number(/^(?:summary|totals): (\d+)$/m.exec(text)[1]);
}

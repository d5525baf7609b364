// TCP relays in a process of their own, so that a connection to Redis can be cut without root.
// argv: JSON [{name, host, port, toHost, toPort}]. Commands {name, state} come over the IPC channel.
//
//   open      bytes pass
//   hold      nothing passes either way; what was sent arrives when it is open again, as after a lost route
//   deaf      requests pass, answers do not: the worst a network can do to a claim
//   cut       connections are reset, new ones too

import net from 'node:net';

const links = new Map();

function flow(link, pair) {
  const { client, upstream } = pair;
  if (link.state === 'hold') client.pause();
  else client.resume();
  if (link.state === 'hold' || link.state === 'deaf') upstream.pause();
  else upstream.resume();
}

function accept(link, client) {
  if (link.state === 'cut') return client.resetAndDestroy();
  const upstream = net.connect({ host: link.toHost, port: link.toPort, noDelay: true, allowHalfOpen: true });
  const pair = { client, upstream };
  link.pairs.add(pair);
  for (const [from, to] of [[client, upstream], [upstream, client]]) {
    from.on('data', (data) => to.write(data));
    from.on('end', () => to.end());
    from.on('error', () => {});
    from.on('close', () => {
      to.destroySoon();
      link.pairs.delete(pair);
    });
  }
  flow(link, pair);
  return undefined;
}

function set(link, state) {
  link.state = state;
  for (const pair of [...link.pairs]) {
    if (state === 'cut') {
      pair.client.resetAndDestroy();
      pair.upstream.resetAndDestroy();
    } else {
      flow(link, pair);
    }
  }
}

for (const given of JSON.parse(process.argv[2])) {
  const link = { ...given, state: 'open', pairs: new Set() };
  links.set(link.name, link);
  const server = net.createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, (c) => accept(link, c));
  await new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(link.port, link.host, 128, resolve);
  });
}
process.on('message', ({ id, name, state }) => {
  set(links.get(name), state);
  process.send({ id });
});
process.on('disconnect', () => process.exit(0));
process.send({ ready: true });

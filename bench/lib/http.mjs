// Asking servers on loopback: pages, metrics, whether they are there.

import { connect } from 'node:net';

/** Of 127.0.0.1; throws unless the answer is a 2xx. */
export async function get(port, path) {
  const answer = await fetch(`http://127.0.0.1:${port}${path}`, { headers: { connection: 'close' } });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`GET ${path}: ${answer.status}`);
  return text;
}

export const getJson = async (port, path) => JSON.parse(await get(port, path));

/** The value of a line of the metrics page, named with its labels; throws where there is none. */
export async function metric(adminPort, name) {
  const page = await get(adminPort, '/metrics');
  const line = page.split('\n').find((one) => one.startsWith(`${name} `));
  if (!line) throw new Error(`the metrics page has no ${name}`);
  return Number(line.slice(name.length + 1));
}

export const connects = (port) =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });

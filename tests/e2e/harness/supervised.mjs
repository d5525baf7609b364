// pointsman under a supervisor that holds the listening socket, as systemd does, and starts it again whenever it ends.

import fs from 'node:fs';
import path from 'node:path';
import { isAlive, start } from './children.mjs';
import { BINARY, Pointsman } from './pointsman.mjs';
import { DEADLINE, until, within } from './wait.mjs';

/** Listens and never accepts itself: spawnSync keeps its loop from running. */
const SUPERVISOR = `
  const { spawnSync } = require('child_process');
  const [over, ...command] = process.argv.slice(1);
  const server = require('net').createServer();
  server.listen({ host: '127.0.0.1', port: 0, backlog: 4096 }, () => {
    let ended;
    do {
      const stdio = ['ignore', 'inherit', 'inherit', server._handle.fd];
      ended = spawnSync('/bin/sh', ['-c', 'LISTEN_FDS=1 LISTEN_PID=$$ exec "$0" "$@"', ...command], { stdio });
    } while (ended.status === 0 && !require('fs').existsSync(over));
    process.exit(ended.status ?? 1);
  });`;

export class Supervised extends Pointsman {
  #supervisor;

  get #over() {
    return path.join(this.dir, 'over');
  }

  launch(args, options) {
    this.#supervisor = start(process.execPath, ['-e', SUPERVISOR, '--', this.#over, BINARY, ...args], options);
    return this.#supervisor;
  }

  /** Of the process that serves now. */
  get serving() {
    return Number(/process (\d+)/.exec(this.logged('started').at(-1)?.detail)[1]);
  }

  signal(name) {
    process.kill(this.serving, name);
  }

  /** Ends the process; the supervisor starts the next one at once. */
  async restart() {
    this.signal('SIGTERM');
    this.log.length = 0;
    await until('the next process runs', () => this.logged('started').length > 0);
    await this.listening();
    await this.ready();
  }

  async stop() {
    if (!isAlive(this.#supervisor)) return;
    fs.writeFileSync(this.#over, '');
    this.signal('SIGTERM');
    const { code } = await within('the end of the supervisor', this.#supervisor.ended, DEADLINE * 2);
    if (code !== 0) throw new Error(`${this.name} ended with ${code}:\n${this.tail()}`);
  }
}

// GitHub's side of a run: sends, sends again what failed, and records what each sending was told.

import http from 'node:http';
import { anyEvent } from './events.mjs';
import { now, sleep } from './clock.mjs';

/** A sender hangs up after this. */
const PATIENCE_MS = 6000;
const TICK_MS = 10;
const REDELIVERIES = 4;
/** More open sendings than this and the senders hold back: the machine is the limit then, not pointsman. */
const OPEN_MAX = 600;

function wordOf(text) {
  try {
    return JSON.parse(text).status;
  } catch {
    return undefined;
  }
}

export class Senders {
  #rng;
  #agents = new Map();
  #serial = 0;
  #open = 0;
  #timer;
  #later = new Set();
  sends = [];
  events = new Map();
  held = 0;

  constructor({ rng, instances, sources }) {
    this.#rng = rng;
    this.instances = instances;
    this.sources = sources;
    for (const one of instances) {
      this.#agents.set(one.name, new http.Agent({ keepAlive: true, maxSockets: 512, scheduling: 'fifo' }));
    }
  }

  /** One sending. Resolves to its record, also where there was no answer. */
  async send(event, instance, why = 'first') {
    this.events.set(event.id, event);
    const record = { event: event.id, inst: instance.name, why, from: now() };
    this.sends.push(record);
    this.#open++;
    try {
      Object.assign(record, await this.#request(event, instance));
    } catch (error) {
      record.error = error.code ?? error.message;
    }
    this.#open--;
    record.to = now();
    return record;
  }

  #request(event, instance) {
    return new Promise((resolve, reject) => {
      const req = http.request({
        host: instance.host, port: instance.port, method: 'POST', path: `/hooks/${event.source}`,
        headers: event.headers, agent: this.#agents.get(instance.name),
      });
      const timer = setTimeout(() => req.destroy(new Error('no answer')), PATIENCE_MS);
      const fail = (error) => {
        clearTimeout(timer);
        reject(error);
      };
      req.on('error', fail);
      req.on('response', (res) => {
        const chunks = [];
        res.on('data', (chunk) => chunks.push(chunk));
        res.on('error', fail);
        res.on('end', () => {
          clearTimeout(timer);
          const text = Buffer.concat(chunks).toString('latin1');
          resolve({
            status: res.statusCode,
            word: wordOf(text),
            backend: res.headers['x-pointsman-backend'],
            mode: res.headers['x-pointsman-mode'],
            from_backend: res.headers['x-ledger'] !== undefined || undefined,
          });
        });
      });
      req.end(event.body);
    });
  }

  /**
   * Events come at `rate` a second until pause(). `twins`: share sent to all instances at the same instant; `again`:
   * share of answered ones that come again; `rejects`: share that the backend rejects.
   */
  run({ rate, twins = 0, again = 0, rejects = 0, ignored = true, why = 'first' }) {
    this.pause();
    let due = 0;
    let last = now();
    this.#timer = setInterval(() => {
      const t = now();
      due = Math.min(due + (rate * (t - last)) / 1000, rate);
      last = t;
      for (; due >= 1; due--) {
        if (this.#open > OPEN_MAX) this.held++;
        else this.#deliver({ twins, again, rejects, ignored, why });
      }
    }, TICK_MS);
  }

  pause() {
    clearInterval(this.#timer);
  }

  #deliver({ twins, again, rejects, ignored, why }) {
    const event = anyEvent(this.#rng, { serial: ++this.#serial, sources: this.sources, rejects, ignored });
    const to = this.#rng.chance(twins) ? this.instances : [this.#rng.pick(this.instances)];
    const comesAgain = this.#rng.chance(again);
    const told = Promise.all(to.map((one) => this.send(event, one, why)));
    const follow = told.then(async (records) => {
      if (why === 'calm') return;
      const ok = records.some((record) => record.status >= 200 && record.status < 300);
      if (ok && comesAgain) await this.#repeat(event, 'duplicate', 1);
      else if (!ok) await this.#repeat(event, 'redelivery', REDELIVERIES);
    });
    this.#later.add(follow);
    follow.finally(() => this.#later.delete(follow));
  }

  /** Comes again until it is answered 2xx, as people press "Redeliver". */
  async #repeat(event, why, times) {
    for (let i = 0; i < times; i++) {
      await sleep(this.#rng.int(150, 1500) * (i + 1));
      const { status } = await this.send(event, this.#rng.pick(this.instances), why);
      if (status >= 200 && status < 300) return;
    }
  }

  /** All sendings and redeliveries have been answered. */
  async settled() {
    while (this.#later.size > 0) await Promise.all(this.#later);
  }

  /** What was never answered 2xx comes once more; true when nothing is left of it. */
  async redeliver() {
    const ok = new Set(this.sends.filter((s) => s.status >= 200 && s.status < 300).map((s) => s.event));
    const left = [...this.events.values()].filter((event) => !ok.has(event.id) && event.verdict === 'ok');
    const records = [];
    for (let at = 0; at < left.length; at += 50) {
      const some = left.slice(at, at + 50).map((event) => this.send(event, this.#rng.pick(this.instances), 'last'));
      records.push(...await Promise.all(some));
    }
    return records.every((record) => record.status >= 200 && record.status < 300);
  }

  finish() {
    this.pause();
    for (const agent of this.#agents.values()) agent.destroy();
  }
}

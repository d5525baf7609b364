// Chance that can be repeated: everything random in a run comes from one seed.

/** A 32-bit hash of a text (FNV-1a), to derive seeds from names. */
function hash(text) {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  return h >>> 0;
}

export class Rng {
  #a;

  constructor(seed) {
    this.seed = String(seed);
    this.#a = hash(this.seed);
  }

  /** Another stream of the same seed: what one part draws does not move what another draws. */
  fork(name) {
    return new Rng(`${this.seed}/${name}`);
  }

  /** 0 ≤ x < 1 (mulberry32). */
  next() {
    this.#a = (this.#a + 0x6d2b79f5) >>> 0;
    let t = this.#a;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  }

  chance(p) {
    return this.next() < p;
  }

  /** A whole number, both ends included. */
  int(low, high) {
    return low + Math.floor(this.next() * (high - low + 1));
  }

  real(low, high) {
    return low + this.next() * (high - low);
  }

  pick(list) {
    return list[Math.floor(this.next() * list.length)];
  }

  shuffle(list) {
    const out = [...list];
    for (let i = out.length - 1; i > 0; i--) {
      const j = this.int(0, i);
      [out[i], out[j]] = [out[j], out[i]];
    }
    return out;
  }
}

/** Draws 0..n-1, small numbers much more often: weight 1 / (rank + 1) ^ exponent. */
export function zipf(n, exponent = 1) {
  const sums = [];
  let sum = 0;
  for (let i = 0; i < n; i++) sums.push((sum += 1 / (i + 1) ** exponent));
  return (rng) => {
    const x = rng.next() * sum;
    let low = 0;
    let high = n - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (sums[middle] > x) high = middle;
      else low = middle + 1;
    }
    return low;
  };
}

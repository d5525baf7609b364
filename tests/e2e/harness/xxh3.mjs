// XXH3 (64 bits) in plain JavaScript, written from the specification: the independent word on buckets.

const M64 = (1n << 64n) - 1n;
const M32 = 0xffffffffn;

const P32_1 = 0x9e3779b1n;
const P32_2 = 0x85ebca77n;
const P32_3 = 0xc2b2ae3dn;
const P64_1 = 0x9e3779b185ebca87n;
const P64_2 = 0xc2b2ae3d27d4eb4fn;
const P64_3 = 0x165667b19e3779f9n;
const P64_4 = 0x85ebca77c2b2ae63n;
const P64_5 = 0x27d4eb2f165667c5n;

const STRIPE = 64;

// The specification's default secret, 192 bytes.
const SECRET = Buffer.from(
  'b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671f' +
  'cb79e64eccc0e578825ad07dccff7221b8084674f743248ee03590e6813a264c' +
  '3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8' +
  'a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364' +
  'eac5ac8334d3ebc3c581a0fffa1363eb170ddd51b7f0da49d316552629d4689e' +
  '2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e', 'hex');

const mul = (a, b) => (a * b) & M64;
const rotl = (v, n) => ((v << n) | (v >> (64n - n))) & M64;
const u32 = (b, at) => BigInt(b.readUInt32LE(at));
const u64 = (b, at) => b.readBigUInt64LE(at);

function swap64(v) {
  const b = Buffer.alloc(8);
  b.writeBigUInt64LE(v);
  return b.readBigUInt64BE(0);
}

function swap32(v) {
  const b = Buffer.alloc(4);
  b.writeUInt32LE(Number(v));
  return BigInt(b.readUInt32BE(0));
}

function fold(a, b) {
  const product = a * b;
  return (product & M64) ^ (product >> 64n);
}

function avalanche(h) {
  h = mul(h ^ (h >> 37n), 0x165667919e3779f9n);
  return h ^ (h >> 32n);
}

function avalancheXxh64(h) {
  h = mul(h ^ (h >> 33n), P64_2);
  h = mul(h ^ (h >> 29n), P64_3);
  return h ^ (h >> 32n);
}

function upTo16(input, seed) {
  const len = input.length;
  const n = BigInt(len);
  if (len > 8) {
    const flip1 = ((u64(SECRET, 24) ^ u64(SECRET, 32)) + seed) & M64;
    const flip2 = ((u64(SECRET, 40) ^ u64(SECRET, 48)) - seed) & M64;
    const lo = u64(input, 0) ^ flip1;
    const hi = u64(input, len - 8) ^ flip2;
    return avalanche((n + swap64(lo) + hi + fold(lo, hi)) & M64);
  }
  if (len >= 4) {
    seed ^= swap32(seed & M32) << 32n;
    const flip = ((u64(SECRET, 8) ^ u64(SECRET, 16)) - seed) & M64;
    let h = (u32(input, len - 4) + (u32(input, 0) << 32n)) ^ flip;
    h ^= rotl(h, 49n) ^ rotl(h, 24n);
    h = mul(h, 0x9fb21c651e98df25n);
    h ^= (h >> 35n) + n;
    h = mul(h, 0x9fb21c651e98df25n);
    return h ^ (h >> 28n);
  }
  if (len > 0) {
    const combined = (BigInt(input[0]) << 16n) | (BigInt(input[len >> 1]) << 24n) |
      BigInt(input[len - 1]) | (n << 8n);
    const flip = ((u32(SECRET, 0) ^ u32(SECRET, 4)) + seed) & M64;
    return avalancheXxh64(combined ^ flip);
  }
  return avalancheXxh64(seed ^ u64(SECRET, 56) ^ u64(SECRET, 64));
}

function mix16(input, at, secretAt, seed) {
  return fold(u64(input, at) ^ ((u64(SECRET, secretAt) + seed) & M64),
    u64(input, at + 8) ^ ((u64(SECRET, secretAt + 8) - seed) & M64));
}

function upTo128(input, seed) {
  const len = input.length;
  let acc = mul(BigInt(len), P64_1);
  for (let i = Math.floor((len - 1) / 32); i >= 0; i--) {
    acc += mix16(input, 16 * i, 32 * i, seed);
    acc += mix16(input, len - 16 * (i + 1), 32 * i + 16, seed);
  }
  return avalanche(acc & M64);
}

function upTo240(input, seed) {
  const len = input.length;
  const rounds = Math.floor(len / 16);
  let acc = mul(BigInt(len), P64_1);
  for (let i = 0; i < 8; i++) acc += mix16(input, 16 * i, 16 * i, seed);
  acc = avalanche(acc & M64);
  for (let i = 8; i < rounds; i++) acc += mix16(input, 16 * i, 16 * (i - 8) + 3, seed);
  acc += mix16(input, len - 16, 136 - 17, seed);
  return avalanche(acc & M64);
}

function secretOf(seed) {
  if (seed === 0n) return SECRET;
  const secret = Buffer.alloc(SECRET.length);
  for (let at = 0; at < SECRET.length; at += 16) {
    secret.writeBigUInt64LE((u64(SECRET, at) + seed) & M64, at);
    secret.writeBigUInt64LE((u64(SECRET, at + 8) - seed) & M64, at + 8);
  }
  return secret;
}

function addStripe(acc, input, at, secret, secretAt) {
  for (let i = 0; i < 8; i++) {
    const value = u64(input, at + 8 * i);
    const key = value ^ u64(secret, secretAt + 8 * i);
    acc[i ^ 1] = (acc[i ^ 1] + value) & M64;
    acc[i] = (acc[i] + (key & M32) * (key >> 32n)) & M64;
  }
}

function scramble(acc, secret) {
  for (let i = 0; i < 8; i++) {
    const key = u64(secret, secret.length - STRIPE + 8 * i);
    acc[i] = mul((acc[i] ^ (acc[i] >> 47n)) ^ key, P32_1);
  }
}

function long(input, seed) {
  const secret = secretOf(seed);
  const len = input.length;
  const acc = [P32_3, P64_1, P64_2, P64_3, P64_4, P32_2, P64_5, P32_1];
  const stripesPerBlock = (secret.length - STRIPE) / 8;
  const block = STRIPE * stripesPerBlock;
  const blocks = Math.floor((len - 1) / block);
  for (let n = 0; n < blocks; n++) {
    for (let s = 0; s < stripesPerBlock; s++) addStripe(acc, input, n * block + s * STRIPE, secret, s * 8);
    scramble(acc, secret);
  }
  const stripes = Math.floor((len - 1 - block * blocks) / STRIPE);
  for (let s = 0; s < stripes; s++) addStripe(acc, input, blocks * block + s * STRIPE, secret, s * 8);
  addStripe(acc, input, len - STRIPE, secret, secret.length - STRIPE - 7);

  let h = mul(BigInt(len), P64_1);
  for (let i = 0; i < 4; i++) {
    h += fold(acc[2 * i] ^ u64(secret, 11 + 16 * i), acc[2 * i + 1] ^ u64(secret, 19 + 16 * i));
  }
  return avalanche(h & M64);
}

/** XXH3_64bits_withSeed of bytes or text (UTF-8); both seed and result are BigInt. */
export function xxh3(data, seed = 0n) {
  const input = Buffer.isBuffer(data) ? data : Buffer.from(data, 'utf8');
  if (input.length <= 16) return upTo16(input, seed);
  if (input.length <= 128) return upTo128(input, seed);
  if (input.length <= 240) return upTo240(input, seed);
  return long(input, seed);
}

/** DESIGN §3: of the upper 32 bits, scaled to a million. */
export function bucketOf(key, salt = '') {
  const seed = salt === '' ? 0n : xxh3(salt);
  return Number(((xxh3(key, seed) >> 32n) * 1000000n) >> 32n);
}

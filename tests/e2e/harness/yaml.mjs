// Writes a configuration object as the block-style YAML a person would write.

const PLAIN = /^[A-Za-z_./][A-Za-z0-9_./-]*$/;
const RESERVED = /^(true|false|yes|no|on|off|null|~)$/i;

function scalar(value) {
  if (typeof value === 'string' && (!PLAIN.test(value) || RESERVED.test(value))) {
    return JSON.stringify(value);
  }
  return String(value);
}

function isScalar(value) {
  return value === null || typeof value !== 'object';
}

function emit(value, indent, out) {
  const pad = ' '.repeat(indent);
  if (Array.isArray(value)) {
    for (const item of value) {
      if (isScalar(item)) {
        out.push(`${pad}- ${scalar(item)}`);
      } else {
        const inner = [];
        emit(item, indent + 2, inner);
        inner[0] = `${pad}- ${inner[0].slice(indent + 2)}`;
        out.push(...inner);
      }
    }
    return;
  }
  for (const [key, item] of Object.entries(value)) {
    if (item === undefined) continue;
    const name = scalar(key);
    if (isScalar(item)) {
      out.push(`${pad}${name}: ${scalar(item)}`);
    } else if (Object.values(item).every((one) => one === undefined)) {
      out.push(`${pad}${name}: ${Array.isArray(item) ? '[]' : '{}'}`);
    } else {
      out.push(`${pad}${name}:`);
      emit(item, indent + 2, out);
    }
  }
}

export function yaml(value) {
  const out = [];
  emit(value, 0, out);
  return `${out.join('\n')}\n`;
}

/** `over` laid over `base`: objects are merged, all else is replaced, undefined removes. */
export function merge(base, over) {
  if (isScalar(over) || Array.isArray(over) || isScalar(base) || Array.isArray(base)) return over;
  const result = { ...base };
  for (const [key, value] of Object.entries(over)) {
    result[key] = key in base && value !== undefined ? merge(base[key], value) : value;
  }
  return result;
}

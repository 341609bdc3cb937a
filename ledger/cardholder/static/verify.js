// Checks, on this phone alone, that a tap is in the city's signed books: docs/proofs.md is what it follows, step by step.
// It asks its server for the proof and for nothing else; whatever the server says, the result comes from the sums below.
"use strict";
const HASH = 32, LEAF = 139, KINDS = [0, 1, 2, 3, 4, 5, 6];
const need = (true_, why) => { if (!true_) throw new Error(why); };
const unhex = (text, bytes) => {
  need(typeof text === "string" && /^([0-9a-f]{2})*$/.test(text), "hex");
  const made = Uint8Array.from(text.match(/../g) || [], (two) => parseInt(two, 16));
  need(bytes === undefined || made.length === bytes, "length");
  return made;
};
const hex = (bytes) => Array.from(bytes, (one) => one.toString(16).padStart(2, "0")).join("");
const joined = (...parts) => {
  const made = new Uint8Array(parts.reduce((sum, one) => sum + one.length, 0));
  let at = 0;
  for (const one of parts) { made.set(one, at); at += one.length; }
  return made;
};
const digest = async (name, ...parts) => new Uint8Array(await crypto.subtle.digest(name, joined(...parts)));
const sha256 = (...parts) => digest("SHA-256", ...parts);
const same = (left, right) => left.length === right.length && left.every((one, at) => one === right[at]);
const ascii = (text) => new TextEncoder().encode(text);
const whole = (value, low = 0) => { need(Number.isSafeInteger(value) && value >= low, "number"); return value; };
const integer = (value, bytes) => {
  whole(value, -Number.MAX_SAFE_INTEGER);
  let rest = BigInt.asUintN(8 * bytes, BigInt(value));
  const made = new Uint8Array(bytes);
  for (let at = bytes - 1; at >= 0; at--) { made[at] = Number(rest & 255n); rest >>= 8n; }
  return made;
};

// A leaf's 139 bytes (docs/proofs.md, "A leaf").
function packed(leaf) {
  need([1, 2].includes(leaf.what) && KINDS.includes(leaf.kind), "leaf");
  for (const name of ["business_date", "position", "rows", "occurred_at", "terminal", "sequence"]) whole(leaf[name]);
  const made = joined(
    Uint8Array.of(1, leaf.what, leaf.kind), unhex(leaf.salt, 16), integer(leaf.business_date, 4), integer(leaf.position, 8),
    integer(leaf.rows, 4), unhex(leaf.digest, HASH), integer(leaf.amount, 8), integer(leaf.balance_after, 8),
    integer(leaf.occurred_at, 8), integer(leaf.terminal, 8), integer(leaf.sequence, 8), unhex(leaf.card, HASH),
  );
  need(made.length === LEAF, "leaf");
  return made;
}

// The root that a path leads to (RFC 9162, section 2.1.3.2).
async function rootOf(leaf, index, size, path) {
  need(whole(index) < size, "index");
  let at = index, last = size - 1, found = leaf;
  for (const node of path) {
    need(last > 0, "path");
    if (at % 2 || at === last) {
      found = await sha256(Uint8Array.of(1), node, found);
      while (at % 2 === 0 && at > 0) { at = Math.floor(at / 2); last = Math.floor(last / 2); }
    } else found = await sha256(Uint8Array.of(1), found, node);
    at = Math.floor(at / 2); last = Math.floor(last / 2);
  }
  need(last === 0, "path");
  return found;
}

// COSE_Sign1 (RFC 9052), in the one encoding that a checkpoint has.
function byteString(data, at) {
  const kind = data[at] & 31, long = kind === 24 ? 1 : kind === 25 ? 2 : 0;
  need(data[at] >> 5 === 2 && kind < 26, "cose");
  const length = long === 0 ? kind : long === 1 ? data[at + 1] : data[at + 1] * 256 + data[at + 2];
  need((long === 0 && kind < 24) || (long === 1 && length > 23) || (long === 2 && length > 255), "cose");
  const from = at + 1 + long;
  need(from + length <= data.length, "cose");
  return { raw: data.subarray(at, from + length), value: data.subarray(from, from + length), end: from + length };
}
function envelope(data, key) {
  need(data[0] === 0xd2 && data[1] === 0x84, "cose");
  const head = byteString(data, 2);
  need(data[head.end] === 0xa0, "cose");
  const body = byteString(data, head.end + 1), mark = byteString(data, body.end);
  need(mark.end === data.length && mark.value.length === 64, "cose");
  const type = ascii("application/ksh-checkpoint");
  need(same(head.value, joined(Uint8Array.of(0xa3, 1, 0x27, 3, 0x78, type.length), type, Uint8Array.of(4, 0x48), key.subarray(0, 8))), "cose");
  const signed = joined(Uint8Array.of(0x84, 0x6a), ascii("Signature1"), head.raw, Uint8Array.of(0x40), body.raw);
  return { signed, signature: mark.value, text: new TextDecoder("utf-8", { fatal: true }).decode(body.value) };
}
function checkpoint(text) {
  const lines = /^([^\n]{1,100})\n(\d+)\n([A-Za-z0-9+/]{43}=)\nbusiness-date (\d{4}-\d\d-\d\d)\nclosed-at (\d+)\nblock (\d+)\nposition (\d+)\nhead ([0-9a-f]{64})\n$/.exec(text);
  need(lines, "checkpoint");
  return { origin: lines[1], size: whole(Number(lines[2]), 1), root: Uint8Array.from(atob(lines[3]), (one) => one.charCodeAt(0)), day: lines[4] };
}

// Ed25519 (RFC 8032, section 5.1.7) for browsers whose Web Crypto does not have it. Nothing here is secret, so that nothing has to take the same time.
const P = 2n ** 255n - 19n, L = 2n ** 252n + 27742317777372353535851937790883648493n;
const mod = (value, by = P) => ((value % by) + by) % by;
const power = (base, by) => { let made = 1n; for (base = mod(base); by > 0n; by >>= 1n, base = mod(base * base)) if (by & 1n) made = mod(made * base); return made; };
const D = mod(-121665n * power(121666n, P - 2n)), I = power(2n, (P - 1n) / 4n);
const plus = ([a, b, c, d], [e, f, g, h]) => {
  const m = mod((b - a) * (f - e)), n = mod((b + a) * (f + e)), o = mod(2n * d * h * D), p = mod(2n * c * g), q = n - m, r = p - o, s = p + o, t = n + m;
  return [mod(q * r), mod(s * t), mod(r * s), mod(q * t)];
};
const times = (point, by) => { let made = [0n, 1n, 1n, 0n]; for (; by > 0n; by >>= 1n, point = plus(point, point)) if (by & 1n) made = plus(made, point); return made; };
const little = (bytes) => bytes.reduceRight((sum, one) => sum * 256n + BigInt(one), 0n);
function point(bytes) {
  const all = little(bytes), y = all & ((1n << 255n) - 1n), sign = all >> 255n;
  need(y < P, "point");
  const u = mod(y * y - 1n), v = mod(D * y * y + 1n), square = mod(u * power(v, P - 2n));
  let x = power(square, (P + 3n) / 8n);
  if (mod(x * x) !== square) x = mod(x * I);
  need(mod(x * x) === square && !(x === 0n && sign), "point");
  if ((x & 1n) !== sign) x = P - x;
  return [x, y, 1n, mod(x * y)];
}
const BASE = () => point(unhex("58" + "66".repeat(31)));
async function slowly(key, signature, message) {
  const s = little(signature.subarray(32));
  if (s >= L) return false;
  const k = mod(little(await digest("SHA-512", signature.subarray(0, 32), key, message)), L);
  const [a, b, c] = times(BASE(), s), [d, e, f] = plus(point(signature.subarray(0, 32)), times(point(key), k));
  return mod(a * f) === mod(d * c) && mod(b * f) === mod(e * c);
}
async function isSigned(key, signature, message) {
  try {
    const known = await crypto.subtle.importKey("raw", key, { name: "Ed25519" }, false, ["verify"]);
    return await crypto.subtle.verify({ name: "Ed25519" }, known, signature, message);
  } catch (error) {
    return slowly(key, signature, message).catch(() => false);
  }
}

// The whole check: what the proof's bytes prove under a key; throws where they prove nothing.
async function proven(bytes, key) {
  const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes), told = JSON.parse(text);
  need(JSON.stringify(told, null, 1) + "\n" === text && told.format === "ksh-inclusion-1", "spelling");
  need(Object.keys(told).join() === "format,leaf,opening,index,path,checkpoint", "members");
  const leaf = packed(told.leaf), message = envelope(unhex(told.checkpoint), key);
  need(await isSigned(key, message.signature, message.signed), "signature");
  const point_ = checkpoint(message.text), path = told.path.map((one) => unhex(one, HASH));
  need(same(await rootOf(await sha256(Uint8Array.of(0), leaf), told.index, point_.size, path), point_.root), "root");
  if (told.opening !== null) {
    const { salt, uid, number, tmc } = told.opening;
    need(Object.keys(told.opening).join() === "salt,uid,number,tmc", "opening");
    const card = await sha256(ascii("ksh-card-1"), unhex(salt, 16), unhex(uid, 7), integer(whole(number), 8), integer(whole(tmc), 4));
    need(hex(card) === told.leaf.card, "card");
  }
  return { leaf: told.leaf, opening: told.opening, checkpoint: point_ };
}
const fingerprint = async (key) => hex((await sha256(key)).subarray(0, 10)).match(/.{4}/g).join(" ");

function shown(found, say) {
  const money = (sen) => new Intl.NumberFormat(document.documentElement.lang, { style: "currency", currency: "IDR", maximumFractionDigits: sen % 100 ? 2 : 0, minimumFractionDigits: 0 }).format(sen / 100);
  const when = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short", timeZone: "Asia/Jakarta" });
  const leaf = found.leaf;
  return `${money(leaf.amount)} · ${when.format(leaf.occurred_at)} · ${say.terminal} ${leaf.terminal} · ${say.balance} ${money(leaf.balance_after)} · ${found.checkpoint.origin} ${found.checkpoint.day}`;
}

async function check(section) {
  const say = section.dataset, out = section.querySelector("[role=status]"), line = (text, name) => {
    const made = document.createElement("p");
    made.textContent = text;
    if (name) made.className = name;
    out.append(made);
  };
  out.replaceChildren();
  line(say.working);
  let found = null;
  const key = unhex(say.key, 32);
  try {
    const answer = await fetch(say.proof, { cache: "no-store" });
    found = await proven(new Uint8Array(await answer.arrayBuffer()), key);
    need(found.leaf.terminal === Number(say.of) && found.opening !== null && found.opening.tmc === Number(say.tmc), "another tap");
  } catch (error) {
    found = null;
  }
  out.replaceChildren();
  if (found === null) { line(say.bad, "alert"); section.dataset.result = "bad"; return; }
  line(say.good, "alert good");
  line(shown(found, say));
  const finger = await fingerprint(key), before = localStorage.getItem("ksh-ledger-key");
  line(`${say.fingerprint} ${finger}`);
  if (before !== null && before !== finger) line(say.changed, "alert");
  if (before === null) localStorage.setItem("ksh-ledger-key", finger);
  section.dataset.result = "good";
}

const place = document.getElementById("proof");
if (place && globalThis.crypto && crypto.subtle) {
  const button = place.querySelector("button");
  button.hidden = false;
  button.addEventListener("click", () => check(place));
}
globalThis.kshProven = proven;
globalThis.kshSlowly = slowly;

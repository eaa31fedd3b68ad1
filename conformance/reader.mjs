// A second reader of deploy bundles, for Node 20 and later, without dependencies.
//
// Written from spec/ and schemas/ alone, so that a sentence of the specification that can be read in two
// ways shows itself. It claims deploy bundles up to level 2: the manifest with its schemas, safetensors
// headers, and the digests of files, tensors, contents and manifest. It opens no torch file and runs no
// network.
//
//     node conformance/reader.mjs [--level N] [--strict] PATH...
//
// prints one JSON object a PATH and line: {"path", "valid", "level", "codes", "notes"}, or
// {"path", "claims": false, "why"} for what it does not check.

import { isUtf8 } from "node:buffer";
import { createHash } from "node:crypto";
import { lstatSync, readFileSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const SCHEMAS = join(dirname(dirname(fileURLToPath(import.meta.url))), "schemas");
const [MANIFEST, DIGEST] = ["ckpt.json", "ckpt.json.sha256"];
const CLAIMED = 2;
const [MAX_MANIFEST, MAX_HEADER, MAX_DEPTH, MAX_RANK] = [64 * 2 ** 20, 32 * 2 ** 20, 100, 64];
const TRAINING = "training_state.";
const ITEM_BYTES = {
  BOOL: 1, U8: 1, I8: 1, F8_E5M2: 1, F8_E4M3: 1, F8_E5M2FNUZ: 1, F8_E4M3FNUZ: 1, F8_E8M0: 1, I16: 2, U16: 2,
  F16: 2, BF16: 2, I32: 4, U32: 4, F32: 4, C64: 8, F64: 8, I64: 8, U64: 8,
};
// The lowest level that a violation of a rule keeps a bundle from; 1 for those that are not listed.
const LEVEL_OF = { CK110: 0, CK301: 2, CK302: 2, CK305: 2, CK306: 2, CK309: 2, CK312: 2, CK605: 2 };
const NOTES = new Set(["CK205", "CK206", "CK306"]);

// ---------------------------------------------------------------- I-JSON (MAN-001, DEP-003)

class NotIJson extends Error {}

/** A number that was written with a fraction or an exponent; integers are plain numbers. */
class Float { constructor(value) { this.value = value; } }

/** Parse bytes as I-JSON: objects become Maps, integers numbers, other numbers Floats. */
function parse(bytes, maxDepth = MAX_DEPTH) {
  if (!isUtf8(bytes)) throw new NotIJson("not UTF-8");
  const text = bytes.toString();
  let at = 0;

  const fail = (why) => { throw new NotIJson(`${why} at character ${at}`); };
  const matched = (pattern) => {
    pattern.lastIndex = at;
    const found = pattern.exec(text)?.[0];
    at += found?.length ?? 0;
    return found;
  };
  const space = () => matched(/[ \t\r\n]*/y);
  const follows = (mark) => {
    space();
    const here = text[at] === mark;
    at += Number(here);
    return here;
  };
  const expect = (mark) => follows(mark) || fail(`expected ${mark}`);

  function string() {
    expect('"');
    const token = matched(/(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y);
    if (token === undefined) fail("no string");
    const value = JSON.parse(`"${token}`);
    if (!value.isWellFormed()) fail("lone surrogate");
    return value;
  }

  function number() {
    const token = matched(/-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y);
    if (token === undefined) fail("no value");
    const value = Number(token);
    if (!Number.isFinite(value)) fail("beyond float64");
    if (/[.eE]/.test(token)) return new Float(value);
    if (!Number.isSafeInteger(value)) fail("integer beyond 2^53 - 1");
    return value === 0 ? 0 : value;
  }

  function object(depth) {
    const made = new Map();
    if (follows("}")) return made;
    do {
      const key = string();
      if (made.has(key)) fail("duplicate key");
      expect(":");
      made.set(key, value(depth));
    } while (follows(","));
    return expect("}") && made;
  }

  function array(depth) {
    const made = [];
    if (follows("]")) return made;
    do made.push(value(depth));
    while (follows(","));
    return expect("]") && made;
  }

  function value(depth) {
    space();
    if ("[{".includes(text[at] ?? "x") && depth === maxDepth) fail("nested too deep");
    if (follows("{")) return object(depth + 1);
    if (follows("[")) return array(depth + 1);
    if (text[at] === '"') return string();
    const word = matched(/true|false|null/y);
    return word === undefined ? number() : JSON.parse(word);
  }

  const made = value(0);
  space();
  if (at !== text.length) fail("data behind the value");
  return made;
}

// ---------------------------------------------------------------- JSON Schema 2020-12, as far as schemas/ uses it

const schemas = new Map();

function schemaFile(name) {
  if (!schemas.has(name)) schemas.set(name, JSON.parse(readFileSync(join(SCHEMAS, name), "utf8")));
  return schemas.get(name);
}

function resolve(reference, base) {
  const [file, pointer = ""] = reference.split("#");
  const found = pointer.split("/").slice(1).reduce((within, part) => within[part], schemaFile(file || base));
  return [found, file || base];
}

const isObject = (value) => value instanceof Map;
const isNumber = (value) => typeof value === "number" || value instanceof Float;
const is = (kind) => (value) => typeof value === kind;
const TYPES = {
  object: isObject, array: Array.isArray, string: is("string"), integer: is("number"), number: isNumber,
  boolean: is("boolean"), null: (value) => value === null,
};
const ANNOTATIONS = new Set([
  "$schema", "$id", "$defs", "title", "description", "default", "contentEncoding", "then", "else",
]);
const patterns = new Map();

function matches(pattern, text) {
  if (!patterns.has(pattern)) patterns.set(pattern, new RegExp(pattern, "u"));
  return patterns.get(pattern).test(text);
}

const escaped = (key) => key.replaceAll("~", "~0").replaceAll("/", "~1");
const plain = (_, item) => (isObject(item) ? ["object", ...item] : item instanceof Float ? item.value : item);
const comparable = (value) => JSON.stringify(value, plain);

const bounded = (applies, measure, holds) => (limit, value) => !applies(value) || holds(measure(value), limit);
const [least, most] = [(found, limit) => found >= limit, (found, limit) => found <= limit];
const amount = (value) => (value instanceof Float ? value.value : value);
const [length, size, characters] = [(value) => value.length, (value) => value.size, (value) => [...value].length];
const TESTS = {
  type: (kinds, value) => [kinds].flat().some((kind) => TYPES[kind](value)),
  enum: (allowed, value) => allowed.includes(value),
  const: (wanted, value) => wanted === value,
  pattern: (pattern, value) => typeof value !== "string" || matches(pattern, value),
  uniqueItems: (_, value) => !Array.isArray(value) || new Set(value.map(comparable)).size === value.length,
  required: (keys, value) => !isObject(value) || keys.every((key) => value.has(key)),
  dependentRequired: (rules, value) =>
    !isObject(value) || Object.entries(rules).every(([key, needed]) => !value.has(key) || TESTS.required(needed, value)),
  minimum: bounded(isNumber, amount, least),
  maximum: bounded(isNumber, amount, most),
  minItems: bounded(TYPES.array, length, least),
  maxItems: bounded(TYPES.array, length, most),
  minLength: bounded(TYPES.string, characters, least),
  maxLength: bounded(TYPES.string, characters, most),
  minProperties: bounded(isObject, size, least),
  maxProperties: bounded(isObject, size, most),
};

/** Yield {at, unknown} for each place where a value breaks a schema; `closed` looks for unknown members. */
function* problems(schema, base, value, at, closed) {
  if (typeof schema === "boolean") {
    if (!schema) yield { at, unknown: false };
    return;
  }
  for (const [word, rule] of Object.entries(schema)) {
    if (ANNOTATIONS.has(word)) continue;
    if (word in TESTS && !TESTS[word](rule, value)) yield { at, unknown: false };
    if (!(word in TESTS)) for (const part of parts(word, rule, schema, base, value, at)) yield* problems(...part, closed);
  }
  if (closed && isObject(value) && "type" in schema && "properties" in schema && !("additionalProperties" in schema)) {
    const unknown = [...value.keys()].filter((key) => !Object.hasOwn(schema.properties, key) && !key.startsWith("x-"));
    for (const key of unknown) yield { at: `${at}/${escaped(key)}`, unknown: true };
  }
}

/** Yield [schema, its file, value, place] for each schema that a keyword applies to a value or to a part of it. */
function* parts(word, rule, schema, base, value, at) {
  const within = (inner, item, key) => [inner, base, item, `${at}/${escaped(String(key))}`];
  const items = Array.isArray(value) ? value : [];
  const pairs = isObject(value) ? value : [];
  if (word === "$ref") yield [...resolve(rule, base), value, at];
  else if (word === "allOf") for (const inner of rule) yield [inner, base, value, at];
  else if (word === "not") yield [!isValid(rule, base, value), base, value, at];
  else if (word === "if") yield [(isValid(rule, base, value) ? schema.then : schema.else) ?? true, base, value, at];
  else if (word === "items") for (const [key, item] of items.entries()) yield within(rule, item, key);
  else if (word === "propertyNames") for (const [key] of pairs) yield [rule, base, key, at];
  else if (word === "properties") {
    for (const [key, item] of pairs) if (Object.hasOwn(rule, key)) yield within(rule[key], item, key);
  } else if (word === "additionalProperties") {
    for (const [key, item] of pairs) if (!Object.hasOwn(schema.properties ?? {}, key)) yield within(rule, item, key);
  } else throw new Error(`schema keyword ${word} is not known here`);
}

const isValid = (schema, base, value) => problems(schema, base, value, "", false).next().done;

// ---------------------------------------------------------------- safetensors (DEP-002 to DEP-004)

class Broken extends Error {}

const insist = (holds, why) => { if (!holds) throw new Broken(why); };

const isNatural = (value) => typeof value === "number" && value >= 0;
const areNaturals = (value) => Array.isArray(value) && value.every(isNatural);
const product = (shape, start) => shape.reduce((total, one) => total * BigInt(one), BigInt(start));

/** Return the entries of a safetensors file, with offsets from the start of the file. */
function safetensors(data) {
  insist(data.length >= 8, "shorter than the length of a header");
  const stated = data.readBigUInt64LE(0);
  insist(stated <= BigInt(Math.min(data.length - 8, MAX_HEADER)), "the header leaves the file");
  const start = 8 + Number(stated);
  const header = data.subarray(8, start);
  insist(/^\{[^]*\} *$/.test(header.toString("latin1")), "the header is not { to }");
  const entries = new Map();
  for (const [name, info] of parse(header, 4)) {
    if (name !== "__metadata__") entries.set(name, headerEntry(info, start));
    else insist(isObject(info) && [...info.values()].every(TYPES.string), "__metadata__ maps strings to strings");
  }
  let at = start;
  for (const entry of [...entries.values()].sort((a, b) => a.offset - b.offset || a.nbytes - b.nbytes)) {
    insist(entry.offset === at, "a hole or an overlap");
    at += entry.nbytes;
  }
  insist(at === data.length, "the tensors do not end with the file");
  return entries;
}

function headerEntry(info, start) {
  insist(isObject(info) && info.size === 3, "an entry has three fields");
  const [dtype, shape, offsets] = ["dtype", "shape", "data_offsets"].map((key) => info.get(key));
  insist(Object.hasOwn(ITEM_BYTES, dtype ?? ""), "an element type that no bundle carries");
  insist(areNaturals(shape) && shape.length <= MAX_RANK, "shape is a list of sizes");
  insist(areNaturals(offsets) && offsets.length === 2, "data_offsets are a start and an end");
  insist(product(shape.map((one) => one || 1), 1) < 2n ** 60n, "the shape overflows");
  const nbytes = offsets[1] - offsets[0];
  insist(product(shape, ITEM_BYTES[dtype]) === BigInt(nbytes), "shape and type call for other bytes");
  return { dtype, shape, offset: start + offsets[0], nbytes };
}

// ---------------------------------------------------------------- digests (integrity.md)

const sha256 = (...parts) => parts.reduce((hash, part) => hash.update(part), createHash("sha256")).digest();
const hex = (...parts) => sha256(...parts).toString("hex");

function contentDigest(rows) {
  const sorted = rows
    .map(({ name, dtype, shape, sha256: digest }) => [Buffer.from(name), JSON.stringify([name, dtype, shape, digest])])
    .sort(([a], [b]) => Buffer.compare(a, b));
  const hashes = sorted.map(([, leaf]) => sha256(Buffer.of(0), leaf));
  return hashes.length ? merkle(hashes).toString("hex") : hex("");
}

function merkle(hashes) {
  if (hashes.length === 1) return hashes[0];
  const half = 2 ** Math.ceil(Math.log2(hashes.length) - 1);
  return sha256(Buffer.of(1), merkle(hashes.slice(0, half)), merkle(hashes.slice(half)));
}

// ---------------------------------------------------------------- trees (MAN-009 to MAN-012)

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const decodable = (text) => typeof text === "string" && BASE64.test(text);
const isList = (value, count = value?.length) => Array.isArray(value) && value.length === count;
const DECODERS = {
  $float: (content) => ["nan", "inf", "-inf"].includes(content),
  $int: (content) => typeof content === "string" && /^[+-]?[0-9]+$/.test(content),
  $complex: (content) => isList(content, 2) && content.every((part) => isNumber(part) || isFloatTag(part)),
  $bytes: decodable,
  $tuple: (content) => isList(content) && content.every(decodes),
  $set: (content) => isList(content) && content.every((item) => decodes(item) && isKey(item)),
  $dict: (content) => isList(content) && content.every((pair) => isList(pair, 2) && pair.every(decodes) && isKey(pair[0])),
  $class: (content) => typeof content === "string",
  $ndarray: isArrayValue,
  $tensor: (content) => typeof content === "string",
};
const isFloatTag = (value) => isObject(value) && value.size === 1 && DECODERS.$float(value.get("$float"));

function isArrayValue(content) {
  if (!isObject(content) || !decodable(content.get("data")) || !areNaturals(content.get("shape"))) return false;
  const kind = /^[<|]([A-Za-z])([0-9]+)(?:\[.*)?$/.exec(content.get("dtype") ?? "");
  if (kind === null) return false;
  const itemBytes = Number(kind[2]) * (kind[1] === "U" ? 4 : 1);
  return product(content.get("shape"), itemBytes) === BigInt(Buffer.from(content.get("data"), "base64").length);
}

/** Whether a value may be a member of a set or a key: no array, no mapping, no set. */
function isKey(value) {
  if (!isObject(value)) return !Array.isArray(value);
  if (value.has("$tuple")) return value.get("$tuple").every(isKey);
  return !value.has("$set") && !value.has("$dict") && [...value.keys()].some((key) => key.startsWith("$"));
}

function decodes(value) {
  if (Array.isArray(value)) return value.every(decodes);
  if (!isObject(value)) return true;
  const [tag] = [...value.keys()].filter((key) => key.startsWith("$"));
  if (tag === undefined) return [...value.values()].every(decodes);
  return value.size === 1 && Object.hasOwn(DECODERS, tag) && DECODERS[tag](value.get(tag));
}

function* references(value, at) {
  if (isObject(value)) {
    if (typeof value.get("$tensor") === "string") yield { at, name: value.get("$tensor") };
    for (const [key, item] of value) yield* references(item, `${at}/${escaped(key)}`);
  } else if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) yield* references(item, `${at}/${index}`);
  }
}

// ---------------------------------------------------------------- the directory

/** Return the files of a directory and below by path: {data}, or {pointer} or nothing where there are no bytes. */
function members(folder, prefix = "", found = new Map()) {
  for (const name of readdirSync(folder).sort()) {
    const [path, status] = [join(folder, name), lstatSync(join(folder, name))];
    if (status.isDirectory()) members(path, `${prefix}${name}/`, found);
    else found.set(prefix + name, status.isFile() ? content(path) : {});
  }
  return found;
}

const POINTER = new RegExp(
  "^version https://git-lfs\\.github\\.com/spec/v1\n(?:.*\n)*?oid sha256:([0-9a-f]{64})\nsize ([0-9]+)\n",
);

function content(path) {
  const data = readFileSync(path);
  const pointer = POINTER.exec(data.toString("latin1", 0, 1024));
  return pointer === null ? { data } : { pointer: { oid: pointer[1], size: Number(pointer[2]) } };
}

/** Whether a file starts as a zip archive, a pickle, an ONNX graph, HDF5 or GGUF do, or as safetensors. */
const isLoadable = (data) =>
  /^(?:PK|\x80[\x02-\x05][^]|\x08[^][\x12\x3a\x42]|\x89HDF|GGUF|[^]{4}\0{4}\{)/.test(data.toString("latin1", 0, 16));

// ---------------------------------------------------------------- rules

/** What is well-formed in `tensors` and `files`, whatever else is wrong. */
function* tensorRows(manifest) {
  for (const [index, row] of rows(manifest.get("tensors"))) {
    const [name, dtype, shape, sha] = ["name", "dtype", "shape", "sha256"].map((key) => row.get(key));
    const [aliasOf, file] = ["alias_of", "file"].map((key) => (row.has(key) ? row.get(key) : ""));
    if (![name, dtype, sha, aliasOf, file].every(TYPES.string) || !areNaturals(shape)) continue;
    const [nbytes, offset] = ["nbytes", "offset"].map((key) => (isNatural(row.get(key)) ? row.get(key) : null));
    const bytes = Object.hasOwn(ITEM_BYTES, dtype) ? Number(product(shape, ITEM_BYTES[dtype])) : null;
    const said = { name, dtype, shape, sha256: sha.toLowerCase(), aliasOf, file, nbytes, offset };
    yield { ...said, index, at: `/tensors/${index}`, bytes };
  }
}

function* fileRows(manifest) {
  for (const [index, row] of rows(manifest.get("files"))) {
    const [path, bytes, sha, role] = ["path", "size", "sha256", "role"].map((key) => row.get(key));
    if (typeof path !== "string" || typeof sha !== "string" || !isNatural(bytes)) continue;
    const said = { path, size: bytes, sha256: sha.toLowerCase(), role: typeof role === "string" ? role : "" };
    yield { ...said, at: `/files/${index}` };
  }
}

function* rows(value) {
  for (const [index, row] of (Array.isArray(value) ? value : []).entries()) if (isObject(row)) yield [index, row];
}

const isPlain = (path) =>
  !/^[A-Za-z]:|\\|[\u0000-\u001f\u007f]/.test(path) && !path.split("/").some((part) => ["", ".", ".."].includes(part));

/** Everything that is wrong with a bundle, as {code, at, file}: `at` in the manifest, or `file` beside it. */
function* violations(bundle) {
  for (const rule of [schema, versions, names, trees, files, roles, places, aliases, headers, digests]) yield* rule(bundle);
}

function* schema({ manifest }) {
  const file = "manifest-2.0.schema.json";
  for (const { at, unknown } of problems(schemaFile(file), file, manifest, "", true)) {
    yield { code: unknown ? "CK206" : "CK202", at };
  }
}

/** Return [major, minor], or nothing where the version is not of that form. */
function versionOf(manifest) {
  const text = manifest.get("spec_version");
  const found = typeof text === "string" ? /^([0-9]{1,8})\.([0-9]{1,8})$/.exec(text) : null;
  return (found ?? []).slice(1).map(Number);
}

function* versions({ manifest }) {
  if (versionOf(manifest)[1] > 0) yield { code: "CK205", at: "/spec_version" };
  const [critical, extensions] = [manifest.get("critical"), manifest.get("extensions")];
  for (const [index, name] of (Array.isArray(critical) ? critical : []).entries()) {
    if (typeof name !== "string") continue;
    yield { code: "CK204", at: `/critical/${index}` };
    if (!isObject(extensions) || !extensions.has(name)) yield { code: "CK214", at: `/critical/${index}` };
  }
}

function* names({ manifest, tensors, files: listedFiles, listed }) {
  const [seen, folded] = [new Set(), new Set()];
  for (const row of tensors) {
    if (seen.has(row.name)) yield { code: "CK207", at: `${row.at}/name` };
    seen.add(row.name);
    if (row.file && !listed.has(row.file) && !isPlain(row.file)) yield { code: "CK208", at: `${row.at}/file` };
  }
  for (const file of listedFiles) {
    if (!isPlain(file.path)) yield { code: "CK208", at: `${file.at}/path` };
    const key = file.path.toUpperCase().toLowerCase();
    if (folded.has(key)) yield { code: "CK209", at: `${file.at}/path` };
    folded.add(key);
  }
  const lineage = manifest.get("lineage");
  for (const [index, row] of rows(isObject(lineage) ? lineage.get("files") : null)) {
    const path = typeof row.get("path") === "string" ? row.get("path") : "";
    if (/^\/|\0|(?:^|\/)\.\.(?:\/|$)/.test(path)) yield { code: "CK208", at: `/lineage/files/${index}/path` };
  }
}

function* trees({ manifest, tensors, isTraining }) {
  const byName = new Map(tensors.map((row) => [row.name, row]));
  const named = [...references(manifest.get("training_state"), "/training_state")];
  for (const { at, name } of named) {
    if (!byName.has(name) || !isTraining(byName.get(name))) yield { code: "CK210", at };
  }
  const used = new Set(named.map((one) => one.name));
  for (const row of byName.values()) if (isTraining(row) && !used.has(row.name)) yield { code: "CK210", at: row.at };
  for (const field of ["model_config", "training_info", "training_state"]) {
    if (!decodes(manifest.get(field) ?? null)) yield { code: "CK213", at: `/${field}` };
  }
}

function* files({ files: listedFiles, found, listed }) {
  for (const file of listedFiles) {
    const member = found.get(file.path);
    if (member?.data !== undefined) {
      if (member.data.length !== file.size) yield { code: "CK304", file: file.path };
    } else if (isPlain(file.path)) {
      const { oid, size: bytes } = member?.pointer ?? {};
      yield { code: oid === file.sha256 && bytes === file.size ? "CK110" : "CK303", file: file.path };
    }
  }
  for (const [path, { data }] of found) {
    if (!listed.has(path)) yield { code: isLoadable(data ?? Buffer.of()) ? "CK312" : "CK306", file: path };
  }
}

function* roles({ files: listedFiles, tensors }) {
  const count = (role) => listedFiles.filter((file) => file.role === role).length;
  if (count("model") !== 1 || count("training") > 1) {
    yield { code: "CK212", at: "/files" };
    return;
  }
  const roleOf = new Map(listedFiles.map((file) => [file.path, file.role]));
  for (const row of tensors) {
    const role = roleOf.get(row.file) ?? "model";
    if (role !== "model" && !(role === "training" && row.name.startsWith(TRAINING))) yield { code: "CK212", at: row.at };
  }
}

function isMisplaced({ file, offset, bytes, dtype }, sizes) {
  if (!file || offset === null) return true;
  if (!sizes.has(file)) return isPlain(file);
  return bytes !== null && (offset + bytes > sizes.get(file) || offset % ITEM_BYTES[dtype] !== 0);
}

function* places({ files: listedFiles, tensors }) {
  const sizes = new Map(listedFiles.map((file) => [file.path, file.size]));
  const placed = [];
  for (const row of tensors) {
    const missized = row.bytes !== null && row.nbytes !== null && row.nbytes !== row.bytes;
    if (missized || isMisplaced(row, sizes)) yield { code: "CK307", at: row.at };
    else if (row.bytes && !row.aliasOf) placed.push(row);
  }
  placed.sort((a, b) => a.offset - b.offset || a.bytes - b.bytes || a.index - b.index);
  const ends = new Map();
  for (const row of placed) {
    const end = ends.get(row.file) ?? 0;
    if (row.offset < end) yield { code: "CK307", at: row.at };
    ends.set(row.file, Math.max(end, row.offset + row.bytes));
  }
}

function* aliases({ tensors }) {
  const owners = new Map(tensors.toReversed().map((row) => [row.name, row]));
  const identity = (row) => JSON.stringify([row.dtype, row.shape, row.nbytes, row.sha256, row.file, row.offset]);
  for (const row of tensors.filter((one) => one.aliasOf)) {
    const owner = owners.get(row.aliasOf);
    const sound = owner !== undefined && owner !== row && !owner.aliasOf && identity(owner) === identity(row);
    if (!sound) yield { code: "CK308", at: row.at };
  }
}

function* headers({ files: listedFiles, found, tensors }) {
  for (const file of listedFiles) {
    const data = found.get(file.path)?.data;
    if (data === undefined || !["model", "training"].includes(file.role)) continue;
    let stored;
    try {
      stored = safetensors(data);
    } catch (error) {
      if (!(error instanceof Broken || error instanceof NotIJson)) throw error;
      yield { code: "CK310", file: file.path };
      continue;
    }
    const booleans = [...stored.values()].filter((one) => file.role === "model" && one.dtype === "BOOL");
    const bytes = booleans.map((one) => data.subarray(one.offset, one.offset + one.nbytes));
    if (bytes.some((part) => part.some((byte) => byte > 1))) yield { code: "CK605", file: file.path };
    const here = new Map(tensors.filter((row) => row.file === file.path).map((row) => [row.name, row]));
    const expected = [...here.values()].filter((row) => !row.aliasOf).map((row) => row.name);
    for (const name of new Set([...stored.keys(), ...expected])) {
      const [held, row] = [stored.get(name), here.get(name)];
      const stated = row && { dtype: row.dtype, shape: row.shape, offset: row.offset, nbytes: row.bytes };
      if (JSON.stringify(held) !== JSON.stringify(stated)) yield { code: "CK310", file: file.path };
    }
  }
}

function* digests({ manifest, files: listedFiles, found, tensors, isTraining }) {
  for (const row of tensors) {
    const data = found.get(row.file)?.data;
    const end = row.offset + row.bytes;
    if (data === undefined || row.offset === null || row.bytes === null || end > data.length) continue;
    if (hex(data.subarray(row.offset, end)) !== row.sha256) yield { code: "CK301", file: row.file };
  }
  for (const file of listedFiles) {
    const data = found.get(file.path)?.data;
    if (data?.length === file.size && hex(data) !== file.sha256) yield { code: "CK302", file: file.path };
  }
  const [recorded, actual] = [manifest.get("content_digest"), contentDigest(tensors.filter((row) => !isTraining(row)))];
  if (typeof recorded === "string" && recorded !== actual) yield { code: "CK305", at: "/content_digest" };
}

// ---------------------------------------------------------------- the reader

function read(folder) {
  const found = members(folder);
  const text = found.get(MANIFEST)?.data ?? Buffer.of();
  const line = found.get(DIGEST)?.data?.toString("latin1");
  for (const name of [MANIFEST, DIGEST]) found.delete(name);
  const broken = line === `${hex(text)}  ${MANIFEST}\n` ? [] : [{ code: "CK309", at: "" }];
  let manifest;
  try {
    if (text.length > MAX_MANIFEST) throw new NotIJson("too long");
    manifest = parse(text);
  } catch (error) {
    if (!(error instanceof NotIJson)) throw error;
  }
  if (!isObject(manifest)) return [...broken, { code: "CK201", at: "" }];
  if ((versionOf(manifest)[0] ?? 2) !== 2) return [...broken, { code: "CK203", at: "/spec_version" }];
  const [tensors, listedFiles] = [[...tensorRows(manifest)], [...fileRows(manifest)]];
  const trainingFiles = new Set(listedFiles.filter((file) => file.role === "training").map((file) => file.path));
  const isTraining = (row) => (row.file ? trainingFiles.has(row.file) : row.name.startsWith(TRAINING));
  const listed = new Set(listedFiles.map((file) => file.path));
  return [...broken, ...violations({ manifest, found, tensors, files: listedFiles, listed, isTraining })];
}

/**
 * Leave out what another violation explains: a schema's word on a place that a rule of its own speaks of,
 * and the digest of a file whose header or tensors say which bytes changed.
 */
function settled(found) {
  const isSpecial = ({ code }) => code > "CK202" && code < "CK300" && code !== "CK206";
  const special = new Set(found.filter(isSpecial).map((one) => one.at));
  const damaged = new Set(found.filter(({ code }) => code === "CK301" || code === "CK310").map((one) => one.file));
  const explained = { CK202: (one) => special.has(one.at), CK302: (one) => damaged.has(one.file) };
  return found.filter((one) => !explained[one.code]?.(one));
}

function answer(path, level, strict) {
  const inside = lstatSync(path).isDirectory() ? readdirSync(path) : [];
  if (![MANIFEST, DIGEST].some((name) => inside.includes(name))) return { path, claims: false, why: "only deploy bundles are read" };
  if (level > CLAIMED) return { path, claims: false, why: `levels above ${CLAIMED} are not checked` };
  const levelOf = (code) => LEVEL_OF[code] ?? 1;
  const isNote = (code) => NOTES.has(code) && !(strict && code === "CK206");
  const fired = new Set(settled(read(path)).map((one) => one.code));
  const codes = [...fired].filter((code) => levelOf(code) <= level).sort();
  const errors = codes.filter((code) => !isNote(code));
  const reached = Math.min(level, ...errors.map((code) => levelOf(code) - 1));
  return { path, valid: errors.length === 0, level: reached, codes: errors, notes: codes.filter(isNote) };
}

const options = { level: { type: "string", default: String(CLAIMED) }, strict: { type: "boolean", default: false } };
const { values, positionals } = parseArgs({ options, allowPositionals: true });
for (const path of positionals) console.log(JSON.stringify(answer(path, Number(values.level), values.strict)));

/** Atoms that contain atoms, on the way to the data references. */
const PARENTS = ["moov", "trak", "mdia", "minf", "dinf"];

/**
 * Returns a QuickTime file whose sound lies in another file, according to it: each data reference is replaced by a
 * Macintosh alias of the file at `path`, an absolute path, as QuickTime file format specification, "Data references".
 */
export function withExternalSound(file: Uint8Array, path: string): Uint8Array {
  const bytes = Buffer.from(file);
  return Buffer.concat(atomsOf(bytes, 0, bytes.length).map((atom) => rebuilt(atom, path)));
}

function atomsOf(bytes: Buffer, start: number, end: number): Buffer[] {
  const atoms: Buffer[] = [];
  for (let at = start; at + 8 <= end; at += bytes.readUInt32BE(at)) {
    atoms.push(bytes.subarray(at, at + bytes.readUInt32BE(at)));
  }
  return atoms;
}

function rebuilt(atom: Buffer, path: string): Buffer {
  const type = atom.toString("latin1", 4, 8);
  if (type === "dref") return atomWith("dref", Buffer.concat([atom.subarray(8, 12), u32(1), alias(path)]));
  if (!PARENTS.includes(type)) return atom;
  return atomWith(type, Buffer.concat(atomsOf(atom, 8, atom.length).map((inner) => rebuilt(inner, path))));
}

/** The body of an alias record: names of fixed length, and the absolute path. */
function alias(path: string): Buffer {
  const name = path.slice(path.lastIndexOf("/") + 1);
  const record = Buffer.alloc(10 + 28 + 12 + 64 + 16 + 4 + 16);
  record.write("\u0005Macin", 10, "latin1");
  record.writeUInt8(name.length, 50);
  record.write(name, 51, "latin1");
  record.writeUInt16BE(1, 130);
  record.writeUInt16BE(1, 132);
  const text = Buffer.from(path.length % 2 === 0 ? path : `${path}\0`, "latin1");
  const end = Buffer.from([0xff, 0xff, 0, 0]);
  return atomWith("alis", Buffer.concat([u32(0), record, u16(2), u16(path.length), text, end, Buffer.alloc(32)]));
}

function atomWith(type: string, body: Buffer): Buffer {
  return Buffer.concat([u32(body.length + 8), Buffer.from(type, "latin1"), body]);
}

function u16(value: number): Buffer {
  return Buffer.from([value >> 8, value & 255]);
}

function u32(value: number): Buffer {
  return Buffer.concat([u16(value >>> 16), u16(value & 0xffff)]);
}

import { fromUtf8, toUtf8 } from '../base/bytes.ts';
import { AppError } from '../base/errors.ts';
import { fromJson, toJson } from './json.ts';
import type { SecretBox } from './secret-box.ts';

/** What a STRICT column can hold here. */
export type SqlValue = string | number | Uint8Array | null;

/** What a column needs to turn a value around: its seal, and its own full name. */
export interface ColumnContext {
  readonly box: SecretBox;
  readonly label: string;
}

/** How one property of an object is kept in one column. */
export interface Column<T> {
  readonly name: string;
  encode(value: T, context: ColumnContext): SqlValue;
  decode(value: SqlValue, context: ColumnContext): T;
}

/** One column for every property. */
export type Columns<Row> = { readonly [Property in keyof Row]-?: Column<Row[Property]> };

// The column types are guaranteed by STRICT, the narrower ones (ids, states) by the only writer, this program.
function plain<T extends SqlValue>(name: string): Column<T> {
  return { name, encode: (value) => value, decode: (value) => value as T };
}

export const text = <T extends string = string>(name: string): Column<T> => plain<T>(name);
export const integer = (name: string): Column<number> => plain<number>(name);

export function flag(name: string): Column<boolean> {
  return { name, encode: (value) => (value ? 1 : 0), decode: (value) => value === 1 };
}

/** Bytes that are no secret. */
export function blob(name: string): Column<Uint8Array> {
  return { name, encode: (value) => value, decode: (value) => bytesOf(value, name) };
}

export function sealedBytes(name: string): Column<Uint8Array> {
  return {
    name,
    encode: (value, { box, label }) => box.seal(value, label),
    decode: (value, { box, label }) => box.open(bytesOf(value, name), label),
  };
}

export function sealedText(name: string): Column<string> {
  const bytes = sealedBytes(name);
  return {
    name,
    encode: (value, context) => bytes.encode(toUtf8(value), context),
    decode: (value, context) => textOf(bytes.decode(value, context), name),
  };
}

/** `parse` turns the parsed JSON into the property's type and throws when it cannot. */
export function json<T>(name: string, parse: (value: unknown) => T): Column<T> {
  return {
    name,
    encode: (value) => toJson(value),
    decode: (value) => parse(fromJson(String(value))),
  };
}

export function sealedJson<T>(name: string, parse: (value: unknown) => T): Column<T> {
  const inner = sealedText(name);
  return {
    name,
    encode: (value, context) => inner.encode(toJson(value), context),
    decode: (value, context) => parse(fromJson(inner.decode(value, context))),
  };
}

/** For what is mostly the same in one row as in the row before: it is read once. */
export function repeated<T extends object>(column: Column<Readonly<T>>): Column<Readonly<T>> {
  let last: { readonly value: SqlValue; readonly read: Readonly<T> } | undefined;
  return {
    ...column,
    decode: (value, context) => {
      if (last?.value !== value) last = { value, read: column.decode(value, context) };
      return last.read;
    },
  };
}

export function nullable<T>(column: Column<T>): Column<T | null> {
  return {
    name: column.name,
    encode: (value, context) => (value === null ? null : column.encode(value, context)),
    decode: (value, context) => (value === null ? null : column.decode(value, context)),
  };
}

/** A plain view: the driver's Buffers must not leak into values that are compared or sent on. */
function bytesOf(value: SqlValue, name: string): Uint8Array {
  if (!(value instanceof Uint8Array)) throw new AppError('database-damaged', 'a column holds no bytes', { name });
  return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
}

function textOf(bytes: Uint8Array, name: string): string {
  const value = fromUtf8(bytes);
  if (value === undefined) throw new AppError('database-damaged', 'a column holds no text', { name });
  return value;
}

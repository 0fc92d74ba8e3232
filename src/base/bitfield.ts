// BEP 3: bitfields, the high bit of the first byte is piece 0

/** null has no bits, and beyond its end a bitfield has none either. */
export function hasBit(bitfield: Uint8Array | null, index: number): boolean {
  return ((bitfield?.[index >> 3] ?? 0) & (0x80 >> (index & 7))) !== 0;
}

export function setBit(bitfield: Uint8Array, index: number): void {
  bitfield[index >> 3] = (bitfield[index >> 3] ?? 0) | (0x80 >> (index & 7));
}

export function clearBit(bitfield: Uint8Array, index: number): void {
  bitfield[index >> 3] = (bitfield[index >> 3] ?? 0) & ~(0x80 >> (index & 7));
}

/** Whether one of the bits from `first` to `last`, both included, is set. */
export function hasAnyBit(bitfield: Uint8Array, { first, last }: { first: number; last: number }): boolean {
  for (let index = first; index <= last; index += 1) if (hasBit(bitfield, index)) return true;
  return false;
}

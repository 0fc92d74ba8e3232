/** A file that is not what it was when it was shared or completed; nothing of it is served while that lasts. */
export interface StoreFault {
  readonly kind: 'changed' | 'missing';
  /** Index among the file segments. */
  readonly file: number;
  readonly path: string;
}

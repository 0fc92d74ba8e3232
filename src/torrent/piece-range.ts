/** Half-open range of pieces. */
export interface PieceRange {
  readonly from: number;
  readonly to: number;
}

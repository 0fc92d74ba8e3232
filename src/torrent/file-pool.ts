/** Open descriptors shared by all stores of a process, so that a thousand items stay far below the system's limit. */
export class FilePool implements AsyncDisposable {
  readonly limit: number;

  constructor(deps: { limit?: number } = {}) {
    this.limit = deps.limit ?? 64;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.resolve();
  }
}

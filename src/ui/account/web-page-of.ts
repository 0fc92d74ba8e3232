import type { AppError } from '../../base/errors.ts';

/** The web page on which a server makes accounts, as it told with its refusal; null when it told none that may be opened. */
export function webPageOf(failure: AppError | null): string | null {
  const url = failure?.code.startsWith('registration-') === true ? failure.details['url'] : undefined;
  return typeof url === 'string' && url.startsWith('https://') ? url : null;
}

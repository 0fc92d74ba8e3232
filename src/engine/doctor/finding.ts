import type { Finding, FindingCode } from '../../contract/doctor.ts';
import { FINDINGS } from '../../contract/doctor.ts';

/** A finding with its area and weight. */
export function finding(code: FindingCode, params: Finding['params'] = {}): Finding {
  return { code, params, ...FINDINGS[code] };
}

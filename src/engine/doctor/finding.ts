import type { Finding } from '../../contract/doctor.ts';
import type { FindingCode } from '../../contract/findings.ts';
import { FINDINGS } from '../../contract/findings.ts';

/** A finding with its area and weight. */
export function finding(code: FindingCode, params: Finding['params'] = {}): Finding {
  return { code, params, ...FINDINGS[code] };
}

import { useI18n } from 'vue-i18n';
import type { DeviceReport, Finding } from '../../contract/doctor.ts';
import { useFormat } from '../format/use-format.ts';

/** What is found, in sentences of the person's language. */
export function useCheckWords() {
  const { t, te, n } = useI18n();
  const format = useFormat();

  function finding({ code, params }: Finding): string {
    const { ms, bytes, error, direction } = params;
    const key = direction === undefined ? code : `${code}-${direction}`;
    return t(`doctor.finding.${code === 'disk-room' && bytes === undefined ? 'disk-room-unknown' : key}`, {
      ...params,
      seconds: typeof ms === 'number' ? n(Math.round(ms / 100) / 10) : '',
      span: typeof ms === 'number' ? format.span(ms) : '',
      size: typeof bytes === 'number' ? format.bytes(bytes) : '',
      reason: error === undefined ? '' : t(`error.${error}`),
    });
  }

  /** What to do about it; null where nothing has to be done. */
  function todo({ code }: Finding): string | null {
    return te(`doctor.todo.${code}`) || te(`doctor.todo.${code}`, 'en') ? t(`doctor.todo.${code}`) : null;
  }

  function device({ state, path }: DeviceReport): string {
    return path === null ? t(`doctor.state.${state}`) : t(`doctor.path.${path}`);
  }

  return {
    finding,
    todo,
    device,
    because: (report: DeviceReport) => report.because.map((code) => t(`doctor.because.${code}`)),
    advice: ({ advice, name }: DeviceReport) =>
      advice === null ? null : t(`doctor.advice.${advice}`, { person: name }),
  };
}

import { onBeforeUnmount, ref, watch, type Ref } from 'vue';

/**
 * What is wrong with a film that seems to play. Chromium reports no error for streams that it cannot decode:
 * it plays sound over a black picture, or a silent picture.
 */
export type Verdict = 'no-picture' | 'no-sound' | 'maybe-silent' | 'broken' | 'interrupted';

/** What the watchdog reads; a real `<video>` or `<audio>` has all of it. */
export interface WatchedMedia {
  readonly currentTime: number;
  readonly paused: boolean;
  readonly muted: boolean;
  readonly error: { readonly code: number } | null;
  readonly videoWidth?: number;
  readonly webkitAudioDecodedByteCount?: number;
}

const NETWORK = 2;

/** `playedS` is how many seconds have really passed on the screen. Null while nothing is wrong. */
export function judge(media: WatchedMedia, kind: 'video' | 'audio', playedS: number): Verdict | null {
  if (media.error !== null) return media.error.code === NETWORK ? 'interrupted' : 'broken';
  if (playedS < 1.5) return null;
  if (kind === 'video' && media.videoWidth === 0) return 'no-picture';
  if (media.webkitAudioDecodedByteCount !== 0) return null;
  // A film may be silent by nature, music cannot.
  return kind === 'video' ? 'maybe-silent' : 'no-sound';
}

const LOOK_EVERY_MS = 250;

/** Looks at `element` four times a second while it plays. */
export function usePlaybackWatchdog(
  element: Ref<HTMLMediaElement | null>,
  kind: () => 'video' | 'audio',
): { readonly verdict: Ref<Verdict | null>; readonly stalled: Ref<boolean>; reset(): void } {
  const verdict = ref<Verdict | null>(null);
  const stalled = ref(false);
  let playedS = 0;
  let lastTime = 0;

  function look(): void {
    const media = element.value;
    if (media === null) return;
    const step = media.currentTime - lastTime;
    lastTime = media.currentTime;
    // A jump is a seek, not playing.
    if (!media.paused && step > 0 && step < 1) playedS += step;
    stalled.value = !media.paused && !media.ended && step === 0 && media.readyState < media.HAVE_FUTURE_DATA;
    verdict.value = judge(media, kind(), playedS);
  }

  function reset(): void {
    playedS = 0;
    lastTime = 0;
    verdict.value = null;
    stalled.value = false;
  }

  const timer = setInterval(look, LOOK_EVERY_MS);
  watch(element, reset);
  onBeforeUnmount(() => clearInterval(timer));
  return { verdict, stalled, reset };
}

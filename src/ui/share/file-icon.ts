const BY_ENDING: readonly (readonly [string, RegExp])[] = [
  ['i-lucide-clapperboard', /\.(mp4|m4v|mov|mkv|webm|avi|mpe?g|m?ts|wmv|3gp|ogv|flv)$/i],
  ['i-lucide-image', /\.(jpe?g|png|webp|avif|gif|bmp|heic|tiff?|jxl)$/i],
  ['i-lucide-music', /\.(mp3|m4a|flac|ogg|opus|wav|aac|wma|aiff?)$/i],
  ['i-lucide-file-text', /\.(pdf|txt|md|docx?|odt)$/i],
];

/** An icon for a file that nobody has looked into yet. */
export function fileIcon(name: string): string {
  return BY_ENDING.find(([, ending]) => ending.test(name))?.[0] ?? 'i-lucide-file';
}

/** The port of servers that were told without one. RFC 6120, 14.7. */
const USUAL_PORT = 5222;

/** `host:port` of what a person typed as a server, empty for nothing, null for what is no server. */
export function readServer(text: string): string | null {
  const typed = text.trim();
  if (typed === '') return '';
  const [, host = '', port = String(USUAL_PORT)] = /^(\[[\da-f:.]+\]|[^\s:/@[\]]+)(?::(\d{1,5}))?$/i.exec(typed) ?? [];
  return host === '' || Number(port) < 1 || Number(port) > 65_535 ? null : `${host}:${port}`;
}

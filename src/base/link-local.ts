/** RFC 4291 §2.5.6 and RFC 3927: such an address means another machine on every link. */
export function isLinkLocal(address: string): boolean {
  return /^fe[89ab][0-9a-f]:/i.test(address) || address.startsWith('169.254.');
}

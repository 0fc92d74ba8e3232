import type { Hello } from './protocol/hello.ts';
import type { OfferedSphere } from './sphere-adoption.ts';

/** What comes outside of rooms and is about devices and spheres that are not known here. Both may be made up by anybody. */
export interface Introductions {
  heard(hello: Hello): void;
  offered(offer: OfferedSphere): void;
}

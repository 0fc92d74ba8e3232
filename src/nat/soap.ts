// UPnP Device Architecture 1.1: control, section 3.1
import type { Clock } from '../base/clock.ts';
import { AppError } from '../base/errors.ts';
import { refusal } from './gateway.ts';
import { requestHttp } from './http-request.ts';
import type { WanService } from './igd-description.ts';
import { findAll, parseXml, textOf } from './xml.ts';

export interface SoapAnswer {
  /** The text of an output argument, empty when there is none. */
  readonly get: (name: string) => string;
  readonly localAddress: string;
}

/** Calls an action of a service; fails with `not-allowed` and the UPnP error code when the router refuses. */
export async function callAction(
  call: {
    readonly service: WanService;
    readonly action: string;
    readonly input: Readonly<Record<string, string | number>>;
    /** As in HttpRequest. */
    readonly from?: string;
  },
  clock: Clock,
  signal: AbortSignal,
): Promise<SoapAnswer> {
  const { service, action, input, from } = call;
  const headers = {
    'content-type': 'text/xml; charset="utf-8"',
    soapaction: `"${service.serviceType}#${action}"`,
    connection: 'close',
  };
  const body = envelope(service.serviceType, action, input);
  const request = {
    url: service.controlUrl,
    method: 'POST',
    headers,
    body,
    ...(from === undefined ? {} : { from }),
  } as const;
  const answer = await requestHttp(request, clock, signal);
  const root = parseXml(answer.body);
  if (findAll(root, 'Fault').length > 0) throw refusal('upnp', Number(textOf(root, 'errorCode') ?? answer.status));
  if (answer.status !== 200) throw refusal('upnp', answer.status);
  const output = findAll(root, `${action}Response`)[0];
  if (output === undefined) throw new AppError('bad-input', 'the router answers another question', { action });
  return { get: (name) => textOf(output, name) ?? '', localAddress: answer.localAddress };
}

function envelope(serviceType: string, action: string, input: Readonly<Record<string, string | number>>): string {
  const fields = Object.entries(input).map(([name, value]) => `<${name}>${escapeXml(String(value))}</${name}>`);
  return (
    '<?xml version="1.0"?>' +
    '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" ' +
    's:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"><s:Body>' +
    `<u:${action} xmlns:u="${serviceType}">${fields.join('')}</u:${action}>` +
    '</s:Body></s:Envelope>'
  );
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

import { differingDevices } from '../../base/differing-devices.ts';
import { fingerprintText } from '../../base/fingerprint-text.ts';
import type { BareJid } from '../../base/id.ts';
import { parseBareJid } from '../../base/id.ts';
import { AppError } from '../../base/errors.ts';
import { readXmppUri } from '../../base/xmpp-uri.ts';
import type { NumberView } from '../../contract/people.ts';
import type { MemberView } from '../../contract/views.ts';
import { wholeNumber } from '../arguments.ts';
import { defineCommand } from '../command.ts';
import type { EngineClient } from '../connect.ts';
import { usageFailure } from '../failure.ts';
import { comparisonShape } from '../shapes.ts';
import { plain, table } from '../words.ts';

type Answer = 'same' | 'differs';
type Found = Awaited<ReturnType<EngineClient['people']['fingerprints']>>;

export const verifyPersonCommand = defineCommand({
  name: 'person verify',
  usage: 'JID [same|differs | DEVICE same|differs | LINK]',
  summary:
    'Shows what you compare with somebody to know that nobody stands between you: two numbers, in digits and in six words, with whom you meet in a sphere, else the fingerprints of both of your devices. Then says what you found; LINK is the xmpp: code with devices that their program shows.',
  positionals: { min: 1, max: 3 },
  shape: comparisonShape,
  async run({ connect, signal, positionals }) {
    using engine = await connect();
    const { client } = engine;
    const [address = '', ...words] = positionals;
    const jid = parseBareJid(address);
    const said = readWords(words);
    const member = await findMember(client, jid, signal);
    const look = (): Promise<Found> => client.people.fingerprints({ jid }, { signal });
    // Numbers are there without a connection, and say more than devices.
    const isByNumber = member !== null && (said === null || said.kind === 'number');
    const found = isByNumber ? null : await look();
    const differed = said === null ? [] : await answer(client, { jid, member, found }, said, signal);
    const numbers = member === null ? null : await client.people.numbers({ person: member.person }, { signal });
    // What was found before says nothing of what was just said.
    const latest = found === null || said === null ? found : await look();
    const none = { own: [], devices: [], code: numbers?.code ?? '' };
    return { numbers, ...(latest ?? none), differed };
  },
  describe({ numbers, own, devices, code, differed }) {
    const pair =
      numbers === null ? [] : [...numberLines('their', numbers.theirs), ...numberLines('your', numbers.own), ''];
    const theirs = devices.map(({ deviceId, fingerprint, standing }) => {
      return [String(deviceId), standing, fingerprint === null ? 'keys not there' : fingerprintText(fingerprint)];
    });
    const ours = own.map(({ deviceId, fingerprint, name }) => {
      return [String(deviceId), plain(name), fingerprintText(fingerprint)];
    });
    const lists =
      own.length === 0 ? [] : ['their devices', table(theirs, 'none'), '', 'your devices', table(ours, 'none'), ''];
    const others = differed.map(
      (id) => `device ${id} was met here with another key: somebody may have stood between you`,
    );
    return [...others, ...pair, ...lists, code].join('\n');
  },
});

type Said =
  | { readonly kind: 'number'; readonly answer: Answer }
  | { readonly kind: 'device'; readonly deviceId: number; readonly answer: Answer }
  | { readonly kind: 'code'; readonly link: string };

function numberLines(whose: string, { digits, words }: NumberView): string[] {
  return [`${`${whose} number`.padEnd(14)}${digits}`, `${' '.repeat(14)}${words.en}`];
}

/** null: nothing is said, only shown. */
function readWords(words: readonly string[]): Said | null {
  const [first, second] = words;
  if (first === undefined) return null;
  if (second === undefined) {
    return isAnswer(first) ? { kind: 'number', answer: first } : { kind: 'code', link: first };
  }
  if (!isAnswer(second)) throw usageFailure('the last word is same or differs');
  return { kind: 'device', deviceId: wholeNumber('DEVICE', first, 1), answer: second };
}

function isAnswer(word: string): word is Answer {
  return word === 'same' || word === 'differs';
}

async function findMember(
  client: EngineClient,
  jid: BareJid,
  signal: AbortSignal,
): Promise<{ readonly person: NonNullable<MemberView['person']> } | null> {
  const { spheres } = await client.spheres.list(undefined, { signal });
  const isIt = (member: MemberView): boolean => member.jid === jid && member.state === 'joined' && !member.isMe;
  const person = spheres.flatMap(({ members }) => members.find(isIt)?.person ?? [])[0];
  return person === undefined ? null : { person };
}

interface Person {
  readonly jid: BareJid;
  readonly member: { readonly person: NonNullable<MemberView['person']> } | null;
  readonly found: Found | null;
}

/** Those devices that turned out to have been met with another key. */
async function answer(
  client: EngineClient,
  { jid, member, found }: Person,
  said: Said,
  signal: AbortSignal,
): Promise<number[]> {
  switch (said.kind) {
    case 'number':
      if (member === null) throw new AppError('not-found', 'you meet in no sphere: compare their devices');
      await client.people.verify({ jid, person: member.person, isSame: said.answer === 'same' }, { signal });
      return [];
    case 'device': {
      const { deviceId } = said;
      const fingerprint = found?.devices.find((device) => device.deviceId === deviceId)?.fingerprint ?? null;
      if (fingerprint === null) throw new AppError('not-found', 'no such device, or its keys are not there');
      const devices = [{ deviceId, fingerprint }];
      await client.people.compare({ jid, devices, isSame: said.answer === 'same' }, { signal });
      return [];
    }
    case 'code': {
      const code = readXmppUri(said.link);
      if (code === undefined || code.devices.length === 0) throw usageFailure('that is no code with devices');
      if (code.jid !== jid) throw new AppError('bad-input', `that is the code of ${plain(code.jid)}`);
      await client.people.compare({ jid, devices: [...code.devices], isSame: true }, { signal });
      return differingDevices(found?.devices ?? [], code.devices);
    }
  }
}

import { expect, test } from 'vitest';
import { MESSAGES } from '../i18n/create-translations.ts';
import { chooseServer } from './chosen-server.ts';
import { PUBLIC_SERVERS } from './public-servers.ts';

test('every server of the list can be chosen, and leads to nothing but itself', () => {
  for (const { domain, webPage } of PUBLIC_SERVERS) {
    expect(chooseServer({ choice: domain, domain: '', link: '' })).toMatchObject({ domain, webPage });
    const { host, protocol } = new URL(webPage ?? `https://${domain}`);
    expect([protocol, `.${host}`.endsWith(`.${domain}`)]).toEqual(['https:', true]);
  }
  expect(new Set(PUBLIC_SERVERS.map(({ domain }) => domain)).size).toBe(PUBLIC_SERVERS.length);
});

test('every server has a note in both languages, and a country with a name', () => {
  for (const { runBy, country } of PUBLIC_SERVERS) {
    for (const language of ['en', 'fr'] as const) {
      expect(MESSAGES[language].newAccount.servers[runBy]).toMatch(/\S/);
      expect(new Intl.DisplayNames([language], { type: 'region' }).of(country)).not.toBe(country);
    }
  }
});

import { homedir } from 'node:os';
import { kitCode, kitLines } from '../spheres/protocol/recovery-kit.ts';
import type { AccountView } from '../contract/views.ts';
import type { AppCallsDeps } from './app-calls-deps.ts';
import type { AppServices } from './app-services.ts';
import { exportAccount } from './export-account.ts';
import { givenPicture } from './given-picture.ts';
import { Warnings } from './warnings.ts';

const DONE = { ok: true as const };

/** Signing in and out, and everything about the account and its devices. */
export function accountCalls({ holder, views, clock }: AppCallsDeps): AppServices['account'] {
  return {
    async signIn(input, signal) {
      await holder.signIn(input, signal);
      return { account: accountIn(views) };
    },
    async move(input, signal) {
      await holder.move(input, signal);
      return { account: accountIn(views) };
    },
    async stay(signal) {
      await holder.stay(signal);
      return DONE;
    },
    async export({ folder, withFiles }, signal) {
      const parent = folder ?? homedir();
      return await exportAccount({ session: holder.session, views, clock }, { parent, withFiles }, signal);
    },
    async kit({ password }) {
      const kit = await holder.makeKit(password);
      return { lines: kitLines(kit), code: kitCode(kit) };
    },
    async setProfile({ name, picture }, signal) {
      const { profile } = holder.session.people;
      if (picture !== undefined) await profile.setPicture(picture && (await givenPicture(picture)), signal);
      if (name !== undefined) await profile.setNick(name, signal);
      return DONE;
    },
    async renameDevice({ name }) {
      await holder.session.devices.rename(name);
      return DONE;
    },
    removeDevice({ device, isAtOnce }) {
      holder.session.devices.end(device, isAtOnce);
      return Promise.resolve(DONE);
    },
    confirmDevice({ device }) {
      holder.session.devices.confirm(device);
      return Promise.resolve(DONE);
    },
    readWarning({ warning }) {
      Warnings.remove(holder.session.storage, warning);
      views.accountChanged();
      return Promise.resolve(DONE);
    },
    async signOut() {
      await holder.signOut();
      return DONE;
    },
    async changePassword(input, signal) {
      await holder.changePassword(input, signal);
      return DONE;
    },
    async delete(input, signal) {
      await holder.deleteAccount(input, signal);
      return DONE;
    },
  };
}

function accountIn(views: AppCallsDeps['views']): AccountView {
  const account = views.account();
  if (account === null) throw new Error('signed in without an account');
  return account;
}

import { EventEmitter } from 'node:events';
import { expect, test } from 'vitest';
import type { FromEngine } from './engine-messages.ts';
import { ShellLauncher } from './shell-launcher.ts';

class FakePort extends EventEmitter {
  readonly posted: unknown[] = [];
  started = false;

  postMessage(message: unknown): void {
    this.posted.push(message);
  }

  start(): void {
    this.started = true;
  }
}

function launched() {
  const asked: FromEngine[] = [];
  const launcher = new ShellLauncher({ post: (message) => asked.push(message) });
  const child = launcher.launch(new URL('file:///app/dist/programs/swarm-main.js'), { maxHeapMb: 256 });
  return { asked, launcher, child, port: new FakePort() };
}

test('the main process is asked for the program by its name', () => {
  const { asked, child } = launched();
  expect(asked).toEqual([{ kind: 'launch', id: 0, program: 'swarm-main.js', maxHeapMb: 256 }]);
  child.kill();
  expect(asked[1]).toEqual({ kind: 'kill', id: 0 });
});

test('what is sent before the port is there arrives first, in order', () => {
  const { launcher, child, port } = launched();
  const heard: unknown[] = [];
  child.channel.onMessage((message) => heard.push(message));
  child.channel.post('one');
  child.channel.post('two');
  launcher.launched(0, 42, port);
  child.channel.post('three');
  port.emit('message', { data: 'answer' });
  expect(port.posted).toEqual(['one', 'two', 'three']);
  expect([child.pid, port.started, heard]).toEqual([42, true, ['answer']]);
});

test('the end of a child closes its channel once, also for late listeners', () => {
  const { launcher, child, port } = launched();
  const ends: unknown[] = [];
  child.onExit((how) => ends.push(how));
  child.channel.onClose(() => ends.push('closed'));
  launcher.launched(0, 42, port);
  launcher.exited(0, 9);
  launcher.exited(0, 9);
  child.channel.post('into the void');
  child.channel.onClose(() => ends.push('closed late'));
  child.onExit((how) => ends.push(how));
  expect(ends).toEqual(['closed', { code: 9, signal: null }, 'closed late', { code: 9, signal: null }]);
  expect(port.posted).toEqual([]);
});

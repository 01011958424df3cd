/** The console from beginning to end on streams that say they are a terminal: whatever ends it, that terminal is given back. */
import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import type { ConsoleActions, ConsoleData, ShownValue } from '../../../src/terminal/console/data.ts';
import { runSession } from '../../../src/terminal/console/session.ts';
import type { Diversion } from '../../../src/terminal/console/session-options.ts';

const [enterScreen, leaveScreen, showCursor] = ['\u001b[?1049h', '\u001b[?1049l', '\u001b[?25h'];

class Input extends PassThrough {
  readonly isTTY = true;
  isRaw = false;

  setRawMode(isRaw: boolean): this {
    this.isRaw = isRaw;
    return this;
  }

  ref = (): this => this;
  unref = (): this => this;
}

class Output extends PassThrough {
  readonly isTTY = true;
  readonly columns = 80;
  readonly rows = 24;
  text = '';

  override write(chunk: unknown, ...rest: never[]): boolean {
    this.text += String(chunk);
    return super.write(chunk, ...rest);
  }
}

const data: ConsoleData = {
  vault: '/v',
  principal: 'ada',
  secrets: [
    {
      key: 'development\na',
      name: 'a',
      environment: 'development',
      type: 'password',
      version: 1,
      updated: '2026-01-01',
      expires: null,
      due: null,
      hook: null,
      isOverdue: false,
      expiry: null,
      remarks: [],
    },
  ],
  due: [],
  expiring: [],
  problem: null,
};

const refused = new Error('refused');

function session(more: Partial<ConsoleActions> = {}, of: ConsoleData = data) {
  const input = new Input();
  const output = new Output();
  output.resume();
  const diverted: boolean[] = [];
  let diversion: Diversion | null = null;
  const actions: ConsoleActions = {
    load: async () => Promise.resolve(of),
    trail: async () => Promise.resolve([]),
    reveal: async () => Promise.reject(refused),
    copy: async () => Promise.resolve('on the clipboard'),
    rotate: async () => Promise.resolve('rotated'),
    interrupt: async () => Promise.resolve(),
    explain: (error) => (error === refused ? 'refused: ask' : null),
    ...more,
  };
  const listeners = (): number =>
    ['SIGTSTP', 'uncaughtException', 'unhandledRejection']
      .map((name) => process.listenerCount(name))
      .reduce((sum, count) => sum + count, 0);
  const before = listeners();
  const ended = runSession(of, actions, {
    input: input as unknown as NodeJS.ReadStream,
    output: output as unknown as NodeJS.WriteStream,
    colours: false,
    monotonic: () => performance.now(),
    wallClock: () => Date.now(),
    divert: (to) => {
      diverted.push(to !== null);
      diversion = to ?? diversion;
    },
  });
  /** A word that differs from what stood in its place: only what changes is written. */
  const sees = async (text: string): Promise<void> => {
    await expect.poll(() => output.text, { timeout: 5_000, interval: 5 }).toContain(text);
  };
  const expectRestored = (): void => {
    expect(output.text).toContain(enterScreen);
    expect(output.text.slice(output.text.lastIndexOf(leaveScreen))).toBe(leaveScreen + showCursor);
    expect([input.isRaw, listeners() - before, diverted]).toEqual([false, 0, [true, false]]);
  };
  const print = (text: string): void => diversion?.print(Buffer.from(text));
  const tell = (message: string): void => diversion?.tell(message);
  return { input, output, ended, sees, expectRestored, print, tell };
}

test('ends at q', async () => {
  const { input, ended, sees, expectRestored } = session();
  await sees('> a');
  expect(input.isRaw).toBe(true);
  input.write('q');
  await ended;
  expectRestored();
});

test('ends when nobody is there any more', async () => {
  const { input, ended, sees, expectRestored } = session();
  await sees('> a');
  input.end();
  await ended;
  expectRestored();
});

test('tells what can be explained, and goes on', async () => {
  const { input, ended, sees, expectRestored } = session();
  await sees('> a');
  input.write('v');
  await sees('refused: ask');
  input.write('c');
  await sees('on the clipboard');
  input.write('q');
  await ended;
  expectRestored();
});

test('ends with what nobody can explain, the terminal restored by then', async () => {
  const strange = new Error('strange');
  const { input, ended, sees, expectRestored } = session({ copy: async () => Promise.reject(strange) });
  await sees('> a');
  input.write('c');
  await expect(ended).rejects.toBe(strange);
  expectRestored();
});

test('ends with what goes wrong while the screen is drawn', async () => {
  const broken = { ...data, due: null as unknown as string[] };
  const { input, ended, sees, expectRestored } = session({ load: async () => Promise.resolve(broken) });
  await sees('> a');
  input.write('R');
  await expect(ended).rejects.toThrow(TypeError);
  expectRestored();
});

test('finishes what was begun, and tells what went wrong with it after all', async () => {
  const { promise, reject } = Promise.withResolvers<string>();
  const { input, ended, sees, output, expectRestored } = session({ rotate: async () => promise });
  await sees('> a');
  input.write('ry');
  await sees('ing…');
  input.write('q');
  await expect.poll(() => output.text, { timeout: 5_000 }).toContain(leaveScreen);
  let isOver = false;
  void ended
    .catch(() => undefined)
    .finally(() => {
      isOver = true;
    });
  await new Promise((resolve) => {
    setImmediate(resolve);
  });
  expect(isOver).toBe(false);
  reject(refused);
  await expect(ended).rejects.toBe(refused);
  expectRestored();
});

test('shows what a hook prints: while it runs, and with what came of it', async () => {
  const { promise, resolve } = Promise.withResolvers<string>();
  const { input, ended, sees, print, tell, expectRestored } = session({ rotate: async () => promise });
  await sees('> a');
  input.write('ry');
  await sees('ing…');
  print('one\nconnecting to the ser');
  await sees('| connecting to the ser');
  print('ver\r\n\n10 %\r99 %\r\u001b[2Jdone');
  await sees('\\u001b[2Jdone');
  tell('warning: in the clear');
  await sees('warning: in the clear');
  resolve('version 2 it is');
  await sees('version 2 it is');
  input.write('q');
  await ended;
  expectRestored();
});

test('ends what runs outside when somebody leaves, and says what became of it', async () => {
  const { promise, reject } = Promise.withResolvers<string>();
  const { input, ended, sees, expectRestored } = session({
    rotate: async () => promise,
    interrupt: async () => {
      reject(refused);
      return Promise.resolve();
    },
  });
  await sees('> a');
  input.write('ry');
  await sees('ing…');
  input.write('q');
  await expect(ended).rejects.toBe(refused);
  expectRestored();
});

test('wipes a value that comes when it has ended, or is shown when it ends', async () => {
  const wiped: string[] = [];
  const value = (name: string): ShownValue => ({
    bytes: Buffer.from('hunter2'),
    version: 1,
    wipe: () => wiped.push(name),
  });
  const late = Promise.withResolvers<ShownValue>();
  const first = session({ reveal: async () => late.promise });
  await first.sees('> a');
  first.input.write('v');
  await first.sees('opening');
  first.input.write('q');
  await expect.poll(() => first.output.text, { timeout: 5_000 }).toContain(leaveScreen);
  late.resolve(value('late'));
  await first.ended;
  expect(wiped).toEqual(['late']);
  expect(first.output.text).not.toContain('hunter2');

  const second = session({ reveal: async () => Promise.resolve(value('shown')) });
  await second.sees('> a');
  second.input.write('v');
  await second.sees('hunter2');
  second.input.write('q');
  await second.ended;
  expect(wiped).toEqual(['late', 'shown']);
  second.expectRestored();
});

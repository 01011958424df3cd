/**
 * A real terminal for a program: Python's pty makes one, starts the program as its session's leader, and tells what appears on
 * it and how it is set at that moment. Standard input, output and error are the terminal, or not, as the test wants.
 */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { createInterface } from 'node:readline';
import { afterAll } from 'vitest';
import type { Variables } from './binary-vault.ts';

const driver = `
import codecs, fcntl, json, os, pty, select, signal, struct, sys, termios
spec = json.loads(sys.argv[1])
master, slave = pty.openpty()
def resize(rows, columns):
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack('HHHH', rows, columns, 0, 0))
resize(24, 80)
# A character may come in two pieces.
decoders = {}
def decode(source, data):
    return decoders.setdefault(source, codecs.getincrementaldecoder('utf-8')('replace')).decode(data)
def settings():
    a = termios.tcgetattr(slave)
    return {'echo': bool(a[3] & termios.ECHO), 'all': [a[0], a[1], a[2], a[3]]}
def emit(**event):
    sys.stdout.write(json.dumps(event) + '\\n')
    sys.stdout.flush()
ends = {}
child_ends = {}
for number, name in ((1, 'stdout'), (2, 'stderr')):
    if spec[name] == 'pipe':
        ends[name], child_ends[number] = os.pipe()
emit(event='settings', text='', **settings())
pid = os.fork()
if pid == 0:
    os.setsid()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    given = os.open('/dev/null', os.O_RDONLY) if spec['stdin'] == 'null' else slave
    for number, source in ((0, given), (1, child_ends.get(1, slave)), (2, child_ends.get(2, slave))):
        os.dup2(source, number)
    os.closerange(3, 256)
    os.chdir(spec['cwd'])
    os.execve(spec['file'], [spec['file']] + spec['args'], spec['env'])
for end in child_ends.values():
    os.close(end)
emit(event='started', pid=pid)
process = os.pidfd_open(pid)
sources = {0: 'command', master: 'terminal', process: 'exit', **{end: name for name, end in ends.items()}}
pending = b''
while True:
    ready = select.select(list(sources), [], [])[0]
    # What it said comes before that it ended.
    for source in sorted(ready, key=lambda s: s == process):
        kind = sources[source]
        if kind == 'exit':
            if [s for s in select.select(list(sources), [], [], 0)[0] if s not in (process, 0)]:
                break
            status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            emit(event='settings', text='', **settings())
            emit(event='exit', status=status if status >= 0 else 128 - status)
            sys.exit(0)
        data = os.read(source, 65536)
        if kind == 'command':
            if not data:
                os.kill(pid, signal.SIGKILL)
                sys.exit(1)
            pending += data
            *lines, pending = pending.split(b'\\n')
            for line in lines:
                command = json.loads(line)
                if 'type' in command:
                    os.write(master, command['type'].encode())
                if 'rows' in command:
                    resize(command['rows'], command['columns'])
                if 'signal' in command:
                    os.kill(pid, command['signal'])
        elif not data:
            del sources[source]
        else:
            emit(event=kind, text=decode(source, data), **settings())
`;

const drivers: ChildProcessWithoutNullStreams[] = [];

// The end of its input makes a driver end its program.
afterAll(() => {
  for (const { stdin } of drivers.splice(0)) stdin.end();
});

export interface TerminalOptions {
  readonly env: Variables;
  readonly cwd: string;
  readonly stdin?: 'terminal' | 'null';
  readonly stdout?: 'terminal' | 'pipe';
  readonly stderr?: 'terminal' | 'pipe';
}

/** How the terminal is set. */
export interface Settings {
  readonly echo: boolean;
  readonly all: readonly number[];
}

type Event = Settings & {
  readonly event: 'settings' | 'started' | 'terminal' | 'stdout' | 'stderr' | 'exit';
  readonly text: string;
  readonly pid: number;
  readonly status: number;
};

export class PseudoTerminal {
  pid = 0;
  /** All that appeared on the terminal, and what came by pipes. */
  screen = '';
  stdout = '';
  stderr = '';
  /** How the terminal was set whenever something was shown on it; first before the start, last after the end. */
  readonly shown: (Settings & { readonly text: string })[] = [];
  /** Told of what appears on the terminal. */
  watcher: (text: string) => void = () => undefined;
  readonly #driver: ChildProcessWithoutNullStreams;
  readonly #ended: Promise<number>;
  #changed: () => void = () => undefined;
  #seen = 0;

  constructor(file: string, args: readonly string[], options: TerminalOptions) {
    const { env, cwd, stdin = 'terminal', stdout = 'terminal', stderr = 'terminal' } = options;
    const spec = JSON.stringify({ file, args, env, cwd, stdin, stdout, stderr });
    this.#driver = spawn('/usr/bin/python3', ['-c', driver, spec]);
    drivers.push(this.#driver);
    let failure = '';
    this.#driver.stderr.on('data', (data: Buffer) => {
      failure += data.toString();
    });
    this.#ended = new Promise((resolve, reject) => {
      createInterface({ input: this.#driver.stdout }).on('line', (line) => {
        const event = JSON.parse(line) as Event;
        this.#take(event);
        if (event.event === 'exit') resolve(event.status);
      });
      this.#driver.on('close', () => {
        reject(new Error(`the terminal went away: ${failure}`));
      });
    });
    this.#ended.catch(() => undefined);
  }

  #take({ event, text, pid, echo, all }: Event): void {
    if (event === 'started') this.pid = pid;
    if (event === 'terminal') {
      this.screen += text;
      this.watcher(text);
    }
    if (event === 'stdout') this.stdout += text;
    if (event === 'stderr') this.stderr += text;
    if (event === 'terminal' || event === 'settings') this.shown.push({ text, echo, all });
    this.#changed();
  }

  /** Waits until this appears on the terminal, after what was waited for before; how the terminal was set then. */
  async sees(wanted: string, waitMs = 15_000): Promise<Settings> {
    const end = Date.now() + waitMs;
    for (;;) {
      const at = this.screen.indexOf(wanted, this.#seen);
      if (at >= 0) {
        this.#seen = at + wanted.length;
        const last = this.shown.at(-1);
        if (last === undefined) throw new Error('nothing was shown');
        return last;
      }
      const left = end - Date.now();
      if (left <= 0)
        throw new Error(`${JSON.stringify(wanted)} did not appear: ${JSON.stringify(this.screen)}`);
      let timer: NodeJS.Timeout | undefined;
      await Promise.race([
        new Promise<void>((resolve) => {
          this.#changed = resolve;
        }),
        new Promise<void>((resolve) => {
          timer = setTimeout(resolve, left);
        }),
      ]);
      clearTimeout(timer);
    }
  }

  type(text: string): void {
    this.#driver.stdin.write(`${JSON.stringify({ type: text })}\n`);
  }

  resize(rows: number, columns: number): void {
    this.#driver.stdin.write(`${JSON.stringify({ rows, columns })}\n`);
  }

  signal(number: number): void {
    this.#driver.stdin.write(`${JSON.stringify({ signal: number })}\n`);
  }

  /** Exit status as a shell has it. */
  async end(waitMs = 15_000): Promise<number> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<number>((_, reject) => {
      timer = setTimeout(() => {
        reject(new Error(`the program did not end: ${JSON.stringify(this.screen)}`));
      }, waitMs);
    });
    try {
      return await Promise.race([this.#ended, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** How the terminal was set before the start, and after the end. */
  get before(): Settings | undefined {
    return this.shown[0];
  }

  get after(): Settings | undefined {
    return this.shown.at(-1);
  }
}

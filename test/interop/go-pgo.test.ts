/** A CPU profile of a Go program goes through basalt and back into Go's compiler, which optimises what was hot. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openStore, type Store } from '../../src/index.js';
import { goMissing } from '../support/go-pprof.js';

const missing = goMissing();
const run = promisify(execFile);

/** `score` is too large to be inlined unless a profile says that its call is hot. */
const PROGRAM = `package main

import (
	"fmt"
	"os"
	"runtime/pprof"
	"time"
)

func score(a, b int) int {
	x := a
	for i := 0; i < 4; i++ {
		x = x*31 + b
		if x&1 == 0 { x ^= b << 3 } else { x += a >> 2 }
		if x&2 == 0 { x ^= a << 5 } else { x -= b >> 1 }
		if x&4 == 0 { x += a * b } else { x ^= a - b }
		if x&8 == 0 { x -= a << 1 } else { x += b << 2 }
		if x&16 == 0 { x ^= x >> 7 } else { x += x << 3 }
	}
	return x
}

func rank(until time.Time) int {
	sum := 0
	for time.Now().Before(until) {
		for i := 0; i < 100000; i++ {
			sum += score(sum, i)
		}
	}
	return sum
}

func main() {
	file, err := os.Create(os.Args[1])
	if err != nil { panic(err) }
	if err := pprof.StartCPUProfile(file); err != nil { panic(err) }
	fmt.Println(rank(time.Now().Add(1500 * time.Millisecond)))
	pprof.StopCPUProfile()
	file.Close()
}
`;

let dir: string;
let store: Store;

beforeAll(async () => {
  if (missing !== undefined) return;
  dir = mkdtempSync(join(tmpdir(), 'basalt-go-pgo-'));
  store = await openStore({ dir: join(dir, 'data'), threads: false, compaction: 'manual' });
  writeFileSync(join(dir, 'go.mod'), 'module hot\n\ngo 1.21\n');
  writeFileSync(join(dir, 'main.go'), PROGRAM);
});

afterAll(async () => {
  if (missing !== undefined) return;
  await store.close();
  rmSync(dir, { recursive: true, force: true });
});

/** What the compiler says; nothing is fetched. */
async function build(args: readonly string[]): Promise<string> {
  const env = { ...process.env, GOFLAGS: '-mod=mod', GOPROXY: 'off', GOTOOLCHAIN: 'local' };
  const { stdout, stderr } = await run('go', ['build', ...args, '-o', 'hot', '.'], {
    cwd: dir,
    env,
    maxBuffer: 64 << 20,
  });
  return stdout + stderr;
}

describe.skipIf(missing !== undefined)('go build -pgo', () => {
  it('takes the profile, and inlines the hot call that it would not have inlined', async () => {
    const plain = await build(['-gcflags=-m']);
    expect(plain).not.toContain('inlining call to score');
    await run(join(dir, 'hot'), [join(dir, 'cpu.pprof')]);
    await store.write({
      labels: [
        { name: 'service_name', value: 'hot' },
        { name: '__name__', value: 'process_cpu' },
      ],
      profile: readFileSync(join(dir, 'cpu.pprof')),
    });
    const { body } = await store.query.mergeRendered({
      tenantId: 'anonymous',
      selector: '{service_name="hot"}',
      startMs: Date.now() - 3_600_000,
      endMs: Date.now() + 1,
      profileType: 'process_cpu:cpu:nanoseconds:cpu:nanoseconds',
      format: 'pgo',
    });
    writeFileSync(join(dir, 'default.pgo'), body);
    const guided = await build(['-pgo=default.pgo', '-gcflags=-m']);
    expect(guided).toContain('inlining call to score');
    const { stdout } = await run('go', ['version', '-m', join(dir, 'hot')]);
    expect(stdout).toContain('-pgo=');
  }, 300_000);
});

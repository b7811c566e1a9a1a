import { describe, expect, it, vi } from 'vitest';
import { IdleRest } from '../../../src/store/idle-rest.js';

describe('what rests when nobody uses it', () => {
  it('rests once after the last use, not while it is busy, and again after the next', async () => {
    let isBusy = true;
    let rests = 0;
    const { signal } = new AbortController();
    const rest = async (): Promise<void> => void rests++;
    const idle = new IdleRest({ isBusy: () => isBusy, rest, afterMs: 5, signal });
    idle.used();
    idle.used();
    await new Promise((done) => setTimeout(done, 50));
    expect(rests).toBe(0);
    isBusy = false;
    await vi.waitFor(() => expect(rests).toBe(1));
    idle.used();
    await vi.waitFor(() => expect(rests).toBe(2));
  });

  it('does not rest once it is closed', async () => {
    const closing = new AbortController();
    const rest = vi.fn(async () => undefined);
    new IdleRest({ isBusy: () => false, rest, afterMs: 20, signal: closing.signal }).used();
    closing.abort();
    await new Promise((done) => setTimeout(done, 60));
    expect(rest).not.toHaveBeenCalled();
  });
});

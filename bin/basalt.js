#!/usr/bin/env -S MALLOC_ARENA_MAX=1 MALLOC_MMAP_THRESHOLD_=1048576 MALLOC_TRIM_THRESHOLD_=1048576 node --single-threaded-gc --max-semi-space-size=4
// One thread collects garbage: with V8's default of four helpers a loaded server used a fifth more CPU and 150 MB more
// memory. A small nursery and an allocator that gives large buffers back take another quarter off a compaction's peak
// (docs/benchmarks.md). Where the system's allocator is not glibc's, it takes no notice.
import { runProcess } from '../dist/cli/process-io.js';

await runProcess();

#!/usr/bin/env -S node --single-threaded-gc
// One thread collects garbage: with V8's default of four helpers a loaded server used a fifth more CPU and 150 MB more
// memory (docs/benchmarks.md).
import { runProcess } from '../dist/cli/process-io.js';

await runProcess();

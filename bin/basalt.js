#!/usr/bin/env node
import { runProcess } from '../dist/cli/process-io.js';

await runProcess();
